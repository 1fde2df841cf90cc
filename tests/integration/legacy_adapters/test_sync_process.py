"""The sync as a process between real databases: killed again and again, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from legacy_adapters.app.sync_work import install, standings
from legacy_adapters.app.syncing import FORWARD, REVERSE, Sync
from legacy_adapters.mapping.versions import Side
from tests.fakes.toy_kinds import Doc, Part
from tests.support.databases import fresh_database
from tests.support.toy_sync import Running, opened, prepare
from tests.support.toy_world import group

pytestmark = pytest.mark.integration

TABLES = ("customer", "address", "billing", "order", "line", "option", "visit")


@pytest.fixture(params=["sqlite", "postgresql"])
def core(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        found = f"sqlite:///{tmp_path}/core.sqlite3"
        if request.param == "postgresql":
            found = stack.enter_context(fresh_database(request.getfixturevalue("postgres_port")))
        yield found


@pytest.fixture
def legacy(tmp_path: Path, core: str) -> str:
    url = f"sqlite:///{tmp_path}/legacy.sqlite3"

    async def make(sync: Sync) -> None:
        await install(sync)

    asyncio.run(prepare(url, core))
    within(url, core, make)
    return url


def within(legacy: str, core: str, work: Callable[[Sync], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with opened(legacy, core) as sync:
            await work(sync)

    asyncio.run(inside())


class ShopWriter:
    """Writes orders, which it remembers once they were committed."""

    def __init__(self, legacy: str) -> None:
        self.connection = sqlite3.connect(
            legacy.removeprefix("sqlite:///"), timeout=20, isolation_level=None
        )
        self.dice = random.Random(1)

    def write(self) -> None:
        ask = self.connection.execute
        ask("BEGIN IMMEDIATE")
        who = ask("INSERT INTO shop_customer (name) VALUES ('Ann')").lastrowid
        bill = ask("INSERT INTO shop_billing (street) VALUES ('Hill')").lastrowid
        order = ask(
            "INSERT INTO shop_order (customer_id, billing_id, total, memo) VALUES (?, ?, 1, 'm')",
            (who, bill),
        ).lastrowid
        for _ in range(3):
            line = ask(
                "INSERT INTO shop_line (order_id, what, quantity) VALUES (?, 'book', 1)", (order,)
            ).lastrowid
            ask("INSERT INTO shop_option (line_id, word) VALUES (?, 'red')", (line,))
        ask("COMMIT")
        ask(
            "UPDATE shop_order SET total = total + 1 WHERE id % 3 = 1 AND id > ?",
            ((order or 0) - 9,),
        )
        if self.dice.random() < 0.3:
            ask("DELETE FROM shop_option WHERE id = (SELECT MIN(id) FROM shop_option)")

    def tables(self) -> dict[str, dict[str, dict[str, object]]]:
        found = {}
        for name in TABLES:
            cursor = self.connection.execute(f"SELECT * FROM shop_{name}")  # noqa: S608 - own names
            names = [one[0] for one in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
            found[f"shop_{name}"] = {str(row["id"]): row for row in rows}
        return found


async def settled(sync: Sync) -> None:
    """Wait until everything that was written by now is across."""
    ends = {FORWARD: Side.LEGACY, REVERSE: Side.CORE}
    places = {stream: await sync.sources[side].here() for stream, side in ends.items()}
    for _ in range(2_000):
        found = await standings(sync)
        reached = all(
            one.checkpoint is not None
            and one.checkpoint.position.order >= places[one.stream].order
            and not any(part.waiting.dirty for part in one.domains)
            for one in found
        )
        if reached:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(await standings(sync))


async def same(sync: Sync, writer: ShopWriter) -> None:
    """Both stores tell the same, and nothing is parked or rogue."""
    assert await sync.stage.parked(5) == []
    assert await sync.stage.rogues(5) == []
    tables = writer.tables()
    async with sync.database.reading() as uow:
        for kind in sync.kinds:
            expected = {}
            for rows in group(tables, kind.name):  # type: ignore[arg-type]
                known = {}
                for entity_type, key in kind.translation.refers(rows):
                    for ref in (await uow.refs.internal("toy", entity_type, [key])).values():
                        known[entity_type, key] = ref.internal_id
                doc = kind.translation.forward(rows, known)
                expected[doc.id] = doc
            ids = await kind.documents.page(uow, None, 100_000)
            assert await kind.documents.read(uow, ids) == expected


async def flip(sync: Sync, domain: str, to: Side) -> float:
    """Move a domain; how long nobody could write it, in seconds."""
    began = time.perf_counter()
    row = (await sync.fences[to.other].rows())[domain]
    fencing = await sync.fences[to.other].close_gate(domain, term=row.term, wait_s=5)
    assert fencing.changed
    stream = f"{to.other}>{to}"
    store = sync.core if to is Side.CORE else sync.rows
    for _ in range(5_000):
        if (await store.applied()).get((stream, domain), (0, 0, 0))[1] >= row.term + 1:
            break
        await asyncio.sleep(0.002)
    opened_gate = await sync.fences[to].open_gate(domain, to, term=row.term + 2, wait_s=5)
    assert opened_gate.changed
    return time.perf_counter() - began


def test_killed_again_and_again_under_writes_nothing_is_lost_or_doubled(
    legacy: str, core: str
) -> None:
    writer = ShopWriter(legacy)
    running = Running(legacy, core)
    try:
        for round_ in range(5):
            for _ in range(25):
                writer.write()
            time.sleep(0.1 * round_)
            running.again()

        async def check(sync: Sync) -> None:
            await settled(sync)
            await same(sync, writer)

        within(legacy, core, check)
    finally:
        running.end()


def test_after_a_flip_the_core_is_written_and_killed_and_the_legacy_has_it_all(
    legacy: str, core: str
) -> None:
    writer = ShopWriter(legacy)
    for _ in range(20):
        writer.write()
    running = Running(legacy, core)

    async def change(sync: Sync) -> None:
        """As the core's own application, which owns the domain by now."""
        async with sync.database.writing() as uow:
            connection = uow.connection
            found = await connection.execute(
                sa.text("SELECT id, body FROM core_order ORDER BY id LIMIT 10")
            )
            for uid, body in found.all():
                doc = msgspec.json.decode(body, type=Doc)
                new = Part(UUID(int=random.getrandbits(120)), "pen:2")
                parts = (*doc.parts[1:], new)
                doc = msgspec.structs.replace(doc, text=str(int(doc.text) + 1), parts=parts)
                await connection.execute(
                    sa.text("UPDATE core_order SET body = :body WHERE id = :id"),
                    {"body": msgspec.json.encode(doc).decode(), "id": uid},
                )
            await uow.commit()

    async def work(sync: Sync) -> None:
        await settled(sync)
        await flip(sync, "people", Side.CORE)
        await flip(sync, "sales", Side.CORE)
        for _ in range(4):
            await change(sync)
            running.again()
        await change(sync)
        await settled(sync)
        await flip(sync, "sales", Side.LEGACY)
        await settled(sync)
        lines = writer.tables()["shop_line"].values()
        assert sum(one["what"] == "pen" for one in lines) == 30
        tables = writer.tables()
        async with sync.database.reading() as uow:
            kind = next(kind for kind in sync.kinds if kind.name == "order")
            ids = await kind.documents.page(uow, None, 1_000)
            for doc in (await kind.documents.read(uow, ids)).values():
                numbers = await uow.refs.external("toy", [doc.id, *(one.id for one in doc.parts)])
                assert tables["shop_order"][numbers[doc.id]]["total"] == int(doc.text)
                own = {numbers[one.id] for one in doc.parts}
                there = {
                    key for key, one in tables["shop_line"].items()
                    if str(one["order_id"]) == numbers[doc.id]
                }  # fmt: skip
                assert there == own

    try:
        within(legacy, core, work)
    finally:
        running.end()


def test_a_second_one_is_refused_at_once(legacy: str, core: str) -> None:
    running = Running(legacy, core)
    try:
        second = Running(legacy, core)

        assert "another banyan sync carries the streams" in second.hear()
        second.end()
    finally:
        running.end()
