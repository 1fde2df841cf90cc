"""What the use cases of this package need from the outside, as they see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from cutover.core.revision import Entry, Revision


class Draft(Protocol):
    """A table that is on disk, complete and synced, but not in force yet."""

    def put_in_force(self, *, instead_of: bytes | None) -> None:
        """Swap it in, atomically.

        Raises:
            Conflict: what is in force is not `instead_of` any more.
            CannotWrite: the swap failed; the old table stays in force.
        """
        ...


class AppliedTable(Protocol):
    """The one file that proxies follow."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def read(self) -> bytes | None:
        """Its bytes; None when there is none. Raises CannotRead."""
        ...

    def draft(self, content: bytes) -> AbstractContextManager[Draft]:
        """Write a table beside it; leaving the block removes what was not put in force.

        Raises:
            CannotWrite: e.g. the disk is full; nothing changed.
        """
        ...

    def overwrite(self, content: bytes) -> None:
        """Write over it in place: not atomic, but needs no new file on a full disk.

        Raises:
            CannotWrite: it may be torn; proxies keep their last good table.
        """
        ...


class Ledger(Protocol):
    """The revisions, numbered from 1, each written once."""

    def latest(self) -> Sequence[tuple[int, bytes]]:
        """Number and content of the newest revisions, newest first. Raises CannotRead."""
        ...

    def links(self) -> Sequence[tuple[int, bytes]]:
        """Number and content of every revision, oldest first. Raises CannotRead."""
        ...

    def backwards(self) -> Iterator[tuple[int, bytes]]:
        """Number and content, newest first, each read when it is asked for. Raises CannotRead."""
        ...

    def append(self, entry: Entry) -> Revision:
        """Write an entry behind the last one, synced. Raises CannotWrite."""
        ...

    def withdraw(self, revision: Revision) -> None:
        """Take back the newest entry, because what it says did not come about."""
        ...


class Turn(Protocol):
    """One writer at a time."""

    def take(self, *, wait_s: float) -> AbstractContextManager[bool]:
        """Wait for the turn; False when another process did not give it up in time."""
        ...


@dataclass(frozen=True, slots=True)
class DoorState:
    """What the proxy says of itself.

    Attributes:
        workers: how many there are.
        revisions: worker's process id to the revision that it decides by.
        problem: why the file as it stands did not load; None when it did.
    """

    ready: bool
    workers: int
    revisions: Mapping[str, str | None] = field(default_factory=dict)
    problem: str | None = None


class ProxyDoor(Protocol):
    """The proxy's side door."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    def state(self) -> DoorState:
        """Ask, within a second. Raises DoorClosed."""
        ...
