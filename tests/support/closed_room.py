"""A control room that asks who comes, without a socket, at a time that a test sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from fastapi import FastAPI

from cutover.api.adminparts import AdminParts
from cutover.api.gate import Room
from cutover.api.identity import Identity
from cutover.api.meters import Meters
from cutover.api.stream import Seats
from cutover.api.visiting import session_of_visitor
from cutover.api.whole import whole_app
from cutover.api.writing import Doorkeeper
from cutover.core.access import Role
from cutover.core.people import Person, Token
from cutover.service.passwords import digest_of, hash_password
from cutover.storage.loadtests import LoadFiles
from cutover.storage.people_file import PeopleFile
from cutover.storage.room_files import EndedSessions, RoomKey, SignIns
from shadow_compare.ports import GroupKeeper
from tests.support.asgi import Answered, send_to
from tests.support.room import Sources

PASSWORD = "eleven quiet herons"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def hashed() -> str:
    """The hash of PASSWORD, made once."""
    return hash_password(PASSWORD)


@dataclass(slots=True)
class ClosedRoom:
    """The room with its files in a folder.

    Attributes:
        sources: what it reads; its `now_s` is the room's clock.
        keeper: moves groups; None for a room that only reads.
        may_be_open: it lets everybody in while it knows nobody.
        admin: what its admin API works with; None for a room without one.
    """

    folder: Path
    sources: Sources
    keeper: GroupKeeper | None
    may_be_open: bool = False
    admin: AdminParts | None = None
    people: PeopleFile = field(init=False)
    identity: Identity = field(init=False)
    app: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.people = PeopleFile(self.folder / "people.json")
        self.start()

    def start(self) -> None:
        """Start it, or start it anew over the same files."""
        doorkeeper = Doorkeeper(b"s" * 32, frozenset(("room",)), session_of_visitor)
        self.identity = Identity(
            self.people,
            RoomKey(self.folder / "room.key"),
            EndedSessions(self.folder / "ended-sessions.json"),
            SignIns(self.folder / "sign-ins.json"),
            self.sources.clock_s,
            may_be_open=self.may_be_open,
        )
        seats = Seats()
        meters = Meters(seats)
        board = self.sources.board(meters)
        self.app = whole_app(
            board,
            Room(self.identity, doorkeeper, board.renderer),
            LoadFiles(self.folder / "loadtests"),
            keeper=self.keeper,
            admin=self.admin,
            meters=meters,
            seats=seats,
        )

    def add(self, name: str, *roles: Role) -> None:
        """Somebody whose password is PASSWORD."""
        person = Person(name, frozenset(roles), hashed(), SINCE)
        self.people.change(lambda book: book.with_person(person))

    def add_token(self, name: str, *roles: Role, expires: datetime | None = None) -> str:
        """A program's token, made of its name."""
        text = f"banyan_{name}"
        token = Token(name, frozenset(roles), digest_of(text), SINCE, expires)
        self.people.change(lambda book: book.with_token(token))
        return text

    async def ask(
        self, target: str, cookie: str = "", *, method: str = "GET", token: str = "",
        body: bytes = b"", **headers: str,
    ) -> Answered:  # fmt: skip
        """Ask with a session's cookie, or a token."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie:
            named["cookie"] = cookie
        if token:
            named["authorization"] = f"Bearer {token}"
        return await send_to(self.app, method, target, body, named)

    async def sends(self, target: str, cookie: str = "", **fields: str) -> Answered:
        """Send a form as a page of the room does."""
        body = urlencode(fields).encode()
        return await self.ask(target, cookie, method="POST", body=body, origin="http://room")

    async def signs_in(self, name: str, password: str = PASSWORD) -> str:
        """The cookie of a fresh session."""
        answer = await self.sends("/signin", name=name, password=password)
        assert answer.status == 303, answer.text
        return answer.headers["set-cookie"].partition(";")[0]
