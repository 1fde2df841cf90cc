"""Stock levels with their prices, as the replicator reads and writes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.aggregates import Child, Shape
from legacy_adapters.oscar.mapping.records import SYSTEM, base_list
from legacy_adapters.oscar.mapping.sync_stock import StockRecord
from legacy_adapters.oscar.storage.core_shapes import core_table
from legacy_adapters.oscar.storage.core_stock_rows import (
    Before,
    Promises,
    level_row,
    movement_row,
    own_id,
    price_row,
    settle,
)
from new_core.ports import UnitOfWork
from new_core.storage import connection_of
from new_core.storage import tables as t
from new_core.storage.reference import bump_products
from new_core.storage.search import mark_stale
from new_core.storage.statements import fetch, one_of, upsert

_LEVEL, _PRICE, _LIST, _VARIANT = t.stock_level.c, t.price.c, t.price_list.c, t.variant.c
_BURIED = sa.exists().where(
    t.external_ref.c.system == SYSTEM,
    t.external_ref.c.internal_id == _LEVEL.id,
    t.external_ref.c.removed_at.is_not(None),
)
_DOCUMENTS = (
    sa.select(
        _LEVEL.id, _LEVEL.warehouse_id, _LEVEL.sku, _LEVEL.rank, _LEVEL.on_hand, _LEVEL.reserved,
        _LEVEL.low_at, _LEVEL.created_at, _VARIANT.product_id, _VARIANT.id.label("variant_id"),
        _PRICE.id.label("price_id"), _PRICE.unit_micro, _LIST.currency,
    )
    .select_from(
        t.stock_level.join(t.variant, _VARIANT.id == _LEVEL.variant_id).outerjoin(
            sa.join(t.price, t.price_list, _LIST.id == _PRICE.price_list_id),
            sa.and_(
                _PRICE.stock_level_id == _LEVEL.id,
                _PRICE.min_qty == 1,
                _PRICE.valid_from.is_(None),
                _PRICE.valid_to.is_(None),
                _LIST.kind == "base",
            ),
        )
    )
    .where(one_of(_LEVEL.id), ~_BURIED)
    .order_by(_LEVEL.id, _PRICE.id)
)  # fmt: skip
_LOCKED = (
    sa.select(
        _LEVEL.id, _LEVEL.variant_id, _LEVEL.sku, _LEVEL.rank, _LEVEL.on_hand, _LEVEL.reserved,
        _LEVEL.backorder_limit,
    )
    .where(one_of(_LEVEL.id))
    .order_by(_LEVEL.variant_id, _LEVEL.warehouse_id, _LEVEL.id)
    .with_for_update(key_share=True)
)  # fmt: skip
_PROMISES = (
    sa.select(t.reservation)
    .where(one_of(t.reservation.c.stock_level_id), t.reservation.c.state.in_(["held", "committed"]))
    .order_by(t.reservation.c.created_at, t.reservation.c.id)
)
_VARIANTS = (
    sa.select(t.product.c.id.label("product_id"), _VARIANT.id)
    .select_from(t.product.outerjoin(t.variant, _VARIANT.product_id == t.product.c.id))
    .where(one_of(t.product.c.id))
)
_WAREHOUSES = sa.select(t.warehouse.c.id).where(one_of(t.warehouse.c.id))
_LISTS = sa.select(_LIST.id).where(one_of(_LIST.id))
_LAST_RANKS = (
    sa.select(_LEVEL.variant_id, sa.func.max(_LEVEL.rank).label("last"))
    .where(one_of(_LEVEL.variant_id))
    .group_by(_LEVEL.variant_id)
)
_FIRST_SKU = (
    sa.select(_LEVEL.sku)
    .where(_LEVEL.variant_id == _VARIANT.id)
    .order_by(_LEVEL.rank, _LEVEL.id)
    .limit(1)
    .scalar_subquery()
)
_NAME_VARIANTS = (
    sa.update(t.variant)
    .where(one_of(_VARIANT.id), _VARIANT.sku.is_distinct_from(_FIRST_SKU))
    .values(sku=_FIRST_SKU, version=_VARIANT.version + 1, updated_at=sa.bindparam("now"))
    .returning(_VARIANT.product_id)
)
_LAST = 2**31 - 1


class SqlStockRecords:
    """Stock records in the core's tables."""

    shapes: Sequence[Shape] = (
        Shape(
            "stock_record",
            core_table(t.stock_level),
            (Child(core_table(t.price), by="stock_level_id"),),
        ),
    )

    async def read(self, uow: UnitOfWork, ids: Collection[UUID]) -> Mapping[UUID, StockRecord]:
        """Stock records as they are now."""
        return await _read(connection_of(uow), ids)

    async def page(self, uow: UnitOfWork, after: UUID | None, size: int) -> Sequence[UUID]:
        """The next ids, ascending."""
        chosen = sa.select(_LEVEL.id).where(~_BURIED).order_by(_LEVEL.id).limit(size)
        if after is not None:
            chosen = chosen.where(_LEVEL.id > after)
        return list((await connection_of(uow).execute(chosen)).scalars())

    async def write(
        self, uow: UnitOfWork, docs: Sequence[StockRecord], now: datetime
    ) -> Mapping[UUID, str]:
        """Make the levels and prices like these.

        What this store promised to orders stays promised as far as the other one still counts
        it: what is counted no more was taken as sent from there, the oldest first.
        """
        connection = connection_of(uow)
        before = await _before(connection, docs)
        reasons = {one.id: why for one in docs if (why := before.refusal(one)) is not None}
        taken = [one for one in docs if one.id not in reasons and before.docs.get(one.id) != one]
        if taken:
            await _write(connection, taken, before, now)
        return reasons

    async def remove(self, uow: UnitOfWork, ids: Collection[UUID], now: datetime) -> None:
        """Delete levels. One that units were ever promised of stays, empty and last, for the
        orders that point at it.
        """
        connection = connection_of(uow)
        there = await fetch(connection, _LOCKED, ids)
        levels = {row["id"] for row in there}
        if not levels:
            return
        kept = await uow.stock.retire(levels, now)
        await uow.refs.bury(SYSTEM, levels, now)
        await connection.execute(
            sa.update(t.stock_level).where(_LEVEL.id.in_(kept)).values(rank=_LAST)
        )
        await connection.execute(sa.delete(t.stock_level).where(_LEVEL.id.in_(levels - kept)))
        variants = {row["variant_id"] for row in there}
        await _rename(connection, variants, await _products_of(connection, variants), now)


async def _read(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, StockRecord]:
    found: dict[UUID, StockRecord] = {}
    for row in await fetch(connection, _DOCUMENTS, ids):
        if row["id"] in found:
            continue
        ident, variant_id, price_id = row["id"], row["variant_id"], row["price_id"]
        found[ident] = StockRecord(
            id=ident,
            product_id=row["product_id"],
            warehouse_id=row["warehouse_id"],
            variant_id=None if own_id(row["product_id"]) else variant_id,
            price_id=None if own_id(ident) else price_id,
            rank=None if own_id(ident) else row["rank"],
            sku=row["sku"],
            currency=row["currency"] or "",
            unit_micro=row["unit_micro"],
            on_hand=row["on_hand"],
            reserved=row["reserved"],
            low_at=row["low_at"],
            created_at=row["created_at"],
        )
    return found


async def _before(connection: AsyncConnection, docs: Sequence[StockRecord]) -> Before:
    ids = [one.id for one in docs]
    levels = await fetch(connection, _LOCKED, ids)
    promises = Promises()
    for row in await fetch(connection, _PROMISES, ids):
        promises.setdefault(row["stock_level_id"], []).append(row)
    variants = await fetch(connection, _VARIANTS, {one.product_id for one in docs})
    places = await fetch(connection, _WAREHOUSES, {one.warehouse_id for one in docs})
    ranks = await fetch(connection, _LAST_RANKS, [row["id"] for row in variants if row["id"]])
    prices = await fetch(connection, _DOCUMENTS, ids)
    return Before(
        docs=await _read(connection, ids),
        levels={row["id"]: row for row in levels},
        promises=promises,
        variants={row["product_id"]: row["id"] for row in variants},
        warehouses=frozenset(row["id"] for row in places),
        last_ranks={row["variant_id"]: row["last"] for row in ranks},
        prices={row["id"]: row["price_id"] for row in reversed(prices) if row["price_id"]},
    )


async def _write(
    connection: AsyncConnection, docs: Sequence[StockRecord], before: Before, now: datetime
) -> None:
    await _make_variants(connection, docs, before, now)
    await _make_lists(connection, {one.currency for one in docs if one.currency}, now)
    rows, moved, settled = [], [], []
    for one in docs:
        promised, done = settle(one, before.promises.get(one.id, ()))
        row = level_row(one, before, promised)
        rows.append(row)
        settled += done
        movement = movement_row(row, before.levels.get(one.id), now)
        moved += [movement] if movement is not None else []
    if settled:
        await _end_promises(connection, settled, now)
    await upsert(connection, t.stock_level, rows, now)
    if moved:
        await connection.execute(sa.insert(t.stock_movement), moved)
    await _write_prices(connection, docs, before, now)
    variants = {row["variant_id"] for row in rows}
    was = {ident: row["sku"] for ident, row in before.levels.items()}
    renamed = {one.product_id for one in docs if was.get(one.id) != one.sku}
    await _rename(connection, variants, renamed, now)


async def _make_variants(
    connection: AsyncConnection, docs: Iterable[StockRecord], before: Before, now: datetime
) -> None:
    """A parent that stock hangs on all the same is put into carts, too."""
    missing = {one.product_id: one for one in docs if before.variants.get(one.product_id) is None}
    rows = [before.new_variant(one) for one in missing.values()]
    await upsert(connection, t.variant, rows, now)


async def _make_lists(connection: AsyncConnection, currencies: set[str], now: datetime) -> None:
    wanted = {one.id: one for one in map(base_list, sorted(currencies))}
    there = {row["id"] for row in await fetch(connection, _LISTS, wanted)}
    rows = [
        {
            "id": one.id, "code": one.code, "currency": one.currency, "kind": one.kind.value,
            "priority": one.priority, "tax_included": one.tax_included,
            # Its beginning is told to nobody: it began in the other store.
            "announced": True,
        }
        for one in wanted.values()
        if one.id not in there
    ]  # fmt: skip
    await upsert(connection, t.price_list, rows, now)


async def _end_promises(
    connection: AsyncConnection, settled: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    row = t.reservation.c
    statement = (
        sa.update(t.reservation)
        .where(row.id == sa.bindparam("one"))
        .values(state=sa.bindparam("to"), version=row.version + 1, updated_at=now)
    )
    await connection.execute(statement, list(settled))


async def _write_prices(
    connection: AsyncConnection, docs: Sequence[StockRecord], before: Before, now: datetime
) -> None:
    rows = [price_row(one, before) for one in docs if one.currency]
    ids = {row["stock_level_id"]: row["id"] for row in rows}
    gone = [old for level, old in before.prices.items() if ids.get(level, old) != old]
    bare = {one.id for one in docs if not one.currency}
    gone += [old for level, old in before.prices.items() if level in bare]
    if gone:
        await connection.execute(sa.delete(t.price).where(_PRICE.id.in_(gone)))
    await upsert(connection, t.price, rows, now)


async def _rename(
    connection: AsyncConnection, variants: Collection[UUID], renamed: set[UUID], now: datetime
) -> None:
    """A variant has the SKU of the place that it is sold from, and the search knows them all."""
    touched = await fetch(connection, _NAME_VARIANTS, variants, now=now)
    products = renamed | {row["product_id"] for row in touched}
    if products:
        await bump_products(connection)
        await mark_stale(connection, products)


async def _products_of(connection: AsyncConnection, variants: Collection[UUID]) -> set[UUID]:
    chosen = sa.select(_VARIANT.product_id).where(one_of(_VARIANT.id))
    return {row["product_id"] for row in await fetch(connection, chosen, variants)}
