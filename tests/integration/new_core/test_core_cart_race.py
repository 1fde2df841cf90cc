"""Two processes of the core write one cart: no line is lost, and none is there twice."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from loadtests.ports import free_port
from tests.support.cart_shop import rows_of, sku, stock_shop
from tests.support.databases import fresh_database
from tests.support.processes import spawn_process, wait_for_http

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

THINGS, WRITERS, ROUNDS = 6, 8, 3


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        found = f"sqlite:///{tmp_path}/core.sqlite3"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            found = stack.enter_context(fresh_database(port))
        asyncio.run(stock_shop(found, THINGS))
        yield found


@pytest.fixture
def cores(url: str, tmp_path: Path) -> Iterator[tuple[str, str]]:
    ports = (free_port(), free_port())
    with contextlib.ExitStack() as stack:
        for port in ports:
            command = [sys.executable, "-m", "cutover", "core", "--listen", f"127.0.0.1:{port}"]
            command += ["--database", url, "--modules", "carts"]
            stack.enter_context(spawn_process(command, log=tmp_path / f"core-{port}.log"))
        for port in ports:
            wait_for_http(f"http://127.0.0.1:{port}/readyz", 60)
        yield f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"


def test_every_line_of_every_writer_is_there_once(cores: tuple[str, str], url: str) -> None:
    asyncio.run(race(cores))

    (cart,) = asyncio.run(rows_of(url, "cart"))
    lines = asyncio.run(rows_of(url, "cart_line"))
    events = asyncio.run(rows_of(url, "outbox_event"))
    assert len(lines) == THINGS
    assert {one.quantity for one in lines} == {WRITERS * ROUNDS}
    assert sorted(one.position for one in lines) == list(range(THINGS))
    assert cart.version == 1 + WRITERS * ROUNDS * THINGS
    assert sorted(one.aggregate_seq for one in events) == list(range(1, cart.version + 1))


async def race(cores: tuple[str, str]) -> None:
    """Writers add one unit of each thing, each in another order, round by round; each writes
    to both processes in turn, and sends every request twice.
    """
    async with aiohttp.ClientSession() as session:
        made = await send(session, f"{cores[0]}/v1/carts", {"currency": "CAD"}, {})
        path, token = f"/v1/carts/{made['id']}/lines", {"cart-token": made["token"]}

        async def write(writer: int) -> None:
            for turn in range(ROUNDS * THINGS):
                step = turn if writer % 2 else -turn
                body = {"sku": sku((step + writer) % THINGS)}
                key = token | {"idempotency-key": str(uuid.uuid4())}
                await send(session, cores[(writer + turn) % 2] + path, body, key)
                await send(session, cores[turn % 2] + path, body, key)

        async with asyncio.TaskGroup() as group:
            for writer in range(WRITERS):
                group.create_task(write(writer))


async def send(
    session: aiohttp.ClientSession, url: str, body: dict[str, str], headers: dict[str, str]
) -> Any:
    sent = {"idempotency-key": str(uuid.uuid4())} | headers
    async with session.post(url, json=body, headers=sent) as answer:
        told = await answer.json()
        assert answer.status in (200, 201), told
        return told
