"""Orders, their numbers and checkouts in real tables, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from new_core.domain.address import PostalAddress
from new_core.domain.buyer import Buyer
from new_core.domain.checkout import CheckoutState
from new_core.domain.order import (
    FulfilmentStatus,
    NumberSeries,
    Order,
    OrderChange,
    OrderLine,
    OrderStatus,
    PaymentStatus,
)
from new_core.domain.totals import Discount, DiscountKind, PricedShipping, TaxLine
from new_core.errors import Conflict, InvalidValue
from new_core.ports import Checkout, OrderQuery, RequestKey
from new_core.storage import SqlDatabase, make_engine, make_reader, make_trier, upgrade

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERIES = NumberSeries("test", 700, 999)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'core.sqlite3'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def database(url: str) -> AsyncIterator[SqlDatabase]:
    engine = make_engine(url)
    await upgrade(engine)
    made = SqlDatabase(engine, make_reader(url), make_trier(url))
    yield made
    await made.dispose()


def an_order(number: str = "700", cart_id: UUID | None = None, lines: int = 2) -> Order:
    tax = TaxLine("HST", "HST", "CA-ON", 130_000, 1000, 130)
    off = Discount(uuid4(), "Spring", DiscountKind.LINE, 100, "SPRING")
    return Order(
        id=uuid4(),
        number=number,
        cart_id=cart_id or uuid4(),
        buyer=Buyer("CAD", customer_id=uuid4(), group_ids=frozenset({uuid4()}), country="CA"),
        status=OrderStatus.PLACED,
        payment_status=PaymentStatus.UNPAID,
        fulfilment_status=FulfilmentStatus.UNFULFILLED,
        lines=tuple(
            OrderLine(
                id=uuid4(), variant_id=uuid4(), product_id=uuid4(), sku=f"S-{n}", title="Bölt",
                quantity=2, unit_micro=5_500_000, base_minor=1100, net_minor=1000,
                gross_minor=1130, discounts=(off,), taxes=(tax,), options=(("gift", "yes"),),
                position=n,
            )
            for n in range(lines)
        ),
        shipping=PricedShipping("post", "Post", 500, (), 500, (), 500),
        discounts=(replace(off, minor=100 * lines),),
        taxes=(replace(tax, minor=130 * lines),),
        total_minor=1130 * lines + 500,
        tax_included=False,
        created_at=AT,
        placed_at=AT,
        email="a@example.test",
        shipping_address=PostalAddress("CA", ("1 Main",), "Toronto", region="ON"),
        token_expires_at=AT + timedelta(days=1),
    )  # fmt: skip


async def test_an_order_comes_back_as_it_was_written(database: SqlDatabase) -> None:
    order = an_order()

    async with database.writing() as uow:
        put = await uow.orders.put(order, AT)
        await uow.commit()

    async with database.reading() as uow:
        assert await uow.orders.get(order.id) == put
        assert await uow.orders.of_cart(order.cart_id) == put
        assert await uow.orders.by_number("700") == put
    assert (put.value, put.version) == (order, 1)


async def test_a_changed_order_is_written_whole_and_counts_its_version(
    database: SqlDatabase,
) -> None:
    order = an_order()
    async with database.writing() as uow:
        await uow.orders.put(order, AT)
        await uow.commit()

    async with database.writing() as uow:
        locked = await uow.orders.locked(order.id)
        assert locked is not None
        fewer = tuple(replace(one, quantity=1) for one in order.lines)
        put = await uow.orders.put(replace(order, lines=fewer, note="fewer"), AT)
        await uow.commit()

    async with database.reading() as uow:
        found = await uow.orders.get(order.id)
    assert found == put
    assert put.version == 2


async def test_a_cart_has_one_living_order_however_many_were_cancelled(
    database: SqlDatabase,
) -> None:
    cart_id = uuid4()
    async with database.writing() as uow:
        for number in ("700", "701"):
            dead = replace(an_order(number, cart_id), status=OrderStatus.CANCELLED)
            await uow.orders.put(dead, AT)
        await uow.orders.put(an_order("702", cart_id), AT)
        await uow.commit()

    with pytest.raises(InvalidValue):
        async with database.writing() as uow:
            await uow.orders.put(an_order("703", cart_id), AT)

    async with database.reading() as uow:
        living = await uow.orders.of_cart(cart_id)
    assert living is not None
    assert living.value.number == "702"


async def test_numbers_drawn_at_once_are_all_different_and_in_their_range(
    database: SqlDatabase,
) -> None:
    async def draw() -> str:
        async with database.writing() as uow:
            number = await uow.orders.next_number(SERIES)
            await uow.commit()
        return number

    drawn = await asyncio.gather(*(draw() for _ in range(20)))

    assert sorted(map(int, drawn)) == list(range(700, 720))


async def test_a_range_that_was_moved_up_goes_on_there(database: SqlDatabase) -> None:
    async with database.writing() as uow:
        await uow.orders.next_number(SERIES)
        moved = await uow.orders.next_number(NumberSeries("test", 5000, 5001))
        await uow.commit()

    assert moved == "5000"


async def test_a_used_up_range_gives_no_number(database: SqlDatabase) -> None:
    short = NumberSeries("short", 1, 2)
    async with database.writing() as uow:
        assert [await uow.orders.next_number(short) for _ in range(2)] == ["1", "2"]

        with pytest.raises(Conflict, match="used up"):
            await uow.orders.next_number(short)


async def test_pages_follow_each_other_both_ways(database: SqlDatabase) -> None:
    orders = [replace(an_order(str(700 + n)), created_at=AT + timedelta(hours=n)) for n in range(5)]
    async with database.writing() as uow:
        for n, order in enumerate(orders):
            await uow.orders.put(order, AT + timedelta(days=n // 2))
        await uow.commit()

    async def numbers(*, newest_first: bool) -> list[str]:
        seen: list[str] = []
        after: tuple[datetime, UUID] | None = None
        async with database.reading() as uow:
            while page := await uow.orders.page(
                OrderQuery(2, after=after, newest_first=newest_first)
            ):
                seen += [one.value.number for one in page]
                last = page[-1]
                at = last.value.created_at if newest_first else last.updated_at
                after = (at, last.value.id)
        return seen

    assert await numbers(newest_first=True) == ["704", "703", "702", "701", "700"]
    assert sorted(await numbers(newest_first=False)) == ["700", "701", "702", "703", "704"]


async def test_a_page_holds_what_was_asked_for(database: SqlDatabase) -> None:
    mine, other = an_order("700"), replace(an_order("701"), status=OrderStatus.CANCELLED)
    async with database.writing() as uow:
        await uow.orders.put(mine, AT)
        await uow.orders.put(replace(other, placed_at=AT + timedelta(days=2)), AT)
        await uow.commit()

    async def found(**asked: object) -> list[str]:
        async with database.reading() as uow:
            page = await uow.orders.page(OrderQuery(10, **asked))  # type: ignore[arg-type]
        return [one.value.number for one in page]

    assert await found(statuses=(OrderStatus.PLACED,)) == ["700"]
    assert await found(customer_id=other.buyer.customer_id) == ["701"]
    assert await found(number="700") == ["700"]
    assert await found(placed_from=AT + timedelta(days=1)) == ["701"]
    assert await found(placed_before=AT + timedelta(days=1)) == ["700"]
    assert await found(updated_since=AT + timedelta(seconds=1)) == []


async def test_edits_are_kept_in_order(database: SqlDatabase) -> None:
    order = an_order()
    changes = tuple(
        OrderChange(order.id, n, "note", ({"note": str(n)},), 10, 10, "staff:x", "", AT)
        for n in (1, 2)
    )
    async with database.writing() as uow:
        await uow.orders.put(order, AT)
        await uow.orders.add_changes(changes)
        await uow.commit()

    async with database.reading() as uow:
        assert await uow.orders.changes(order.id) == changes


async def test_a_cart_has_one_checkout_whoever_begins_it(database: SqlDatabase) -> None:
    first = Checkout(uuid4(), uuid4(), CheckoutState.OPEN, AT)
    async with database.writing() as uow:
        begun = await uow.checkout.begin(first, AT)
        again = await uow.checkout.begin(replace(first, id=uuid4()), AT)
        await uow.commit()

    assert begun == again
    assert begun.value == first


async def test_a_checkout_knows_whose_answer_its_outcome_is(database: SqlDatabase) -> None:
    request = RequestKey("cart:1", "/v1/checkouts", "k-1", "f" * 64)
    order_id = uuid4()
    begun = Checkout(uuid4(), uuid4(), CheckoutState.OPEN, AT)
    paying = replace(begun, state=CheckoutState.PAYING, order_id=order_id, request=request)
    async with database.writing() as uow:
        await uow.checkout.begin(begun, AT)
        await uow.checkout.put(paying, AT)
        await uow.commit()

    async with database.writing() as uow:
        found = await uow.checkout.of_order(order_id)
        assert found is not None
        assert (found.value, found.version) == (paying, 2)
        assert await uow.checkout.paying_since(AT, 5) == ()
        assert await uow.checkout.paying_since(AT + timedelta(seconds=1), 5) == (found,)
