"""A pool in the test's own process, and somebody who asks through it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

from proxy.core.address import parse_store_url
from proxy.core.answer import Answer
from proxy.core.limits import Limits, Timeouts
from proxy.edge.dial import Dialer
from proxy.edge.pool import Pool
from proxy.edge.store import StoreConnection
from proxy.edge.treatment import treatment_of
from proxy.routing import Side, Store

T = TypeVar("T")
_desks: list[Desk] = []


def on_uvloop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run on the loop that workers run on; nothing may take longer than 20 s."""

    async def bounded() -> T:
        try:
            async with asyncio.timeout(20):
                return await coroutine
        finally:
            # The loop does not close when a test that failed leaves a connection open.
            for desk in tuple(_desks):
                desk.close()
            await asyncio.sleep(0)

    return uvloop.run(bounded())


class Asked:
    """Asker of one request; `answer` is its status, or an error."""

    method = "GET"
    upgrade = b""
    wants_trailers = False

    def __init__(self) -> None:
        self.answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.body = b""
        self._status = 0

    def on_interim(self, answer: Answer) -> None:
        pass

    def on_switch(self, answer: Answer) -> None:
        raise AssertionError(answer)

    def on_tunnel(self, data: bytes) -> None:
        raise AssertionError(data)

    def on_answer(self, answer: Answer) -> None:
        self._status = answer.status

    def on_pieces(self, pieces: list[bytes]) -> None:
        self.body += b"".join(pieces)

    def on_end(self, trailer: bytes) -> None:
        self.answer.set_result(self._status)

    def on_turn(self) -> None:
        pass

    def on_lost(self, problem: str, *, answered: bool) -> None:
        self.answer.set_exception(ConnectionError(problem))

    def on_store_full(self, *, is_full: bool) -> None:
        pass


class Desk:
    """A pool with its counts."""

    def __init__(self, store: Store, dialer: Dialer | None = None) -> None:
        _desks.append(self)
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.pool = Pool(
            str(store.side),
            dialer or Dialer(parse_store_url(store.url)),
            treatment_of(store, Limits(), Timeouts(connect_s=5.0)),
            now=asyncio.get_running_loop().time,
            count=self._count,
        )

    def close(self) -> None:
        _desks.remove(self)
        self.pool.retire()
        for connection in tuple(self.pool.connections):
            connection.abort()

    def _count(self, *name: str) -> None:
        self.counts[name] += 1

    async def ask(self, request: bytes = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") -> bytes:
        """One exchange; the body of its answer."""
        connection = self.pool.take(30.0) or await self.pool.open()
        return (await self.ask_on(connection, request)).body

    async def ask_on(self, connection: StoreConnection, request: bytes) -> Asked:
        asked = Asked()
        connection.begin(asked, request)
        await asked.answer
        if connection.can_go_on:
            self.pool.give_back(connection)
        else:
            connection.abort()
        return asked


def core(url: str) -> Store:
    return Store(Side.CORE, url)


async def until(check: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread or process."""
    while not check():
        await asyncio.sleep(0.005)
