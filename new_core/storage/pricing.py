"""Prices in tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.buyer import Buyer
from new_core.domain.pricing import Entitled, Price, PriceList, PriceListKind, Standing
from new_core.storage import tables as t
from new_core.storage.statements import Row, chunks, fetch, one_of, upsert

_PRICE = t.price.c
_PRICES = sa.select(
    _PRICE.id, _PRICE.price_list_id, _PRICE.variant_id, _PRICE.stock_level_id, _PRICE.min_qty,
    _PRICE.unit_micro, _PRICE.valid_from, _PRICE.valid_to,
).where(
    _PRICE.price_list_id.in_(sa.bindparam("lists", expanding=True)), one_of(_PRICE.variant_id)
)  # fmt: skip
# Inventory's table, read here for speed: a price may hold only for goods from one place.
_PLACES = (
    sa.select(t.stock_level.c.variant_id, t.stock_level.c.id)
    .where(one_of(t.stock_level.c.variant_id))
    .order_by(t.stock_level.c.rank.desc(), t.stock_level.c.id.desc())
)


class SqlPricing:
    """Price lists and prices, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def price_lists(self) -> tuple[PriceList, ...]:
        statement = sa.select(t.price_list).order_by(t.price_list.c.code)
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(price_list_of(row) for row in rows)

    async def entitled(self, buyer: Buyer) -> tuple[Entitled, ...]:
        statement = sa.select(t.price_list).where(t.price_list.c.currency == buyer.currency)
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(Entitled(price_list_of(row), Standing.BASE) for row in rows)

    async def prices(
        self, list_ids: Collection[UUID], variant_ids: Collection[UUID]
    ) -> Mapping[UUID, Sequence[Price]]:
        found: dict[UUID, list[Price]] = {}
        lists = list(list_ids)
        for part in chunks(variant_ids):
            result = await self._connection.execute(_PRICES, {"lists": lists, "values": part})
            for row in result:
                price = Price(*row)
                found.setdefault(price.variant_id, []).append(price)
        return found

    async def places(self, variant_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
        rows = await fetch(self._connection, _PLACES, variant_ids)
        return {row["variant_id"]: row["id"] for row in rows}

    async def put_price_lists(self, lists: Sequence[PriceList], now: datetime) -> None:
        rows = [{**asdict(one), "kind": one.kind.value} for one in lists]
        await upsert(self._connection, t.price_list, rows, now)

    async def put_prices(self, prices: Sequence[Price], now: datetime) -> None:
        await upsert(self._connection, t.price, [asdict(one) for one in prices], now)


def price_list_of(row: Row | Mapping[str, Any], prefix: str = "") -> PriceList:
    """A price list out of a row whose columns have this prefix."""
    return PriceList(
        id=row[f"{prefix}id"],
        code=row[f"{prefix}code"],
        currency=row[f"{prefix}currency"],
        kind=PriceListKind(row[f"{prefix}kind"]),
        priority=row[f"{prefix}priority"],
        tax_included=row[f"{prefix}tax_included"],
        valid_from=row[f"{prefix}valid_from"],
        valid_to=row[f"{prefix}valid_to"],
    )
