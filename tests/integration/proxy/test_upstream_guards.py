"""Breaker and health of a real store that fails and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from loadtests.ports import free_port
from proxy.core.address import parse_store_url
from proxy.core.breaker import TRIALS, BreakerState
from proxy.core.health import HealthState
from proxy.core.limits import Limits, Timeouts
from proxy.edge.dial import Dialer
from proxy.edge.health import check, follow
from proxy.edge.pool import Pool
from proxy.edge.rules import RulesMaker
from proxy.edge.tasks import Tasks
from proxy.edge.tls import StoreTlsFiles
from proxy.edge.treatment import Admission, treatment_of
from proxy.errors import UpstreamError
from proxy.routing import RoutingTable, Side, Store
from proxy.routing.model import Breaker, HealthCheck, StoreTimeouts, StoreTls
from tests.integration.proxy.asked import Desk, core, on_uvloop, until
from tests.integration.proxy.certificates import Authority, tls_origin
from tests.integration.proxy.harness import OK, Connection, Origin, Script, origin

pytestmark = pytest.mark.integration

BREAKER = Breaker(failures_bp=5_000, min_requests=5, window_s=10.0, open_s=0.2)
HEALTH = HealthCheck("/healthz", every_s=0.02, timeout_s=1.0, unhealthy_after=3, healthy_after=2)
BAD = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"


async def exchange(desk: Desk) -> Admission:
    """What an exchange does with the guards."""
    pool, admission = desk.pool, Admission.OPEN
    if pool.is_shut or pool.in_flight >= pool.bound:
        admission = pool.admission()
        if not admission.is_let_in:
            return admission
    pool.in_flight += 1
    try:
        await desk.ask()
    except UpstreamError:
        pool.failed("connect")
    except ConnectionError:
        pool.failed("broken")
    else:
        pool.succeeded()
    finally:
        pool.in_flight -= 1
    return admission


def hang_up(connection: Connection) -> None:
    connection.read_request()


def test_a_breaker_opens_on_a_failing_store_and_closes_when_it_is_well_again() -> None:
    async def story(store: Origin) -> None:
        desk = Desk(replace(core(store.url), breaker=BREAKER))
        pool = desk.pool
        assert await exchange(desk) is Admission.OPEN

        await asyncio.to_thread(store.reset, hang_up)
        outcomes = [await exchange(desk) for _ in range(BREAKER.min_requests + 5)]
        assert set(outcomes[: BREAKER.min_requests - 1]) == {Admission.OPEN}
        assert set(outcomes[-4:]) == {Admission.BROKEN}
        assert pool.retry_after_s(Admission.BROKEN) == 1
        assert len(store.seen) == 0
        assert store.connections == BREAKER.min_requests + 5 - _turned_away(desk)

        await asyncio.to_thread(store.reset)
        await until(lambda: not _is_in_pause(pool))
        outcomes = [await exchange(desk) for _ in range(TRIALS + 1)]
        assert outcomes == [Admission.TRIAL] * TRIALS + [Admission.OPEN]
        assert (pool.is_shut, pool.breaker_state) == (False, BreakerState.CLOSED)
        assert desk.counts["store_breaker_opened", "core"] == 1

    with origin() as store:
        on_uvloop(story(store))


def _turned_away(desk: Desk) -> int:
    return desk.counts["store_turned_away", "core", "breaker_open"]


def _is_in_pause(pool: Pool) -> bool:
    assert pool._breaker is not None
    return pool._breaker.pause_s(asyncio.get_running_loop().time()) > 0


def test_a_store_at_its_bound_is_busy_and_not_broken() -> None:
    async def story(url: str) -> None:
        desk = Desk(replace(core(url), max_in_flight=2))
        desk.pool.in_flight = 2

        assert await exchange(desk) is Admission.BUSY
        assert desk.pool.retry_after_s(Admission.BUSY) == 1

        desk.pool.in_flight = 1
        assert await exchange(desk) is Admission.OPEN
        assert desk.counts["store_turned_away", "core", "busy"] == 1

    with origin() as store:
        on_uvloop(story(store.url))


def test_a_full_half_open_store_gives_no_trial_away() -> None:
    async def story(url: str) -> None:
        rule = replace(BREAKER, open_s=0.0)
        desk = Desk(replace(core(url), breaker=rule, max_in_flight=1))
        for _ in range(rule.min_requests):
            desk.pool.failed("broken")
        desk.pool.in_flight = 1

        assert [desk.pool.admission() for _ in range(9)] == [Admission.BUSY] * 9

        desk.pool.in_flight = 0
        assert await exchange(desk) is Admission.TRIAL

    with origin() as store:
        on_uvloop(story(store.url))


def test_checks_take_a_store_out_and_bring_it_back() -> None:
    async def story(store: Origin) -> None:
        desk = Desk(replace(core(store.url), health=HEALTH))
        pool, tasks, good = desk.pool, Tasks(), store.script
        follow([(pool, parse_store_url(store.url))], tasks)
        await until(lambda: desk.counts["store_checks", "core", "good"] >= 3)
        assert not pool.is_shut

        store.script = store.answering(BAD)
        await until(lambda: pool.is_shut)
        assert pool.health_state is HealthState.UNHEALTHY
        assert desk.counts["store_checks", "core", "failed"] >= HEALTH.unhealthy_after
        assert await exchange(desk) is Admission.UNHEALTHY
        assert pool.retry_after_s(Admission.UNHEALTHY) == 1

        store.script = good
        await until(lambda: not pool.is_shut)
        assert await exchange(desk) is Admission.OPEN
        assert store.seen[0].line == "GET /healthz HTTP/1.1"
        assert store.seen[0].values("host") == [f"127.0.0.1:{store.port}"]
        await tasks.cancel_all()

    with origin() as store:
        on_uvloop(story(store))


def test_connects_that_fail_take_a_store_out_before_any_check() -> None:
    async def story(url: str) -> None:
        desk = Desk(replace(core(url), health=replace(HEALTH, every_s=60.0)))

        for _ in range(HEALTH.unhealthy_after):
            assert await exchange(desk) is Admission.OPEN

        assert await exchange(desk) is Admission.UNHEALTHY
        assert desk.pool.retry_after_s(Admission.UNHEALTHY) == 120

    on_uvloop(story(f"http://127.0.0.1:{free_port()}"))


def test_a_check_ends_with_its_pool_and_with_its_rule() -> None:
    async def story(store: Origin) -> None:
        desk = Desk(replace(core(store.url), health=HEALTH))
        address, tasks = parse_store_url(store.url), Tasks()
        follow([(desk.pool, address)], tasks)
        follow([(desk.pool, address)], tasks)
        assert len(tasks._running) == 1

        slower = replace(HEALTH, every_s=0.03)
        desk.pool.treat(replace(desk.pool.treatment, health=slower))
        follow([(desk.pool, address)], tasks)
        await until(lambda: len(tasks._running) == 1)
        desk.pool.treat(replace(desk.pool.treatment, health=None))
        follow([(desk.pool, address)], tasks)
        await until(lambda: not tasks._running)

        desk.pool.treat(replace(desk.pool.treatment, health=HEALTH))
        follow([(desk.pool, address)], tasks)
        desk.pool.retire()
        await until(lambda: not tasks._running)

    with origin() as store:
        on_uvloop(story(store))


def answer(text: bytes) -> Script:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(text)

    return script


def silent(connection: Connection) -> None:
    while connection.sock.recv(65_536):
        pass


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (answer(OK), None),
        (answer(b"HTTP/1.0 404 Not Found\r\n\r\n"), None),
        (answer(b"HTTP/1.1 204 \r\n\r\n"), None),
        (answer(b"HTTP/1.1 500 Oops\r\n\r\n"), "was answered with 500"),
        (answer(b""), "ended without an answer"),
        (answer(b"HTTP/1.1 2"), "ended without an answer"),
        (answer(b"220 mail.example ESMTP\r\n"), "no HTTP answer"),
        (answer(b"x" * 5_000), "no HTTP answer"),
        (silent, "not answered in 0.2 s"),
    ],
)
def test_what_a_check_takes_for_well(script: Script, problem: str | None) -> None:
    async def ask(url: str) -> str | None:
        desk = Desk(core(url))
        return await check(desk.pool, parse_store_url(url), replace(HEALTH, timeout_s=0.2))

    with origin() as store:
        store.script = script
        found = on_uvloop(ask(store.url))

    assert (found is None) is (problem is None)
    assert (problem or "") in (found or "")


def test_a_store_that_is_not_there_is_not_well() -> None:
    async def ask(url: str) -> str | None:
        return await check(Desk(core(url)).pool, parse_store_url(url), HEALTH)

    problem = on_uvloop(ask(f"http://127.0.0.1:{free_port()}"))

    assert problem is not None
    assert "refused" in problem


def test_checks_speak_tls_as_requests_do(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = StoreTlsFiles(StoreTls(ca=str(authority.certificate)), "x", Path())

    async def ask(url: str) -> str | None:
        address = parse_store_url(url)
        desk = Desk(core(url), Dialer(address, files.context()))
        return await check(desk.pool, address, HEALTH)

    with tls_origin(authority.issue("store").server()) as store:
        assert on_uvloop(ask(store.url)) is None


def test_without_guards_nothing_is_watched() -> None:
    async def story() -> None:
        pool = Desk(core("http://127.0.0.1:1")).pool

        for _ in range(1_000):
            pool.failed("broken")
        pool.tick()

        assert not pool.watches
        assert not pool.is_shut
        assert (pool.breaker_state, pool.health_state) == (None, None)

    on_uvloop(story())


def in_maker(story: Callable[[RulesMaker], Awaitable[None]]) -> None:
    async def run() -> None:
        await story(RulesMaker(b"k" * 16, Limits(), asyncio.get_running_loop().time))

    on_uvloop(run())


def table(store: Store) -> RoutingTable:
    stores = {Side.LEGACY: Store(Side.LEGACY, "http://127.0.0.1:1"), Side.CORE: store}
    return RoutingTable(revision="r", stores=stores, domains=(), shopper=())


def test_a_new_table_treats_the_same_pool_anew_and_leaves_unchanged_guards_alone() -> None:
    async def story(maker: RulesMaker) -> None:
        first = Store(Side.CORE, "http://core.example", breaker=BREAKER)
        pool = maker.make(table(first)).stores[Side.CORE].pool
        for _ in range(BREAKER.min_requests):
            pool.failed("broken")
        assert pool.is_shut

        slower = replace(first, timeouts=StoreTimeouts(connect_s=0.5, total_s=9.0), max_in_flight=7)
        assert maker.make(table(slower)).stores[Side.CORE].pool is pool
        assert (pool.connect_s, pool.total_s, pool.bound) == (0.5, 9.0, 7)
        assert pool.is_shut

        without = replace(slower, breaker=None)
        assert maker.make(table(without)).stores[Side.CORE].pool is pool
        assert [pool.is_shut, pool.watches] == [False, False]

    in_maker(story)


def test_settings_hold_where_a_store_says_nothing() -> None:
    limits, timeouts = Limits(in_flight=5), Timeouts(connect_s=1.5, first_byte_s=7.0)
    own = Store(
        Side.CORE,
        "http://x",
        max_in_flight=3,
        timeouts=StoreTimeouts(connect_s=0.1, first_byte_s=0.2, total_s=0.3),
    )

    plain = treatment_of(core("http://x"), limits, timeouts)
    special = treatment_of(own, limits, timeouts)

    assert (plain.bound, plain.connect_s, plain.first_byte_s, plain.total_s) == (5, 1.5, 7.0, None)
    assert (special.bound, special.connect_s, special.first_byte_s) == (3, 0.1, 0.2)
    assert special.total_s == 0.3
