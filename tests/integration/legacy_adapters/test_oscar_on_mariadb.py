"""The demo's store on MariaDB and on PostgreSQL: what an order writes arrives as it is."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from legacy_adapters.capture.mariadb import MariaDbSource
from legacy_adapters.capture.postgres import PostgresSource
from legacy_adapters.mapping.marks import MARKS
from legacy_adapters.mapping.rows import Broken, Row, Table, key_text
from legacy_adapters.oscar.kinds import KINDS
from legacy_adapters.ports.capture import ChangeSource, Transaction
from loadtests.ports import free_port
from tests.contract.legacy_adapters.capture_labs import metadata_for
from tests.integration.demo_store.shop_client import ShopClient
from tests.support.databases import fresh_database
from tests.support.processes import spawn_process, wait_for_http
from tests.support.reflected import reflected

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

RUN = (sys.executable, "-m", "legacy_adapters.oscar.demo_store.run")
WRITTEN = {
    "basket_basket", "basket_line", "partner_stockrecord", "order_order", "order_line",
    "order_lineprice", "order_shippingaddress",
}  # fmt: skip
TABLES: tuple[Table, ...] = tuple(
    {table.name: table for kind in KINDS for table in kind.translation.shape.tables}.values()
)


@dataclass(frozen=True, slots=True)
class Running:
    """The store's port and its database's URL."""

    port: int
    url: str


@pytest.fixture(params=["mariadb", "postgresql"], scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of an empty database."""
    with ExitStack() as stack:
        if request.param == "postgresql":
            yield stack.enter_context(fresh_database(request.getfixturevalue("postgres_port")))
        else:
            from tests.support.mariadb import shared_mariadb  # noqa: PLC0415

            request.getfixturevalue("mariadb_port")
            server = shared_mariadb()
            server.run("CREATE OR REPLACE DATABASE oscar_shop CHARACTER SET utf8mb4")
            yield server.url("oscar_shop")
            server.run("DROP DATABASE oscar_shop")


@pytest.fixture(scope="module")
def store(place: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("legacy")
    environment = {"LEGACY_DB": place}
    with (folder / "prepare.log").open("wb") as log:
        subprocess.run(
            [*RUN, "prepare", "--dir", str(folder)],
            check=True, stdout=log, stderr=log, timeout=300, env={**_inherited(), **environment},
        )  # fmt: skip
    asyncio.run(_make_marks(place))
    port = free_port()
    command = [*RUN, "serve", "--dir", str(folder), "--listen", f"127.0.0.1:{port}"]
    with spawn_process(command, log=folder / "serve.log", env=environment):
        wait_for_http(f"http://127.0.0.1:{port}/api/")
        yield Running(port, place)


@pytest.fixture
async def source(store: Running) -> AsyncIterator[ChangeSource]:
    is_mariadb = store.url.startswith("mysql")
    found: ChangeSource = (MariaDbSource if is_mariadb else PostgresSource)(
        store.url, TABLES, "shop"
    )
    await found.prepare()
    yield found
    await found.remove()
    await found.close()


def _inherited() -> dict[str, str]:
    import os  # noqa: PLC0415

    return dict(os.environ)  # noqa: TID251 - the child needs ours


async def _make_marks(url: str) -> None:
    driver = "mysql+aiomysql" if url.startswith("mysql") else "postgresql+asyncpg"
    engine = create_async_engine(sa.make_url(url).set(drivername=driver))
    metadata = metadata_for(engine)
    async with engine.begin() as connection:
        await connection.run_sync(
            metadata.create_all, tables=[metadata.tables[mark.name] for mark in MARKS]
        )
    await engine.dispose()


def order(store: Running) -> dict[str, Any]:
    """Buy two copies of a book; the order as its API tells it."""
    with ShopClient(store.port, "reader_of_logs") as shop:
        assert shop.add(9, quantity=2)[0] == 200
        _, basket = shop.call("GET", "basket/")
        status, told = shop.check_out(basket["url"])
    assert status == 200, told
    found: dict[str, Any] = told
    return found


async def test_every_column_that_is_carried_is_there(store: Running) -> None:
    found = await asyncio.to_thread(reflected, store.url, [table.name for table in TABLES])

    for table in TABLES:
        assert found[table.name].key == table.key
        assert set(found[table.name].columns) == set(table.columns), table.name


async def test_all_that_an_order_writes_arrives_with_its_names_and_values(
    store: Running, source: ChangeSource
) -> None:
    start = await source.here()
    told = await asyncio.to_thread(order, store)
    end = await source.here()

    found: list[Transaction] = []
    async with asyncio.timeout(60), source.read(start) as batches:
        async for batch in batches:
            found += batch.transactions
            if batch.read_to >= end:
                break
    mirror = _mirror(found)

    (placed,) = [row for (table, _), row in mirror.items() if table == "order_order"]
    (line,) = [row for (table, _), row in mirror.items() if table == "order_line"]
    assert {table for table, _ in mirror} >= WRITTEN
    assert (placed["number"], placed["total_incl_tax"]) == (told["number"], told["total_incl_tax"])
    assert (line["quantity"], line["order_id"]) == (2, placed["id"])
    assert _where(found, "order_order") & _where(found, "order_line")
    await _compare(source, mirror)


def _mirror(found: list[Transaction]) -> dict[tuple[str, str], Row]:
    state: dict[tuple[str, str], Row] = {}
    for change in (change for one in found for change in one.changes):
        if change.after is None:
            state.pop((change.table, change.key), None)
        else:
            state[change.table, change.key] = change.after
    return state


def _where(found: list[Transaction], table: str) -> set[str]:
    return {one.name for one in found if any(change.table == table for change in one.changes)}


async def _compare(source: ChangeSource, mirror: dict[tuple[str, str], Row]) -> None:
    """The rows as the log told them are those that the database has."""
    async with source.snapshot() as snapshot:
        for table in TABLES:
            rows = {key_text(table, row): row for row in await snapshot.page(table, None, 5_000)}
            told = {key: row for (name, key), row in mirror.items() if name == table.name}
            assert {key: rows[key] for key in told} == told
            assert not [cell for row in rows.values() for cell in row.values() if _is_broken(cell)]


def _is_broken(cell: object) -> bool:
    return isinstance(cell, Broken)
