"""Stock that other systems tell of: it opens the books, and never overwrites promises."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from legacy_adapters.ports import Entry, Kind, ProductRecord, Readable
from legacy_adapters.service.apply import PageWriter
from new_core.domain.actor import system
from new_core.domain.identity import ExternalRef
from new_core.domain.reservation import InsufficientStock, Want
from new_core.domain.stock import StockLevel, StockPolicy
from new_core.service.inventory import release_reservations, reserve
from new_core.service.reconciling import measure, sweep_overdue
from new_core.service.stocking import set_policy
from new_core.storage import make_engine, upgrade
from new_core.storage.ids import new_id
from tests.support.stockroom import (
    THEN,
    ask,
    books_off,
    cart,
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

A, B = range(2)
HOUR = timedelta(hours=1)
ROW = "SELECT on_hand, reserved, reserved_elsewhere, shortfall, safety FROM stock_level"
OLDER = """
INSERT INTO product_type (id, code, name, requires_shipping, track_stock, version, updated_at)
    VALUES ({one}, 'x', 'X', true, true, 1, {at});
INSERT INTO product (id, structure, type_id, status, title, slug, description, discountable,
    priority, attributes, created_at, version, updated_at)
    VALUES ({one}, 'standalone', {one}, 'draft', '', '', '', true, 0, '[]', {at}, 1, {at});
INSERT INTO variant (id, product_id, version, updated_at) VALUES ({one}, {one}, 1, {at});
INSERT INTO warehouse (id, code, name, version, updated_at) VALUES ({one}, 'w', 'W', 1, {at});
INSERT INTO stock_level (id, variant_id, warehouse_id, sku, rank, on_hand, reserved, created_at,
    version, updated_at) VALUES ({one}, {one}, {one}, 's', 0, 3, 5, {at}, 1, {at});
INSERT INTO price_list (id, code, currency, kind, priority, tax_included, version, updated_at)
    VALUES ({one}, 'p', 'CAD', 'base', 0, true, 1, {at});
INSERT INTO price (id, price_list_id, variant_id, stock_level_id, min_qty, version, updated_at)
    VALUES ({one}, {one}, {one}, {one}, 1, 1, {at})
"""


def a_row(on_hand: int | None, reserved: int | None, thing: int = A) -> StockLevel:
    return StockLevel(level(thing), variant(thing), place(0), "t", 0, on_hand, reserved, None, THEN)


async def test_an_older_database_opens_its_books_with_what_lies_there(core_url: str) -> None:
    """What was oversold before is taken as it is, and no price is lost on the way."""
    engine = make_engine(core_url)
    await upgrade(engine, "0005")
    for sql in OLDER.format(one=f"'{UUID(int=7).hex}'", at="'2026-01-01'").split(";"):
        await tell(core_url, sql)
    await upgrade(engine)
    await engine.dispose()

    assert await books_off(core_url) == []
    assert await ask(core_url, ROW) == [(3, 5, 5, 2, 0)]
    assert await ask(core_url, "SELECT count(*) FROM price") == [(1,)]
    assert await ask(core_url, "SELECT reason FROM stock_movement") == [("the book was opened",)]


async def test_an_import_stands_beside_what_is_promised_here(core_url: str) -> None:
    await stock_up(core_url, [[9]])
    async with using(core_url) as database:
        async with database.writing() as uow:
            await uow.stock.put_levels([a_row(9, 2)], THEN)
            await reserve(uow, order(1), [Want(variant(A), 3)], doing(), expires_at=None)
            await set_policy(uow, level(A), StockPolicy(safety=1), lambda *_: True, doing())
            await uow.commit()
        async with database.writing() as uow:
            await uow.stock.put_levels([a_row(4, 1)], THEN)
            await uow.commit()
            after = await ask(core_url, ROW)
        async with database.writing() as uow:
            await release_reservations(uow, order(1), "", doing())
            await uow.commit()

    assert after == [(4, 4, 1, 0, 1)]
    assert await ask(core_url, ROW) == [(4, 1, 1, 0, 1)]
    assert await books_off(core_url) == []


async def test_an_oversold_row_is_taken_and_sells_nothing(core_url: str) -> None:
    await stock_up(core_url, [[9]])
    async with using(core_url) as database, database.writing() as uow:
        await uow.stock.put_levels([a_row(2, 6)], THEN)
        with pytest.raises(InsufficientStock):
            await reserve(uow, order(1), [Want(variant(A), 1)], doing(), expires_at=None)
        await uow.commit()

    assert await ask(core_url, ROW) == [(2, 6, 6, 4, 0)]
    assert await books_off(core_url) == []


async def test_the_same_import_again_moves_nothing(core_url: str) -> None:
    await stock_up(core_url, [[9]])
    async with using(core_url) as database, database.writing() as uow:
        await uow.stock.put_levels([a_row(9, None)], THEN)
        await uow.commit()

    assert await ask(core_url, "SELECT count(*) FROM stock_movement") == [(1,)]


async def test_a_record_that_the_legacy_dropped_is_kept_for_the_orders_that_point_at_it(
    core_url: str,
) -> None:
    await stock_up(core_url, [[9], [9]])
    async with using(core_url) as database, database.writing() as uow:
        await reserve(uow, order(1), [Want(variant(A), 3)], doing(), expires_at=None)
        products = await uow.catalog.products([UUID(int=2000), UUID(int=2001)])
        variants = await uow.catalog.variants(products)
        refs = [ExternalRef("old", "stock_level", str(n), level(n), "x") for n in (A, B)]
        await uow.refs.put(refs, THEN)
        page = [
            Entry(
                str(n), "", Readable(ProductRecord(one.value, variants[ident], (), ()), ident, ())
            )
            for n, (ident, one) in enumerate(sorted(products.items()))
        ]
        writer = PageWriter("old", THEN)
        written = [await writer.write(uow, Kind.PRODUCT, page) for _ in range(2)]
        await uow.commit()

    assert [one.removed for one in written] == [2, 0]
    assert await ask(core_url, "SELECT sku, on_hand, reserved FROM stock_level") == [
        ("t-0", None, 3)
    ]
    assert await books_off(core_url) == []


async def test_the_sweeper_takes_back_what_is_over_and_the_reconciler_looks_once(
    core_url: str,
) -> None:
    await stock_up(core_url, [[9], [9]])
    async with using(core_url) as database:
        async with database.writing() as uow:
            for n, at in ((1, THEN), (2, THEN + HOUR), (3, None)):
                await reserve(uow, cart(n), [Want(variant(A), 1)], doing(), expires_at=at)
            await uow.commit()

        swept = [await sweep_overdue(database, THEN, new_id) for _ in range(2)]
        looks = [await measure(database, THEN + n * HOUR / 8) for n in range(4)]

    assert swept == [1, 0]
    assert [one is not None for one in looks] == [True, False, True, False]
    assert looks[0] is not None
    assert (looks[0].drifted, looks[0].levels) == (0, 2)
    told = await ask(core_url, "SELECT type, actor_id FROM outbox_event ORDER BY seq DESC LIMIT 3")
    assert ("inventory.reservation.expired.v1", "reservation-sweeper") in told
    assert system("stock-reconciler").id in {one[1] for one in told}
