"""The admin API over real files, asked without a socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from cutover.api.admin import admin_app
from cutover.api.adminparts import AdminParts
from cutover.api.guarding import NOBODY
from cutover.api.writing import Doorkeeper
from cutover.core.access import Role, Via, Who
from cutover.errors import CannotWrite
from cutover.storage.answers import Answers, Asked
from cutover.storage.kept_plans import KeptPlans
from shadow_compare.ports import EvidenceReader
from tests.fakes.cutover import NOON, hands_over
from tests.support.asgi import Answered, send_to
from tests.support.ledger_shop import table
from tests.support.open_gate import OpenGate


class Killed(Exception):
    """The power went."""


class DyingAnswers(Answers):
    """The process is killed after an act and before its answer is kept."""

    @override
    def finish(self, asked: Asked, status: int, headers: Mapping[str, str], body: str) -> None:
        raise Killed


class FullDisk(Answers):
    """Room for a key, and then for nothing more."""

    @override
    def note(self, asked: Asked, said: Mapping[str, str]) -> Asked:
        raise CannotWrite("no space left on device")

    @override
    def finish(self, asked: Asked, status: int, headers: Mapping[str, str], body: str) -> None:
        raise CannotWrite("no space left on device")


@dataclass(slots=True)
class AdminRoom:
    """A room's admin API, and somebody who asks it.

    Attributes:
        who: None for a room that knows no people.
        answers: where what was answered under a key is kept.
    """

    var: Path
    who: Who | None = None
    evidence: EvidenceReader | None = None
    is_read_only: bool = False
    answers: type[Answers] = Answers
    now: datetime = NOON
    parts: AdminParts = field(init=False)
    app: ASGIApp = field(init=False)

    def __post_init__(self) -> None:
        hands = hands_over(self.var, self.evidence)
        books = hands.books

        def newest() -> int:
            return next((n for n, _ in books.ledger.latest()), 0)

        self.parts = AdminParts(
            books=books,
            hands=None if self.is_read_only else hands,
            answers=self.answers(self.var / "answers", lambda: self.now, newest),
            plans=KeptPlans(self.var / "plans", lambda: self.now),
            actor="the room",
        )
        self.app = admin_app(self.parts, Doorkeeper(b"", frozenset(("room",))))

    def as_(self, *roles: Role, name: str = "anna") -> AdminRoom:
        """The same for somebody who is signed in."""
        self.who = Who(name, frozenset(roles), Via.TOKEN)
        return self

    async def get(self, target: str) -> Answered:
        return await self.send("GET", target)

    async def post(self, target: str, said: Mapping[str, Any], **headers: str) -> Answered:
        """POST JSON; `if_match="x"` becomes the header of that name."""
        named = {"content-type": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send("POST", target, json.dumps(said).encode(), named)

    async def send(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        async def signed_in(scope: Scope, receive: Receive, send: Send) -> None:
            await OpenGate(self.app, self.who or NOBODY)(scope, receive, send)

        return await send_to(signed_in, method, target, body, headers)

    async def planned(self, **stages: str) -> dict[str, Any]:
        """A kept plan of a table, domain to stage."""
        answered = await self.post("/plans", {"routing_yaml": table(**stages)})
        assert answered.status == 201, answered.text
        found: dict[str, Any] = answered.json()
        return found

    async def apply(self, plan: Mapping[str, Any], why: str = "go", **headers: str) -> Answered:
        named = {"if_match": plan["etag"], **headers}
        return await self.post(f"/plans/{plan['id']}/applications", {"reason": why}, **named)

    async def put(self, **stages: str) -> dict[str, Any]:
        """Plan a table and put it in force."""
        answered = await self.apply(await self.planned(**stages))
        assert answered.status == 200, answered.text
        found: dict[str, Any] = answered.json()
        return found

    @property
    def in_force(self) -> str:
        return (self.var / "applied.yaml").read_text()

    @property
    def revisions(self) -> list[Path]:
        return sorted((self.var / "revisions").glob("*.json"))
