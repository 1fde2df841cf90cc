"""A core process to race against and to kill: `python -m tests.support.checkout_process`.

Carts, checkout, orders and the recovery of payments as the core has them, one gateway whose
books are a file that outlives the process, and points at which the process kills itself with
SIGKILL: a request names one in the header x-dies.

    commit-1-before, commit-1-after, …   around the n-th commit of the request
    gateway-before, gateway-after        before and after the gateway wrote into its books
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from new_core.api import problems
from new_core.api.auth import Gate
from new_core.api.house import House, Worker
from new_core.api.observe import Metrics
from new_core.api.paying_till import till_of
from new_core.api.working import working
from new_core.app import MODULES
from new_core.domain.actor import Actor, ActorKind
from new_core.domain.gateway import (
    Book,
    BookState,
    Charge,
    Charged,
    GatewayNote,
    Move,
    Moved,
    MoveState,
    Question,
    Reach,
)
from new_core.errors import Unauthenticated, WebhookRefused
from new_core.gateways import ManualGateway
from new_core.service.gateway_calls import Gateways, Offered
from new_core.service.paying_recovery import recover
from new_core.settings import CoreSettings
from new_core.storage import SqlDatabase, make_engine, make_reader, make_trier
from new_core.storage.database import SqlUnitOfWork
from new_core.storage.ids import new_id

STEPS = (
    "commit-1-before", "commit-1-after", "commit-2-before", "commit-2-after", "gateway-before",
    "gateway-after", "commit-3-before", "commit-3-after",
)  # fmt: skip
"""Every point of a checkout with a card at which something is or is not there any more."""

DECLINED = "tok_declined"
"""The token of a card that nobody takes."""

_DIES: ContextVar[Fate | None] = ContextVar("dies", default=None)


@dataclass
class Fate:
    """Where a request ends its process."""

    at: str
    commits: int = 0


def passes(point: str) -> None:
    """Die, if this is the point."""
    fate = _DIES.get()
    if fate is not None and fate.at == point:
        os.kill(os.getpid(), signal.SIGKILL)


class FileGateway:
    """Takes every card but one. Its books are lines in a file, appended at once or not at all."""

    code = "file"
    needs_token = True
    is_outside = True

    def __init__(self, books: Path) -> None:
        self._books = books

    async def authorise(self, charge: Charge) -> Charged:
        passes("gateway-before")
        if charge.token == DECLINED:
            self._write("declined", charge.attempt_id, charge.minor, charge.reference)
            book = Book(str(charge.attempt_id), BookState.DECLINED, reason="unlucky")
        else:
            self._write("charged", charge.attempt_id, charge.minor, charge.reference)
            book = self._book(charge.attempt_id, charge.minor)
        passes("gateway-after")
        return Charged(Reach.ANSWERED, book)

    async def capture(self, move: Move) -> Moved:
        return Moved(Reach.ANSWERED, MoveState.REFUSED, reason="captured at once")

    async def void(self, move: Move) -> Moved:
        return Moved(Reach.ANSWERED, MoveState.REFUSED, reason="captured at once")

    async def refund(self, move: Move) -> Moved:
        self._write("refunded", move.attempt_id, move.minor, str(move.move_id))
        return Moved(Reach.ANSWERED, MoveState.DONE, str(move.move_id))

    async def lookup(self, question: Question) -> Book | None:
        for kind, attempt, minor, _ in read_books(self._books):
            if attempt == str(question.attempt_id):
                if kind == "declined":
                    return Book(attempt, BookState.DECLINED, reason="unlucky")
                return self._book(question.attempt_id, minor)
        return None

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> GatewayNote:
        raise WebhookRefused("it writes nobody")

    async def close(self) -> None:
        return

    def _book(self, attempt_id: UUID, minor: int) -> Book:
        return Book(str(attempt_id), BookState.CAPTURED, minor, minor)

    def _write(self, *said: object) -> None:
        line = " ".join(map(str, said)) + "\n"
        with self._books.open("a") as book:
            book.write(line)


def read_books(books: Path) -> list[tuple[str, str, int, str]]:
    """What a gateway wrote: (kind, attempt, minor, reference)."""
    if not books.exists():
        return []
    rows = (line.split(" ") for line in books.read_text().splitlines())
    return [(kind, attempt, int(minor), rest) for kind, attempt, minor, rest in rows]


class DyingDatabase(SqlDatabase):
    """Counts the commits of a request."""

    @override
    def writing(self) -> SqlUnitOfWork:
        uow = super().writing()
        fate = _DIES.get()
        if fate is None:
            return uow
        commit = uow.commit

        async def counted() -> None:
            fate.commits += 1
            passes(f"commit-{fate.commits}-before")
            await commit()
            passes(f"commit-{fate.commits}-after")

        uow.commit = counted  # type: ignore[method-assign]  # where a process may die
        return uow


class Fated:
    """Reads x-dies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        named = dict(scope.get("headers", ())).get(b"x-dies")
        kept = _DIES.set(Fate(named.decode()) if named else None)
        try:
            await self._app(scope, receive, send)
        finally:
            _DIES.reset(kept)


def build(url: str, books: Path, ahead: timedelta) -> FastAPI:
    """The application; its clock is ahead of ours."""
    engine = make_engine(url)
    database = DyingDatabase(engine, make_reader(url), make_trier(url))
    gateways = Gateways(
        [
            Offered(ManualGateway(), frozenset({"manual"})),
            Offered(FileGateway(books), frozenset({"card"})),
        ],
        deadline_s=10.0,
    )

    def now() -> datetime:
        return datetime.now(tz=UTC) + ahead

    house = House(database, now, new_id, CoreSettings(), Metrics(), gateways)
    till = till_of(house)

    async def recovery() -> int:
        return await recover(till)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with working((Worker("recovery", recovery, 0.2),)):
            yield
        await database.dispose()

    app = FastAPI(lifespan=lifespan)
    app.state.gate = Gate(_desk)
    problems.install(app)
    for name in ("carts", "checkout", "orders"):
        make: Any = MODULES[name].routes
        app.include_router(make(house))
    app.add_middleware(Fated)
    return app


async def _desk(token: str) -> Actor:
    if token != "desk":
        raise Unauthenticated("this token does not hold")
    scopes = frozenset({"orders:read", "orders:write", "carts:read"})
    return Actor(ActorKind.STAFF, "desk", scopes)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("port", type=int)
    parser.add_argument("books", type=Path)
    parser.add_argument("--ahead-s", type=float, default=0.0)
    asked = parser.parse_args()
    app = build(asked.url, asked.books, timedelta(seconds=asked.ahead_s))
    uvicorn.run(app, port=asked.port, log_level="warning", loop="uvloop", http="httptools")


if __name__ == "__main__":
    asyncio.set_event_loop_policy(None)
    main()
