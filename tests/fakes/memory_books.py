"""The applied file, the ledger, a turn and a watched file's notes without a disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from cutover.core.revision import GENESIS, Entry, Revision, link_hash, seal, to_json
from cutover.core.watched_file import Watched
from cutover.errors import CannotWrite, Conflict


@dataclass(slots=True)
class MemoryApplied:
    """Implements ports.AppliedTable and ports.Draft."""

    content: bytes | None = None
    drafted: bytes = b""
    name: str = "applied.yaml"

    def read(self) -> bytes | None:
        return self.content

    @contextmanager
    def draft(self, content: bytes) -> Iterator[MemoryApplied]:
        self.drafted = content
        yield self

    def put_in_force(self, *, instead_of: bytes | None) -> None:
        if self.content != instead_of:
            raise Conflict("it was changed meanwhile")
        self.content = self.drafted

    def overwrite(self, content: bytes) -> None:
        self.content = content


@dataclass(slots=True)
class MemoryLedger:
    """Implements ports.Ledger."""

    kept: list[bytes] = field(default_factory=list)

    def links(self) -> Sequence[tuple[int, bytes]]:
        return list(enumerate(self.kept, start=1))

    def latest(self) -> Sequence[tuple[int, bytes]]:
        return list(reversed(self.links()))[:5]

    def backwards(self) -> Iterator[tuple[int, bytes]]:
        yield from reversed(self.links())

    def append(self, entry: Entry) -> Revision:
        before = link_hash(self.kept[-1]) if self.kept else GENESIS
        revision = seal(len(self.kept) + 1, entry, before)
        self.kept.append(to_json(revision))
        return revision

    def withdraw(self, revision: Revision) -> None:
        del self.kept[revision.n - 1 :]


@dataclass(slots=True)
class MemoryTurn:
    """Implements ports.Turn for one thread of work."""

    is_taken: bool = False

    @contextmanager
    def take(self, *, wait_s: float) -> Iterator[bool]:
        if self.is_taken:
            yield False
            return
        self.is_taken = True
        try:
            yield True
        finally:
            self.is_taken = False


@dataclass(slots=True)
class MemoryNotes:
    """What is known of a watched file.

    Attributes:
        fails: nothing can be written.
        dies_when_done: that a content is done with is never written.
    """

    watched: Watched = field(default_factory=Watched)
    fails: bool = False
    dies_when_done: bool = False

    def read(self) -> Watched:
        return self.watched

    def write(self, watched: Watched) -> None:
        is_done = watched.handled != self.watched.handled
        if self.fails or (self.dies_when_done and is_done):
            raise CannotWrite("the disk is full")
        self.watched = watched
