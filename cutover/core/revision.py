"""A revision: one entry of the ledger, chained to the one before it by hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

GENESIS = "0" * 64


class RevisionKind(StrEnum):
    """How a revision came about."""

    INIT = "init"
    APPLY = "apply"
    ROLLBACK = "rollback"


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
    """What a gate said about a step when it was taken."""

    domain: str
    verdict: str
    sentences: tuple[str, ...]
    compared: int
    lower_ppm: int
    min_ppm: int
    confidence_bp: int


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
        n, prev_hash, claimed = int(told["n"]), str(told["prev_hash"]), str(told["hash"])
        revision = seal(n, entry, prev_hash)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise DamagedRevision("it cannot be read") from exc
    if revision.hash != claimed or revision.table_sha256 != told["table_sha256"]:
        raise DamagedRevision("its content does not belong to its hash")
    return revision


def chain_problems(links: Sequence[tuple[int, bytes]]) -> tuple[str, ...]:
    """What is wrong with a ledger: damaged entries, gaps, entries put in another's place.

    Args:
        links: number and content of each file, by number.
    """
    problems: list[str] = []
    expected_n, expected_hash = 1, GENESIS
    for n, content in links:
        if n != expected_n:
            missing = (
                f"{expected_n:06}" if n == expected_n + 1 else f"{expected_n:06} to {n - 1:06}"
            )
            problems.append(f"revision {missing} is missing")
        try:
            revision = from_json(content)
        except DamagedRevision as exc:
            problems.append(f"revision {n:06} is damaged: {exc}")
        else:
            if revision.n != n:
                problems.append(f"revision {n:06} says that it is {revision.n:06}")
            if n == expected_n and revision.prev_hash != expected_hash:
                problems.append(f"revision {n:06} does not follow the one before it")
        expected_n, expected_hash = n + 1, link_hash(content)
    return tuple(problems)


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
        "evidence": [{**asdict(e), "sentences": list(e.sentences)} for e in entry.evidence],
        "table_sha256": table_sha256,
        "routing_yaml": entry.routing_yaml,
        "found": None if entry.found is None else asdict(entry.found),
        "prev_hash": prev_hash,
    }


def _hash(fields: dict[str, Any]) -> str:
    canonical = json.dumps(fields, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode())
