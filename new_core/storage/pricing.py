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
from new_core.domain.catalog import Stored
from new_core.domain.pricing import (
    AssignedTo,
    Assignment,
    Entitled,
    Price,
    PriceContract,
    PriceList,
    PriceListKind,
    PriceListStatus,
)
from new_core.domain.pricing_offers import strongest
from new_core.domain.promotions_when import ItemFacts
from new_core.ports import PriceQuery
from new_core.storage import tables as t
from new_core.storage.pricing_reads import facts_of, lists_for, reason_of
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
_AT_PLACES = sa.select(t.stock_level.c.variant_id, t.stock_level.c.id).where(
    one_of(t.stock_level.c.id)
)


class SqlPricing:
    """Price lists, prices and whom they are for, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def price_lists(self) -> tuple[PriceList, ...]:
        statement = sa.select(t.price_list).order_by(t.price_list.c.code)
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(price_list_of(row) for row in rows)

    async def price_list(self, list_id: UUID) -> Stored[PriceList] | None:
        return await self._list(sa.select(t.price_list).where(t.price_list.c.id == list_id))

    async def locked_list(self, list_id: UUID) -> Stored[PriceList] | None:
        statement = sa.select(t.price_list).where(t.price_list.c.id == list_id)
        return await self._list(statement.with_for_update())

    async def _list(self, statement: sa.Select[Any]) -> Stored[PriceList] | None:
        row = (await self._connection.execute(statement)).mappings().one_or_none()
        return Stored(price_list_of(row), row["version"], row["updated_at"]) if row else None

    async def children(self, list_id: UUID) -> tuple[PriceList, ...]:
        statement = sa.select(t.price_list).where(t.price_list.c.parent_id == list_id)
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(price_list_of(row) for row in rows)

    async def entitled(self, buyer: Buyer, at: datetime) -> tuple[Entitled, ...]:
        rows = (await self._connection.execute(lists_for(buyer))).mappings()
        found = (Entitled(price_list_of(row), **reason_of(row, buyer)) for row in rows)
        return strongest(found, at)

    async def prices(
        self, list_ids: Collection[UUID], variant_ids: Collection[UUID]
    ) -> Mapping[UUID, Sequence[Price]]:
        found: dict[UUID, list[Price]] = {}
        lists = list(list_ids)
        for part in chunks(variant_ids) if lists else ():
            result = await self._connection.execute(_PRICES, {"lists": lists, "values": part})
            for row in result:
                price = Price(*row)
                found.setdefault(price.variant_id, []).append(price)
        return found

    async def price_page(self, query: PriceQuery) -> tuple[Stored[Price], ...]:
        statement = sa.select(t.price).where(_PRICE.price_list_id == query.price_list_id)
        if query.after is not None:
            statement = statement.where(_PRICE.id > query.after)
        if query.variant_id is not None:
            statement = statement.where(_PRICE.variant_id == query.variant_id)
        statement = statement.order_by(_PRICE.id).limit(query.limit)
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(Stored(_price(row), row["version"], row["updated_at"]) for row in rows)

    async def places(self, variant_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
        # The last row of a variant is the first of its places.
        rows = await fetch(self._connection, _PLACES, variant_ids)
        return {row["variant_id"]: row["id"] for row in rows}

    async def variants_of_places(self, place_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
        rows = await fetch(self._connection, _AT_PLACES, place_ids)
        return {row["id"]: row["variant_id"] for row in rows}

    async def facts(self, variant_ids: Collection[UUID]) -> Mapping[UUID, ItemFacts]:
        return await facts_of(self._connection, variant_ids)

    async def assignments(self, list_id: UUID) -> tuple[Assignment, ...]:
        table = t.price_assignment
        statement = sa.select(table).where(table.c.price_list_id == list_id)
        rows = (await self._connection.execute(statement)).mappings()
        found = (
            Assignment(row["id"], row["price_list_id"], AssignedTo(row["scope"]), row["scope_key"])
            for row in rows
        )
        return tuple(sorted(found, key=lambda one: (one.scope, one.key)))

    async def contracts(
        self, account_id: UUID | None, after: UUID | None, limit: int
    ) -> tuple[Stored[PriceContract], ...]:
        table = t.price_contract
        statement = sa.select(table).order_by(table.c.id).limit(limit)
        if account_id is not None:
            statement = statement.where(table.c.account_id == account_id)
        if after is not None:
            statement = statement.where(table.c.id > after)
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(_contract(row) for row in rows)

    async def contract(
        self, contract_id: UUID, *, lock: bool = False
    ) -> Stored[PriceContract] | None:
        statement = sa.select(t.price_contract).where(t.price_contract.c.id == contract_id)
        if lock:
            statement = statement.with_for_update()
        result = await self._connection.execute(statement)
        row = result.mappings().one_or_none()
        return _contract(row) if row else None

    async def beginning(self, at: datetime, limit: int) -> tuple[PriceList, ...]:
        table = t.price_list
        due = (
            sa.select(table.c.id)
            .where(table.c.announced.is_(False), table.c.status == PriceListStatus.ACTIVE.value)
            .where(sa.or_(table.c.valid_from.is_(None), table.c.valid_from <= at))
            .order_by(table.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        ids = list((await self._connection.execute(due)).scalars())
        if not ids:
            return ()
        # Another process may have told meanwhile: who changes the row tells.
        claim = (
            sa.update(table)
            .where(table.c.id.in_(ids), table.c.announced.is_(False))
            .values(announced=True)
            .returning(*table.c)
        )
        rows = (await self._connection.execute(claim)).mappings().all()
        return tuple(sorted(map(price_list_of, rows), key=lambda one: one.id))

    async def put_price_lists(self, lists: Sequence[PriceList], now: datetime) -> None:
        rows = [
            {**asdict(one), "kind": one.kind.value, "status": one.status.value} for one in lists
        ]
        await upsert(self._connection, t.price_list, rows, now)

    async def put_prices(self, prices: Sequence[Price], now: datetime) -> None:
        await upsert(self._connection, t.price, [asdict(one) for one in prices], now)

    async def put_assignments(self, some: Sequence[Assignment], now: datetime) -> None:
        rows = [
            {
                "id": one.id,
                "price_list_id": one.price_list_id,
                "scope": one.scope.value,
                "scope_key": one.key,
            }
            for one in some
        ]
        await upsert(self._connection, t.price_assignment, rows, now)

    async def put_contract(self, contract: PriceContract, now: datetime) -> None:
        await upsert(self._connection, t.price_contract, [asdict(contract)], now)

    async def delete_prices(self, list_id: UUID, price_ids: Collection[UUID]) -> int:
        gone = 0
        for part in chunks(price_ids):
            statement = sa.delete(t.price).where(
                _PRICE.price_list_id == list_id, _PRICE.id.in_(part)
            )
            gone += (await self._connection.execute(statement)).rowcount
        return gone

    async def delete_assignment(self, list_id: UUID, assignment_id: UUID) -> bool:
        table = t.price_assignment
        statement = sa.delete(table).where(
            table.c.price_list_id == list_id, table.c.id == assignment_id
        )
        return (await self._connection.execute(statement)).rowcount == 1

    async def delete_contract(self, contract_id: UUID) -> bool:
        statement = sa.delete(t.price_contract).where(t.price_contract.c.id == contract_id)
        return (await self._connection.execute(statement)).rowcount == 1


def price_list_of(row: Row, prefix: str = "") -> PriceList:
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
        status=PriceListStatus(row[f"{prefix}status"]),
        parent_id=row[f"{prefix}parent_id"],
        adjustment_ppm=row[f"{prefix}adjustment_ppm"],
    )


def _price(row: Row) -> Price:
    return Price(
        row["id"], row["price_list_id"], row["variant_id"], row["stock_level_id"],
        row["min_qty"], row["unit_micro"], row["valid_from"], row["valid_to"],
    )  # fmt: skip


def _contract(row: Row) -> Stored[PriceContract]:
    contract = PriceContract(
        row["id"], row["number"], row["account_id"], row["location_id"], row["price_list_id"],
        row["valid_from"], row["valid_to"], row["min_commitment_minor"],
    )  # fmt: skip
    return Stored(contract, row["version"], row["updated_at"])
