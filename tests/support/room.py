"""A control room over sources that a test holds in its hands."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import FastAPI
from starlette.middleware import Middleware

from cutover.api import Asks, Board, Gatherer, SourceAway, create_app
from cutover.api.meters import Meters
from cutover.api.readings import CourseLine, History, ProxyState, RevisionLine, StoreState, Table
from cutover.api.stream import Seats
from cutover.api.writing import Doorkeeper
from cutover.core.revision import Revision
from cutover.service.hands import Hands
from proxy.routing import Store
from shadow_compare.ports import GroupKeeper
from tests.fakes.evidence import FakeEvidence
from tests.support.open_gate import OpenGate


@dataclass(slots=True)
class Sources:
    """What the room will be told; change it and the room shows it.

    Attributes:
        down: names of sources that do not answer: table, proxy, stores, revisions, history.
        now_s: fixed time, or None for the real one.
    """

    table: Table
    evidence: FakeEvidence
    proxy: ProxyState = field(default_factory=lambda: ProxyState(ready=True, workers=2))
    revisions: Sequence[RevisionLine] = ()
    history: History = field(default_factory=History)
    courses: Mapping[str, CourseLine] = field(default_factory=dict)
    whole: Mapping[int, Revision] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    now_s: float | None = None
    evidence_deadline_s: float = 4.0

    def clock_s(self) -> float:
        return time.time() if self.now_s is None else self.now_s

    def asks(self) -> Asks:
        """These sources as the room asks them."""
        return Asks(
            self._table,
            self._proxy,
            self._probe,
            self._revisions,
            self.evidence,
            self._history,
            self._courses,
            self._revision,
        )

    def app(
        self,
        seats: Seats | None = None,
        *,
        stopping: list[bool] | None = None,
        writing: tuple[GroupKeeper, Doorkeeper] | None = None,
        hands: Hands | None = None,
    ) -> FastAPI:
        """A fresh app over these sources, that asks nobody who they are."""
        app = self.bare(seats, stopping=stopping, writing=writing, hands=hands)
        app.user_middleware.append(Middleware(OpenGate))
        return app

    def bare(
        self,
        seats: Seats | None = None,
        *,
        stopping: list[bool] | None = None,
        writing: tuple[GroupKeeper, Doorkeeper] | None = None,
        hands: Hands | None = None,
    ) -> FastAPI:
        """The same without any gate."""
        seats = seats or Seats()
        meters = Meters(seats)
        return create_app(
            self.board(meters),
            self.clock_s,
            meters=meters,
            seats=seats,
            stopping=lambda: bool(stopping),
            writing=writing,
            hands=hands,
        )

    def board(self, meters: Meters) -> Board:
        """What is shown of them."""
        gatherer = Gatherer(self.asks(), self.clock_s, evidence_deadline_s=self.evidence_deadline_s)
        return Board(gatherer, boot="test", on_draw=meters.drawn)

    async def _courses(self) -> Mapping[str, CourseLine]:
        return self.courses

    async def _table(self) -> Table:
        self._refuse("table", "does not load: routing.yaml:3: domains: no such key.")
        return self.table

    async def _proxy(self) -> ProxyState:
        self._refuse("proxy", "does not answer at its side door (connection refused)")
        return self.proxy

    async def _probe(self, _store: Store) -> StoreState:
        self._refuse("stores", "does not answer (connection refused)")
        return StoreState(200, 3.0)

    async def _revisions(self) -> Sequence[RevisionLine]:
        self._refuse("revisions", "cannot be read (permission denied)")
        return self.revisions

    async def _history(self) -> History:
        self._refuse("history", "cannot be read (permission denied)")
        return self.history

    async def _revision(self, n: int) -> Revision | None:
        self._refuse("revisions", "cannot be read (permission denied)")
        return self.whole.get(n)

    def _refuse(self, name: str, problem: str) -> None:
        if name in self.down:
            raise SourceAway(problem)
