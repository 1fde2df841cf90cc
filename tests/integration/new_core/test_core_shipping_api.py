"""Ways of shipping over /v1, and what they do to a cart's total."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest

from new_core.domain.pricing import Price
from new_core.storage import SqlDatabase, make_engine, make_reader
from tests.support.cart_client import Door, Shopper, carts_core
from tests.support.cart_shop import PRICE_LIST, THEN, price_id, sku, stock_shop, variant_id
from tests.support.databases import fresh_database

pytestmark = pytest.mark.integration

ADDRESS = {"country": "CA", "region": "ON", "lines": ["1 Main St"], "city": "Ottawa"}
POST = {
    "code": "post", "name": "Post",
    "rates": [{
        "price": {"amount": "7.50", "currency": "CAD"},
        "free_from": {"amount": "20.00", "currency": "CAD"},
    }],
    "places": [{"country": "CA"}],
}  # fmt: skip
DOWNLOAD = 8


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        found = f"sqlite:///{tmp_path_factory.mktemp('core')}/core.sqlite3"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            found = stack.enter_context(fresh_database(port))
        asyncio.run(stock_shop(found, downloads=frozenset({DOWNLOAD})))
        yield found


@pytest.fixture
async def shopper(url: str) -> AsyncIterator[Shopper]:
    async with carts_core(url, Door()) as app:
        yield Shopper(app)


async def test_staff_keep_ways_of_shipping(shopper: Shopper) -> None:
    staff = shopper.known_as("staff")

    made = await staff.post("/v1/shipping-methods", POST)
    twice = await staff.post("/v1/shipping-methods", POST)
    place = f"/v1/shipping-methods/{made.json()['id']}"
    blind = await staff.send("PUT", place, {**POST, "active": False})
    off = await staff.send("PUT", place, {**POST, "active": False}, if_match=made.headers["etag"])
    late = await staff.send("DELETE", place, if_match=made.headers["etag"])
    public = await shopper.get("/v1/shipping-methods")
    inside = await staff.get("/v1/shipping-methods")
    gone = await staff.send("DELETE", place, if_match=off.headers["etag"])

    assert (made.status, made.headers["location"]) == (201, place)
    assert made.json()["rates"] == POST["rates"]
    assert (twice.status, twice.json()["code"]) == (422, "invalid_value")
    assert (blind.status, off.status, late.status, gone.status) == (428, 200, 412, 204)
    assert (off.json()["active"], off.json()["version"]) == (False, 2)
    assert (public.json()["data"], len(inside.json()["data"])) == ([], 1)
    assert (await staff.get(place)).status == 404
    assert (await shopper.post("/v1/shipping-methods", POST)).status == 401


async def test_the_chosen_way_is_in_the_total_until_the_goods_are_worth_enough(
    shopper: Shopper,
) -> None:
    staff = shopper.known_as("staff")
    assert (await staff.post("/v1/shipping-methods", POST)).status == 201
    cart, guest = await shopper.begin(email="ann@example.org")
    await guest.post(f"{cart}/lines", {"sku": sku(4), "quantity": 3})

    nowhere = await guest.get(f"{cart}/shipping-quotes")
    abroad = await guest.get(f"{cart}/shipping-quotes?country=DE")
    named = await guest.get(f"{cart}/shipping-quotes?country=CA&region=QC")
    bare = await guest.get(cart)
    change = {"shipping_address": ADDRESS, "shipping_code": "post"}
    chosen = await guest.send("PATCH", cart, change, if_match="*")
    await guest.post(f"{cart}/lines", {"sku": sku(4)})
    free = await guest.get(cart)
    germany = {**ADDRESS, "country": "DE", "region": ""}
    moved = await guest.send("PATCH", cart, {"shipping_address": germany}, if_match="*")

    assert (nowhere.json()["data"], abroad.json()["data"]) == ([], [])
    assert named.json()["data"] == [
        {"code": "post", "name": "Post", "description": "",
         "price": {"amount": "7.50", "currency": "CAD"}}
    ]  # fmt: skip
    assert bare.json()["shipping_required"] is True
    assert [one["code"] for one in bare.json()["problems"]] == [
        "missing_shipping_address", "missing_shipping",
    ]  # fmt: skip
    assert (chosen.json()["total"]["amount"], chosen.json()["problems"]) == ("22.50", [])
    assert chosen.json()["shipping"]["gross"]["amount"] == "7.50"
    assert free.json()["total"]["amount"] == "20.00"
    assert [one["code"] for one in moved.json()["problems"]] == ["shipping_not_offered"]
    assert moved.json()["shipping"] is None


async def test_what_is_not_sent_is_offered_nothing(shopper: Shopper) -> None:
    await shopper.known_as("staff").post("/v1/shipping-methods", POST)
    cart, guest = await shopper.begin(email="ann@example.org")
    await guest.post(f"{cart}/lines", {"sku": sku(DOWNLOAD)})

    assert (await guest.get(f"{cart}/shipping-quotes?country=CA")).json()["data"] == []
    assert (await guest.get(cart)).json()["problems"] == []


async def test_a_price_that_moves_is_a_problem_until_it_is_accepted(
    shopper: Shopper, url: str
) -> None:
    cart, guest = await shopper.begin(email="ann@example.org")
    await guest.send("PATCH", cart, {"shipping_address": ADDRESS}, if_match="*")
    await guest.post(f"{cart}/lines", {"sku": sku(0), "quantity": 2})
    await reprice(url, 0, 1_250_000)

    moved = await guest.get(cart)
    accepted = await guest.post(f"{cart}/accept-prices")

    (problem,) = moved.json()["problems"]
    assert (problem["code"], problem["meta"]) == (
        "price_changed", {"shown": "1.00", "now": "1.25", "currency": "CAD"},
    )  # fmt: skip
    assert moved.json()["total"]["amount"] == "2.50"
    assert (accepted.status, accepted.json()["problems"]) == (200, [])


async def reprice(url: str, number: int, micro: int) -> None:
    database = SqlDatabase(make_engine(url), make_reader(url))
    price = Price(price_id(number), PRICE_LIST, variant_id(number), None, 1, micro)
    async with database.writing() as uow:
        await uow.pricing.put_prices([price], THEN)
        await uow.commit()
    await database.dispose()


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "a b"}, {"rates": []}, {"places": [{"country": "ca"}]}, {"rank": -1},
        {"name": "\x00"}, {"more": 1}, {"rates": [{"price": {"amount": 7, "currency": "CAD"}}]},
        {"rates": [{"price": {"amount": "7.505", "currency": "CAD"}}]},
        {"rates": [{"price": {"amount": "7", "currency": "XXX"}}]},
    ],
)  # fmt: skip
async def test_what_is_no_way_of_shipping_is_refused(
    shopper: Shopper, wrong: dict[str, object]
) -> None:
    answer = await shopper.known_as("staff").post("/v1/shipping-methods", {**POST, **wrong})

    assert answer.status == 422, answer.text


async def test_a_method_that_is_not_there_is_not_there(shopper: Shopper) -> None:
    staff, nothing = shopper.known_as("staff"), f"/v1/shipping-methods/{UUID(int=5)}"

    assert (await staff.send("PUT", nothing, POST, if_match="*")).status == 404
    assert (await staff.send("DELETE", nothing, if_match="*")).status == 404
