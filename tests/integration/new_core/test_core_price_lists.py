"""Prices in bulk, on both databases."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from new_core.domain.actor import system
from new_core.domain.buyer import Buyer, Destination
from new_core.domain.money import Rounding
from new_core.domain.pricing import Price, Standing
from new_core.domain.promotions import EVERYTHING, PercentOff, Promotion
from new_core.domain.reservation import Want
from new_core.domain.stock import StockLevel, Warehouse
from new_core.domain.tax import MoneySettings, TaxRounding
from new_core.domain.totals import (
    CartAsked,
    DiscountKind,
    LineAsked,
    PricedCart,
    ShippingAsked,
)
from new_core.ports import EventQuery
from new_core.service.doing import Doing
from new_core.service.pricing import priced_cart, prices_for
from new_core.service.pricing_lists import tell_of_beginnings
from new_core.service.promotions import tell_of_times
from new_core.storage import SqlDatabase
from new_core.storage.ids import new_id
from new_core.storage.tax_standard import standard_rules
from tests.support.priced_shop import BASE, NOW, PLACE, THEN, priced_shop, variant_id
from tests.support.pricing_carts import CODES, random_promotion, random_rules

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

ANYBODY = Buyer("CAD")


@pytest.fixture
async def shop(core_url: str) -> AsyncIterator[SqlDatabase]:
    async with priced_shop(core_url, [1_000_000, 19_990_000, None, 3_250]) as database:
        yield database


async def test_a_cart_is_the_sum_of_its_lines(shop: SqlDatabase) -> None:
    lines = tuple(LineAsked(UUID(int=n + 1), variant_id(n), 3) for n in range(4))

    async with shop.reading() as uow:
        priced = await priced_cart(uow, CartAsked(ANYBODY, lines), NOW)

    assert [one.gross_minor for one in priced.lines] == [300, 5997, 0, 1]
    assert [one.unit_micro for one in priced.lines] == [1_000_000, 19_990_000, None, 3_250]
    assert priced.total_minor == 6298


async def test_a_price_of_another_place_does_not_hold(shop: SqlDatabase) -> None:
    first, other = variant_id(0), UUID(int=0x07)
    async with shop.writing() as uow:
        await uow.stock.put_warehouses([Warehouse(other, "other", "Other")], THEN)
        levels = [
            StockLevel(UUID(int=n), first, place, f"s-{n}", n - 10, 5, 0, None, THEN)
            for n, place in ((1, PLACE), (2, other))
        ]
        await uow.stock.put_levels(levels, THEN)
        bound = [
            Price(UUID(int=70 + n), BASE.id, first, one.id, 1, 5_000_000 + n)
            for n, one in enumerate(levels)
        ]
        await uow.pricing.put_prices(bound, THEN)
        await uow.commit()

    async with shop.reading() as uow:
        found = await prices_for(uow, ANYBODY, [Want(first, 1)], NOW)

    trace = found[Want(first, 1)]
    assert trace.unit_price is not None
    assert trace.unit_price.micro == 5_000_000
    assert trace.reason is Standing.BASE


async def test_there_is_no_price_in_another_currency(shop: SqlDatabase) -> None:
    want = Want(variant_id(0), 1)

    async with shop.reading() as uow:
        found = await prices_for(uow, Buyer("EUR"), [want, Want(UUID(int=99), 1)], NOW)

    assert {one.chosen for one in found.values()} == {None}
    assert len(found) == 2


async def statements(shop: SqlDatabase, lines: int) -> int:
    """How many statements the pricing of so many lines takes."""
    seen: list[str] = []

    def watch(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    asked = CartAsked(
        Buyer("CAD", UUID(int=1), UUID(int=2), (UUID(int=3),), frozenset([UUID(int=4)]), "web"),
        tuple(LineAsked(UUID(int=n), variant_id(n), 1 + n % 3) for n in range(lines)),
        ("TEN",),
        destination=Destination("CA", "ON"),
    )
    sa.event.listen(sa.Engine, "before_cursor_execute", watch)
    try:
        async with shop.reading() as uow:
            priced = await priced_cart(uow, asked, NOW)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", watch)
    assert len(priced.lines) == lines
    assert all(one.taxes for one in priced.lines)
    return sum(one.lstrip().upper().startswith("SELECT") for one in seen)


async def test_the_number_of_queries_does_not_grow_with_the_lines(core_url: str) -> None:
    async with priced_shop(core_url, [1_000_000 + n for n in range(600)]) as shop:
        async with shop.writing() as uow:
            off = PercentOff(100_000)
            promotion = Promotion(UUID(int=9), "Ten", DiscountKind.ORDER, off, code="TEN")
            await uow.promotions.put(promotion, THEN)
            await uow.tax.put_rules(standard_rules(["CA"]), THEN)
            await uow.commit()
        await statements(shop, 1)

        taken = {await statements(shop, lines) for lines in (1, 10, 600)}

    assert len(taken) == 1
    assert max(taken) <= 11


async def test_seeded_carts_cost_the_same_on_both_databases(
    tmp_path: Path, postgres_url: str
) -> None:
    found = [await seeded(url) for url in (f"sqlite:///{tmp_path / 'core.sqlite3'}", postgres_url)]

    assert found[0] == found[1]
    assert sum(bool(one.discounts) for one in found[0]) > 5
    assert sum(bool(one.tax_minor) for one in found[0]) > 10


async def seeded(url: str) -> list[PricedCart]:
    """Carts, promotions, rates and settings of a seed, priced through the tables."""
    dice = random.Random(4711)
    units = [dice.randint(1, 90_000_000) for _ in range(12)]
    priced: list[PricedCart] = []
    async with priced_shop(url, units) as shop:
        async with shop.writing() as uow:
            for number in range(8):
                promotion = random_promotion(dice, number, "CAD")
                await uow.promotions.put(replace(promotion, items=EVERYTHING), THEN)
            await uow.tax.put_rules(random_rules(dice), THEN)
            await uow.commit()
        for number in range(30):
            settings = MoneySettings(dice.choice(list(TaxRounding)), dice.choice(list(Rounding)))
            asked = CartAsked(
                ANYBODY,
                tuple(
                    LineAsked(UUID(int=n), variant_id(dice.randrange(12)), dice.randint(1, 40))
                    for n in range(dice.randint(1, 12))
                ),
                CODES,
                ShippingAsked("post", "Post", dice.randint(0, 2000)),
                Destination("CA", "QC") if number % 5 else None,
            )
            async with shop.writing() as uow:
                await uow.tax.put_settings(settings, THEN)
                await uow.commit()
            async with shop.reading() as uow:
                priced.append(await priced_cart(uow, asked, NOW))
    return priced


async def test_a_list_and_a_promotion_are_told_of_once_when_their_time_comes(
    shop: SqlDatabase,
) -> None:
    doing = Doing(system("test"), NOW, new_id)
    begins, ends = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    later = replace(BASE, id=UUID(int=77), code="later", valid_from=ends)
    promotion = Promotion(
        UUID(int=9), "Ten", DiscountKind.ORDER, PercentOff(1), starts_at=begins, ends_at=ends
    )
    async with shop.writing() as uow:
        await uow.pricing.put_price_lists([later], THEN)
        await uow.promotions.put(promotion, THEN)
        await uow.commit()

    async def look(at: datetime) -> tuple[int, int]:
        then = replace(doing, at=at)
        async with shop.writing() as uow:
            lists = await tell_of_beginnings(uow, then, 10)
        async with shop.writing() as uow:
            return lists, await tell_of_times(uow, then, 10)

    before = [await look(at) for at in (begins - timedelta(hours=1), NOW, NOW)]
    after = [await look(at) for at in (ends, ends)]
    async with shop.writing() as uow:
        await uow.outbox.number(100)
        told = [one.event.type for one in await uow.outbox.page(EventQuery(0, 100))]

    assert before == [(1, 0), (0, 1), (0, 0)]
    assert after == [(1, 1), (0, 0)]
    assert sorted(told) == [
        "pricing.price_list.activated.v1",
        "pricing.price_list.activated.v1",
        "pricing.promotion.ended.v1",
        "pricing.promotion.started.v1",
    ]
