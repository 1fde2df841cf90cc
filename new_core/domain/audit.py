"""A chain of audit entries in which nobody changes anything unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

GENESIS = "0" * 64
"""What the first entry follows."""


@dataclass(frozen=True, slots=True)
class Written:
    """An audit entry as it was written, before it has a place in the chain.

    Attributes:
        before, after: JSON as text; the hash is over these very characters.
    """

    at: datetime
    actor_kind: str
    actor_id: str
    request_id: str
    action: str
    entity: str
    entity_id: str
    before: str | None
    after: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain: all up to here, in one hash."""

    seq: int
    hash: str


START = Link(0, GENESIS)


@dataclass(frozen=True, slots=True)
class Sealed:
    """An audit entry in its place."""

    link: Link
    prev_hash: str
    written: Written


class Fault(StrEnum):
    """What can be wrong with a place in the chain."""

    CHANGED = "changed"
    MISSING = "missing"
    UNLINKED = "unlinked"
    TRUNCATED = "truncated"
    BEYOND = "beyond_the_head"


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the chain does not hold.

    Attributes:
        seq: of the entry; of a missing one where it should be.
    """

    seq: int
    fault: Fault


def seal(after: Link, written: Written) -> Sealed:
    """The entry in the place that follows."""
    seq = after.seq + 1
    return Sealed(Link(seq, _hash(after.hash, seq, written)), after.hash, written)


def breaks(after: Link, entries: Iterable[Sealed]) -> Iterator[Break]:
    """Every place where entries do not follow from `after`, and each other, as they were sealed.

    After a break the rest is judged by the next entry's own word, so that one changed entry is
    one break and not all that come after it.
    """
    for entry in entries:
        seq = entry.link.seq
        if seq != after.seq + 1:
            yield Break(after.seq + 1, Fault.MISSING)
        elif entry.prev_hash != after.hash:
            yield Break(seq, Fault.UNLINKED)
        if entry.link.hash != _hash(entry.prev_hash, seq, entry.written):
            yield Break(seq, Fault.CHANGED)
        after = entry.link


def end_breaks(last: Link, head: Link) -> Iterator[Break]:
    """What the chain's end shows: `last` is the last entry there is, `head` what was put down
    beside the entries when the last one was sealed.
    """
    if last.seq < head.seq:
        yield Break(last.seq + 1, Fault.TRUNCATED)
    elif last.seq > head.seq:
        yield Break(head.seq + 1, Fault.BEYOND)
    elif last.hash != head.hash:
        yield Break(last.seq, Fault.UNLINKED)


def _hash(prev_hash: str, seq: int, written: Written) -> str:
    content = [
        prev_hash,
        seq,
        written.at.astimezone(UTC).isoformat(timespec="microseconds"),
        written.actor_kind,
        written.actor_id,
        written.request_id,
        written.action,
        written.entity,
        written.entity_id,
        written.before,
        written.after,
        written.reason,
    ]
    canonical = json.dumps(content, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
