"""Says of each address what whoever asks for it must be allowed."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Depends, Request

from cutover.core.access import Permission, Role, Via, Who

#: Who asks a room that knows no people; forms may give a name of their own there.
NOBODY = Who("", frozenset(Role), Via.OPEN)


class NotAllowed(Exception):
    """Somebody is known, and may not do this.

    Attributes:
        who: they.
        permission: what it would take.
    """

    def __init__(self, who: Who, permission: Permission) -> None:
        super().__init__(f"{who.name or 'you'} may not do this; it takes: {permission}")
        self.who = who
        self.permission = permission


def who_asks(request: Request) -> Who:
    """Who asks, as found out before any address was looked for."""
    who = getattr(request.state, "who", None)
    return who if isinstance(who, Who) else NOBODY


def goes_on(request: Request) -> Callable[[], bool]:
    """Whether who asked is still let in, for an answer that lasts."""
    asked: Callable[[], bool] | None = getattr(request.state, "goes_on", None)
    return asked or (lambda: True)


def needs(permission: Permission) -> Callable[[Request], Who]:
    """A dependency of an address: whoever asks, who may do this.

    Raises:
        NotAllowed: they may not.
    """

    def allowed(request: Request) -> Who:
        who = who_asks(request)
        if not who.may(permission):
            raise NotAllowed(who, permission)
        return who

    allowed.permission = permission  # type: ignore[attr-defined]  # read by the matrix's test
    return allowed


def guard(permission: Permission) -> object:
    """The same for the list of an address's dependencies."""
    return Depends(needs(permission))
