"""Says of each address what whoever asks for it must be allowed."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Depends, HTTPException, Request
from typing_extensions import override

from cutover.core.access import Permission, Role, Via, Who

#: Who asks an open room; forms may give a name of their own there. Only a gate says so.
NOBODY = Who("", frozenset(Role), Via.OPEN)
#: Who is not known, and may nothing. So is everybody where no gate stands before an app.
STRANGER = Who("", frozenset(), Via.OPEN)


class NotAllowed(HTTPException):
    """Somebody may not do this. Where nothing else answers to it, 403.

    Attributes:
        who: they.
        permission: what it would take.
    """

    def __init__(self, who: Who, permission: Permission) -> None:
        super().__init__(403, f"{who.name or 'you'} may not do this; it takes: {permission}")
        self.who = who
        self.permission = permission

    @override
    def __str__(self) -> str:
        return self.detail


def who_asks(request: Request) -> Who:
    """Who asks, as the gate found out before any address was looked for."""
    who = getattr(request.state, "who", None)
    return who if isinstance(who, Who) else STRANGER


def goes_on(request: Request) -> Callable[[], bool]:
    """Whether who asked is still let in, for an answer that lasts."""
    asked: Callable[[], bool] | None = getattr(request.state, "goes_on", None)
    return asked or (lambda: False)


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
