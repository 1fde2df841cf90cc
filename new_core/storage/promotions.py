"""Promotions in tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import Stored
from new_core.domain.promotions import Promotion, PromotionStatus, PromotionUse, Running
from new_core.domain.promotions_json import (
    action_json,
    action_of,
    condition_json,
    condition_of,
    items_json,
    items_of,
)
from new_core.domain.totals import DiscountKind
from new_core.ports import Usage
from new_core.storage import tables as t
from new_core.storage.statements import Row, upsert

_P, _U, _C = t.promotion, t.promotion_usage, t.promotion_customer
_BOUNDED = sa.or_(_P.c.usage_limit.is_not(None), _P.c.budget_minor.is_not(None))
_NEW_USE: sa.BindParameter[int] = sa.bindparam("minor", type_=sa.BigInteger())
_COUNT = (
    sa.update(_P)
    .where(_P.c.id == sa.bindparam("promotion"))
    .where(sa.or_(_P.c.usage_limit.is_(None), _P.c.used < _P.c.usage_limit))
    .where(sa.or_(_P.c.budget_minor.is_(None), _P.c.spent_minor + _NEW_USE <= _P.c.budget_minor))
    .values(used=_P.c.used + 1, spent_minor=_P.c.spent_minor + _NEW_USE)
    .returning(_P.c.used, _P.c.usage_limit, _P.c.spent_minor, _P.c.budget_minor)
)
_COUNT_DOWN = (
    sa.update(_P)
    .where(_P.c.id == sa.bindparam("promotion"), _BOUNDED, _P.c.used > 0)
    .values(used=_P.c.used - 1, spent_minor=_P.c.spent_minor - _NEW_USE)
)


class SqlPromotions:
    """Promotions and their uses, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def running(
        self, codes: Collection[str], customer_id: UUID | None, at: datetime
    ) -> tuple[Running, ...]:
        own = sa.and_(_C.c.promotion_id == _P.c.id, _C.c.customer_id == customer_id)
        live = sa.and_(
            _P.c.code.is_(None),
            _P.c.status == PromotionStatus.ACTIVE.value,
            sa.or_(_P.c.starts_at.is_(None), _P.c.starts_at <= at),
            sa.or_(_P.c.ends_at.is_(None), _P.c.ends_at > at),
        )
        statement = (
            sa.select(_P, sa.func.coalesce(_C.c.used, 0).label("by_customer"))
            .outerjoin(_C, own)
            .where(sa.or_(live, _P.c.code.in_(list(codes))))
        )
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(
            Running(
                _promotion(row), PromotionUse(row["used"], row["spent_minor"], row["by_customer"])
            )
            for row in rows
        )

    async def get(self, promotion_id: UUID) -> Stored[Promotion] | None:
        return await self._one(sa.select(_P).where(_P.c.id == promotion_id))

    async def locked(self, promotion_id: UUID) -> Stored[Promotion] | None:
        return await self._one(sa.select(_P).where(_P.c.id == promotion_id).with_for_update())

    async def _one(self, statement: sa.Select[Any]) -> Stored[Promotion] | None:
        row = (await self._connection.execute(statement)).mappings().one_or_none()
        return Stored(_promotion(row), row["version"], row["updated_at"]) if row else None

    async def page(self, after: UUID | None, limit: int) -> tuple[Stored[Promotion], ...]:
        statement = sa.select(_P).order_by(_P.c.id).limit(limit)
        if after is not None:
            statement = statement.where(_P.c.id > after)
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(Stored(_promotion(row), row["version"], row["updated_at"]) for row in rows)

    async def put(self, promotion: Promotion, now: datetime) -> None:
        # Uses are not counted while nothing bounds a promotion. In a statement of its own,
        # after the lock: one that waited for the lock would still see the rows of before.
        use = await self.use_of(promotion.id)
        counted = {"used": use.used, "spent_minor": use.spent_minor}
        await upsert(self._connection, _P, [{**_row(promotion), **counted}], now)
        # One that is to be had again starts again.
        again = sa.update(_P).where(
            _P.c.id == promotion.id,
            _P.c.told == "ended",
            _P.c.status == PromotionStatus.ACTIVE.value,
            sa.or_(_P.c.ends_at.is_(None), _P.c.ends_at > now),
        )
        await self._connection.execute(again.values(told="nothing"))

    async def delete(self, promotion_id: UUID) -> None:
        await self._connection.execute(sa.delete(_C).where(_C.c.promotion_id == promotion_id))
        await self._connection.execute(sa.delete(_P).where(_P.c.id == promotion_id))

    async def use_of(self, promotion_id: UUID) -> PromotionUse:
        spent_minor = sa.func.coalesce(sa.func.sum(_U.c.amount_minor), 0)
        # PostgreSQL's sum of BIGINT is a NUMERIC.
        columns = sa.func.count(), sa.cast(spent_minor, sa.BigInteger())
        statement = sa.select(*columns).where(_U.c.promotion_id == promotion_id)
        used, spent = (await self._connection.execute(statement)).one()
        return PromotionUse(used, spent)

    async def usages(self, promotion_id: UUID, after: UUID | None, limit: int) -> tuple[Usage, ...]:
        statement = sa.select(_U).where(_U.c.promotion_id == promotion_id)
        if after is not None:
            statement = statement.where(_U.c.order_id > after)
        statement = statement.order_by(_U.c.order_id).limit(limit)
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(Usage(**row) for row in rows)

    async def add_usages(self, usages: Sequence[Usage]) -> tuple[Usage, ...]:
        if not usages:
            return ()
        insert = self._insert(_U).values([asdict(one) for one in usages])
        statement = insert.on_conflict_do_nothing().returning(_U.c.promotion_id)
        new = set((await self._connection.execute(statement)).scalars())
        return tuple(one for one in usages if one.promotion_id in new)

    async def unbounded(self, promotion_ids: Collection[UUID]) -> frozenset[UUID]:
        statement = (
            sa.select(_P.c.id)
            .where(_P.c.id.in_(sorted(promotion_ids)), sa.not_(_BOUNDED))
            .order_by(_P.c.id)
            .with_for_update(read=True)
        )
        return frozenset((await self._connection.execute(statement)).scalars())

    async def count_use(self, usage: Usage) -> bool | None:
        values = {"promotion": usage.promotion_id, "minor": usage.amount_minor}
        row = (await self._connection.execute(_COUNT, values)).one_or_none()
        if row is None:
            return None
        used, limit, spent, budget = row
        return bool(used == limit or spent == budget)

    async def count_customer(self, usage: Usage) -> bool:
        limit = (
            sa.select(_P.c.usage_per_customer)
            .where(_P.c.id == usage.promotion_id)
            .scalar_subquery()
        )
        row = {"promotion_id": usage.promotion_id, "customer_id": usage.customer_id, "used": 1}
        insert = self._insert(_C).values(row)
        statement = insert.on_conflict_do_update(
            index_elements=["promotion_id", "customer_id"],
            set_={"used": _C.c.used + 1},
            where=sa.or_(limit.is_(None), _C.c.used < limit),
        )
        return (await self._connection.execute(statement)).rowcount == 1

    async def take_back(self, order_id: UUID) -> tuple[Usage, ...]:
        statement = sa.delete(_U).where(_U.c.order_id == order_id).returning(*_U.c)
        rows = (await self._connection.execute(statement)).mappings().all()
        usages = sorted((Usage(**row) for row in rows), key=lambda one: one.promotion_id)
        for one in usages:
            values = {"promotion": one.promotion_id, "minor": one.amount_minor}
            await self._connection.execute(_COUNT_DOWN, values)
            if one.customer_id is not None:
                mine = sa.and_(
                    _C.c.promotion_id == one.promotion_id, _C.c.customer_id == one.customer_id
                )
                down = sa.update(_C).where(mine, _C.c.used > 0).values(used=_C.c.used - 1)
                await self._connection.execute(down)
        return tuple(usages)

    async def to_tell(self, at: datetime, limit: int) -> tuple[tuple[Promotion, str], ...]:
        begun = sa.and_(
            _P.c.told == "nothing",
            _P.c.status == PromotionStatus.ACTIVE.value,
            sa.or_(_P.c.starts_at.is_(None), _P.c.starts_at <= at),
        )
        over = sa.and_(
            _P.c.told == "started",
            sa.or_(_P.c.status == PromotionStatus.ENDED.value, _P.c.ends_at <= at),
        )
        due = sa.select(_P.c.id).where(sa.or_(begun, over)).order_by(_P.c.id).limit(limit)
        result = await self._connection.execute(due.with_for_update(skip_locked=True))
        ids = list(result.scalars())
        if not ids:
            return ()
        # Another process may have told meanwhile: who changes the row tells.
        told = sa.case((_P.c.told == "nothing", "started"), else_="ended")
        claim = (
            sa.update(_P)
            .where(_P.c.id.in_(ids), sa.or_(begun, over))
            .values(told=told)
            .returning(*_P.c)
        )
        rows = (await self._connection.execute(claim)).mappings().all()
        found = ((_promotion(row), row["told"]) for row in rows)
        return tuple(sorted(found, key=lambda pair: pair[0].id))

    def _insert(self, table: sa.Table) -> Any:
        on_sqlite = self._connection.dialect.name == "sqlite"
        return sqlite.insert(table) if on_sqlite else postgresql.insert(table)


def _row(one: Promotion) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "kind": one.kind.value,
        "code": one.code or None,
        "action": action_json(one.action, one.currency),
        "conditions": condition_json(one.conditions, one.currency),
        "items": items_json(one.items),
        "priority": one.priority,
        "stacking_group": one.stacking_group,
        "exclusive": one.exclusive,
        "combines_with": sorted(one.combines_with),
        "currency": one.currency,
        "starts_at": one.starts_at,
        "ends_at": one.ends_at,
        "status": one.status.value,
        "usage_limit": one.usage_limit,
        "usage_per_customer": one.usage_per_customer,
        "budget_minor": one.budget_minor,
        "applies_to_contract": one.applies_to_contract,
    }


def _promotion(row: Row) -> Promotion:
    currency = row["currency"]
    return Promotion(
        id=row["id"],
        name=row["name"],
        kind=DiscountKind(row["kind"]),
        action=action_of(row["action"], currency),
        code=row["code"] or "",
        conditions=condition_of(row["conditions"], currency),
        items=items_of(row["items"]),
        priority=row["priority"],
        stacking_group=row["stacking_group"],
        exclusive=row["exclusive"],
        combines_with=frozenset(map(DiscountKind, row["combines_with"])),
        currency=currency,
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        status=PromotionStatus(row["status"]),
        usage_limit=row["usage_limit"],
        usage_per_customer=row["usage_per_customer"],
        budget_minor=row["budget_minor"],
        applies_to_contract=row["applies_to_contract"],
    )
