"""Tables of events on their way out, and of those that a part of the core has dealt with."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import metadata
from new_core.storage.types import BigNumber, UtcDateTime

outbox_event = sa.Table(
    "outbox_event",
    metadata,
    sa.Column("id", BigNumber, primary_key=True),
    sa.Column("seq", sa.BigInteger()),
    sa.Column("event_id", sa.Uuid(), nullable=False, unique=True),
    sa.Column("type", sa.String(120), nullable=False),
    sa.Column("aggregate_type", sa.String(64), nullable=False),
    sa.Column("aggregate_id", sa.Uuid(), nullable=False),
    sa.Column("aggregate_seq", sa.BigInteger(), nullable=False),
    sa.Column("actor_kind", sa.String(16), nullable=False),
    sa.Column("actor_id", sa.String(255), nullable=False),
    sa.Column("correlation_id", sa.String(128), nullable=False),
    sa.Column("causation_id", sa.Uuid()),
    sa.Column("occurred_at", UtcDateTime(), nullable=False),
    sa.Column("data", sa.Text(), nullable=False),
    sa.Column("published_at", UtcDateTime()),
    sa.UniqueConstraint("seq"),
    sa.UniqueConstraint(
        "aggregate_type", "aggregate_id", "aggregate_seq", name="uq_outbox_event_place"
    ),
    sqlite_autoincrement=True,
)
sa.Index(
    "ix_outbox_event_unnumbered",
    outbox_event.c.id,
    sqlite_where=outbox_event.c.seq.is_(None),
    postgresql_where=outbox_event.c.seq.is_(None),
)
sa.Index(
    "ix_outbox_event_unpublished",
    outbox_event.c.id,
    sqlite_where=outbox_event.c.published_at.is_(None),
    postgresql_where=outbox_event.c.published_at.is_(None),
)

outbox_aggregate = sa.Table(
    "outbox_aggregate",
    metadata,
    sa.Column("aggregate_type", sa.String(64), primary_key=True),
    sa.Column("aggregate_id", sa.Uuid(), primary_key=True),
    sa.Column("last_seq", sa.BigInteger(), nullable=False),
    sa.Column("claimed_by", sa.Uuid()),
    sa.Column("claimed_until", UtcDateTime()),
)

outbox_reader = sa.Table(
    "outbox_reader",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger(), nullable=False),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("consumer", sa.String(64), primary_key=True),
    sa.Column("event_id", sa.Uuid(), primary_key=True),
    sa.Column("handled_at", UtcDateTime(), nullable=False, index=True),
)
