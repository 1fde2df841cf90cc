"""Prices in bulk, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from new_core.domain.buyer import Buyer
from new_core.domain.pricing import Price, Standing
from new_core.domain.reservation import Want
from new_core.domain.stock import StockLevel, Warehouse
from new_core.domain.totals import CartAsked, LineAsked
from new_core.service.pricing import priced_cart, prices_for
from new_core.storage import SqlDatabase
from tests.support.priced_shop import BASE, NOW, PLACE, THEN, priced_shop, variant_id

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
