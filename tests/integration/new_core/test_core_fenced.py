"""A served core whose domain another store owns: writes are refused as safe to try again, and
dry runs are answered as ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import Side
from legacy_adapters.storage.fences_open import open_fences
from new_core.errors import WriteFenced
from new_core.storage import SqlDatabase, connection_of, make_engine, make_reader
from tests.contract.legacy_adapters.shops import Server, serve_core
from tests.support.databases import fresh_database
from tests.support.little_shop import STOCK, fill, on_hand

pytestmark = pytest.mark.integration

FENCED = {
    "orders": (Table("stock_level", ("id",), {}), Table("cart", ("id",), {})),
    "customers": (Table("customer", ("id",), {}),),
}


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Core:
    """A core that is served."""

    url: str
    server: Server
    log: Path

    def put(self, units: int, **headers: str) -> Answered:
        return self.ask("PUT", STOCK, {"on_hand": units}, **headers)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answered:
        sent = {"content-type": "application/json", "host": "shop.example"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body is not None else None, sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answered(response.status, names, json.loads(response.read()))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        found = f"sqlite:///{tmp_path_factory.mktemp('core')}/core.sqlite3"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            found = stack.enter_context(fresh_database(port))
        asyncio.run(fill(found))
        yield found


@pytest.fixture(scope="module")
def core(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    log = tmp_path_factory.mktemp("log") / "core"
    with serve_core(url, log) as server:
        asyncio.run(fence(url))
        yield Core(url, server, log)


async def fence(url: str) -> None:
    fences = open_fences(url, Side.CORE)
    await fences.install(FENCED, Side.LEGACY)
    await fences.close()


async def hand_over(url: str, owner: Side, term: int) -> None:
    fences = open_fences(url, Side.CORE)
    opened = await fences.open_gate("orders", owner, term=term, wait_s=5)
    assert opened.changed
    await fences.close()


def test_a_fenced_write_is_refused_as_safe_to_try_again(core: Core) -> None:
    before = asyncio.run(on_hand(core.url))

    answered = core.put(9)

    assert answered.status == 503
    assert answered.headers["retry-after"] == "1"
    assert answered.headers["banyan-fenced"] == "orders"
    assert answered.body["code"] == "write_fenced"
    assert answered.body["retryable"] is True
    assert asyncio.run(on_hand(core.url)) == before


def test_a_fenced_core_still_reads(core: Core) -> None:
    assert core.ask("GET", STOCK).status == 200


def test_a_dry_run_of_a_fenced_core_is_answered_and_nothing_stays(core: Core) -> None:
    before = asyncio.run(on_hand(core.url))

    answered = core.put(11, banyan_dry_run="1")

    assert answered.status == 200
    assert answered.headers["banyan-dry-run"] == "honoured"
    assert answered.body["on_hand"] == 11
    assert asyncio.run(on_hand(core.url)) == before


def test_a_write_after_a_dry_run_is_refused_all_the_same(core: Core) -> None:
    core.put(11, banyan_dry_run="1")

    assert core.put(12).status == 503


def test_the_facade_refuses_a_fenced_write_in_the_shops_own_words(core: Core) -> None:
    answered = core.ask("GET", "/facade/oscar/api/basket/")

    assert answered.status == 503
    assert answered.headers["banyan-fenced"] == "orders"
    assert answered.headers["retry-after"] == "1"
    assert answered.body == {"detail": "Service temporarily unavailable, try again later."}


def test_a_core_that_owns_the_domain_again_takes_writes_at_once(core: Core) -> None:
    asyncio.run(hand_over(core.url, Side.CORE, 3))

    taken = core.put(21)
    asyncio.run(hand_over(core.url, Side.LEGACY, 5))
    refused = core.put(22)

    assert (taken.status, refused.status) == (200, 503)
    assert asyncio.run(on_hand(core.url))[0] == 21


async def test_a_fenced_write_is_not_taken_for_a_value_that_is_there_already(core: Core) -> None:
    database = SqlDatabase(make_engine(core.url, pool_size=1), make_reader(core.url, pool_size=1))

    async def sign_up() -> None:
        async with database.writing() as uow:
            statement = f"INSERT INTO customer (id) VALUES ('{UUID(int=1)}')"  # noqa: S608 - a constant
            await connection_of(uow).exec_driver_sql(statement)

    with pytest.raises(WriteFenced) as refused:
        await sign_up()

    assert refused.value.domain == "customers"
    await database.dispose()
