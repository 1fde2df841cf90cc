"""Who looks at the page that is being made.

Every page's head names them, and every form is bound to their session. Both are made far
below the address that was asked for, and for each request anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from cutover.api.guarding import STRANGER
from cutover.core.access import Permission, Who


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who asks, and how their page says so.

    Attributes:
        session: its number; "" for those without one.
        sign_out: token of the form that ends the session; "" where there is none to end.
    """

    who: Who
    session: str = field(default="", repr=False)
    sign_out: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """Theirs; "" in an open room."""
        return self.who.name

    def may(self, permission: str) -> bool:
        """Whether they may; templates name a permission by its word."""
        return self.who.may(Permission(permission))


_VISITOR: ContextVar[Visitor] = ContextVar("visitor", default=Visitor(STRANGER))  # noqa: B039 - frozen


def visitor() -> Visitor:
    """Who asks now; somebody who may nothing where no gate said."""
    return _VISITOR.get()


def session_of_visitor() -> str:
    """What forms are bound to."""
    return _VISITOR.get().session


@contextmanager
def visited_by(who: Visitor) -> Iterator[None]:
    """What is made within is made for them."""
    before = _VISITOR.set(who)
    try:
        yield
    finally:
        _VISITOR.reset(before)
