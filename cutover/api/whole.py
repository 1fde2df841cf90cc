"""The room as a whole: every page, every answer for programs, and the gate before them all."""

from __future__ import annotations

import re
from collections.abc import Callable

from fastapi import FastAPI
from starlette.routing import Mount
from starlette.types import ASGIApp

from cutover.api.admin import PREFIX, admin_app
from cutover.api.adminparts import AdminParts
from cutover.api.entrance import add_entrance
from cutover.api.gate import Room
from cutover.api.live import Board
from cutover.api.loadweb import LoadPages
from cutover.api.meters import Meters
from cutover.api.peopleweb import PeoplePages
from cutover.api.stream import Seats
from cutover.api.web import create_app
from cutover.service.hands import Hands
from cutover.storage.loadtests import LoadFiles
from shadow_compare.ports import GroupKeeper


class _Below(Mount):
    """Takes every path below its prefix. A path with a line break in it is one too, and would
    get the room's 404 for people instead of the API's for programs.
    """

    def __init__(self, path: str, app: ASGIApp, name: str) -> None:
        super().__init__(path, app, name=name)
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)


def whole_app(  # noqa: PLR0913 - each is a part of the room
    board: Board,
    room: Room,
    loads: LoadFiles,
    *,
    keeper: GroupKeeper | None = None,
    hands: Hands | None = None,
    admin: AdminParts | None = None,
    meters: Meters | None = None,
    seats: Seats | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """Build all that a room serves. Nothing is added to it afterwards: what stands here is
    what the test of every address with every role walks.

    `keeper` moves mismatch groups and `hands` act on the table in force; a room that only
    reads has neither. Without `admin` there is no admin API. The rest is as `create_app`
    takes it.
    """
    clock_s, doorkeeper = room.identity.clock_s, room.doorkeeper
    app = create_app(
        board, clock_s, meters=meters, seats=seats, stopping=stopping,
        writing=None if keeper is None else (keeper, doorkeeper), hands=hands,
    )  # fmt: skip
    LoadPages(loads, board.renderer, clock_s).add_to(app)
    PeoplePages(room, is_read_only=keeper is None).add_to(app)
    if admin is not None:
        app.router.routes.append(_Below(PREFIX, admin_app(admin, doorkeeper), name="admin"))
    add_entrance(app, room)
    return app
