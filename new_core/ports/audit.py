"""The book of who changed what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from new_core.domain.actor import Actor
from new_core.domain.audit import Link, Sealed
from new_core.domain.events import AuditEntry


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which sealed entries a page holds, ascending by their place."""

    after: int
    limit: int
    entity: str | None = None
    entity_id: str | None = None


class AuditStore(Protocol):
    """Entries in a chain of hashes, written in the transaction of the change.

    They are written without a place in the chain, so that writers do not wait for each other,
    and sealed into it shortly after their commit, by one transaction at a time.
    """

    async def add(self, entries: Sequence[AuditEntry], actor: Actor, now: datetime) -> None:
        """Put down who changed what.

        Raises:
            TypeError: before or after is not JSON.
        """
        ...

    async def has_unsealed(self) -> bool:
        """Whether entries wait for their place."""
        ...

    async def unsealed(self) -> int:
        """How many entries wait for their place."""
        ...

    async def seal(self, limit: int) -> tuple[Link, Link]:
        """Give committed entries their place, oldest first; from where to where the chain's
        head moved. It stays where it is while another transaction seals.
        """
        ...

    async def page(self, query: AuditQuery) -> tuple[Sealed, ...]:
        """Sealed entries, ascending."""
        ...

    async def head(self) -> Link:
        """The last place given, as it was put down beside the entries."""
        ...
