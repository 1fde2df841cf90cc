"""The control room and `banyan steer` as processes: shoppers meet a core that fails."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from cutover.core.revision import RevisionKind, chain_problems, from_json
from cutover.edge.services import House, Ports
from cutover.storage.ledger import RevisionFiles
from loadtests.ports import free_port
from proxy.routing import Stage
from proxy.storage.tables import load_routing
from tests.support.processes import run_process, spawn_process, wait_for_http
from tests.support.stores import small_store

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

TABLE = """\
apiVersion: banyan/v1
stores: {{legacy: {{url: "{legacy}"}}, core: {{url: "{core}"}}}}
shopper: ["header:Session-Id"]
domains:
  catalog:
    owner: shop
    stage: canary
    core_share: 50%
    routes: [{{path: "/c/{{id}}/"}}]
    gates:
      calendar: {{freeze: [{{from: 2020-01-01, until: 2090-01-01}}]}}
      approvals: {{count: 9}}
    rollback: {{errors: 1%, requests: 50, window: 30s}}
"""


@dataclass
class Shop:
    """A proxy before two stores, the core of which fails when it is told to."""

    house: House
    failing: list[bool]

    @property
    def stage(self) -> Stage:
        return load_routing(self.house.applied).domain("catalog").stage

    async def shoppers(self, count: int) -> list[int]:
        """So many shoppers ask once each; the statuses that they got."""
        url = self.house.url("proxy", "c/7/")
        found = []
        async with aiohttp.ClientSession() as session:
            for n in range(count):
                async with session.get(url, headers={"Session-Id": str(n)}) as answer:
                    found.append(answer.status)
        return found

    async def all_well(self) -> None:
        """Wait until fifty shoppers in a row get what they ask for: the table has arrived."""
        async with asyncio.timeout(20):
            while set(await self.shoppers(50)) != {200}:
                await asyncio.sleep(0.1)

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        command = (sys.executable, "-m", "cutover", *words)
        log = self.house.var / f"{words[0]}.log"
        with spawn_process(command, log=log, env=self.house.env) as process:
            yield process


@asynccontextmanager
async def a_shop(folder: Path) -> AsyncIterator[Shop]:
    failing = [False]

    async def core(_: web.Request) -> web.Response:
        return web.Response(status=500 if failing[0] else 200)

    async def legacy(_: web.Request) -> web.Response:
        return web.Response()

    var, ports = folder / "var", Ports(*(free_port() for _ in range(5)))
    env = {
        "BANYAN_VAR": str(var),
        "BANYAN_EVIDENCE_DATABASE": f"sqlite+aiosqlite:///{var / 'evidence.sqlite3'}",
        "BANYAN_SIDE_DOOR_PORT": str(ports.side_door),
        "BANYAN_ACTOR": "ops",
    }
    house = House(var, ports, env["BANYAN_EVIDENCE_DATABASE"], env)
    async with small_store(legacy) as one, small_store(core) as other:
        table = folder / "routing.yaml"
        table.write_text(TABLE.format(legacy=one.url, core=other.url))
        first = ("apply", "--config", str(table), "--init", "--yes", "--reason", "begin")
        command = (sys.executable, "-m", "cutover", *first)
        await asyncio.to_thread(run_process, command, log=folder / "apply.log", env=env)
        proxy = house.proxy()
        with spawn_process(proxy.command, log=var / "proxy.log", env=env):
            await asyncio.to_thread(wait_for_http, house.url("side_door", "readyz"))
            yield Shop(house, failing)


async def until(holds: Callable[[], bool], timeout_s: float = 30) -> float:
    """Wait until something is so; how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < timeout_s, "waited in vain"
        await asyncio.sleep(0.05)
    return time.monotonic() - began


def looked(shop: Shop) -> bool:
    try:
        told = json.loads((shop.house.var / "course.json").read_text())
    except (OSError, ValueError):
        return False
    return "catalog" in told["domains"]


async def test_the_room_takes_a_domain_back_whose_core_fails(tmp_path: Path) -> None:
    async with a_shop(tmp_path) as shop:
        room = shop.house.room()
        with shop.running(*room.command[3:]):
            await until(lambda: looked(shop))
            good = await shop.shoppers(200)
            shop.failing[0] = True
            await shop.shoppers(100)
            await until(lambda: shop.stage is Stage.SHADOW)
            await shop.all_well()

    links = RevisionFiles(shop.house.var / "revisions").links()
    last = from_json(links[-1][1]).entry
    assert (last.kind, last.actor) == (RevisionKind.ROLLBACK, "banyan")
    assert "were errors" in last.reason
    assert chain_problems(links) == ()
    assert set(good) == {200}


async def test_a_core_that_is_well_stays_while_the_room_is_killed_and_comes_again(
    tmp_path: Path,
) -> None:
    async with a_shop(tmp_path) as shop:
        room = shop.house.room()
        with shop.running(*room.command[3:]) as process:
            await until(lambda: looked(shop))
            os.kill(process.pid, signal.SIGKILL)
        served = await shop.shoppers(200)
        with shop.running("steer", "--every", "0.3"):
            before = (shop.house.var / "course.json").stat().st_mtime_ns
            await until(lambda: (shop.house.var / "course.json").stat().st_mtime_ns > before)
            served += await shop.shoppers(200)
            await asyncio.sleep(2)

        assert set(served) == {200}
        assert shop.stage is Stage.CANARY
        assert len(RevisionFiles(shop.house.var / "revisions").links()) == 1


async def test_two_that_steer_take_it_back_once(tmp_path: Path) -> None:
    async with a_shop(tmp_path) as shop:
        fast = ("steer", "--every", "0.2")
        with shop.running(*fast), shop.running(*fast):
            await until(lambda: looked(shop))
            await asyncio.sleep(3)
            shop.failing[0] = True
            await shop.shoppers(120)
            await until(lambda: shop.stage is not Stage.CANARY)
            await asyncio.sleep(1.5)

        assert shop.stage is Stage.SHADOW
        assert len(RevisionFiles(shop.house.var / "revisions").links()) == 2
