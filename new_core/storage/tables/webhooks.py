"""Tables of who is told of events over HTTP, and of every telling."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, refers, written_columns
from new_core.storage.types import BigNumber, JsonText, UtcDateTime

webhook_endpoint = sa.Table(
    "webhook_endpoint",
    metadata,
    id_column(),
    sa.Column("url", sa.Text(), nullable=False),
    sa.Column("description", sa.Text(), nullable=False),
    sa.Column("types", JsonText(), nullable=False),
    sa.Column("enabled", sa.Boolean(), nullable=False),
    sa.Column("disabled_because", sa.Text(), nullable=False),
    sa.Column("secret", sa.String(128), nullable=False),
    sa.Column("old_secret", sa.String(128)),
    sa.Column("old_secret_until", UtcDateTime()),
    sa.Column("created_by", sa.String(255), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("failures_in_a_row", sa.Integer(), nullable=False),
    sa.Column("open_until", UtcDateTime()),
    *written_columns(),
)

webhook_delivery = sa.Table(
    "webhook_delivery",
    metadata,
    sa.Column("n", BigNumber, primary_key=True),
    sa.Column("id", sa.Uuid(), nullable=False, unique=True),
    sa.Column("endpoint_id", sa.Uuid(), refers("webhook_endpoint", cascade=True), nullable=False),
    sa.Column("event_id", sa.Uuid(), nullable=False),
    sa.Column("event_type", sa.String(120), nullable=False),
    sa.Column("event_seq", sa.BigInteger(), nullable=False),
    sa.Column("aggregate_type", sa.String(64), nullable=False),
    sa.Column("aggregate_id", sa.Uuid(), nullable=False),
    sa.Column("replay_of", sa.Uuid()),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("due_at", UtcDateTime(), nullable=False),
    sa.Column("claimed_until", UtcDateTime()),
    sa.Column("tried_at", UtcDateTime()),
    sa.Column("settled_at", UtcDateTime()),
    sa.Column("last_status", sa.Integer()),
    sa.Column("last_error", sa.Text(), nullable=False),
    sa.Index("ix_webhook_delivery_endpoint_n", "endpoint_id", "n"),
    sqlite_autoincrement=True,
)
_PENDING = webhook_delivery.c.state == sa.literal_column("'pending'")
sa.Index(
    "ix_webhook_delivery_due",
    webhook_delivery.c.due_at,
    sqlite_where=_PENDING,
    postgresql_where=_PENDING,
)
sa.Index(
    "ix_webhook_delivery_order",
    webhook_delivery.c.endpoint_id,
    webhook_delivery.c.aggregate_type,
    webhook_delivery.c.aggregate_id,
    webhook_delivery.c.n,
    sqlite_where=_PENDING,
    postgresql_where=_PENDING,
)
