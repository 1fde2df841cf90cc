"""Payments in tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.gateway_health import Health
from new_core.domain.payment import Attempt, AttemptState, MoneyEvent, PaymentIntent
from new_core.domain.payment_move import Payment, PaymentMove
from new_core.errors import Conflict, InvalidValue
from new_core.ports.payments import PaymentQuery
from new_core.storage.payment_rows import (
    attempt_of,
    attempt_values,
    event_of,
    event_values,
    intent_of,
    intent_values,
    move_of,
    move_values,
)
from new_core.storage.statements import Row, fetch, one_of, upsert
from new_core.storage.tables import payments as t

_INTENTS = sa.select(t.payment_intent).where(one_of(t.payment_intent.c.id))
_OF_ORDERS = (
    sa.select(t.payment_intent)
    .where(one_of(t.payment_intent.c.order_id))
    .order_by(t.payment_intent.c.created_at, t.payment_intent.c.id)
)
_ATTEMPTS = (
    sa.select(t.payment_attempt)
    .where(one_of(t.payment_attempt.c.intent_id))
    .order_by(t.payment_attempt.c.number)
)
_MOVES = (
    sa.select(t.payment_attempt.c.intent_id, t.payment_move)
    .join(t.payment_attempt, t.payment_attempt.c.id == t.payment_move.c.attempt_id)
    .where(one_of(t.payment_attempt.c.intent_id))
    .order_by(t.payment_move.c.created_at, t.payment_move.c.id)
)
_EVENTS = (
    sa.select(t.payment_event)
    .join(t.payment_attempt, t.payment_attempt.c.id == t.payment_event.c.attempt_id)
    .where(t.payment_attempt.c.intent_id == sa.bindparam("intent_id"))
    .order_by(t.payment_event.c.at, t.payment_attempt.c.number, t.payment_event.c.number)
)


class SqlPayments:
    """Rows of payments, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, intent: PaymentIntent, first: Attempt) -> None:
        row = intent_values(intent, intent.created_at)
        try:
            async with self._connection.begin_nested():
                await self._connection.execute(sa.insert(t.payment_intent).values(**row, version=1))
        except IntegrityError as exc:
            raise Conflict("payment_exists", "the order has a payment already") from exc
        await self.add_attempt(first, intent.created_at)

    async def get(self, intent_id: UUID) -> Payment | None:
        rows = await fetch(self._connection, _INTENTS, [intent_id])
        return (await self._whole(rows))[0] if rows else None

    async def locked(self, intent_id: UUID) -> Payment | None:
        # SQLite has no such lock and needs none: its writers wait for each other at BEGIN.
        row = sa.select(t.payment_intent.c.id).where(t.payment_intent.c.id == intent_id)
        await self._connection.execute(row.with_for_update())
        return await self.get(intent_id)

    async def of_orders(self, order_ids: Collection[UUID]) -> Mapping[UUID, tuple[Payment, ...]]:
        rows = await fetch(self._connection, _OF_ORDERS, order_ids)
        found: dict[UUID, tuple[Payment, ...]] = {}
        for one in await self._whole(rows):
            found[one.intent.order_id] = (*found.get(one.intent.order_id, ()), one)
        return found

    async def page(self, query: PaymentQuery) -> tuple[Payment, ...]:
        intent = t.payment_intent.c
        chosen = sa.select(t.payment_intent).order_by(intent.updated_at, intent.id)
        chosen = chosen.limit(query.limit)
        if query.after is not None:
            at, last = query.after
            chosen = chosen.where(
                sa.or_(intent.updated_at > at, sa.and_(intent.updated_at == at, intent.id > last))
            )
        if query.states:
            chosen = chosen.where(intent.state.in_(query.states))
        if query.updated_since is not None:
            chosen = chosen.where(intent.updated_at >= query.updated_since)
        rows = list((await self._connection.execute(chosen)).mappings())
        return await self._whole(rows)

    async def _whole(self, rows: Sequence[Row]) -> tuple[Payment, ...]:
        """Payments with their parts, in the order of the rows: two more queries for any number."""
        ids = [row["id"] for row in rows]
        attempts: dict[UUID, list[Attempt]] = {one: [] for one in ids}
        moves: dict[UUID, list[PaymentMove]] = {one: [] for one in ids}
        for row in await fetch(self._connection, _ATTEMPTS, ids):
            attempts[row["intent_id"]].append(attempt_of(row))
        for row in await fetch(self._connection, _MOVES, ids):
            moves[row["intent_id"]].append(move_of(row))
        return tuple(
            Payment(
                intent_of(row),
                tuple(attempts[row["id"]]),
                tuple(moves[row["id"]]),
                row["version"],
                row["updated_at"],
            )
            for row in rows
        )

    async def events(self, intent_id: UUID) -> tuple[MoneyEvent, ...]:
        rows = await self._connection.execute(_EVENTS, {"intent_id": intent_id})
        return tuple(event_of(row) for row in rows.mappings())

    async def owner_of(self, attempt_id: UUID) -> UUID | None:
        attempt = t.payment_attempt.c
        chosen = sa.select(attempt.intent_id).where(attempt.id == attempt_id)
        found: UUID | None = (await self._connection.execute(chosen)).scalar_one_or_none()
        return found

    async def owner_at(self, gateway: str, gateway_ref: str) -> tuple[UUID, UUID] | None:
        attempt = t.payment_attempt.c
        chosen = (
            sa.select(attempt.intent_id, attempt.id)
            .where(attempt.gateway == gateway, attempt.gateway_ref == gateway_ref)
            .limit(1)
        )
        found = (await self._connection.execute(chosen)).first()
        return None if found is None else (found[0], found[1])

    async def put_intent(self, intent: PaymentIntent, now: datetime) -> None:
        table = t.payment_intent
        await self._connection.execute(
            sa.update(table)
            .where(table.c.id == intent.id)
            .values(**intent_values(intent, now), version=table.c.version + 1)
        )

    async def add_attempt(self, attempt: Attempt, now: datetime) -> None:
        row = attempt_values(attempt, now)
        await self._connection.execute(
            sa.insert(t.payment_attempt).values(
                **row, version=1, claimed_minor=attempt.claimed_minor
            )
        )

    async def put_attempt(self, attempt: Attempt, was: AttemptState, now: datetime) -> bool:
        table = t.payment_attempt
        done = await self._connection.execute(
            sa.update(table)
            .where(table.c.id == attempt.id, table.c.state == was.value)
            .values(**attempt_values(attempt, now), version=table.c.version + 1)
        )
        return done.rowcount == 1

    async def claim_refund(self, attempt_id: UUID, minor: int, now: datetime) -> bool:
        table = t.payment_attempt
        # 1. Two staff members refund all of an order, 2. both read that nothing is refunded,
        # 3. both ask the gateway. The condition is asked of the row as it is when it is written.
        claimed = table.c.claimed_minor + minor
        done = await self._connection.execute(
            sa.update(table)
            .where(table.c.id == attempt_id, claimed <= table.c.captured_minor, claimed >= 0)
            .values(claimed_minor=claimed, version=table.c.version + 1, updated_at=now)
        )
        return done.rowcount == 1

    async def add_events(self, events: Sequence[MoneyEvent]) -> None:
        if not events:
            return
        event = t.payment_event
        last = sa.select(sa.func.coalesce(sa.func.max(event.c.number), 0)).where(
            event.c.attempt_id == events[0].attempt_id
        )
        first = (await self._connection.execute(last)).scalar_one() + 1
        rows = [event_values(one) | {"number": n} for n, one in enumerate(events, first)]
        try:
            async with self._connection.begin_nested():
                await self._connection.execute(sa.insert(event), rows)
        except IntegrityError as exc:
            raise InvalidValue("event", "is written down already") from exc

    async def has_event(self, gateway: str, gateway_event_id: str) -> bool:
        event = t.payment_event.c
        chosen = sa.select(event.id).where(
            event.gateway == gateway, event.gateway_event_id == gateway_event_id
        )
        return (await self._connection.execute(chosen)).first() is not None

    async def put_move(self, move: PaymentMove, now: datetime) -> None:
        try:
            async with self._connection.begin_nested():
                await upsert(self._connection, t.payment_move, [move_values(move)], now)
        except IntegrityError as exc:
            raise InvalidValue("move", "was asked for with this key already") from exc

    async def due(self, now: datetime, until: datetime, most: int) -> tuple[UUID, ...]:
        attempt, move = t.payment_attempt, t.payment_move
        owners: set[UUID] = set()
        taken = await self._take(attempt, now, until, most)
        if taken:
            chosen = sa.select(attempt.c.intent_id).where(attempt.c.id.in_(taken))
            owners.update((await self._connection.execute(chosen)).scalars())
        taken = await self._take(move, now, until, most)
        if taken:
            chosen = (
                sa.select(attempt.c.intent_id)
                .join(move, move.c.attempt_id == attempt.c.id)
                .where(move.c.id.in_(taken))
            )
            owners.update((await self._connection.execute(chosen)).scalars())
        return tuple(sorted(owners))

    async def _take(
        self, table: sa.Table, now: datetime, until: datetime, most: int
    ) -> Sequence[UUID]:
        """Move the time of the next look of what is due. Two workers never get the same row:
        one that waits for a row's lock finds the time moved, and skips it.
        """
        due = sa.select(table.c.id).where(table.c.look_at <= now)
        due = (
            due.order_by(table.c.look_at, table.c.id).limit(most).with_for_update(skip_locked=True)
        )
        ids = (await self._connection.execute(due)).scalars().all()
        if not ids:
            return ()
        taken = await self._connection.execute(
            sa.update(table)
            .where(table.c.id.in_(ids), table.c.look_at <= now)
            .values(look_at=until)
            .returning(table.c.id)
        )
        found: Sequence[UUID] = taken.scalars().all()
        return found

    async def healths(self) -> Mapping[str, Health]:
        rows = (await self._connection.execute(sa.select(t.gateway_health))).mappings()
        return {
            row["gateway"]: Health(row["gateway"], row["failures"], row["open_until"])
            for row in rows
        }

    async def put_health(self, health: Health, now: datetime) -> None:
        row = {
            "gateway": health.gateway,
            "failures": health.failures,
            "open_until": health.open_until,
        }
        await upsert(self._connection, t.gateway_health, [row], now)
