"""A revision: one entry of the ledger, chained to the one before it by hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

GENESIS = "0" * 64


class RevisionKind(StrEnum):
    """How a revision came about.

    approval: somebody said yes to a step, or took it back; the table stays as it is.
    """

    INIT = "init"
    APPLY = "apply"
    ROLLBACK = "rollback"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class Found:
    """A table that was in force although the ledger did not know it.

    Somebody edited the applied file by hand, or a rollback died before it could be
    written down. Kept, so that nothing is lost. `loads` is False when it was no table.
    """

    table_sha256: str
    routing_yaml: str
    loads: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a gate said about a step when it was taken.

    Attributes:
        compared, lower_ppm, min_ppm, confidence_bp: the parity gate's; 0 with another one.
        gate: which one: parity, calendar, approvals or live; or approval for a yes.
        inputs: the numbers that another one judged by.
    """

    domain: str
    verdict: str
    sentences: tuple[str, ...]
    compared: int = 0
    lower_ppm: int = 0
    min_ppm: int = 0
    confidence_bp: int = 0
    gate: str = "parity"
    inputs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a revision says, before it has its place in the chain.

    Attributes:
        actor: who did it.
        reason: why, in their words.
        changes: what changed, a sentence each.
        routing_yaml: the whole file that came into force.
        found: see Found; None when the ledger knew what was in force.
    """

    at: datetime
    actor: str
    kind: RevisionKind
    reason: str
    changes: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    routing_yaml: str
    found: Found | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """An entry with its place.

    Attributes:
        n: 1, 2, 3 … without gaps.
        table_sha256: of the bytes of `entry.routing_yaml`.
        prev_hash: hash of revision n - 1; 64 zeros for the first.
        hash: SHA-256 over all the rest.
    """

    n: int
    entry: Entry
    table_sha256: str
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a revision says, without the table that it put in force: a year fits in memory.

    Attributes:
        n: by its file's name; `claims` is what it says itself.
        table: the first 12 hex digits of its table's hash.
        is_found: see Found.
        is_rewritten: it says what it said, in other bytes than were written: somebody
            touched the file.
    """

    n: int
    at: datetime
    actor: str
    kind: RevisionKind
    reason: str
    changes: tuple[str, ...]
    table: str
    is_found: bool
    claims: int
    prev_hash: str
    hash: str
    is_rewritten: bool = False


@dataclass(frozen=True, slots=True)
class Damaged:
    """A revision whose file is not what was written there; its hash is the file's own."""

    n: int
    problem: str
    hash: str


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that is wrong with a chain, and what mends it."""

    problem: str
    way_out: str


class DamagedRevision(ValueError):
    """A revision's file is not what was written there."""


def sha256(content: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def seal(n: int, entry: Entry, prev_hash: str) -> Revision:
    """Give an entry its place in the chain."""
    table = sha256(entry.routing_yaml.encode())
    return Revision(n, entry, table, prev_hash, _hash(_fields(n, entry, table, prev_hash)))


def to_json(revision: Revision) -> bytes:
    """The revision as its file holds it: readable, keys in a fixed order."""
    fields = _fields(revision.n, revision.entry, revision.table_sha256, revision.prev_hash)
    fields["hash"] = revision.hash
    return (json.dumps(fields, ensure_ascii=False, indent=1) + "\n").encode()


def from_json(content: bytes) -> Revision:
    """Read a revision back.

    Raises:
        DamagedRevision: it is not JSON, lacks a key, or its hash is not its own.
    """
    try:
        told: dict[str, Any] = json.loads(content)
        found = told.get("found")
        entry = Entry(
            at=datetime.fromisoformat(told["at"]),
            actor=str(told["actor"]),
            kind=RevisionKind(told["kind"]),
            reason=str(told["reason"]),
            changes=tuple(map(str, told["changes"])),
            evidence=tuple(
                Evidence(**{**item, "sentences": tuple(item["sentences"])})
                for item in told["evidence"]
            ),
            routing_yaml=str(told["routing_yaml"]),
            found=None if found is None else Found(**found),
        )
        claimed = (told["hash"], told["table_sha256"])
        revision = seal(int(told["n"]), entry, str(told["prev_hash"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise DamagedRevision("it cannot be read") from exc
    if (revision.hash, revision.table_sha256) != claimed:
        raise DamagedRevision("its content does not belong to its hash")
    return revision


def told(n: int, content: bytes) -> Told | Damaged:
    """Read the file of revision `n`, and keep all but the table that it holds."""
    try:
        revision = from_json(content)
    except DamagedRevision as exc:
        return Damaged(n, str(exc), sha256(content))
    entry = revision.entry
    return Told(
        n=n,
        at=entry.at,
        actor=entry.actor,
        kind=entry.kind,
        reason=entry.reason,
        changes=entry.changes,
        table=revision.table_sha256[:12],
        is_found=entry.found is not None,
        claims=revision.n,
        prev_hash=revision.prev_hash,
        hash=revision.hash,
        is_rewritten=to_json(revision) != content,
    )


def flaws(links: Sequence[Told | Damaged]) -> tuple[Flaw, ...]:
    """What is wrong with a ledger: damaged entries, gaps, entries put in another's place.

    Args:
        links: every file, by number.
    """
    found: list[Flaw] = []
    expected_n, expected_hash = 1, GENESIS
    for link in links:
        n = link.n
        if n < expected_n:
            twice = f"revision {n:06} is there twice, under names of different length"
            found.append(Flaw(twice, "remove the file that is not of the chain"))
            continue
        if n != expected_n:
            missing = (
                f"{expected_n:06}" if n == expected_n + 1 else f"{expected_n:06} to {n - 1:06}"
            )
            found.append(Flaw(f"revision {missing} is missing", _restore(f"revision {missing}")))
        found += _flaws_of(link, expected_hash if n == expected_n else None)
        expected_n, expected_hash = n + 1, link.hash
    return tuple(found)


def breaks(links: Sequence[Told | Damaged]) -> tuple[str, ...]:
    """The flaws of a ledger, a sentence each."""
    return tuple(flaw.problem for flaw in flaws(links))


def chain_problems(links: Sequence[tuple[int, bytes]]) -> tuple[str, ...]:
    """See `breaks`; of number and content of each file, by number."""
    return breaks([told(n, content) for n, content in links])


def _flaws_of(link: Told | Damaged, expected_hash: str | None) -> list[Flaw]:
    """What is wrong with one entry; None where nobody knows what it should follow."""
    n, file = link.n, f"{link.n:06}.json"
    if isinstance(link, Damaged):
        return [Flaw(f"revision {n:06} is damaged: {link.problem}", _restore(file))]
    found: list[Flaw] = []
    if link.is_rewritten:
        rewritten = f"revision {n:06} was written anew: it says the same in other bytes"
        found.append(Flaw(rewritten, _restore(file)))
    if link.claims != n:
        found.append(Flaw(f"revision {n:06} says that it is {link.claims:06}", _restore(file)))
    if expected_hash is not None and link.prev_hash != expected_hash:
        both = f"{n - 1:06}.json and {file}" if n > 1 else file
        loose = f"revision {n:06} does not follow the one before it"
        found.append(Flaw(loose, f"{_restore(both)}; what is there is not what was there then"))
    return found


def _restore(files: str) -> str:
    return f"restore {files} from a backup of the ledger"


def link_hash(content: bytes) -> str:
    """What the next revision names as its predecessor: the hash, or a damaged file's own."""
    try:
        return from_json(content).hash
    except DamagedRevision:
        return sha256(content)


def _fields(n: int, entry: Entry, table_sha256: str, prev_hash: str) -> dict[str, Any]:
    return {
        "n": n,
        "at": entry.at.isoformat(timespec="milliseconds"),
        "actor": entry.actor,
        "kind": str(entry.kind),
        "reason": entry.reason,
        "changes": list(entry.changes),
        "evidence": [_evidence(one) for one in entry.evidence],
        "table_sha256": table_sha256,
        "routing_yaml": entry.routing_yaml,
        "found": None if entry.found is None else asdict(entry.found),
        "prev_hash": prev_hash,
    }


def _evidence(told: Evidence) -> dict[str, Any]:
    """What a parity gate says has the form that it always had: its hash must stay the same."""
    fields = {**asdict(told), "sentences": list(told.sentences), "inputs": dict(told.inputs)}
    if told.gate == "parity":
        del fields["gate"]
    if not told.inputs:
        del fields["inputs"]
    return fields


def _hash(fields: dict[str, Any]) -> str:
    canonical = json.dumps(fields, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode())
