"""What becomes of a legacy column: copied, or left out for a reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mapped:
    """The column is copied.

    Attributes:
        to: table and column of the core.
    """

    to: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """The column is not copied, for a reason."""

    reason: str


Fate = Mapped | Ignored
