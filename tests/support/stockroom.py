"""A core's database with things on shelves, and independent looks at its books."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from new_core.domain.actor import Actor, ActorKind
from new_core.domain.catalog import (
    BundleComponent,
    Product,
    ProductType,
    Status,
    Structure,
    Variant,
)
from new_core.domain.reservation import Owner
from new_core.domain.stock import StockLevel, Warehouse
from new_core.service.doing import Doing
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade
from new_core.storage.engine import WRITING
from new_core.storage.ids import new_id

THEN = datetime(2026, 1, 1, tzinfo=UTC)
CLERK = Actor(ActorKind.STAFF, "clerk")
TRACKED, UNTRACKED = UUID(int=1), UUID(int=2)

BOOKS_OFF = """
SELECT s.id FROM stock_level AS s
LEFT JOIN (
    SELECT stock_level_id, sum(qty_on_hand) AS on_hand, sum(qty_reserved) AS reserved
    FROM stock_movement GROUP BY stock_level_id
) AS m ON m.stock_level_id = s.id
LEFT JOIN (
    SELECT stock_level_id, sum(quantity) AS units FROM reservation
    WHERE state IN ('held', 'committed') GROUP BY stock_level_id
) AS r ON r.stock_level_id = s.id
WHERE coalesce(s.on_hand, 0) <> coalesce(m.on_hand, 0)
    OR coalesce(s.reserved, 0) <> coalesce(m.reserved, 0)
    OR coalesce(s.reserved, 0) <> s.reserved_elsewhere + coalesce(r.units, 0)
"""
_OVERSOLD = """
SELECT id FROM stock_level
WHERE coalesce(reserved, 0) > coalesce(on_hand, 0) + backorder_limit
"""


def variant(n: int) -> UUID:
    """The id of the n-th thing."""
    return UUID(int=1000 + n)


def place(n: int) -> UUID:
    """The id of the n-th warehouse."""
    return UUID(int=100 + n)


def level(thing: int, at: int = 0) -> UUID:
    """The id of the stock level of a thing in a place."""
    return UUID(int=100_000 + 1000 * at + thing)


def cart(n: int) -> Owner:
    """The n-th cart."""
    return Owner("cart", UUID(int=50_000 + n))


def order(n: int) -> Owner:
    """The n-th order."""
    return Owner("order", UUID(int=60_000 + n))


def doing(after: timedelta = timedelta(0), actor: Actor = CLERK) -> Doing:
    """The clerk does something, so long after THEN."""
    return Doing(actor, THEN + after, new_id)


def opened(url: str, *, pool_size: int = 2) -> SqlDatabase:
    """The database, to be disposed of."""
    return SqlDatabase(make_engine(url, pool_size=pool_size), make_reader(url, pool_size=pool_size))


async def stock_up(
    url: str,
    counts: Sequence[Sequence[int | None]],
    *,
    untracked: Sequence[int] = (),
    bundles: Mapping[int, Mapping[int, int]] | None = None,
) -> None:
    """Make the tables and fill shelves.

    Args:
        counts: per thing, units in the first place, the second, and so on; rank by place.
        untracked: things whose stock nobody tracks.
        bundles: what things are made of, by number, with quantities.
    """
    engine = make_engine(url, pool_size=1)
    database = SqlDatabase(engine, make_reader(url, pool_size=1))
    await upgrade(engine)
    places = max((len(some) for some in counts), default=0)
    async with database.writing() as uow:
        types = [
            ProductType(TRACKED, "thing", "Thing", True, True, ()),
            ProductType(UNTRACKED, "file", "File", False, False, ()),
        ]
        await uow.catalog.put_types(types, THEN)
        products = [_product(n, n in untracked) for n in range(len(counts))]
        await uow.catalog.put_products(products, THEN)
        variants = [Variant(variant(n), one.id, f"t-{n}") for n, one in enumerate(products)]
        await uow.catalog.put_variants(variants, THEN)
        warehouses = [Warehouse(place(n), f"w{n}", f"Place {n}") for n in range(places)]
        await uow.stock.put_warehouses(warehouses, THEN)
        levels = [
            StockLevel(level(n, at), variant(n), place(at), f"t-{n}", at, units, None, None, THEN)
            for n, some in enumerate(counts)
            for at, units in enumerate(some)
        ]
        await uow.stock.put_levels(levels, THEN)
        for n, parts in (bundles or {}).items():
            made_of = [BundleComponent(variant(part), units) for part, units in parts.items()]
            await uow.catalog.put_components(variant(n), made_of, THEN)
        await uow.commit()
    await database.dispose()


async def ask(url: str, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """Rows of plain SQL, over a connection that has nothing to do with the core's stores."""
    engine = make_engine(url, pool_size=1)
    try:
        async with engine.connect() as connection:
            found = await connection.execute(sa.text(sql), parameters)
            return [tuple(row) for row in found]
    finally:
        await engine.dispose()


async def tell(url: str, sql: str, **parameters: Any) -> None:
    """Write by plain SQL, as nobody should."""
    engine = make_engine(url, pool_size=1)
    try:
        async with engine.connect() as plain:
            connection = await plain.execution_options(**{WRITING: True})
            async with connection.begin():
                await connection.execute(sa.text(sql), parameters)
    finally:
        await engine.dispose()


async def books_off(url: str) -> list[Any]:
    """Levels that are not the sum of their movements, or promise what no reservation says."""
    return [row[0] for row in await ask(url, BOOKS_OFF)]


async def oversold(url: str) -> list[Any]:
    """Levels that promise more than there is and may be."""
    return [row[0] for row in await ask(url, _OVERSOLD)]


@contextlib.asynccontextmanager
async def using(url: str, *, pool_size: int = 2) -> AsyncIterator[SqlDatabase]:
    """The database while the block runs."""
    database = opened(url, pool_size=pool_size)
    try:
        yield database
    finally:
        await database.dispose()


def _product(n: int, untracked: bool) -> Product:
    return Product(
        id=UUID(int=2000 + n), structure=Structure.STANDALONE, parent_id=None,
        type_id=UNTRACKED if untracked else TRACKED, status=Status.PUBLISHED, code=None,
        gtin=None, title=f"Thing {n}", slug=f"thing-{n}", description="", seo_title=None,
        seo_description=None, discountable=True, priority=0, created_at=THEN,
    )  # fmt: skip
