"""What a backfill of a whole table did not find is gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.rows import Row
from legacy_adapters.mapping.versions import Version
from legacy_adapters.storage import upgrade_sync
from legacy_adapters.storage.stage import SqlStage
from new_core.storage import make_engine
from tests.fakes.toy_shop import HOMES, OF_KIND, ORDER
from tests.support.databases import fresh_database

pytestmark = pytest.mark.integration

FORWARD = "legacy>core"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        found = f"sqlite:///{tmp_path}/core.sqlite3"
        if request.param == "postgresql":
            found = stack.enter_context(fresh_database(request.getfixturevalue("postgres_port")))
        yield found


def on_stage(url: str, work: Callable[[SqlStage], Awaitable[None]]) -> None:
    async def run() -> None:
        engine = make_engine(url)
        try:
            await upgrade_sync(engine)
            now = datetime(2026, 11, 22, tzinfo=UTC)
            await work(SqlStage(engine, HOMES, OF_KIND, lambda: now))
        finally:
            await engine.dispose()

    asyncio.run(run())


def order(key: int) -> Row:
    return {"id": key, "customer_id": 1, "billing_id": None, "total": 5, "memo": ""}


def test_rows_that_a_later_reading_of_the_table_did_not_find_become_tombstones(url: str) -> None:
    async def work(stage: SqlStage) -> None:
        await stage.deliver(ORDER, [order(1), order(2), order(3)], Version(1, 10))
        await stage.deliver(ORDER, [order(1)], Version(1, 20))
        await stage.deliver(ORDER, [order(4)], Version(1, 30))

        gone = await stage.sweep(ORDER, Version(1, 20))
        again = await stage.sweep(ORDER, Version(1, 20))

        keys = [AggregateKey("order", str(key)) for key in range(1, 5)]
        assert (gone, again) == (2, 0)
        assert sorted(one.key for one in await stage.rows(keys)) == ["1", "4"]
        assert (await stage.waiting(FORWARD, OF_KIND["order"])).dirty == 4

    on_stage(url, work)


def test_a_row_that_is_swept_comes_back_with_a_newer_one_alone(url: str) -> None:
    async def work(stage: SqlStage) -> None:
        await stage.deliver(ORDER, [order(9)], Version(1, 10))
        await stage.sweep(ORDER, Version(1, 20))
        key = AggregateKey("order", "9")

        late = await stage.deliver(ORDER, [order(9)], Version(1, 15))
        newer = await stage.deliver(ORDER, [order(9)], Version(1, 21))

        assert (late, newer) == (0, 1)
        assert key in await stage.rows([key])

    on_stage(url, work)
