"""A core with a small catalogue that came from oscar, for documents that point at it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from legacy_adapters.oscar.mapping.records import oscar_id
from legacy_adapters.oscar.mapping.sync_stock import StockRecord
from legacy_adapters.oscar.storage import upgrade_oscar
from legacy_adapters.oscar.storage.core_stock import SqlStockRecords
from new_core.domain.catalog import Option, Product, ProductType, Status, Structure, Variant
from new_core.domain.stock import Warehouse
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade
from tests.support.databases import database_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BORN = datetime(2024, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)


def core_url(request: pytest.FixtureRequest, factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an empty database of the fixture's kind."""
    with database_of(request, factory) as found:
        yield found


@contextlib.asynccontextmanager
async def little_core(url: str) -> AsyncIterator[SqlDatabase]:
    """The core's and the facade's tables, with products 1 to 3, a partner and two options."""
    engine = make_engine(url)
    database = SqlDatabase(engine, make_reader(url))
    try:
        await upgrade(engine)
        await upgrade_oscar(engine)
        async with database.writing() as uow:
            kind = ProductType(oscar_id("product_type", "1"), "book", "Book", True, True, ())
            await uow.catalog.put_types([kind], NOW)
            options = [
                Option(oscar_id("option", key), f"o{key}", "O", "text", False, None, None)
                for key in ("1", "2")
            ]
            await uow.catalog.put_options(options, NOW)
            products = [_product(str(key), kind.id) for key in range(1, 6)]
            await uow.catalog.put_products(products, NOW)
            variants = [
                Variant(oscar_id("variant", str(key)), product.id, None)
                for key, product in enumerate(products, 1)
            ]
            await uow.catalog.put_variants(variants, NOW)
            place = Warehouse(oscar_id("warehouse", "1"), "partner", "Partner")
            await uow.stock.put_warehouses([place], NOW)
            await uow.commit()
        yield database
    finally:
        await database.dispose()


def _product(key: str, type_id: object) -> Product:
    assert type_id == oscar_id("product_type", "1")
    return Product(
        oscar_id("product", key), Structure.STANDALONE, None, oscar_id("product_type", "1"),
        Status.PUBLISHED, None, None, f"Book {key}", f"book-{key}", "", None, None, True, 0, BORN,
    )  # fmt: skip


def stock_record(key: int, product: int = 1, **changed: object) -> StockRecord:
    """A stock record as the translation makes it."""
    values: dict[str, object] = {
        "id": oscar_id("stock_level", str(key)),
        "product_id": oscar_id("product", str(product)),
        "warehouse_id": oscar_id("warehouse", "1"),
        "variant_id": oscar_id("variant", str(product)),
        "price_id": oscar_id("price", str(key)),
        "rank": key, "sku": f"sku-{key}", "currency": "GBP", "unit_micro": 9_990_000,
        "on_hand": 10, "reserved": None, "low_at": None, "created_at": BORN,
    }  # fmt: skip
    return StockRecord(**{**values, **changed})  # type: ignore[arg-type]  # its own fields


async def put_stock(database: SqlDatabase, *docs: StockRecord) -> None:
    """Write stock records as the replicator does."""
    async with database.writing() as uow:
        assert await SqlStockRecords().write(uow, docs, NOW) == {}
        await uow.commit()


@contextlib.contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are executed meanwhile."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        found.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
