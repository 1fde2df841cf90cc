"""Carts in tables of both databases: what is written is what is read, and no more is written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from new_core.domain.address import PostalAddress
from new_core.domain.buyer import Buyer
from new_core.domain.cart import Cart, CartLine, CartState
from new_core.errors import InvalidValue
from new_core.ports.carts import CartQuery
from new_core.storage import SqlDatabase, make_engine, make_reader
from new_core.storage.ids import new_id
from tests.support.cart_shop import THEN, sku, stock_shop, variant_id
from tests.support.databases import fresh_database

pytestmark = pytest.mark.integration

LATER = THEN + timedelta(hours=1)
ADDRESS = PostalAddress("CA", ("1 Main St",), "Ottawa", first_name="Ann", region="ON")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        found = f"sqlite:///{tmp_path_factory.mktemp('core')}/core.sqlite3"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            found = stack.enter_context(fresh_database(port))
        asyncio.run(stock_shop(found, drafts=frozenset({9}), downloads=frozenset({8})))
        yield found


@pytest.fixture
async def database(url: str) -> AsyncIterator[SqlDatabase]:
    made = SqlDatabase(make_engine(url), make_reader(url))
    yield made
    await made.dispose()


def a_line(number: int, quantity: int = 1, *options: tuple[str, str]) -> CartLine:
    return CartLine(new_id(), variant_id(number), quantity, number, options, 1_000_000)


def a_cart(*lines: CartLine, customer_id: UUID | None = None) -> Cart:
    buyer = Buyer("CAD", customer_id, new_id(), (new_id(), new_id()), frozenset({new_id()}), "web")
    return Cart(
        new_id(), buyer, CartState.OPEN, lines, THEN, LATER, ("SUMMER", "VIP"), "ab" * 32,
        "ann@example.org", "post", ADDRESS, replace(ADDRESS, lines=("1", "2", "3")),
    )  # fmt: skip


async def put(database: SqlDatabase, cart: Cart) -> int:
    async with database.writing() as uow:
        stored = await uow.carts.put(cart, LATER)
        await uow.commit()
    return stored.version


async def test_what_is_written_is_read_whole(database: SqlDatabase) -> None:
    cart = a_cart(a_line(0, 2, ("engraving", "A ♥ B")), a_line(1))
    version = await put(database, cart)

    async with database.reading() as uow:
        read = await uow.carts.get(cart.id)
        nothing = await uow.carts.get(new_id())

    assert read is not None
    assert (read.value, read.version, read.updated_at) == (cart, version, LATER)
    assert nothing is None


async def test_a_cart_is_changed_as_a_whole(database: SqlDatabase) -> None:
    kept, changed, gone, new = a_line(0), a_line(1), a_line(2), a_line(3)
    cart = a_cart(kept, changed, gone)
    await put(database, cart)

    after = replace(
        cart, lines=(kept, replace(changed, quantity=7), new), coupons=(), billing_address=None,
        state=CartState.FROZEN,
    )  # fmt: skip
    version = await put(database, after)

    async with database.writing() as uow:
        locked = await uow.carts.locked(cart.id)
    assert version == 2
    assert locked is not None
    assert locked.value == after


async def test_only_lines_that_changed_are_written(database: SqlDatabase) -> None:
    cart = a_cart(*(a_line(n) for n in range(8)))
    await put(database, cart)
    written: list[int] = []

    def watch(*call: object) -> None:
        statement, parameters, many = str(call[2]), call[3], call[5]
        if statement.startswith("INSERT INTO cart_line"):
            written.append(len(parameters) if many else 1)  # type: ignore[arg-type]

    sa.event.listen(sa.Engine, "before_cursor_execute", watch)
    try:
        lines = (replace(cart.lines[0], quantity=5), *cart.lines[1:])
        await put(database, replace(cart, lines=lines))
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", watch)

    assert written == [1]


async def test_a_variant_with_the_same_options_is_one_line(database: SqlDatabase) -> None:
    twice = a_cart(a_line(0, 1, ("size", "m")), a_line(0, 1, ("size", "m")))
    apart = a_cart(a_line(0, 1, ("size", "m")), a_line(0, 1, ("size", "l")))

    with pytest.raises(InvalidValue):
        await put(database, twice)
    assert await put(database, apart) == 1


async def test_some_lines_are_read_and_written_beside_the_others(database: SqlDatabase) -> None:
    lines = tuple(a_line(n) for n in range(6))
    cart = a_cart(*lines)
    await put(database, cart)

    async with database.writing() as uow:
        found = await uow.carts.locked_beside(cart.id, [variant_id(2)], [lines[4].id, new_id()])
        assert found is not None
        stored, beside = found
        assert (beside.lines, beside.count, beside.next_position) == ((lines[2], lines[4]), 6, 6)
        assert stored.value == replace(cart, lines=())
        more = replace(a_line(7), position=beside.next_position)
        changed = [replace(lines[2], quantity=9), more]
        version = await uow.carts.put_lines(stored.value, changed, [lines[4].id], LATER)
        await uow.commit()

    async with database.reading() as uow:
        read = await uow.carts.get(cart.id)
    assert read is not None
    assert (version, read.version) == (2, 2)
    assert read.value.lines == (*lines[:2], changed[0], lines[3], lines[5], more)


async def test_an_empty_cart_starts_at_nothing(database: SqlDatabase) -> None:
    cart = a_cart()
    await put(database, cart)

    async with database.writing() as uow:
        found = await uow.carts.locked_beside(cart.id, [])
        missing = await uow.carts.locked_beside(new_id(), [])

    assert found is not None
    assert (found[1].lines, found[1].count, found[1].next_position) == ((), 0, 0)
    assert missing is None


async def test_goods_are_found_by_id_and_by_sku(database: SqlDatabase) -> None:
    async with database.reading() as uow:
        by_id = await uow.carts.goods([variant_id(8), variant_id(9), new_id()])
        by_either = await uow.carts.goods([variant_id(0)], [sku(1), "nothing"])

    told = {one.sku: (one.is_for_sale, one.requires_shipping, one.title) for one in by_id}
    assert told == {sku(8): (True, False, "Thing 8"), sku(9): (False, True, "Thing 9")}
    assert {one.sku for one in by_either} == {sku(0), sku(1)}


async def test_carts_are_found_by_customer_state_and_age(database: SqlDatabase) -> None:
    customer = new_id()
    old, young = a_cart(customer_id=customer), a_cart(customer_id=customer)
    old = replace(old, expires_at=THEN - timedelta(days=9))
    frozen = replace(a_cart(customer_id=customer), state=CartState.FROZEN)
    for cart in (old, young, frozen):
        await put(database, cart)

    async with database.reading() as uow:
        page = await uow.carts.page(CartQuery(2, customer_id=customer))
        rest = await uow.carts.page(
            CartQuery(2, after=(page[-1].updated_at, page[-1].value.id), customer_id=customer)
        )
        only = await uow.carts.page(
            CartQuery(9, customer_id=customer, state=CartState.FROZEN, updated_since=THEN)
        )
        expired = await uow.carts.expired(THEN - timedelta(days=8), 5)
        theirs = await uow.carts.open_of(customer, "CAD", "web")
        foreign = await uow.carts.open_of(customer, "EUR", "web")

    assert [one.value.id for one in (*page, *rest)] == sorted([old.id, young.id, frozen.id])
    assert [one.value for one in only] == [frozen]
    assert expired == (old.id,)
    assert theirs == max(old.id, young.id)
    assert foreign is None


async def test_of_two_writers_the_second_waits_and_sees_the_first(url: str) -> None:
    cart = a_cart()
    first = SqlDatabase(make_engine(url), make_reader(url))
    second = SqlDatabase(make_engine(url), make_reader(url))
    await put(first, cart)

    async def add(database: SqlDatabase, number: int) -> None:
        async with database.writing() as uow:
            found = await uow.carts.locked(cart.id)
            assert found is not None
            lines = (*found.value.lines, replace(a_line(number), position=len(found.value.lines)))
            await uow.carts.put(replace(found.value, lines=lines), LATER)
            await uow.commit()

    try:
        numbers = range(10)
        await asyncio.gather(*(add((first, second)[n % 2], n) for n in numbers))
        async with first.reading() as uow:
            read = await uow.carts.get(cart.id)
    finally:
        await first.dispose()
        await second.dispose()

    assert read is not None
    assert read.version == 11
    assert {one.variant_id for one in read.value.lines} == {variant_id(n) for n in numbers}
    assert [one.position for one in read.value.lines] == list(numbers)
