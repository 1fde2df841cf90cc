"""Events are written with what they tell of, in an order per aggregate that nobody breaks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
import sqlalchemy as sa

from new_core.domain.actor import Actor, ActorKind
from new_core.domain.events import Event
from new_core.storage import SqlDatabase
from new_core.storage.database import SqlUnitOfWork
from new_core.storage.ids import new_id
from new_core.storage.tables.outbox import outbox_event

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
CLERK = Actor(ActorKind.STAFF, "clerk", request_id="req-1")


def happened(aggregate: UUID, n: int, kind: str = "order") -> Event:
    return Event(f"orders.{kind}.changed.v1", kind, aggregate, {"n": n})


async def places(uow: SqlUnitOfWork, aggregate: UUID) -> list[tuple[int, str]]:
    found = await uow.connection.execute(
        sa.select(outbox_event.c.aggregate_seq, outbox_event.c.data)
        .where(outbox_event.c.aggregate_id == aggregate)
        .order_by(outbox_event.c.id)
    )
    return [(row.aggregate_seq, row.data) for row in found]


async def test_a_transaction_that_is_rolled_back_tells_nothing_and_leaves_no_gap(
    core: SqlDatabase,
) -> None:
    order = new_id()
    async with core.writing() as uow:
        await uow.outbox.add([happened(order, 1), happened(order, 2)], CLERK, NOW)
        await uow.commit()
    async with core.writing() as uow:
        await uow.outbox.add([happened(order, 99)], CLERK, NOW)
        await uow.outbox.flush()
    async with core.writing() as uow:
        await uow.outbox.add([happened(order, 3)], CLERK, NOW)
        await uow.commit()

    async with core.reading() as uow:
        assert await places(uow, order) == [(1, '{"n":1}'), (2, '{"n":2}'), (3, '{"n":3}')]


async def test_writers_of_the_same_aggregates_in_any_order_wait_for_each_other_and_never_jam(
    core: SqlDatabase,
) -> None:
    carts = [new_id() for _ in range(3)]

    async def tell(turn: int) -> None:
        async with core.writing() as uow:
            for step in range(3):
                one = carts[(turn + step) % 3]
                await uow.outbox.add([happened(one, turn, "cart")], CLERK, NOW)
                await asyncio.sleep(0)
            await uow.commit()

    await asyncio.gather(*(tell(turn) for turn in range(24)))

    async with core.reading() as uow:
        for cart in carts:
            assert [place for place, _ in await places(uow, cart)] == list(range(1, 25))


async def test_what_cannot_be_said_in_json_is_refused_where_it_is_told(
    core: SqlDatabase,
) -> None:
    async with core.writing() as uow:
        with pytest.raises(TypeError, match="UUID"):
            await uow.outbox.add(
                [Event("orders.order.changed.v1", "order", new_id(), {"who": new_id()})], CLERK, NOW
            )


async def test_a_dry_run_leaves_no_event(core: SqlDatabase) -> None:
    order = new_id()
    async with core.dry_run(), core.writing() as uow:
        await uow.outbox.add([happened(order, 1)], CLERK, NOW)
        await uow.commit()

    async with core.reading() as uow:
        assert await places(uow, order) == []
