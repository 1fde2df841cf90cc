"""A control room with hands, over real files in a folder and a core that is equal."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from re import search, sub
from urllib.parse import urlencode

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from cutover.api import Asks, Board, Gatherer, create_app
from cutover.api.files import history_asker, ledger_asker, revision_asker, table_asker
from cutover.api.guarding import NOBODY
from cutover.api.readings import CourseLine, ProxyState, StoreState
from cutover.api.writing import Doorkeeper
from cutover.core.access import Role, Via, Who
from cutover.service.hands import Hands
from proxy.routing import Store
from shadow_compare.core.evidence import MismatchGroup
from shadow_compare.core.life import Wish
from shadow_compare.errors import NoSuchGroup
from tests.fakes.cutover import NOON, hands_over
from tests.fakes.evidence import FakeEvidence
from tests.support.asgi import Answered, send_to
from tests.support.ledger_shop import seen
from tests.support.open_gate import OpenGate


class NoKeeper:
    """Knows no group."""

    async def grant(self, fingerprint: str, _wish: Wish) -> MismatchGroup:
        raise NoSuchGroup(f"no group begins with {fingerprint}")


@dataclass(slots=True)
class ActingRoom:
    """The room, and whoever opens its pages.

    Attributes:
        who: None where the room knows no people.
        courses: what domains do by themselves.
    """

    var: Path
    who: Who | None = None
    reads_only: bool = False
    courses: dict[str, CourseLine] = field(default_factory=dict)
    evidence: FakeEvidence = field(
        default_factory=lambda: FakeEvidence({"catalog": seen("catalog", 5_000)})
    )
    hands: Hands = field(init=False)
    app: ASGIApp = field(init=False)
    plain: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.hands = hands_over(self.var, self.evidence)
        asks = Asks(
            table_asker(self.var / "applied.yaml"), _proxy, _probe,
            ledger_asker(self.var / "revisions"), self.evidence,
            history_asker(self.var / "revisions"), self._courses,
            revision_asker(self.var / "revisions"),
        )  # fmt: skip
        board = Board(Gatherer(asks, NOON.timestamp), boot="test")
        doorkeeper = Doorkeeper(b"s" * 32, frozenset(("room",)))
        self.plain = create_app(
            board, NOON.timestamp,
            writing=None if self.reads_only else (NoKeeper(), doorkeeper),
            hands=None if self.reads_only else self.hands,
        )  # fmt: skip
        self.app = self._known

    async def put(self, text: str, reason: str = "because") -> None:
        """Put a table in force, without asking anybody's gate."""
        prepared = await self.hands.plan(text.encode(), "routing.yaml", "anna", init=True)
        await self.hands.apply(prepared, actor="anna", reason=reason)

    async def get(self, path: str) -> Answered:
        """A page."""
        return await send_to(self.app, "GET", path)

    async def send(
        self, page: str, action: str, headers: dict[str, str] | None = None, /, **fields: str
    ) -> Answered:
        """Fill in the form of a page that goes to `action`, and send it."""
        hidden = hidden_of((await self.get(page)).text, action)
        body = urlencode(hidden | fields).encode()
        return await send_to(
            self.app, "POST", action, body, {"origin": "http://room"} | (headers or {})
        )

    @property
    def stage(self) -> str:
        """What the applied file says of the first domain."""
        found = search(r"stage: (\S+)", (self.var / "applied.yaml").read_text())
        return found[1] if found else ""

    async def _known(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As the room's gate says who asks."""
        await OpenGate(self.plain, self.who or NOBODY)(scope, receive, send)

    async def _courses(self) -> dict[str, CourseLine]:
        return self.courses


def somebody(role: Role, name: str = "eva") -> Who:
    """A person with one role."""
    return Who(name, frozenset((role,)), Via.SESSION)


def hidden_of(html: str, action: str) -> dict[str, str]:
    """What a form carries that nobody fills in; empty where there is no such form."""
    found = search(rf'<form[^>]*action="{action}".*?</form>', sub(r"\s+", " ", html))
    fields: dict[str, str] = {}
    for tag in [] if found is None else found[0].split("<input ")[1:]:
        if 'type="hidden"' in tag:
            name, value = search(r'name="(.*?)"', tag), search(r'value="(.*?)"', tag)
            assert name is not None
            assert value is not None
            fields[name[1]] = unescape(value[1])
    return fields


def words(html: str) -> str:
    """What a reader sees of a page."""
    return unescape(sub(r"\s+", " ", sub(r"<[^>]+>", " ", html)))


async def _proxy() -> ProxyState:
    await asyncio.sleep(0)
    return ProxyState(ready=True, workers=2)


async def _probe(_store: Store) -> StoreState:
    await asyncio.sleep(0)
    return StoreState(200, 3.0)
