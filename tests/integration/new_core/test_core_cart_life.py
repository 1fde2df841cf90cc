"""A cart's life on both databases: taken over at login, filled from an order, given up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from new_core.api.carts import workers
from new_core.domain.actor import ANONYMOUS
from new_core.domain.buyer import Buyer
from new_core.domain.cart import CartEvent, CartState, moved
from new_core.domain.customer import Customer, CustomerStatus
from new_core.domain.order import FulfilmentStatus, Order, OrderLine, OrderStatus, PaymentStatus
from new_core.service.cart_merging import forget_customer
from new_core.service.doing import Doing
from new_core.storage import SqlDatabase, make_engine, make_reader
from new_core.storage.ids import new_id
from tests.support.cart_client import Door, Shopper, carts_core
from tests.support.cart_shop import THEN, sku, stock_shop, variant_id
from tests.support.core import SetClock, house_on
from tests.support.databases import fresh_database

pytestmark = pytest.mark.integration

DRAFT = 9
ADDRESS = {"country": "CA", "region": "ON", "lines": ["1 Main St"], "city": "Ottawa"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        found = f"sqlite:///{tmp_path_factory.mktemp('core')}/core.sqlite3"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            found = stack.enter_context(fresh_database(port))
        asyncio.run(stock_shop(found, drafts=frozenset({DRAFT})))
        yield found


@pytest.fixture
async def database(url: str) -> AsyncIterator[SqlDatabase]:
    made = SqlDatabase(make_engine(url), make_reader(url))
    yield made
    await made.dispose()


class Shop:
    """The core with customers who can log in."""

    def __init__(self, shopper: Shopper, door: Door, database: SqlDatabase) -> None:
        self.guest, self.door, self.database = shopper, door, database

    async def customer(self) -> tuple[UUID, Shopper]:
        customer_id = new_id()
        customer = Customer(customer_id, f"{customer_id}@example.org", CustomerStatus.ACTIVE, THEN)
        async with self.database.writing() as uow:
            await uow.customers.put(customer, THEN)
            await uow.commit()
        token = self.door.customer(str(customer_id), customer_id)
        return customer_id, self.guest.known_as(token)


@pytest.fixture
async def shop(url: str, database: SqlDatabase) -> AsyncIterator[Shop]:
    door = Door()
    async with carts_core(url, door) as app:
        yield Shop(Shopper(app), door, database)


async def fill(who: Shopper, cart: str, *numbers: int) -> None:
    for number in numbers:
        answer = await who.post(f"{cart}/lines", {"sku": sku(number), "quantity": number + 1})
        assert answer.status in (200, 201), answer.text


def units(answer: object) -> dict[str, int]:
    return {one["sku"]: one["quantity"] for one in answer["lines"]}  # type: ignore[index]


async def test_a_guests_cart_goes_into_the_customers_and_units_add_up(shop: Shop) -> None:
    customer_id, ann = await shop.customer()
    theirs, _ = await ann.begin()
    guests, guest = await shop.guest.begin(email="ann@example.org")
    await fill(ann, theirs, 1, 2)
    await fill(guest, guests, 2, 3)
    both = ann.holding(guest.headers["cart-token"])

    merged = await both.post(f"{guests}/merge")
    again = await both.post(f"{guests}/merge")
    left = await guest.get(guests)

    assert merged.status == 200, merged.text
    told = merged.json()
    assert f"/v1/carts/{told['id']}" == theirs
    assert told["customer_id"] == str(customer_id)
    assert units(told) == {sku(1): 2, sku(2): 6, sku(3): 4}
    assert (again.status, again.json()["version"]) == (200, told["version"])
    assert units(again.json()) == units(told)
    assert (left.json()["state"], left.json()["email"]) == ("merged", "")
    assert left.json()["merged_into"] == told["id"]
    refused = await guest.post(f"{guests}/lines", {"sku": sku(0)})
    assert (refused.status, refused.json()["code"]) == (409, "cart_not_open")


async def test_without_a_cart_of_theirs_the_guests_becomes_it(shop: Shop) -> None:
    _, ann = await shop.customer()
    _, bob = await shop.customer()
    guests, guest = await shop.guest.begin()
    await fill(guest, guests, 4)
    token = guest.headers["cart-token"]

    without = await ann.post(f"{guests}/merge")
    taken = await ann.holding(token).post(f"{guests}/merge")
    again = await ann.holding(token).post(f"{guests}/merge")
    late = await bob.holding(token).post(f"{guests}/merge")

    assert without.status == 404
    assert (taken.status, units(taken.json())) == (200, {sku(4): 5})
    assert again.json() == taken.json()
    assert late.status == 404
    assert (await guest.get(guests)).status == 404
    assert (await ann.get(guests)).status == 200


async def test_two_logins_at_once_take_it_over_once(shop: Shop) -> None:
    _, ann = await shop.customer()
    theirs, _ = await ann.begin()
    guests, guest = await shop.guest.begin()
    await fill(guest, guests, 1)
    both = ann.holding(guest.headers["cart-token"])

    answers = await asyncio.gather(*(both.post(f"{guests}/merge") for _ in range(6)))

    assert [one.status for one in answers] == [200] * 6
    assert units((await ann.get(theirs)).json()) == {sku(1): 2}


async def test_a_guest_or_staff_take_nothing_over(shop: Shop) -> None:
    guests, guest = await shop.guest.begin()

    assert (await guest.post(f"{guests}/merge")).status == 401
    answer = await guest.known_as("staff").post(f"{guests}/merge")
    assert (answer.status, answer.json()["code"]) == (409, "not_a_customer")


async def test_what_was_ordered_comes_again_as_far_as_it_is_sold(shop: Shop) -> None:
    customer_id, ann = await shop.customer()
    _, bob = await shop.customer()
    theirs, _ = await ann.begin()
    others, _ = await bob.begin()
    await fill(ann, theirs, 0)
    order_id = await an_order(shop.database, customer_id, (0, 2), (DRAFT, 1), (5, 3))

    again = await ann.post(f"{theirs}/reorder", {"order_id": str(order_id)})
    foreign = await bob.post(f"{others}/reorder", {"order_id": str(order_id)})

    rows = [(one["status"], one["code"], one["quantity"]) for one in again.json()["rows"]]
    assert rows == [("changed", None, 3), ("refused", "not_for_sale", None), ("added", None, 3)]
    assert units((await ann.get(theirs)).json()) == {sku(0): 3, sku(5): 3}
    assert (foreign.status, foreign.json()["code"]) == (404, "order_not_found")


async def an_order(database: SqlDatabase, customer_id: UUID, *pairs: tuple[int, int]) -> UUID:
    lines = tuple(
        OrderLine(
            new_id(), variant_id(number), new_id(), sku(number), "", quantity, 1, 1, 1, 1,
            position=position,
        )
        for position, (number, quantity) in enumerate(pairs)
    )  # fmt: skip
    order = Order(
        new_id(), str(new_id()), new_id(), Buyer("CAD", customer_id), OrderStatus.PLACED,
        PaymentStatus.PAID, FulfilmentStatus.UNFULFILLED, lines, None, (), (), len(lines), False,
        THEN, THEN,
    )  # fmt: skip
    async with database.writing() as uow:
        await uow.orders.put(order, THEN)
        await uow.commit()
    return order.id


async def test_a_cart_that_nobody_came_back_to_is_given_up_and_forgets_who_it_was_for(
    shop: Shop,
) -> None:
    cart, guest = await shop.guest.begin(email="ann@example.org")
    await fill(guest, cart, 1)
    await guest.send("PATCH", cart, {"shipping_address": ADDRESS}, if_match="*")
    cart_id = UUID(cart.rpartition("/")[2])
    async with shop.database.reading() as uow:
        stored = await uow.carts.get(cart_id)
    assert stored is not None
    clock = SetClock(stored.value.expires_at - timedelta(seconds=1))
    (sweeper,) = workers(house_on(shop.database, clock))

    await sweeper.run()
    async with shop.database.reading() as uow:
        early = await uow.carts.get(cart_id)
    clock.forward(seconds=1)
    while await sweeper.run():
        pass
    async with shop.database.reading() as uow:
        late = await uow.carts.get(cart_id)

    assert early == stored
    assert late is not None
    assert late.value == replace(
        stored.value, state=CartState.ABANDONED, email="", shipping_address=None, token_sha256=""
    )
    assert (await guest.get(cart)).status == 404


async def test_whoever_comes_back_keeps_the_cart(shop: Shop) -> None:
    cart, guest = await shop.guest.begin()
    before = (await guest.get(cart)).json()["expires_at"]

    await fill(guest, cart, 1)

    assert (await guest.get(cart)).json()["expires_at"] > before


async def test_a_frozen_cart_is_read_and_not_changed(shop: Shop) -> None:
    cart, guest = await shop.guest.begin()
    await fill(guest, cart, 1)
    line = (await guest.get(cart)).json()["lines"][0]["id"]
    async with shop.database.writing() as uow:
        stored = await uow.carts.locked(UUID(cart.rpartition("/")[2]))
        assert stored is not None
        await uow.carts.put(moved(stored.value, CartEvent.FREEZE), THEN)
        await uow.commit()

    writes = [
        await guest.post(f"{cart}/lines", {"sku": sku(0)}),
        await guest.post(f"{cart}/coupons", {"code": "X"}),
        await guest.post(f"{cart}/accept-prices"),
        await guest.send("PATCH", cart, {"email": "a@b.c"}, if_match="*"),
        await guest.send("PATCH", f"{cart}/lines/{line}", {"quantity": 2}, if_match="*"),
        await guest.send("DELETE", f"{cart}/lines/{line}", if_match="*"),
    ]

    assert [(one.status, one.json()["code"]) for one in writes] == [(409, "cart_not_open")] * 6
    assert (await guest.get(cart)).json()["state"] == "frozen"


async def test_an_erased_customers_carts_keep_their_lines_and_nobodys_data(shop: Shop) -> None:
    customer_id, ann = await shop.customer()
    cart, _ = await ann.begin(email="ann@example.org")
    await fill(ann, cart, 1)
    await ann.send("PATCH", cart, {"shipping_address": ADDRESS}, if_match="*")
    guests, guest = await shop.guest.begin(email="else@example.org")

    async with shop.database.writing() as uow:
        await forget_customer(uow, customer_id, Doing(ANONYMOUS, THEN, new_id))
        await uow.commit()

    told = (await ann.get(cart)).json()
    assert (told["email"], told["shipping_address"], told["version"]) == ("", None, 4)
    assert units(told) == {sku(1): 2}
    assert (await guest.get(guests)).json()["email"] == "else@example.org"
