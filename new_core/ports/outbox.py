"""How other modules and other systems are told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from new_core.domain.actor import Actor
from new_core.domain.events import Event


class OutboxStore(Protocol):
    """Events, written in the transaction of what they tell of."""

    async def add(self, events: Sequence[Event], actor: Actor, now: datetime) -> None:
        """Tell of something. They leave after the commit, in order per aggregate, and at
        least once.
        """
        ...
