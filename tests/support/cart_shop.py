"""A core's database with goods to put into carts: thing 0 to thing N, each a dollar dearer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from new_core.domain.catalog import Product, ProductType, Status, Structure, Variant
from new_core.domain.money import MICRO
from new_core.domain.pricing import Price, PriceList, PriceListKind
from new_core.domain.stock import StockLevel, Warehouse
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade
from new_core.storage.tables import metadata

THEN = datetime(2026, 1, 1, tzinfo=UTC)
ON_HAND = 1_000
CURRENCY = "CAD"
PRICE_LIST = UUID(int=1 << 64)
_THINGS, _DOWNLOADS, _PLACE = (UUID(int=(1 << 64) + n) for n in (1, 2, 3))


def variant_id(number: int) -> UUID:
    """Of thing `number`."""
    return UUID(int=(2 << 64) + number)


def product_id(number: int) -> UUID:
    """Of thing `number`."""
    return UUID(int=(3 << 64) + number)


def sku(number: int) -> str:
    """Of thing `number`."""
    return f"thing-{number}"


def price_micro(number: int) -> int:
    """Of one unit of thing `number`."""
    return (number + 1) * MICRO


async def stock_shop(
    url: str,
    things: int = 10,
    *,
    drafts: frozenset[int] = frozenset(),
    downloads: frozenset[int] = frozenset(),
) -> None:
    """Make the tables and put ON_HAND units of each thing on a shelf.

    Drafts are not for sale; downloads need no shipping.
    """
    engine = make_engine(url, pool_size=1)
    database = SqlDatabase(engine, make_reader(url, pool_size=1))
    await upgrade(engine)
    numbers = range(things)
    types = [
        ProductType(_THINGS, "thing", "Thing", True, True, ()),
        ProductType(_DOWNLOADS, "download", "Download", False, False, ()),
    ]
    lists = [PriceList(PRICE_LIST, "base", CURRENCY, PriceListKind.BASE, 0, False)]
    async with database.writing() as uow:
        await uow.catalog.put_types(types, THEN)
        await uow.catalog.put_products(
            [_product(n, is_draft=n in drafts, is_download=n in downloads) for n in numbers], THEN
        )
        variants = [Variant(variant_id(n), product_id(n), sku(n)) for n in numbers]
        await uow.catalog.put_variants(variants, THEN)
        await uow.stock.put_warehouses([Warehouse(_PLACE, "main", "Main")], THEN)
        await uow.stock.put_levels([_level(n) for n in numbers], THEN)
        await uow.pricing.put_price_lists(lists, THEN)
        await uow.pricing.put_prices([_price(n) for n in numbers], THEN)
        await uow.commit()
    await database.dispose()


def price_id(number: int) -> UUID:
    """Of the base price of thing `number`."""
    return UUID(int=(5 << 64) + number)


async def rows_of(url: str, table: str) -> list[Any]:
    """All rows of a table, events in their order."""
    engine = make_engine(url, pool_size=1)
    columns = metadata.tables[table]
    order = [columns.c.occurred_at, columns.c.id] if "occurred_at" in columns.c else []
    try:
        async with engine.connect() as connection:
            return list((await connection.execute(sa.select(columns).order_by(*order))).all())
    finally:
        await engine.dispose()


def _product(number: int, *, is_draft: bool, is_download: bool) -> Product:
    return Product(
        id=product_id(number), structure=Structure.STANDALONE, parent_id=None,
        type_id=_DOWNLOADS if is_download else _THINGS,
        status=Status.DRAFT if is_draft else Status.PUBLISHED,
        code=None, gtin=None, title=f"Thing {number}", slug=f"thing-{number}", description="",
        seo_title=None, seo_description=None, discountable=True, priority=0, created_at=THEN,
    )  # fmt: skip


def _level(number: int) -> StockLevel:
    return StockLevel(
        UUID(int=(4 << 64) + number), variant_id(number), _PLACE, sku(number), 0, ON_HAND, None,
        None, THEN,
    )  # fmt: skip


def _price(number: int) -> Price:
    return Price(price_id(number), PRICE_LIST, variant_id(number), None, 1, price_micro(number))
