"""Dry runs of the core on both databases: what is answered, and what stays."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine

from new_core.api import dry_runs
from new_core.api.dry_runs import TAKES_BACK
from new_core.app import build_core
from new_core.ports import Database
from new_core.service.effects import effects_off
from new_core.settings import CoreSettings
from new_core.storage import engine as engines
from new_core.storage.engine import database_url
from tests.support.asgi import Answered, send_to
from tests.support.databases import fresh_database
from tests.support.little_shop import LEVEL, STOCK, THEN, fill, on_hand

pytestmark = pytest.mark.integration

DRY = {"banyan-dry-run": "1"}
PROBE = {"banyan-dry-run": "probe"}
SHADOW = {"x-banyan-shadow": "run-1"}
SQL = "UPDATE stock_level SET on_hand = 77"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        found = f"sqlite:///{tmp_path_factory.mktemp('core')}/core.sqlite3"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            found = stack.enter_context(fresh_database(port))
        asyncio.run(fill(found))
        yield found


@dataclass
class Shop:
    """The core, and routes that do what routes must not do."""

    url: str
    app: FastAPI | None = None
    database: Any = None
    mails: list[str] = field(default_factory=list)
    left: list[asyncio.Task[None]] = field(default_factory=list)

    async def put(self, path: str = STOCK, *, count: int = 9, **headers: str) -> Answered:
        sent = {"content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        assert self.app is not None
        return await send_to(self.app, "PUT", path, json.dumps({"on_hand": count}).encode(), sent)

    async def dry(self, path: str = STOCK, **more: Any) -> Answered:
        return await self.put(path, banyan_dry_run="1", **more)

    async def count(self, database: Database, units: int = 77) -> None:
        async with database.writing() as uow:
            line = await uow.stock.locked(LEVEL)
            assert line is not None
            level = line.level.value.counted(units)
            await uow.stock.put_levels([level], THEN + timedelta(days=1))
            await uow.commit()

    def extend(self, app: FastAPI, database: Database) -> None:
        self.database = database

        @app.put("/undeclared")
        async def undeclared() -> None:
            await self.count(database)

        @app.put("/elsewhere", openapi_extra=TAKES_BACK)
        async def elsewhere() -> None:
            own = create_async_engine(database_url(self.url))
            try:
                async with own.begin() as connection:
                    await connection.execute(sa.text(SQL))
            finally:
                await own.dispose()

        @app.put("/swallowed", openapi_extra=TAKES_BACK)
        async def swallowed() -> None:
            with contextlib.suppress(Exception):
                await elsewhere()

        @app.put("/commits", openapi_extra=TAKES_BACK)
        async def commits() -> None:
            await self.count(database)
            async with database.reading() as uow:
                connection = uow.stock._connection  # type: ignore[attr-defined]
                await connection.exec_driver_sql("COMMIT")

    def extend_more(self, app: FastAPI, database: Database) -> None:
        @app.put("/two", openapi_extra=TAKES_BACK)
        async def two() -> None:
            async with database.reading():
                await self.count(database)

        @app.put("/thread", openapi_extra=TAKES_BACK)
        def thread() -> None:
            with contextlib.closing(sa.create_engine("sqlite://").connect()) as connection:
                connection.execute(sa.text("SELECT 1"))

        @app.put("/later", openapi_extra=TAKES_BACK)
        async def later() -> None:
            async def write() -> None:
                await asyncio.sleep(0.05)
                await self.count(database)

            self.left.append(asyncio.ensure_future(write()))

        @app.put("/crashes", openapi_extra=TAKES_BACK)
        async def crashes() -> None:
            await self.count(database)
            raise RuntimeError("a bug")

        @app.put("/hangs", openapi_extra=TAKES_BACK)
        async def hangs() -> None:
            await self.count(database)
            await asyncio.Event().wait()

        @app.put("/mails", openapi_extra=TAKES_BACK)
        async def mails() -> dict[str, int | None]:
            await self.count(database)
            if not await asyncio.to_thread(effects_off):
                self.mails.append("counted")
            async with database.reading() as uow:
                return {"seen": (await uow.stock.levels([LEVEL]))[LEVEL].level.value.on_hand}


@pytest.fixture
async def shop(url: str) -> AsyncIterator[Shop]:
    made = Shop(url)
    settings = CoreSettings(core_database=url)
    made.app = build_core(settings, extensions=(made.extend, made.extend_more))
    yield made
    for task in made.left:
        await asyncio.wait([task])
    await made.database.dispose()


async def test_a_dry_run_answers_as_the_write_would_and_changes_nothing(shop: Shop) -> None:
    before = await on_hand(shop.url)

    dry = await shop.dry(count=40)
    still = await on_hand(shop.url)
    real = await shop.put(count=40)

    assert dry.headers["banyan-dry-run"] == "honoured"
    assert "banyan-dry-run" not in real.headers
    told, made = dry.json(), real.json()
    assert told.pop("updated_at") < made.pop("updated_at")
    assert told == made
    assert (dry.status, made["on_hand"], still) == (200, 40, before)
    assert await on_hand(shop.url) == (40, before[1] + 1)


async def test_a_refused_write_is_a_dry_run_too(shop: Shop) -> None:
    wrong = await shop.dry(count=-1)
    missing = await shop.dry("/v1/stock/00000000-0000-0000-0000-000000000099")
    changed = await shop.dry(if_match='"of old"')

    assert [one.status for one in (wrong, missing, changed)] == [422, 404, 412]
    assert {one.headers["banyan-dry-run"] for one in (wrong, missing, changed)} == {"honoured"}


async def test_a_dry_run_sees_its_own_writes_and_lets_no_effect_out(shop: Shop) -> None:
    before = await on_hand(shop.url)

    dry = await shop.dry("/mails")
    assert (dry.headers["banyan-dry-run"], dry.json()) == ("honoured", {"seen": 77})
    assert (shop.mails, await on_hand(shop.url)) == ([], before)

    await shop.put("/mails")
    assert shop.mails == ["counted"]


@pytest.mark.parametrize("path", ["/undeclared", "/elsewhere", "/swallowed", "/two", "/thread"])
async def test_what_cannot_be_taken_back_is_refused_and_does_not_stay(
    shop: Shop, path: str
) -> None:
    await shop.put(count=3)
    before = await on_hand(shop.url)

    answer = await shop.dry(path)

    assert (answer.status, answer.json()["code"]) == (409, "no_dry_run")
    assert answer.headers["banyan-dry-run"] == "refused"
    assert await on_hand(shop.url) == before


async def test_a_route_that_commits_behind_the_ports_back_is_not_honoured(shop: Shop) -> None:
    answer = await shop.dry("/commits")

    assert (answer.status, answer.json()["code"]) == (500, "dry_run_broken")
    assert "banyan-dry-run" not in answer.headers


async def test_a_task_that_outlives_its_dry_run_writes_nothing(shop: Shop) -> None:
    await shop.put(count=3)
    before = await on_hand(shop.url)

    answer = await shop.dry("/later")
    [left] = shop.left
    await asyncio.wait([left])

    assert answer.headers["banyan-dry-run"] == "honoured"
    assert "outlived" in str(left.exception())
    assert await on_hand(shop.url) == before


@pytest.mark.parametrize(
    ("path", "status", "code", "word"),
    [
        ("/crashes", 500, "internal", "honoured"),
        ("/hangs", 503, "dry_run_too_long", "refused"),
    ],
)
async def test_a_dry_run_that_fails_is_taken_back_all_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, path: str, status: int, code: str, word: str
) -> None:
    monkeypatch.setattr(dry_runs, "LONGEST_S", 1.0)
    before = await on_hand(shop.url)

    answer = await shop.dry(path)

    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.headers["banyan-dry-run"] == word
    assert await on_hand(shop.url) == before
    assert (await shop.put()).status == 200


async def test_an_answer_too_large_to_hold_back_is_not_sent(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_runs, "MOST_BYTES", 10)

    answer = await shop.dry()

    assert (answer.status, answer.json()["code"]) == (503, "dry_run_too_large")


async def test_a_dry_run_waits_for_no_shopper_for_long(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_TRY_WAIT_S", 0.1)
    impatient = Shop(shop.url)
    impatient.app = build_core(CoreSettings(core_database=shop.url), extensions=(impatient.extend,))
    try:
        async with shop.database.writing() as uow:
            await uow.stock.locked(LEVEL)
            answer = await impatient.dry()
    finally:
        await impatient.database.dispose()

    assert (answer.status, answer.json()["code"]) == (503, "store_unavailable")
    assert answer.headers["banyan-dry-run"] == "refused"


async def test_a_probe_is_told_the_truth_and_runs_nothing(shop: Shop) -> None:
    assert shop.app is not None
    before = await on_hand(shop.url)
    said = {
        path: (await send_to(shop.app, "OPTIONS", path, headers=PROBE)).headers["banyan-dry-run"]
        for path in (STOCK, "/v1/stock/x", "/undeclared", "/v1/products", "/facade/x", "/nothing")
    }

    assert said.pop(STOCK) == said.pop("/v1/stock/x") == "honoured"
    assert set(said.values()) == {"refused"}
    assert await on_hand(shop.url) == before


@pytest.mark.parametrize("word", ["0", "probe", "yes", "1,1", ""])
async def test_any_other_wish_is_not_guessed_at(shop: Shop, word: str) -> None:
    before = await on_hand(shop.url)

    answer = await shop.put(banyan_dry_run=word)

    assert (answer.status, answer.json()["code"]) == (400, "bad_dry_run")
    assert await on_hand(shop.url) == before


async def test_a_shadow_reads_and_writes_only_as_a_dry_run(shop: Shop) -> None:
    assert shop.app is not None
    before = await on_hand(shop.url)

    plain = await shop.put(count=50, x_banyan_shadow="run-1")
    dry = await shop.dry(count=50, x_banyan_shadow="run-1")
    read = await send_to(shop.app, "GET", STOCK, headers=SHADOW)

    assert (plain.status, plain.json()["code"]) == (409, "shadow_write")
    assert (dry.status, dry.headers["banyan-dry-run"]) == (200, "honoured")
    assert read.status == 200
    assert await on_hand(shop.url) == before


async def test_dry_runs_are_counted(shop: Shop) -> None:
    assert shop.app is not None
    await shop.dry()
    await shop.dry("/undeclared")

    text = (await send_to(shop.app, "GET", "/metrics")).text

    assert 'banyan_core_dry_runs_total{outcome="honoured"} 1.0' in text
    assert 'banyan_core_dry_runs_total{outcome="refused"} 1.0' in text
