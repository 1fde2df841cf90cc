"""The real processes between a release and its shoppers, and the shoppers."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import aiohttp

from cutover.api.sampling import tables_of
from cutover.core.revision import Revision, RevisionKind, from_json
from cutover.edge.services import House, Ports
from cutover.storage.ledger import RevisionFiles
from loadtests.ports import free_port
from tests.candidates.releases import End, Release, Store
from tests.support.processes import run_process, spawn_process, wait_for_http
from tests.support.seeded_data import SeededData, a_drift
from tests.support.stores import small_store

TABLE = """\
apiVersion: banyan/v1
stores: {{legacy: {{url: "{legacy}"}}, core: {{url: "{core}"}}}}
shopper: ["header:Session-Id"]
domains:
  catalog:
    owner: shop
    stage: canary
    core_share: 25%
    routes: [{{path: "/products/{{id}}/"}}, {{path: "/stock/{{id}}/"}}]
    gates: {{parity: {{min: 99.5%, samples: 500}}{gates}}}
    ramp: {{steps: [25%, 50%, 100%], soak: 6s, requests: 100}}
    rollback: {{errors: 0.2%, slow: 2%, requests: 100, window: 30s}}
"""
_ITEMS, _SHOPPERS = 400, 20_000


@dataclass
class Trial:
    """A release before shoppers.

    Attributes:
        answers, failed: what shoppers got since they came.
    """

    release: Release
    var: Path
    proxy: str
    data: SeededData
    answers: int = 0
    failed: int = 0

    def revisions(self) -> list[Revision]:
        """What the ledger has, oldest first."""
        return [from_json(content) for _, content in RevisionFiles(self.var / "revisions").links()]

    def end(self) -> End:
        """What has become of the release by now."""
        kinds = [one.entry.kind for one in self.revisions()[1:]]
        if RevisionKind.ROLLBACK in kinds:
            return End.BACK
        return End.ADVANCED if kinds else End.HELD

    async def shop(self, for_s: float) -> tuple[End, float]:
        """Shoppers come until something becomes of the release, or the time is over."""
        dice, pause_s = random.Random(9), 1 / self.release.per_s
        connector = aiohttp.TCPConnector(limit=64)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            asyncio.TaskGroup() as asking,
        ):
            drifting = asking.create_task(self._drift())
            began_s = next_s = time.monotonic()
            while (spent_s := time.monotonic() - began_s) < for_s:
                path = dice.choice(self.release.routes).format(dice.randrange(_ITEMS))
                asking.create_task(self._ask(session, path, str(dice.randrange(_SHOPPERS))))
                if self.answers % 50 == 0 and self.end() is not End.HELD:
                    break
                next_s += pause_s
                await asyncio.sleep(max(0.0, next_s - time.monotonic()))
            drifting.cancel()
        return self.end(), spent_s

    async def _drift(self) -> None:
        """Both databases grow apart, as the comparison of them would write it down."""
        for second in count(1):
            keys = [str(1_000 * second + n) for n in range(self.release.drifts or 0)]
            if not keys:
                return
            await self.data.drift([a_drift("catalog", key, self.data.now) for key in keys])
            await asyncio.sleep(1)

    async def _ask(self, session: aiohttp.ClientSession, path: str, shopper: str) -> None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            headers = {"Session-Id": shopper}
            async with session.get(self.proxy + path, headers=headers) as answer:
                await answer.read()
                self.answers += 1
                self.failed += answer.status >= 500


@asynccontextmanager
async def trial(release: Release, folder: Path) -> AsyncIterator[Trial]:
    """The stores, a proxy, a comparer and what steers, in force at the first share."""
    var = folder / "var"
    ports = Ports(*(free_port() for _ in range(5)))
    evidence = f"sqlite+aiosqlite:///{var / 'evidence.sqlite3'}"
    env = {
        "BANYAN_VAR": str(var),
        "BANYAN_EVIDENCE_DATABASE": evidence,
        "BANYAN_SIDE_DOOR_PORT": str(ports.side_door),
        "BANYAN_ACTOR": "trial",
    }
    house = House(var, ports, evidence, env)
    banyan = (sys.executable, "-m", "cutover")
    async with (
        small_store(Store(release, is_core=False).answer) as legacy,
        small_store(Store(release, is_core=True).answer) as core,
    ):
        config = folder / "routing.yaml"
        data = SeededData(var)
        if release.drifts is not None:
            var.mkdir()
            env |= await _in_step(data, var)
        gates = "" if release.drifts is None else ", data: {}"
        config.write_text(TABLE.format(legacy=legacy.url, core=core.url, gates=gates))
        first = ("apply", "--config", str(config), "--init", "--yes", "--reason", "first share")
        command = (*banyan, *first)
        await asyncio.to_thread(run_process, command, log=folder / "apply.log", env=env)
        with ExitStack() as stack:
            for service in (house.proxy(), house.comparer()):
                log = var / f"{service.name}.log"
                stack.enter_context(spawn_process(service.command, log=log, env=env))
            await asyncio.to_thread(_await_proxy, house)
            steer = (*banyan, "steer", "--every", "1")
            stack.enter_context(spawn_process(steer, log=var / "steer.log", env=env))
            await asyncio.sleep(3)  # a reading of no answers, before there are any
            yield Trial(release, var, ports.url("proxy"), data)


async def _in_step(data: SeededData, var: Path) -> dict[str, str]:
    """Databases of both sides in which the catalogue is kept in step; their settings."""
    await data.install({"catalog": ("legacy", 3)})
    await data.drift([])
    legacy = var / "legacy.sqlite3"
    with contextlib.closing(sqlite3.connect(legacy)) as shop:
        for table in tables_of()["catalog"]:
            shop.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY)")
    return {
        "BANYAN_CORE_DATABASE": data.core,
        "BANYAN_LEGACY_DATABASE": f"sqlite+aiosqlite:///{legacy}",
    }


def _await_proxy(house: House) -> None:
    try:
        wait_for_http(house.url("side_door", "readyz"))
    except TimeoutError as exc:
        raise RuntimeError(f"{exc}\n{(house.var / 'proxy.log').read_text()}") from exc
