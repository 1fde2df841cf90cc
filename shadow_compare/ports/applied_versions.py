"""What was applied to a store, as its own table of versions tells."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID


class AppliedVersions(Protocol):
    """Reads `mig_version` of one database, without locks.

    Raises, from any call:
        SidesUnavailable: it did not answer.
    """

    async def orders(self, kind: str, ids: Collection[UUID]) -> Mapping[UUID, int]:
        """The place in the other side's log of the newest state of each that was applied."""
        ...

    async def behind(self, kind: str, order: int, after: UUID | None, size: int) -> Sequence[UUID]:
        """The next ids, ascending as text, to which a state behind that place was applied."""
        ...
