"""Figures of health show what is wrong in the tables, whoever put it there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from prometheus_client import generate_latest

from new_core.api.health import workers
from new_core.domain.actor import Actor, ActorKind
from new_core.domain.events import AuditEntry, Event
from new_core.storage import SqlDatabase
from new_core.storage.ids import new_id
from new_core.storage.tables import metadata
from tests.support.core import SetClock, house_on
from tests.support.little_shop import LEVEL, fill

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
CLERK = Actor(ActorKind.STAFF, "clerk")
EMPTY: dict[type, Any] = {str: "", int: 0, bool: False, UUID: UUID(int=0)}
OURS: dict[str, Any] = {"JsonText": {}, "UtcDateTime": NOW}


def row(table: str, **known: Any) -> sa.Insert:
    """A row with something in every column that must have something."""
    columns = metadata.tables[table].columns
    values: dict[str, Any] = {}
    for column in columns:
        if column.name in known or column.nullable or column.server_default is not None:
            continue
        kind = type(column.type).__name__
        values[column.name] = OURS[kind] if kind in OURS else EMPTY[column.type.python_type]
    return sa.insert(metadata.tables[table]).values({**values, "id": new_id(), **known})


async def put(core: SqlDatabase, *statements: Any) -> None:
    async with core.writing() as uow:
        for one in statements:
            await uow.connection.execute(sa.text(one) if isinstance(one, str) else one)
        await uow.commit()


async def wrong(core: SqlDatabase) -> dict[str, int]:
    """What the books say, without the zeros."""
    async with core.reading() as uow:
        return {name: count for name, count in (await uow.health.books()).items() if count}


def order(cart: UUID, total: int = 100, **known: Any) -> Any:
    values = {"number": str(new_id()), "cart_id": cart, "status": "placed", "currency": "CAD",
              "net_minor": total, "total_minor": total, "buyer": {}, **known}  # fmt: skip
    return row("sales_order", **values)


def charge(order_id: UUID, *events: tuple[str, int]) -> list[Any]:
    intent, attempt = new_id(), new_id()
    return [
        row("payment_intent", id=intent, order_id=order_id, state="failed", amount_minor=100),
        row(
            "payment_attempt", id=attempt, intent_id=intent, number=1, gateway="a", state="declined"
        ),
        *(
            row(
                "payment_event",
                attempt_id=attempt,
                number=number,
                kind=kind,
                amount_minor=minor,
                gateway="a",
            )
            for number, (kind, minor) in enumerate(events, 1)
        ),
    ]


async def test_books_that_are_right_are_all_zero(core: SqlDatabase) -> None:
    one = new_id()
    await put(core, order(new_id(), id=one), *charge(one, ("captured", 100)))

    assert await wrong(core) == {}


async def test_two_orders_of_a_cart_show_unless_one_is_cancelled(core: SqlDatabase) -> None:
    twice, once = new_id(), new_id()
    await put(
        core, "DROP INDEX uq_sales_order_living_cart", order(twice), order(twice), order(once),
        order(once, status="cancelled"),
    )  # fmt: skip

    assert await wrong(core) == {"duplicate_orders": 1}


async def test_an_order_that_was_charged_twice_shows_unless_it_was_given_back(
    core: SqlDatabase,
) -> None:
    twice, mended = new_id(), new_id()
    await put(
        core,
        order(new_id(), id=twice),
        order(new_id(), id=mended),
        *charge(twice, ("authorised", 100), ("captured", 100)),
        *charge(twice, ("captured", 100)),
        *charge(mended, ("captured", 100), ("refunded", 100)),
        *charge(mended, ("captured", 60), ("captured", 40)),
    )

    assert await wrong(core) == {"duplicate_charges": 1, "overcharged_orders": 1}


async def test_money_without_an_order_shows(core: SqlDatabase) -> None:
    await put(core, *charge(new_id(), ("captured", 100)), *charge(new_id(), ("declined", 100)))

    assert await wrong(core) == {"charges_without_order": 1}


async def test_reserved_units_that_nobody_reserved_show(core: SqlDatabase, core_url: str) -> None:
    await fill(core_url)
    assert await wrong(core) == {}
    held = {"owner_type": "cart", "owner_id": new_id(), "variant_id": new_id(), "quantity": 2}
    await put(
        core,
        row("reservation", stock_level_id=LEVEL, state="held", **held),
        row("reservation", stock_level_id=LEVEL, state="released", **held),
    )
    before = await wrong(core)
    levels = metadata.tables["stock_level"]
    reserved = levels.c.reserved_elsewhere + 2
    await put(core, sa.update(levels).where(levels.c.id == LEVEL).values(reserved=reserved))

    assert before == {"levels_off_reservations": 1}
    assert await wrong(core) == {}


async def test_the_lines_and_the_books_are_on_the_meter(core: SqlDatabase) -> None:
    clock = SetClock()
    house = house_on(core, clock)
    async with core.writing() as uow:
        await uow.outbox.add([Event("a.b.c.v1", "a", new_id(), {})], CLERK, clock())
        await uow.audit.add([AuditEntry("a", "b", "c")], CLERK, clock())
        await uow.commit()
    clock.forward(seconds=90)

    for worker in workers(house):
        assert await worker.run() == 0

    meter = generate_latest(house.metrics.registry).decode()
    for line in (
        'banyan_core_waiting{line="numbers"} 1.0',
        'banyan_core_waiting_seconds{line="numbers"} 90.0',
        'banyan_core_waiting_seconds{line="audit"} 90.0',
        'banyan_core_waiting{line="webhooks"} 0.0',
        'banyan_core_books_wrong{check="oversold_units"} 0.0',
        'banyan_core_books_wrong{check="duplicate_orders"} 0.0',
    ):
        assert line in meter
    assert 'line="bus"' not in meter
    assert "banyan_core_inventory_accuracy_ratio NaN" in meter


async def test_accuracy_is_that_of_the_last_measurement(core: SqlDatabase) -> None:
    async with core.reading() as uow:
        assert await uow.health.accuracy() is None
    for day, off_by in ((1, 50), (2, 5)):
        at = NOW.replace(day=day)
        await put(
            core, row("stock_accuracy", counted=100, off_by=off_by, drifts=[], at=at, since=at)
        )

    async with core.reading() as uow:
        assert await uow.health.accuracy() == 0.95
