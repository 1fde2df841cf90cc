"""Who does something, and when: what every use case that writes is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from new_core.domain.actor import Actor
from new_core.ports import NewId


@dataclass(frozen=True, slots=True)
class Doing:
    """One act.

    Attributes:
        at: when, aware and in UTC; all rows that the act writes say the same time.
    """

    actor: Actor
    at: datetime
    new_id: NewId
