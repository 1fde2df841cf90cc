"""Puts the gate and the pages of signing in before an app."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware import Middleware

from cutover.api.gate import Gate, Room
from cutover.api.guarding import NotAllowed
from cutover.api.signing import Signing
from cutover.errors import CannotRead, CannotWrite


def add_entrance(app: FastAPI, room: Room) -> None:
    """From now on the app knows who asks.

    The gate stands inside the layer that adds the security headers, so that its own
    answers carry them too.
    """
    app.user_middleware.append(Middleware(Gate, room=room))
    Signing(room).add_to(app)
    app.add_exception_handler(NotAllowed, room.not_allowed)
    app.add_exception_handler(CannotRead, room.cannot_tell)
    app.add_exception_handler(CannotWrite, room.cannot_tell)
