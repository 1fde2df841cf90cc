"""Warehouses, deliveries, transfers, policies and the book of movements over /v1."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from new_core.app import build_core
from new_core.domain.reservation import Want
from new_core.service.inventory import reserve
from new_core.settings import CoreSettings
from tests.support.asgi import Answered, send_to
from tests.support.stockroom import (
    ask,
    books_off,
    doing,
    level,
    order,
    place,
    stock_up,
    tell,
    using,
    variant,
)

pytestmark = pytest.mark.integration

A, B, FILE, SET = range(4)
KEY = '"a-key-of-one-and-the-same-wish"'


@pytest.fixture
async def app(core_url: str) -> AsyncIterator[FastAPI]:
    counts: list[list[int | None]] = [[5, 0], [3], [None], []]
    await stock_up(core_url, counts, untracked=[FILE], bundles={SET: {A: 2, B: 1}})
    app = build_core(CoreSettings(core_database=core_url, core_modules="inventory,identity"))
    async with app.router.lifespan_context(app):
        yield app
    assert await books_off(core_url) == []


async def send(app: FastAPI, method: str, path: str, body: Any = None, **more: str) -> Answered:
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    if method == "POST":
        headers.setdefault("idempotency-key", f'"{uuid.uuid4()}"')
    headers["content-type"] = "application/json"
    content = b"" if body is None else json.dumps(body).encode()
    return await send_to(app, method, f"/v1{path}", content, headers)


async def told(app: FastAPI, path: str) -> Any:
    answer = await send(app, "GET", path)
    assert answer.status == 200, answer.text
    return answer.json()


def lines(*pairs: tuple[Any, int]) -> list[dict[str, Any]]:
    return [{"stock_id": str(one), "units": units} for one, units in pairs]


async def test_a_delivery_is_booked_once_however_often_it_is_sent(app: FastAPI) -> None:
    body = {"lines": lines((level(A), 7), (level(B), 1)), "reference": "dn-1"}

    first = await send(app, "POST", "/stock-receipts", body, idempotency_key=KEY)
    again = await send(app, "POST", "/stock-receipts", body, idempotency_key=KEY)

    assert (first.status, again.status) == (200, 200)
    assert again.content == first.content
    assert [one["on_hand"] for one in first.json()["data"]] == [12, 4]
    book = (await told(app, f"/stock-movements?stock_id={level(A)}&kind=receipt"))["data"]
    assert [(one["on_hand"], one["reference"]) for one in book] == [(7, "dn-1")]


async def test_what_came_was_not_on_its_way_any_more(app: FastAPI) -> None:
    await send(app, "PUT", f"/stock/{level(A)}/policy", {"incoming": 10})

    await send(app, "POST", "/stock-receipts", {"lines": lines((level(A), 7))})

    assert (await told(app, f"/stock/{level(A)}"))["incoming"] == 3


async def test_every_move_that_cannot_be_is_named_and_none_is_made(app: FastAPI) -> None:
    body = {
        "lines": lines((level(A), -2), (level(A), -4), (level(FILE), 1), (level(B), -3)),
        "reason": "fire",
    }

    refused = await send(app, "POST", "/stock-adjustments", body)

    assert (refused.status, refused.json()["code"]) == (409, "stock_not_moved")
    found = [(one["pointer"], one["code"]) for one in refused.json()["errors"]]
    assert found == [("/lines/1", "not_on_hand"), ("/lines/2", "not_counted")]
    assert (await told(app, f"/stock/{level(B)}"))["on_hand"] == 3


async def test_a_transfer_takes_only_what_nobody_was_promised(core_url: str, app: FastAPI) -> None:
    async with using(core_url) as database, database.writing() as uow:
        await reserve(uow, order(1), [Want(variant(A), 3)], doing(), expires_at=None)
        await uow.commit()

    def moving(units: int, to: UUID) -> dict[str, Any]:
        there = {"from_stock_id": str(level(A)), "to_stock_id": str(to), "units": units}
        return {"lines": [there]}

    other = await send(app, "POST", "/stock-transfers", moving(1, level(B)))
    refused = await send(app, "POST", "/stock-transfers", moving(3, level(A, 1)))
    made = await send(app, "POST", "/stock-transfers", moving(2, level(A, 1)))

    assert (refused.status, refused.json()["errors"][0]["code"]) == (409, "promised")
    assert other.json()["errors"][0]["code"] == "other_variant"
    assert [one["on_hand"] for one in made.json()["data"]] == [3, 2]
    kinds = await ask(core_url, "SELECT kind FROM stock_movement ORDER BY seq DESC LIMIT 2")
    assert sorted(kinds) == [("transfer_in",), ("transfer_out",)]


async def test_damage_leaves_promises_and_says_what_is_short(core_url: str, app: FastAPI) -> None:
    async with using(core_url) as database, database.writing() as uow:
        await reserve(uow, order(1), [Want(variant(B), 3)], doing(), expires_at=None)
        await uow.commit()
    body = {"lines": [{**lines((level(B), 2))[0], "kind": "damage"}], "reason": "water"}

    made = (await send(app, "POST", "/stock-adjustments", body)).json()["data"][0]

    assert (made["on_hand"], made["reserved"], made["available"]) == (1, 3, -2)
    assert await ask(core_url, "SELECT shortfall FROM stock_level WHERE shortfall > 0") == [(2,)]
    events = await ask(core_url, "SELECT type FROM outbox_event WHERE type LIKE '%shortfall%'")
    assert events == [("inventory.stock.shortfall_detected.v1",)]


async def test_availability_is_asked_in_bulk_and_follows_the_policy(app: FastAPI) -> None:
    ids = [str(variant(n)) for n in (SET, B, FILE)] + [str(uuid.UUID(int=1))]

    before = (await send(app, "POST", "/availability", {"variant_ids": ids})).json()["data"]
    await send(app, "PUT", f"/stock/{level(B)}/policy", {"safety": 2, "backorder_limit": 9})
    after = (await send(app, "POST", "/availability", {"variant_ids": ids})).json()["data"]

    assert [(one["units"], one["purchasable"]) for one in before] == [
        (2, True), (3, True), (None, True)
    ]  # fmt: skip
    assert [one["units"] for one in after] == [2, 10, None]


async def test_an_inactive_warehouse_promises_nothing(app: FastAPI) -> None:
    tag = (await send(app, "GET", f"/warehouses/{place(0)}")).headers["etag"]
    body = {"code": "w0", "name": "Shut", "active": False, "country": "CA", "cutoff": "16:30:00",
            "timezone": "America/Toronto"}  # fmt: skip

    blind = await send(app, "PUT", f"/warehouses/{place(0)}", body)
    shut = await send(app, "PUT", f"/warehouses/{place(0)}", body, if_match=tag)
    late = await send(app, "PUT", f"/warehouses/{place(0)}", body, if_match=tag)

    assert (blind.status, shut.status, late.status) == (428, 200, 412)
    assert (shut.json()["cutoff"], shut.json()["active"]) == ("16:30:00", False)
    asked = {"variant_ids": [str(variant(B))]}
    found = (await send(app, "POST", "/availability", asked)).json()["data"]
    assert found[0]["purchasable"] is False


async def test_a_warehouse_is_opened_stocked_and_not_closed_while_it_has_stock(
    app: FastAPI,
) -> None:
    opened = await send(app, "POST", "/warehouses", {"code": "north", "name": "North"})
    taken = await send(app, "POST", "/warehouses", {"code": "north", "name": "Again"})
    ident = opened.json()["id"]
    new = {"variant_id": str(variant(B)), "warehouse_id": ident, "sku": "b-n", "on_hand": 4}
    stocked = await send(app, "POST", "/stock", new)
    twice = await send(app, "POST", "/stock", new)
    tag = (await send(app, "GET", f"/warehouses/{ident}")).headers["etag"]
    closed = await send(app, "DELETE", f"/warehouses/{ident}", if_match=tag)

    assert (opened.status, taken.status, taken.json()["code"]) == (
        201, 409, "warehouse_code_taken"
    )  # fmt: skip
    assert (stocked.status, stocked.json()["on_hand"]) == (201, 4)
    assert stocked.headers["location"] == f"/v1/stock/{stocked.json()['id']}"
    assert (twice.status, twice.json()["code"]) == (409, "stock_level_exists")
    assert (closed.status, closed.json()["code"]) == (409, "warehouse_in_use")


async def test_an_empty_warehouse_is_closed(app: FastAPI) -> None:
    opened = await send(app, "POST", "/warehouses", {"code": "north", "name": "North"})
    path = f"/warehouses/{opened.json()['id']}"

    closed = await send(app, "DELETE", path, if_match=opened.headers["etag"])

    assert closed.status == 204
    assert (await send(app, "GET", path)).status == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/warehouses", {"code": "a b", "name": "x"}),
        ("/warehouses", {"code": "ab", "name": "x", "timezone": "../../etc/passwd"}),
        ("/warehouses", {"code": "ab", "name": "x", "cutoff": "10:00:00Z"}),
        ("/warehouses", {"code": "ab", "name": "x\x00"}),
        ("/stock-receipts", {"lines": []}),
        ("/stock-receipts", {"lines": lines((level(A), 0))}),
        ("/stock-adjustments", {"lines": lines((level(A), 0)), "reason": "x"}),
        ("/availability", {"variant_ids": ["x"]}),
        ("/stock-repairs", {"stock_ids": [str(level(A))]}),
    ],
)
async def test_what_makes_no_sense_is_refused(app: FastAPI, path: str, body: Any) -> None:
    assert (await send(app, "POST", path, body)).status == 422


async def test_reservations_are_listed_by_owner_page_by_page(core_url: str, app: FastAPI) -> None:
    async with using(core_url) as database, database.writing() as uow:
        wants = [Want(variant(A), 1), Want(variant(B), 1)]
        await reserve(uow, order(1), wants, doing(), expires_at=None)
        await reserve(uow, order(2), [Want(variant(A), 1)], doing(), expires_at=None)
        await uow.commit()
    path = f"/reservations?owner_type=order&owner_id={order(1).id}&limit=1"

    first = await told(app, path)
    rest = await told(app, f"{path}&after={first['page']['next']}")

    assert {one["stock_id"] for one in (*first["data"], *rest["data"])} == {
        str(level(A)), str(level(B))
    }  # fmt: skip
    assert (first["page"]["has_more"], rest["page"]["has_more"]) == (True, False)
    assert (await send(app, "GET", "/reservations?owner_type=order")).status == 422


async def test_drift_is_reported_and_repaired_only_when_somebody_says_so(
    core_url: str, app: FastAPI
) -> None:
    await send(app, "PUT", f"/stock/{level(A)}", {"on_hand": 4})
    await tell(core_url, "UPDATE stock_level SET on_hand = 9, reserved = 2 WHERE sku = 't-1'")

    found = await told(app, "/stock-accuracy?fresh=true")
    body = {"stock_ids": [str(level(A)), str(level(B))], "reason": "the disk was restored"}
    repaired = await send(app, "POST", "/stock-repairs", body)

    assert (found["drifted"], found["accuracy_ppm"]) == (1, 750_000)
    assert found["drifts"][0]["moved_on_hand"] == 3
    assert [one["stock_id"] for one in repaired.json()["data"]] == [str(level(B))]
    assert (await told(app, f"/stock/{level(B)}"))["on_hand"] == 3
    assert (await told(app, "/stock-accuracy?fresh=true"))["drifted"] == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/stock-receipts", {"lines": lines((level(A), 7))}),
        ("/stock-adjustments", {"lines": lines((level(A), 7)), "reason": "found"}),
        ("/warehouses", {"code": "north", "name": "North"}),
    ],
)
async def test_a_dry_run_answers_in_full_and_leaves_nothing(
    app: FastAPI, path: str, body: Any
) -> None:
    before = (await told(app, "/stock"), await told(app, "/warehouses"))

    tried = await send(app, "POST", path, body, banyan_dry_run="1", idempotency_key=KEY)
    done = await send(app, "POST", path, body, banyan_dry_run="1", idempotency_key=KEY)

    assert tried.headers["banyan-dry-run"] == "honoured"
    assert tried.status in (200, 201)
    assert "idempotent-replayed" not in done.headers
    assert (await told(app, "/stock"), await told(app, "/warehouses")) == before
