"""The whole platform on a real store, its processes killed while shoppers shop.

1. Everything runs and every domain that may be mirrored is in stage shadow. 2. Comparer,
control room and core are killed with -9, again and again; each is started again. 3. No
shopper notices. 4. When the dust has settled the books add up: every mirrored exchange
was compared, or is a loss with a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from cutover.demo.houses import demo_house_of
from cutover.demo.stage import Stage
from cutover.edge.services import House
from cutover.settings import load_settings
from loadtests.ports import free_port
from shadow_compare.core.evidence import Accounting
from tests.support.processes import wait_for_http

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

VICTIMS = ("comparer", "control room", "core")


@pytest.fixture
def house(tmp_path: Path) -> House:
    names = ("PROXY", "SIDE_DOOR", "ROOM", "CORE", "LEGACY")
    ports = {f"BANYAN_{name}_PORT": str(free_port()) for name in names}
    return demo_house_of(load_settings({"BANYAN_VAR": str(tmp_path / "var"), **ports}))


async def shadow_everything(stage: Stage) -> None:
    rules = ("--config", str(stage.rules))
    await stage.banyan.run("apply", *rules, "--yes", "--reason", "begin")
    await stage.start_front()
    for domain in ("catalog", "price", "stock"):
        await stage.banyan.run("routes", "set", domain, *rules, "--stage", "shadow")
    await stage.banyan.run("apply", *rules, "--yes", "--reason", "shadow")


async def settled(stage: Stage) -> Accounting:
    async with asyncio.timeout(45):
        while True:
            books = await stage.books()
            if books.pending == 0:
                return books
            await asyncio.sleep(0.3)


async def back_again(house: House, victim: str) -> None:
    """Wait until a process that has a port answers there again."""
    ready = {"control room": house.url("room", "healthz"), "core": house.url("core", "readyz")}
    if victim in ready:
        await asyncio.to_thread(wait_for_http, ready[victim], 30)


async def compared_more_than(count: int, stage: Stage) -> None:
    """Wait until so many exchanges were compared, for half a minute at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30):
            while (await stage.books()).compared <= count:
                await asyncio.sleep(0.5)


async def test_kill_9_of_all_but_the_proxy_in_shadow_is_invisible_and_accounted_for(
    house: House,
) -> None:
    async with Stage(house, Path("var/cache/demo-store")) as stage:
        await stage.prepare_store(lambda _line: None)
        await stage.start_store()
        await stage.start_core()
        await stage.banyan.run("backfill", "--from", stage.store_database)
        await shadow_everything(stage)
        await stage.start_shoppers()
        await asyncio.sleep(3)

        for _round in range(2):
            for victim in VICTIMS:
                os.kill(stage.pid(victim), signal.SIGKILL)
                await asyncio.sleep(2.5)
                # A busy machine takes longer to start what died; two that are dead together
                # are another story.
                await back_again(house, victim)

        await compared_more_than(100, stage)
        shopping = await stage.stop_shoppers()
        books = await settled(stage)

    assert stage.restarts == 2 * len(VICTIMS)
    assert shopping.reasons == {}
    assert shopping.failures == 0
    assert shopping.requests > 300
    assert shopping.side_changes == ()
    assert books.compared > 100
    assert books.mirrored == books.compared + books.lost
    assert set(books.losses) <= {"shadow_unreachable", "shadow_timeout", "shadow_truncated"}
