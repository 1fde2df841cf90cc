"""The book of who changed what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from new_core.domain.actor import Actor
from new_core.domain.events import AuditEntry


class AuditStore(Protocol):
    """Entries in a chain of hashes, written in the transaction of the change."""

    async def add(self, entries: Sequence[AuditEntry], actor: Actor, now: datetime) -> None:
        """Put down who changed what."""
        ...
