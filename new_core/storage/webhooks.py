"""Endpoints and deliveries in tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.webhooks import Breaker, Delivery, DeliveryState, Endpoint, breaker
from new_core.ports.webhooks import DeliveryQuery, Tried
from new_core.storage.statements import Row, upsert
from new_core.storage.tables.webhooks import webhook_delivery, webhook_endpoint

_E = webhook_endpoint.c
_D = webhook_delivery.c
_DELIVERY = tuple(field.name for field in fields(Delivery))
_OF_ONE_ENDPOINT = 3
_NOT_SET_BY_OWNERS = ("failures_in_a_row", "open_until", "version")
_IS_PENDING = _D.state == sa.literal_column("'pending'")
"""Said so that the partial indexes are of use."""


class SqlWebhooks:
    """Rows of webhooks, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def endpoint(self, endpoint_id: UUID) -> Endpoint | None:
        return await self._endpoint(sa.select(webhook_endpoint).where(_E.id == endpoint_id))

    async def locked_endpoint(self, endpoint_id: UUID) -> Endpoint | None:
        return await self._endpoint(
            sa.select(webhook_endpoint).where(_E.id == endpoint_id).with_for_update(key_share=True)
        )

    async def _endpoint(self, statement: sa.Select[Any]) -> Endpoint | None:
        row = (await self._connection.execute(statement)).mappings().one_or_none()
        return None if row is None else _endpoint(row)

    async def endpoints(self, after: UUID | None, limit: int) -> tuple[Endpoint, ...]:
        wanted = sa.select(webhook_endpoint).order_by(_E.id).limit(limit)
        if after is not None:
            wanted = wanted.where(_E.id > after)
        found = await self._connection.execute(wanted)
        return tuple(_endpoint(row) for row in found.mappings())

    async def enabled(self) -> tuple[Endpoint, ...]:
        found = await self._connection.execute(
            sa.select(webhook_endpoint).where(_E.enabled).order_by(_E.id)
        )
        return tuple(_endpoint(row) for row in found.mappings())

    async def put_endpoint(self, endpoint: Endpoint, now: datetime) -> None:
        row = asdict(endpoint) | {"types": list(endpoint.types)}
        values = {name: value for name, value in row.items() if name not in _NOT_SET_BY_OWNERS}
        if endpoint.version:
            await self._connection.execute(
                sa.update(webhook_endpoint)
                .where(_E.id == endpoint.id)
                .values(**values, version=_E.version + 1, updated_at=now)
            )
        else:
            await upsert(
                self._connection, webhook_endpoint, [values | {"failures_in_a_row": 0}], now
            )

    async def remove_endpoint(self, endpoint_id: UUID) -> None:
        await self._connection.execute(
            sa.delete(webhook_delivery).where(_D.endpoint_id == endpoint_id)
        )
        await self._connection.execute(sa.delete(webhook_endpoint).where(_E.id == endpoint_id))

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        rows = [asdict(one) for one in deliveries]
        for row in rows:
            del row["n"]
        if rows:
            await self._connection.execute(sa.insert(webhook_delivery), rows)

    async def has_due(self, now: datetime) -> bool:
        due = (
            sa.select(_D.n)
            .join(webhook_endpoint, _E.id == _D.endpoint_id)
            .where(_can_go(now))
            .limit(1)
        )
        return (await self._connection.execute(due)).first() is not None

    async def claim(self, now: datetime, until: datetime, limit: int) -> tuple[Delivery, ...]:
        # 1. A delivery is claimed, 2. a later one of the same aggregate is looked at: the first
        # is still pending, so it waits. What was first once is never behind another one, since
        # new ones come at the end: an old look errs on the side of waiting.
        earlier = webhook_delivery.alias("earlier")
        is_behind = sa.exists().where(
            earlier.c.endpoint_id == _D.endpoint_id,
            earlier.c.aggregate_type == _D.aggregate_type,
            earlier.c.aggregate_id == _D.aggregate_id,
            earlier.c.n < _D.n,
            earlier.c.state == sa.literal_column("'pending'"),
        )
        found = await self._connection.execute(
            sa.select(webhook_delivery, _E.failures_in_a_row, _E.open_until)
            .join(webhook_endpoint, _E.id == _D.endpoint_id)
            .where(_can_go(now), ~is_behind)
            .order_by(_D.due_at, _D.n)
            .limit(limit * 4)
            .with_for_update(of=webhook_delivery, skip_locked=True)
        )
        chosen: list[Delivery] = []
        of_endpoint = Counter[UUID]()
        for row in found.mappings():
            state = breaker(row["failures_in_a_row"], row["open_until"], now)
            most = 1 if state is Breaker.HALF_OPEN else _OF_ONE_ENDPOINT
            if len(chosen) < limit and of_endpoint[row["endpoint_id"]] < most:
                of_endpoint[row["endpoint_id"]] += 1
                chosen.append(_delivery(row))
        if chosen:
            await self._connection.execute(
                sa.update(webhook_delivery)
                .where(_D.n.in_([one.n for one in chosen]))
                .values(claimed_until=until)
            )
        return tuple(chosen)

    async def settle(self, delivery_id: UUID, tried: Tried) -> None:
        is_over = tried.state is not DeliveryState.PENDING
        await self._connection.execute(
            sa.update(webhook_delivery)
            .where(_D.id == delivery_id, _IS_PENDING)
            .values(
                state=tried.state,
                attempts=_D.attempts + 1,
                tried_at=tried.at,
                due_at=tried.due_at,
                settled_at=tried.at if is_over else None,
                claimed_until=None,
                last_status=tried.status,
                last_error=tried.error,
            )
        )

    async def succeeded(self, endpoint_id: UUID) -> None:
        await self._connection.execute(
            sa.update(webhook_endpoint)
            .where(_E.id == endpoint_id)
            .values(failures_in_a_row=0, open_until=None)
        )

    async def failed(self, endpoint_id: UUID) -> int:
        done = await self._connection.execute(
            sa.update(webhook_endpoint)
            .where(_E.id == endpoint_id)
            .values(failures_in_a_row=_E.failures_in_a_row + 1)
            .returning(_E.failures_in_a_row)
        )
        return done.scalar_one_or_none() or 0

    async def rest_until(self, endpoint_id: UUID, until: datetime) -> None:
        await self._connection.execute(
            sa.update(webhook_endpoint)
            .where(_E.id == endpoint_id, sa.or_(_E.open_until.is_(None), _E.open_until < until))
            .values(open_until=until)
        )

    async def drop_pending(self, endpoint_id: UUID, now: datetime) -> int:
        done = await self._connection.execute(
            sa.update(webhook_delivery)
            .where(_D.endpoint_id == endpoint_id, _IS_PENDING)
            .values(state=DeliveryState.DROPPED, settled_at=now, claimed_until=None)
        )
        return done.rowcount

    async def delivery(self, delivery_id: UUID) -> Delivery | None:
        found = await self._connection.execute(
            sa.select(webhook_delivery).where(_D.id == delivery_id)
        )
        row = found.mappings().one_or_none()
        return None if row is None else _delivery(row)

    async def deliveries(self, query: DeliveryQuery) -> tuple[Delivery, ...]:
        wanted = sa.select(webhook_delivery).where(_D.endpoint_id == query.endpoint_id)
        if query.before is not None:
            wanted = wanted.where(_D.n < query.before)
        if query.state is not None:
            wanted = wanted.where(_D.state == query.state)
        found = await self._connection.execute(wanted.order_by(_D.n.desc()).limit(query.limit))
        return tuple(_delivery(row) for row in found.mappings())

    async def waiting(self, endpoint_ids: Sequence[UUID]) -> Mapping[UUID, tuple[int, datetime]]:
        found = await self._connection.execute(
            sa.select(
                _D.endpoint_id,
                sa.func.count().label("many"),
                sa.func.min(_D.created_at).label("since"),
            )
            .where(_IS_PENDING, _D.endpoint_id.in_(endpoint_ids))
            .group_by(_D.endpoint_id)
        )
        return {row.endpoint_id: (row.many, row.since) for row in found}

    async def forget(self, before: datetime, limit: int) -> int:
        due = sa.select(_D.n).where(_D.settled_at < before).order_by(_D.n).limit(limit)
        done = await self._connection.execute(sa.delete(webhook_delivery).where(_D.n.in_(due)))
        return done.rowcount


def _can_go(now: datetime) -> sa.ColumnElement[bool]:
    """Whether a delivery is due, in nobody's hands, and its endpoint is tried now."""
    return sa.and_(
        _IS_PENDING,
        _D.due_at <= now,
        sa.or_(_D.claimed_until.is_(None), _D.claimed_until <= now),
        _E.enabled,
        sa.or_(_E.open_until.is_(None), _E.open_until <= now),
    )


def _endpoint(row: Row) -> Endpoint:
    known = {name: row[name] for name in (field.name for field in fields(Endpoint))}
    return Endpoint(**known | {"types": tuple(row["types"])})


def _delivery(row: Row) -> Delivery:
    known = {name: row[name] for name in _DELIVERY}
    return Delivery(**known | {"state": DeliveryState(row["state"])})
