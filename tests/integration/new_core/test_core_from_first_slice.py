"""A database of the first slice, with a shop in it, becomes one of today and loses nothing."""

from __future__ import annotations

from uuid import UUID

import pytest
import sqlalchemy as sa

from new_core.service.search import index_stale
from new_core.settings import CoreSettings
from new_core.storage import downgrade, make_engine, upgrade
from tests.support.asgi import get
from tests.support.core import core_app, core_database

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

FIRST = "0001"
WHEN = "2026-01-02 03:04:05"
TYPE, PRODUCT, VARIANT, PLACE, LEVEL, LIST, PRICE = (UUID(int=n) for n in range(1, 8))
ROWS: tuple[tuple[str, dict[str, object]], ...] = (
    ("product_type", {"id": TYPE, "code": "book", "name": "Book", "requires_shipping": True,
                      "track_stock": True}),
    ("product", {"id": PRODUCT, "structure": "standalone", "type_id": TYPE, "status": "published",
                 "title": "Snow Crash", "slug": "snow-crash", "description": "", "priority": 0,
                 "discountable": True, "attributes": "[]", "created_at": WHEN}),
    ("variant", {"id": VARIANT, "product_id": PRODUCT, "sku": "sc-1"}),
    ("warehouse", {"id": PLACE, "code": "main", "name": "Main"}),
    # Oversold: the shop before promised more than it had.
    ("stock_level", {"id": LEVEL, "variant_id": VARIANT, "warehouse_id": PLACE, "sku": "sc-1",
                     "rank": 0, "on_hand": 5, "reserved": 7, "created_at": WHEN}),
    ("price_list", {"id": LIST, "code": "base", "currency": "GBP", "kind": "base", "priority": 0,
                    "tax_included": False}),
    ("price", {"id": PRICE, "price_list_id": LIST, "variant_id": VARIANT, "min_qty": 1,
               "unit_micro": 7_990_000}),
)  # fmt: skip


async def fill(url: str) -> None:
    """Rows as the first slice wrote them, by SQL that knows nothing of today's tables."""
    engine = make_engine(url)
    try:
        await upgrade(engine, FIRST)
        async with engine.begin() as connection:
            for table, row in ROWS:
                values = {**row, "version": 1, "updated_at": WHEN}
                names = ", ".join(values)
                shown = ", ".join(_literal(one, engine.dialect.name) for one in values.values())
                statement = f"INSERT INTO {table} ({names}) VALUES ({shown})"  # noqa: S608 - rows of ours
                await connection.execute(sa.text(statement))
    finally:
        await engine.dispose()


def _literal(value: object, dialect: str) -> str:
    if isinstance(value, UUID):
        return f"'{value.hex if dialect == 'sqlite' else value}'"
    if isinstance(value, bool):
        return ("1" if value else "0") if dialect == "sqlite" else str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)


async def test_a_shop_of_the_first_slice_is_there_after_the_upgrade(core_url: str) -> None:
    await fill(core_url)

    settings = CoreSettings(core_database=core_url)
    async with core_database(core_url) as database, core_app(settings) as app:
        async with database.writing() as uow:
            indexed = await index_stale(uow, 10)
        product = (await get(app, f"/v1/products/{PRODUCT}")).json()
        price = (await get(app, f"/v1/products/{PRODUCT}/price")).json()
        had = (await get(app, f"/v1/products/{PRODUCT}/availability")).json()
        found = (await get(app, "/v1/search?q=snow+crahs")).json()

    assert (product["sku"], product["type"]) == ("sc-1", "book")
    assert price["unit_price"] == {"amount": "7.99", "currency": "GBP"}
    assert (had["purchasable"], had["units"]) == (False, -2)
    assert indexed == 1
    assert [one["id"] for one in found["data"]] == [str(PRODUCT)]


async def test_the_books_of_stock_open_with_what_lay_there(core_url: str) -> None:
    await fill(core_url)

    async with core_database(core_url):
        engine = make_engine(core_url)
        async with engine.connect() as connection:
            sums = await connection.execute(
                sa.text("SELECT sum(qty_on_hand), sum(qty_reserved) FROM stock_movement")
            )
            booked = tuple(map(int, sums.one()))
        await engine.dispose()

    assert booked == (5, 7)


async def test_down_to_the_first_slice_and_up_again_keeps_its_rows(core_url: str) -> None:
    await fill(core_url)
    engine = make_engine(core_url)
    try:
        await upgrade(engine)
        await downgrade(engine, FIRST)
        await upgrade(engine)
        async with engine.connect() as connection:
            level = await connection.execute(sa.text("SELECT on_hand, reserved FROM stock_level"))
            kept = tuple(level.one())
    finally:
        await engine.dispose()

    assert kept == (5, 7)
