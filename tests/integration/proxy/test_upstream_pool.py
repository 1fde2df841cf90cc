"""Connections to a store: shared out, bounded, raced, and failed together."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest
from typing_extensions import override

from loadtests.ports import free_port
from proxy.core.address import StoreAddress, parse_store_url
from proxy.edge.dial import Dialer, DialError, ProtocolT
from proxy.edge.pool import MAX_CONNECTING, Pool
from proxy.edge.store import StoreConnection
from proxy.errors import UpstreamError
from tests.integration.proxy.asked import Desk, core, on_uvloop, until
from tests.integration.proxy.harness import origin

pytestmark = pytest.mark.integration


async def outcome(pool: Pool, timeout_s: float = 5.0) -> str:
    try:
        connection = await pool.open(timeout_s)
    except UpstreamError:
        return "failed"
    except TimeoutError:
        return "timeout"
    pool.give_back(connection)
    return "opened"


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """The port of a listener that takes no more connections: a connect hangs."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(4):
            sock = held.enter_context(socket.socket())
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(address)
        yield address[1]


class Counting(Dialer):
    """Remembers how many dials there were at the same time."""

    def __init__(self, url: str) -> None:
        super().__init__(parse_store_url(url))
        self.running = self.most = 0

    @override
    async def dial(self, factory: Callable[[], ProtocolT]) -> ProtocolT:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await super().dial(factory)
        finally:
            self.running -= 1


def test_a_burst_waits_behind_a_few_connects_and_shares_what_comes_free() -> None:
    async def burst(url: str) -> tuple[list[str], int, int]:
        dialer = Counting(url)
        subject = Desk(core(url), dialer).pool
        outcomes = await asyncio.gather(*(outcome(subject) for _ in range(500)))
        assert (subject.connecting, subject.waiting) == (0, 0)
        return outcomes, subject.opened_total, dialer.most

    with origin() as store:
        outcomes, opened, most = on_uvloop(burst(store.url))

    assert outcomes == ["opened"] * 500
    assert opened < 500
    assert most == MAX_CONNECTING


def test_a_burst_on_a_dead_store_knocks_a_few_times_and_fails_together() -> None:
    async def burst(url: str) -> tuple[list[str], int]:
        desk = Desk(core(url))
        outcomes = await asyncio.gather(*(outcome(desk.pool) for _ in range(500)))
        assert (desk.pool.connecting, desk.pool.waiting) == (0, 0)
        return outcomes, desk.counts["store_connect_failures", "core", "refused"]

    outcomes, knocks = on_uvloop(burst(f"http://127.0.0.1:{free_port()}"))

    assert outcomes == ["failed"] * 500
    assert 0 < knocks <= MAX_CONNECTING


def test_a_burst_on_a_store_that_hangs_ends_at_the_deadline_of_the_first() -> None:
    async def burst(port: int) -> tuple[list[str], int]:
        desk = Desk(core(f"http://127.0.0.1:{port}"))
        outcomes = await asyncio.gather(*(outcome(desk.pool, 0.3) for _ in range(100)))
        assert (desk.pool.connecting, desk.pool.waiting) == (0, 0)
        return outcomes, desk.counts["store_connect_failures", "core", "timeout"]

    with full_backlog() as port:
        outcomes, knocks = on_uvloop(burst(port))

    assert outcomes == ["timeout"] * 100
    assert knocks == MAX_CONNECTING


def test_who_leaves_while_waiting_takes_nothing_along() -> None:
    async def story(url: str) -> None:
        pool = Desk(core(url)).pool
        first = await pool.open()
        pool.connecting = MAX_CONNECTING  # all places are taken
        waiting = [asyncio.ensure_future(pool.open()) for _ in range(3)]
        await until(lambda: pool.waiting == 3)

        waiting[0].cancel()
        pool.give_back(first)  # 1. given to the second
        waiting[1].cancel()  # 2. who is gone before it could run
        await asyncio.wait(waiting[:2])

        assert await waiting[2] is first
        pool.connecting = 0
        pool.retire()
        first.abort()

    with origin() as store:
        on_uvloop(story(store.url))


def test_a_place_to_connect_that_nobody_takes_is_handed_on() -> None:
    async def story(url: str) -> None:
        pool = Desk(core(url)).pool
        pool.connecting = MAX_CONNECTING
        gone, left = (asyncio.ensure_future(pool.open()) for _ in range(2))
        await until(lambda: pool.waiting == 2)

        pool._leave_connecting()
        gone.cancel()
        await asyncio.wait([gone])

        connection = await left
        assert connection.is_open()
        assert pool.connecting == MAX_CONNECTING - 1
        connection.abort()

    with origin() as store:
        on_uvloop(story(store.url))


def test_one_failed_connect_fails_nobody_while_others_get_through() -> None:
    async def story(url: str) -> None:
        pool = Desk(core(url)).pool
        pool.connecting = MAX_CONNECTING
        waiter = asyncio.ensure_future(pool.open())
        await until(lambda: pool.waiting == 1)
        opened = pool.opened_total

        (await pool.dialer.dial(lambda: StoreConnection(pool))).abort()
        pool._fail_waiters(opened, TimeoutError())

        assert pool.waiting == 1
        pool._leave_connecting()
        (await waiter).abort()

    with origin() as store:
        on_uvloop(story(store.url))


class Names:
    """A resolver that knows one name; None makes it fail, an event makes it wait."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: tuple[str, ...] | None = addresses
        self.asked = 0
        self.pause: asyncio.Event | None = None

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        if self.pause is not None:
            await self.pause.wait()
        if self.addresses is None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return list(self.addresses)


def named(names: Names, port: int) -> Dialer:
    return Dialer(StoreAddress("store.example", port, b"", b"store.example"), resolve=names)


async def peer(dialer: Dialer) -> str:
    desk = Desk(core("http://127.0.0.1:1"), dialer)
    connection = await desk.pool.open(5.0)
    assert connection._transport is not None
    host = connection._transport.get_extra_info("peername")[0]
    connection.abort()
    return str(host)


def test_a_dead_first_address_is_passed_over_and_not_tried_first_again() -> None:
    async def story(port: int) -> None:
        dialer = named(Names("127.0.0.2", "127.0.0.3", "127.0.0.1"), port)

        assert await peer(dialer) == "127.0.0.1"
        assert dialer._addresses[0] == "127.0.0.1"
        assert await peer(dialer) == "127.0.0.1"

    with origin() as store:
        on_uvloop(story(store.port))


def test_an_address_that_hangs_is_raced_by_the_next() -> None:
    async def story(port: int) -> None:
        assert await peer(named(Names("127.0.0.1", "127.0.0.2"), port)) == "127.0.0.2"

    with full_backlog() as port, socket.create_server(("127.0.0.2", port), backlog=8):
        on_uvloop(story(port))


def test_who_loses_the_race_leaves_no_connection_behind() -> None:
    async def story(port: int) -> None:
        desk = Desk(core("http://127.0.0.1:1"), named(Names("127.0.0.1", "127.0.0.2"), port))

        connection = await desk.pool.open()

        # The loser is let in now; it must not stay.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await until(lambda: len(desk.pool.connections) != 1)
        assert desk.pool.connections == {connection}
        assert len(asyncio.all_tasks()) == 1
        connection.abort()

    with full_backlog() as port, socket.create_server(("127.0.0.2", port), backlog=8):
        on_uvloop(story(port))


def test_when_all_addresses_are_dead_the_first_problem_is_told() -> None:
    async def story(port: int) -> None:
        with pytest.raises(DialError, match="refused") as caught:
            await named(Names("127.0.0.2", "127.0.0.3"), port).dial(asyncio.Protocol)
        assert caught.value.reason == "refused"

    on_uvloop(story(free_port()))


def test_a_name_that_nobody_knows_is_told() -> None:
    async def story() -> None:
        names = Names()
        names.addresses = None
        with pytest.raises(DialError, match=r"no address for store.example: Temporary") as caught:
            await named(names, 80).dial(asyncio.Protocol)
        assert caught.value.reason == "lookup"

    on_uvloop(story())


@pytest.mark.parametrize("does", ["fail", "hang"])
def test_a_resolver_in_trouble_does_not_take_a_known_store_away(does: str) -> None:
    async def story(port: int) -> None:
        names = Names("127.0.0.1")
        dialer = named(names, port)
        assert await peer(dialer) == "127.0.0.1"
        dialer._fresh_until_s = 0.0
        if does == "fail":
            names.addresses = None
        else:
            names.pause = asyncio.Event()

        assert await peer(dialer) == "127.0.0.1"
        assert names.asked == 2

        if names.pause is not None:
            names.pause.set()

    with origin() as store:
        on_uvloop(story(store.port))


def test_a_burst_asks_the_resolver_once() -> None:
    async def story(port: int) -> None:
        names = Names("127.0.0.1")
        desk = Desk(core("http://127.0.0.1:1"), named(names, port))

        await asyncio.gather(*(outcome(desk.pool) for _ in range(20)))

        assert names.asked == 1
        desk.pool.retire()

    with origin() as store:
        on_uvloop(story(store.port))


def test_a_retired_pool_keeps_nothing() -> None:
    async def story(url: str) -> None:
        pool = Desk(core(url)).pool
        first, second = await pool.open(), await pool.open()
        pool.give_back(first)

        pool.retire()
        pool.give_back(second)

        assert pool.idle == 0
        await until(lambda: not pool.connections)

    with origin() as store:
        on_uvloop(story(store.url))
