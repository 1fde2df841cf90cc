"""What the page says that asks who somebody is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignIn:
    """The page.

    Attributes:
        next: where to go afterwards, a path of this room.
        name: what was typed before, when the form came back.
        problem: why it came back; "" when it did not.
        has_issuer, has_people: the ways in that there are.
    """

    next: str
    name: str = ""
    problem: str = ""
    has_issuer: bool = False
    has_people: bool = True
