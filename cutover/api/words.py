"""Sentences that hold moments: "last rollback 9 days ago" must age while it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from cutover.api.figures import age


@dataclass(frozen=True, slots=True)
class When:
    """A moment inside a sentence, seconds since the epoch; read as an age."""

    at_s: float


Words: TypeAlias = "tuple[str | When, ...]"


def plain(words: Words, now_s: float) -> str:
    """The sentence as text at one moment."""
    return "".join(age(now_s - part.at_s) if isinstance(part, When) else part for part in words)
