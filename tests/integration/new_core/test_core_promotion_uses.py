"""Uses of promotions under real concurrent transactions, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from new_core.domain.actor import system
from new_core.domain.buyer import Buyer
from new_core.domain.promotions import PercentOff, Promotion, PromotionUse
from new_core.domain.totals import CartAsked, CouponProblem, DiscountKind, LineAsked, PricedCart
from new_core.errors import PromotionExhausted
from new_core.ports import EventQuery
from new_core.service.doing import Doing
from new_core.service.pricing import give_promotions_back, priced_cart, use_promotions
from new_core.storage import SqlDatabase
from new_core.storage.ids import new_id
from tests.support.priced_shop import NOW, THEN, priced_shop, variant_id

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

TAKERS = 20
DOING = Doing(system("test"), NOW, new_id)
FIRST, SECOND = UUID(int=0xF1), UUID(int=0xF2)


@pytest.fixture
async def shop(core_url: str) -> AsyncIterator[SqlDatabase]:
    async with priced_shop(core_url, [10_000_000]) as database:
        yield database


def coupon(**bounds: int) -> Promotion:
    return Promotion(
        FIRST, "Ten off", DiscountKind.ORDER, PercentOff(100_000), code="TEN", currency="CAD",
        **bounds,  # type: ignore[arg-type]  # a bound is an int
    )  # fmt: skip


async def put(shop: SqlDatabase, *promotions: Promotion) -> None:
    async with shop.writing() as uow:
        for one in promotions:
            await uow.promotions.put(one, THEN)
        await uow.commit()


async def priced(shop: SqlDatabase, customer: UUID | None = None) -> PricedCart:
    line = LineAsked(UUID(int=1), variant_id(0), 1)
    async with shop.reading() as uow:
        return await priced_cart(uow, CartAsked(Buyer("CAD", customer), (line,), (" ten ",)), NOW)


async def take(
    shop: SqlDatabase, cart: PricedCart, order: int, customer: UUID | None = None
) -> bool:
    try:
        async with shop.writing() as uow:
            await use_promotions(uow, cart, UUID(int=order), customer, DOING)
            await uow.commit()
    except PromotionExhausted:
        return False
    return True


async def used(shop: SqlDatabase) -> PromotionUse:
    async with shop.reading() as uow:
        (running,) = await uow.promotions.running(["TEN"], None, NOW)
        by_rows = await uow.promotions.use_of(FIRST)
    assert (by_rows.used, by_rows.spent_minor) == (running.use.used, running.use.spent_minor)
    return by_rows


async def test_a_coupon_with_one_use_left_is_used_once_by_twenty_at_once(
    shop: SqlDatabase,
) -> None:
    await put(shop, coupon(usage_limit=1))
    cart = await priced(shop)
    assert cart.total_minor == 900

    took = await asyncio.gather(*(take(shop, cart, 100 + n) for n in range(TAKERS)))

    assert took.count(True) == 1
    assert (await used(shop)).used == 1
    assert (await priced(shop)).coupon_problems == (("TEN", CouponProblem.EXHAUSTED),)


async def test_a_budget_is_never_overdrawn(shop: SqlDatabase) -> None:
    await put(shop, coupon(budget_minor=350))
    cart = await priced(shop)

    took = await asyncio.gather(*(take(shop, cart, 100 + n) for n in range(TAKERS)))

    assert took.count(True) == 3
    assert await used(shop) == PromotionUse(3, 300)


async def test_a_customer_has_as_many_uses_as_they_may(shop: SqlDatabase) -> None:
    await put(shop, coupon(usage_per_customer=2, usage_limit=100))
    one, other = UUID(int=71), UUID(int=72)
    cart = await priced(shop, one)

    took = await asyncio.gather(
        *(take(shop, cart, 100 + n, one) for n in range(TAKERS)),
        *(take(shop, cart, 200 + n, other) for n in range(TAKERS)),
    )

    assert (took[:TAKERS].count(True), took[TAKERS:].count(True)) == (2, 2)
    assert (await priced(shop, one)).coupon_problems == (("TEN", CouponProblem.EXHAUSTED),)
    assert (await priced(shop)).coupon_problems == (("TEN", CouponProblem.CONDITION),)


async def test_what_an_order_gives_back_can_be_had_again_and_twice_is_once(
    shop: SqlDatabase,
) -> None:
    await put(shop, coupon(usage_limit=1, usage_per_customer=1))
    customer = UUID(int=71)
    cart = await priced(shop, customer)
    assert await take(shop, cart, 1, customer)
    assert await take(shop, cart, 1, customer)
    assert not await take(shop, cart, 2, customer)

    async def give_back() -> None:
        async with shop.writing() as uow:
            await give_promotions_back(uow, UUID(int=1), DOING)
            await uow.commit()

    await asyncio.gather(give_back(), give_back(), give_back())

    assert (await used(shop)).used == 0
    assert await take(shop, cart, 2, customer)
    assert not await take(shop, cart, 3, customer)


async def test_a_limit_set_later_counts_the_uses_before_it(shop: SqlDatabase) -> None:
    await put(shop, coupon())
    cart = await priced(shop)
    assert all([await take(shop, cart, 100 + n) for n in range(3)])

    await put(shop, coupon(usage_limit=4))
    took = await asyncio.gather(*(take(shop, cart, 200 + n) for n in range(TAKERS)))

    assert took.count(True) == 1
    assert (await used(shop)).used == 4


async def test_orders_with_two_promotions_do_not_wait_for_each_other_for_ever(
    shop: SqlDatabase,
) -> None:
    second = Promotion(SECOND, "Half", DiscountKind.LINE, PercentOff(500_000), usage_limit=15)
    await put(shop, coupon(usage_limit=15), second)
    cart = await priced(shop)
    assert len(cart.discounts) == 2

    took = await asyncio.gather(*(take(shop, cart, 100 + n) for n in range(TAKERS)))

    assert took.count(True) == 15


async def test_the_last_use_is_told_once(shop: SqlDatabase) -> None:
    await put(shop, coupon(usage_limit=3))
    cart = await priced(shop)
    await asyncio.gather(*(take(shop, cart, 100 + n) for n in range(TAKERS)))

    async with shop.writing() as uow:
        await uow.outbox.number(50)
        told = await uow.outbox.page(EventQuery(0, 50))

    assert [one.event.type for one in told] == ["pricing.promotion.exhausted.v1"]
