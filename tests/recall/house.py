"""A real store, the core, the hop, a proxy and a comparer; requests through all of them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from cutover.demo.houses import demo_house_of
from cutover.demo.stage import Stage
from cutover.edge.children import Service
from cutover.settings import load_settings
from loadtests.ports import free_port
from proxy.storage.tables import load_routing
from shadow_compare.app import open_evidence
from shadow_compare.core.evidence import DomainEvidence, MismatchGroup

DOMAINS = ("catalog", "price", "stock")
PRODUCTS = 201
AT_A_TIME = 8
PATIENCE_S = 60.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the hop wrote down of one seeded defect."""

    id: str
    kind: str
    at: str
    target: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the comparer says of all domains together."""

    compared: int
    equal: int
    mismatched: int
    unread: int
    losses: dict[str, int]
    groups: tuple[MismatchGroup, ...]


def targets(count: int) -> list[str]:
    """Pages of a shop's catalogue, prices and stock, as often as wanted."""
    found = []
    for n in range(count):
        item = n * 7 % PRODUCTS + 1
        ways = (
            f"/api/products/{item}/",
            f"/api/products/{item}/price/",
            f"/api/products/{item}/availability/",
            f"/api/products/?page={item % 10 + 1}",
            f"/api/products/{item}/stockrecords/",
        )
        found.append("/api/categories/" if n % 50 == 49 else ways[n % len(ways)])
    return found


class Laboratory:
    """A running house. `share` of the core's answers are spoilt by the hop."""

    def __init__(self, stage: Stage, journal: Path) -> None:
        self.stage = stage
        self._journal = journal

    def journal(self) -> list[Entry]:
        lines = self._journal.read_text(encoding="utf-8").splitlines()
        return [Entry(**json.loads(line)) for line in lines]

    async def shop(self, count: int) -> None:
        """So many requests through the proxy, then wait until all of them are judged."""
        before = (await self.stage.books()).mirrored
        queue = iter(targets(count))

        async def one(client: aiohttp.ClientSession) -> None:
            for target in queue:
                async with client.get(self.stage.url("proxy") + target) as answer:
                    await answer.read()

        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(timeout=timeout) as client, asyncio.TaskGroup() as group:
            for _ in range(AT_A_TIME):
                group.create_task(one(client))
        async with asyncio.timeout(PATIENCE_S + count / 20):
            while True:
                books = await self.stage.books()
                if books.pending == 0 and books.mirrored >= before + count:
                    return
                await asyncio.sleep(0.2)

    async def found(self) -> Found:
        table = load_routing(self.stage.house.applied)
        async with open_evidence(self.stage.house.evidence_url) as evidence:
            every: list[DomainEvidence] = [
                await evidence.domain(table.domain(name)) for name in DOMAINS
            ]
            groups = [one for name in DOMAINS for one in await evidence.groups(name, limit=1_000)]
        books = await self.stage.books()
        return Found(
            compared=sum(one.overall.compared for one in every),
            equal=sum(one.overall.matched + one.overall.accepted for one in every),
            mismatched=sum(one.overall.mismatched for one in every),
            unread=sum(one.overall.incomparable + one.overall.broken for one in every),
            losses=dict(books.losses),
            groups=tuple(groups),
        )


@asynccontextmanager
async def laboratory(var: Path, share: float | None, tell: Tell) -> AsyncIterator[Laboratory]:
    """Everything up and in shadow.

    Args:
        var: an empty folder for all state.
        share: of the core's answers to spoil; None puts the store itself in the core's place.
        tell: told what is being started.
    """
    names = ("PROXY", "SIDE_DOOR", "ROOM", "CORE", "LEGACY")
    ports = {f"BANYAN_{name}_PORT": str(free_port()) for name in names}
    house = demo_house_of(load_settings({"BANYAN_VAR": str(var), **ports}))
    async with Stage(house, Path("var/cache/demo-store")) as stage:
        tell("preparing the store")
        await stage.prepare_store(lambda _line: None)
        await stage.start_store()
        journal = var / "journal.jsonl"
        journal.parent.mkdir(parents=True, exist_ok=True)
        core = f"{stage.url('core')}/facade/oscar"
        if share is None:
            _point_core_to(stage, core, stage.url("legacy"))
            journal.write_text("")
        else:
            tell("starting the core and filling it")
            await stage.start_core()
            await stage.banyan.run("backfill", "--from", stage.store_database)
            port = free_port()
            await stage._children.start(_hop(port, stage.url("core"), share, journal))
            _point_core_to(stage, core, f"http://127.0.0.1:{port}/facade/oscar")
        tell("starting proxy and comparer")
        await _shadow(stage)
        yield Laboratory(stage, journal)


def _point_core_to(stage: Stage, before: str, url: str) -> None:
    text = stage.rules.read_text(encoding="utf-8")
    assert before in text
    text = text.replace(before, url)
    # Each store stamps its own writes: the one difference that the demo accepts too.
    rule = '{path: "$..date_updated", accept: timestamp, owner: o, reason: r, expires: 2100-01-01}'
    if stage.url("legacy") != url:
        text = text.replace(
            "compare: {headers: [content-type]}",
            f"compare: {{headers: [content-type], rules: [{rule}]}}",
        )
    stage.rules.write_text(text, encoding="utf-8")


def _hop(port: int, target: str, share: float, journal: Path) -> Service:
    command = (
        *(sys.executable, "-m", "tests.recall.hop", "--port", str(port)),
        *("--target", target, "--share", str(share), "--journal", str(journal)),
    )
    ready = f"http://127.0.0.1:{port}/readyz"
    return Service("hop", command, (("127.0.0.1", port),), ready)


async def _shadow(stage: Stage) -> None:
    rules = ("--config", str(stage.rules))
    await stage.banyan.run("apply", *rules, "--yes", "--reason", "begin")
    for service in (stage.house.proxy(), stage.house.comparer()):
        await stage._children.start(service)
    for domain in DOMAINS:
        await stage.banyan.run("routes", "set", domain, *rules, "--stage", "shadow")
    await stage.banyan.run("apply", *rules, "--yes", "--reason", "shadow")
