"""Sides, places in a database's log, and which of two states of one thing is newer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """One of the two stores."""

    LEGACY = "legacy"
    CORE = "core"

    @property
    def other(self) -> Side:
        """The side across."""
        return Side.CORE if self is Side.LEGACY else Side.LEGACY


NOBODY = "none"
"""Owner of a domain while it is fenced for a flip: neither side may write."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in one database's log, between two transactions.

    Compared by `order` first; equal orders have equal tokens.

    Attributes:
        order: 0 to 2**63 - 1, ascending with the log: a LSN, a GTID's sequence number, a
            changelog's sequence number.
        token: what the database resumes from; opaque to everybody else.
    """

    order: int
    token: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """How new a state of an aggregate or a row is; the greater one wins.

    Attributes:
        term: of the domain, as the fence row said it at that place of the log.
        order: of the position at which the state was true.
    """

    term: int
    order: int


NEVER = Version(0, 0)
"""Older than every state."""
