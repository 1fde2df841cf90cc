"""Stock in tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import Stored, Variant
from new_core.domain.pricing import Listed, Price
from new_core.domain.stock import Site, StockLevel, StockPolicy, Warehouse
from new_core.errors import NotFound
from new_core.ports import Place, Sellable, StockLine, StockQuery
from new_core.storage import tables as t
from new_core.storage.pricing import price_list_of
from new_core.storage.statements import Row, fetch, one_of, upsert


def _labelled(table: sa.Table, prefix: str) -> list[sa.Label[Any]]:
    return [column.label(f"{prefix}{column.name}") for column in table.c]


_PRICE_COLUMNS = [*_labelled(t.price, "p_"), *_labelled(t.price_list, "l_")]
_LINES = (
    sa.select(*_labelled(t.stock_level, "s_"), t.variant.c.product_id, *_PRICE_COLUMNS)
    .select_from(t.stock_level)
    .join(t.variant, t.variant.c.id == t.stock_level.c.variant_id)
    .outerjoin(t.price, t.price.c.stock_level_id == t.stock_level.c.id)
    .outerjoin(t.price_list, t.price_list.c.id == t.price.c.price_list_id)
)
_LINES_OF = _LINES.where(one_of(t.variant.c.product_id))
_LEVELS = _LINES.where(one_of(t.stock_level.c.id))
_PARENT = t.product.alias("parent")
_SELLABLE = (
    sa.select(
        t.product.c.id.label("product_id"),
        t.product_type.c.track_stock,
        t.variant.c.id.label("v_id"),
        t.variant.c.sku.label("v_sku"),
        *_labelled(t.stock_level, "s_"),
        *_PRICE_COLUMNS,
    )
    .select_from(t.product)
    .outerjoin(_PARENT, _PARENT.c.id == t.product.c.parent_id)
    .outerjoin(
        t.product_type,
        t.product_type.c.id == sa.func.coalesce(_PARENT.c.type_id, t.product.c.type_id),
    )
    .outerjoin(t.variant, t.variant.c.product_id == t.product.c.id)
    .outerjoin(t.stock_level, t.stock_level.c.variant_id == t.variant.c.id)
    .outerjoin(
        t.price,
        sa.and_(
            t.price.c.variant_id == t.variant.c.id,
            sa.or_(
                t.price.c.stock_level_id == t.stock_level.c.id,
                t.price.c.stock_level_id.is_(None),
            ),
        ),
    )
    .outerjoin(t.price_list, t.price_list.c.id == t.price.c.price_list_id)
    .where(t.product.c.id == sa.bindparam("id"))
)


class SqlStock:
    """Warehouses and stock levels, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def warehouses(self) -> dict[UUID, Warehouse]:
        rows = (await self._connection.execute(sa.select(t.warehouse))).mappings()
        return {row["id"]: Warehouse(row["id"], row["code"], row["name"]) for row in rows}

    async def sellable(self, product_id: UUID) -> Sellable | None:
        result = await self._connection.execute(_SELLABLE, {"id": product_id})
        rows = result.mappings().all()
        return _sellable(rows) if rows else None

    async def lines(self, product_ids: Collection[UUID]) -> dict[UUID, tuple[StockLine, ...]]:
        rows = await fetch(self._connection, _LINES_OF, product_ids)
        grouped: dict[UUID, list[Row]] = {}
        for row in rows:
            grouped.setdefault(row["product_id"], []).append(row)
        return {product_id: _lines(some) for product_id, some in grouped.items()}

    async def levels(self, ids: Collection[UUID]) -> dict[UUID, StockLine]:
        rows = await fetch(self._connection, _LEVELS, ids)
        return {line.level.value.id: line for line in _lines(rows)}

    async def locked(self, stock_id: UUID) -> StockLine | None:
        # SQLite has no such lock and needs none: its writers wait for each other at BEGIN.
        row = sa.select(t.stock_level.c.id).where(t.stock_level.c.id == stock_id)
        await self._connection.execute(row.with_for_update(key_share=True))
        return (await self.levels([stock_id])).get(stock_id)

    async def product_of(self, variant_id: UUID) -> UUID:
        statement = sa.select(t.variant.c.product_id).where(t.variant.c.id == variant_id)
        result = await self._connection.execute(statement)
        product_id: UUID | None = result.scalar_one_or_none()
        if product_id is None:
            raise NotFound("variant", str(variant_id))
        return product_id

    async def page(self, query: StockQuery) -> tuple[StockLine, ...]:
        level = t.stock_level.c
        chosen = sa.select(level.id).order_by(level.id).limit(query.limit)
        if query.after is not None:
            chosen = chosen.where(level.id > query.after)
        if query.sku is not None:
            chosen = chosen.where(level.sku == query.sku)
        if query.warehouse_code is not None:
            chosen = chosen.join(t.warehouse, t.warehouse.c.id == level.warehouse_id).where(
                t.warehouse.c.code == query.warehouse_code
            )
        ids = (await self._connection.execute(chosen)).scalars().all()
        found = await self.levels(ids)
        return tuple(found[one] for one in ids)

    async def places(
        self, ids: Collection[UUID] | None = None, *, lock: bool = False
    ) -> tuple[Stored[Place], ...]:
        chosen = sa.select(t.warehouse).order_by(t.warehouse.c.code)
        if lock:
            chosen = chosen.with_for_update(key_share=True)
        if ids is not None:
            chosen = chosen.where(t.warehouse.c.id.in_(ids))
        rows = (await self._connection.execute(chosen)).mappings()
        return tuple(Stored(_place(row), row["version"], row["updated_at"]) for row in rows)

    async def put_place(self, place: Place, now: datetime) -> None:
        row = {**asdict(place.warehouse), **asdict(place.site)}
        await upsert(self._connection, t.warehouse, [row], now)

    async def drop_place(self, warehouse_id: UUID) -> bool:
        levels = sa.select(t.stock_level.c.id).where(t.stock_level.c.warehouse_id == warehouse_id)
        drop = sa.delete(t.warehouse).where(t.warehouse.c.id == warehouse_id, ~levels.exists())
        return (await self._connection.execute(drop)).rowcount == 1

    async def put_warehouses(self, warehouses: Sequence[Warehouse], now: datetime) -> None:
        await upsert(self._connection, t.warehouse, [asdict(one) for one in warehouses], now)


def _sellable(rows: Sequence[Row]) -> Sellable:
    first = rows[0]
    variant = None
    if first["v_id"] is not None:
        variant = Variant(first["v_id"], first["product_id"], first["v_sku"])
    prices = {row["p_id"]: _listed(row) for row in rows if row["p_id"] is not None}
    return Sellable(
        first["product_id"],
        variant,
        first["track_stock"],
        _lines([row for row in rows if row["s_id"] is not None]),
        tuple(one for one in prices.values() if one is not None),
    )


def _lines(rows: Iterable[Row]) -> tuple[StockLine, ...]:
    """Stock levels by rank, each with the base price bound to it."""
    found: dict[UUID, StockLine] = {}
    for row in rows:
        listed = _listed(row)
        bound = listed is not None and listed.price.stock_level_id == row["s_id"]
        if row["s_id"] not in found or (bound and found[row["s_id"]].listed is None):
            found[row["s_id"]] = StockLine(_level(row), listed if bound else None, _policy(row))
    return tuple(
        sorted(found.values(), key=lambda line: (line.level.value.rank, line.level.value.id))
    )


def _level(row: Row) -> Stored[StockLevel]:
    level = StockLevel(
        id=row["s_id"],
        variant_id=row["s_variant_id"],
        warehouse_id=row["s_warehouse_id"],
        sku=row["s_sku"],
        rank=row["s_rank"],
        on_hand=row["s_on_hand"],
        reserved=row["s_reserved"],
        low_at=row["s_low_at"],
        created_at=row["s_created_at"],
    )
    return Stored(level, row["s_version"], row["s_updated_at"])


def _place(row: Row) -> Place:
    site = Site(
        street=row["street"],
        city=row["city"],
        region=row["region"],
        postcode=row["postcode"],
        country=row["country"],
        active=row["active"],
        priority=row["priority"],
        cutoff=row["cutoff"],
        timezone=row["timezone"],
    )
    return Place(Warehouse(row["id"], row["code"], row["name"]), site)


def _policy(row: Row) -> StockPolicy:
    return StockPolicy(row["s_safety"], row["s_incoming"], row["s_backorder_limit"])


def _listed(row: Row) -> Listed | None:
    if row["p_id"] is None:
        return None
    price = Price(
        id=row["p_id"],
        price_list_id=row["p_price_list_id"],
        variant_id=row["p_variant_id"],
        stock_level_id=row["p_stock_level_id"],
        min_qty=row["p_min_qty"],
        unit_micro=row["p_unit_micro"],
        valid_from=row["p_valid_from"],
        valid_to=row["p_valid_to"],
    )
    return Listed(price, price_list_of(row, "l_"))
