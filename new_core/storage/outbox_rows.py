"""How an event's row is read, and counted where many wait."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.events import Event, Told
from new_core.ports.outbox import Backlog
from new_core.storage.statements import Row
from new_core.storage.tables.outbox import outbox_event


def told(row: Row) -> Told:
    """The event that a row of outbox_event holds."""
    event = Event(
        row["type"],
        row["aggregate_type"],
        row["aggregate_id"],
        json.loads(row["data"]),
        row["causation_id"],
    )
    who, of = row["actor_kind"], row["actor_id"]
    return Told(
        row["seq"],
        row["event_id"],
        event,
        row["aggregate_seq"],
        f"{who}:{of}" if of else who,
        row["correlation_id"],
        row["occurred_at"],
    )


async def backlog(connection: AsyncConnection, waiting: sa.ColumnElement[Any]) -> Backlog:
    """How many events wait, and since when."""
    found = await connection.execute(
        sa.select(sa.func.count(), sa.func.min(outbox_event.c.occurred_at)).where(waiting)
    )
    count, oldest = found.one()
    return Backlog(count, oldest)
