"""A core's database with one book, which lies on two shelves."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from new_core.domain.catalog import Product, ProductType, Status, Structure, Variant
from new_core.domain.stock import StockLevel, Warehouse
from new_core.service.stocking import count_stock
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade

THEN = datetime(2026, 1, 1, tzinfo=UTC)
LEVEL, OTHER = UUID(int=4), UUID(int=5)
STOCK = f"/v1/stock/{LEVEL}"
ON_HAND = 5


async def fill(url: str) -> None:
    """Make the tables and put ON_HAND units of one product on each shelf."""
    engine = make_engine(url, pool_size=1)
    database = SqlDatabase(engine, make_reader(url, pool_size=1))
    await upgrade(engine)
    kind, product, variant, place = (UUID(int=n) for n in (9, 1, 2, 3))
    async with database.writing() as uow:
        await uow.catalog.put_types([ProductType(kind, "book", "Book", True, True, ())], THEN)
        await uow.catalog.put_products([_book(product, kind)], THEN)
        await uow.catalog.put_variants([Variant(variant, product, "b-1")], THEN)
        await uow.stock.put_warehouses([Warehouse(place, "main", "Main")], THEN)
        levels = [
            StockLevel(one, variant, place, f"b-{rank}", rank, ON_HAND, 1, None, THEN)
            for rank, one in enumerate((LEVEL, OTHER))
        ]
        await uow.stock.put_levels(levels, THEN)
        await uow.commit()
    await database.dispose()


async def count(url: str, units: int) -> None:
    """Put down a count, beside whatever else uses the database."""
    database = SqlDatabase(make_engine(url, pool_size=1), make_reader(url, pool_size=1))
    async with database.writing() as uow:
        await count_stock(uow, LEVEL, units, lambda *_: True, THEN)
    await database.dispose()


async def on_hand(url: str, of: UUID = LEVEL) -> tuple[int | None, int]:
    """What lies there, and the version of that."""
    database = SqlDatabase(make_engine(url, pool_size=1), make_reader(url, pool_size=1))
    async with database.reading() as uow:
        level = (await uow.stock.levels([of]))[of].level
    await database.dispose()
    return level.value.on_hand, level.version


def _book(product: UUID, kind: UUID) -> Product:
    return Product(
        id=product, structure=Structure.STANDALONE, parent_id=None, type_id=kind,
        status=Status.PUBLISHED, code=None, gtin=None, title="A book", slug="a-book",
        description="", seo_title=None, seo_description=None, discountable=True, priority=0,
        created_at=THEN,
    )  # fmt: skip
