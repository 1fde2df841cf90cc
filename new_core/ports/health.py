"""Figures of whether the books are right, by questions of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Waiting:
    """A line of things that are on their way.

    Attributes:
        oldest: since when the first one waits; None when none does.
    """

    things: int
    oldest: datetime | None


class HealthStore(Protocol):
    """Asks the tables of all modules, not their code: a bug there must show here."""

    async def books(self) -> Mapping[str, int]:
        """What must be 0, by name; see docs/reference/core-api-conventions.md."""
        ...

    async def accuracy(self) -> float | None:
        """Share of stock that was where the books said, by the last measurement; None without
        one.
        """
        ...

    async def waiting(self) -> Mapping[str, Waiting]:
        """Lines by name: numbers, bus, audit, webhooks."""
        ...
