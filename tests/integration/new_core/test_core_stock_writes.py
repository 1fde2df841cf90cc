"""Counting stock over /v1: who read what before, and what a second writer finds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from new_core.app import build_core
from new_core.settings import CoreSettings
from tests.support.asgi import Answered, send_to
from tests.support.little_shop import ON_HAND, STOCK, fill

pytestmark = pytest.mark.integration


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[FastAPI]:
    url = f"sqlite:///{tmp_path}/core.sqlite3"
    await fill(url)
    app = build_core(CoreSettings(core_database=url))
    async with app.router.lifespan_context(app):
        yield app


async def put(core: FastAPI, body: object, tag: str | None = None) -> Answered:
    headers = {"content-type": "application/json"}
    return await send_to(
        core, "PUT", STOCK, json.dumps(body).encode(),
        headers if tag is None else headers | {"if-match": tag},
    )  # fmt: skip


async def get(core: FastAPI) -> Answered:
    return await send_to(core, "GET", STOCK)


async def test_a_count_stays_and_its_tag_is_that_of_the_next_read(core: FastAPI) -> None:
    put_down = await put(core, {"on_hand": 12})
    read = await get(core)

    assert (put_down.status, read.status) == (200, 200)
    assert (read.content, read.headers["etag"]) == (put_down.content, put_down.headers["etag"])
    told = read.json()
    assert (told["on_hand"], told["available"], told["version"]) == (12, 11, 2)


async def test_the_same_count_again_changes_nothing(core: FastAPI) -> None:
    before = await get(core)

    again = await put(core, {"on_hand": ON_HAND})

    assert again.content == before.content


async def test_nobody_counts_what_is_null(core: FastAPI) -> None:
    told = (await put(core, {"on_hand": None})).json()

    assert (told["on_hand"], told["available"]) == (None, 0)


async def test_of_two_that_saw_the_same_one_writes(core: FastAPI) -> None:
    tag = (await get(core)).headers["etag"]

    both = await asyncio.gather(*(put(core, {"on_hand": n}, tag) for n in (20, 30)))
    lost = next(one for one in both if one.status != 200)

    assert sorted(one.status for one in both) == [200, 412]
    assert lost.json()["code"] == "changed_meanwhile"
    assert (await get(core)).json()["version"] == 2


@pytest.mark.parametrize(
    ("tag", "status"), [("*", 200), ('"x"', 412), ("W/{tag}", 412), ('"x", {tag}', 200), ("", 412)]
)
async def test_a_tag_must_be_strong_and_one_of_the_list(
    core: FastAPI, tag: str, status: int
) -> None:
    current = (await get(core)).headers["etag"]

    assert (await put(core, {"on_hand": 7}, tag.replace("{tag}", current))).status == status


@pytest.mark.parametrize(
    "body",
    [{}, {"on_hand": -1}, {"on_hand": "7"}, {"on_hand": 1.5}, {"on_hand": True}, [],
     {"on_hand": 2**31}, {"on_hand": 7, "reserved": 0}],
)  # fmt: skip
async def test_what_is_no_count_is_refused_by_name_and_changes_nothing(
    core: FastAPI, body: Any
) -> None:
    answer = await put(core, body)

    assert (answer.status, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"].startswith("/body")
    assert (await get(core)).json()["version"] == 1


async def test_the_contract_says_which_writes_can_be_taken_back(core: FastAPI) -> None:
    document = (await send_to(core, "GET", "/openapi.json")).json()

    write = document["paths"]["/v1/stock/{stock_id}"]["put"]
    assert write["x-banyan-dry-run"] is True
    assert {"409", "412", "422"} <= set(write["responses"])
