"""A core's database with variants to price, each in a product of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

from new_core.domain.catalog import Product, ProductType, Status, Structure, Variant
from new_core.domain.pricing import Price, PriceList, PriceListKind
from new_core.domain.stock import StockLevel, Warehouse
from new_core.storage import SqlDatabase, make_engine, make_reader, make_trier, upgrade

THEN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BOOKS, PLACE = UUID(int=0xB00C), UUID(int=0x5E1F)
BASE = PriceList(UUID(int=0xBA5E), "base", "CAD", PriceListKind.BASE, 0, tax_included=False)


def variant_id(number: int) -> UUID:
    return UUID(int=0xA0000 + number)


def product_id(number: int) -> UUID:
    return UUID(int=0xC0000 + number)


@asynccontextmanager
async def priced_shop(url: str, units_micro: Sequence[int | None]) -> AsyncIterator[SqlDatabase]:
    """A database with one variant per base price, numbered from 0."""
    engine = make_engine(url, pool_size=30)
    database = SqlDatabase(engine, make_reader(url, pool_size=4), make_trier(url))
    try:
        await upgrade(engine)
        await fill_shop(database, units_micro)
        yield database
    finally:
        await database.dispose()


async def fill_shop(database: SqlDatabase, units_micro: Sequence[int | None]) -> None:
    """Variants with a base price each, and units of each on one shelf."""
    numbers = range(len(units_micro))
    async with database.writing() as uow:
        await uow.catalog.put_types([ProductType(BOOKS, "book", "Book", True, True, ())], THEN)
        await uow.catalog.put_products([_product(one) for one in numbers], THEN)
        variants = [Variant(variant_id(n), product_id(n), f"sku-{n}") for n in numbers]
        await uow.catalog.put_variants(variants, THEN)
        await uow.stock.put_warehouses([Warehouse(PLACE, "main", "Main")], THEN)
        levels = [
            StockLevel(
                UUID(int=0xD0000 + n), variant_id(n), PLACE, f"sku-{n}", 0, 1000, 0, None, THEN
            )
            for n in numbers
        ]
        await uow.stock.put_levels(levels, THEN)
        await uow.pricing.put_price_lists([BASE], THEN)
        prices = [
            Price(UUID(int=0xE0000 + n), BASE.id, variant_id(n), None, 1, micro)
            for n, micro in enumerate(units_micro)
        ]
        await uow.pricing.put_prices(prices, THEN)
        await uow.commit()


def _product(number: int) -> Product:
    return Product(
        id=product_id(number), structure=Structure.STANDALONE, parent_id=None, type_id=BOOKS,
        status=Status.PUBLISHED, code=None, gtin=None, title=f"Book {number}",
        slug=f"book-{number}", description="", seo_title=None, seo_description=None,
        discountable=True, priority=0, created_at=THEN,
    )  # fmt: skip
