"""Tables of requests that may come twice."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import metadata
from new_core.storage.types import JsonText, UtcDateTime

idempotency_key = sa.Table(
    "idempotency_key",
    metadata,
    sa.Column("principal", sa.String(255), primary_key=True),
    sa.Column("route", sa.String(512), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("begun_at", UtcDateTime(), nullable=False),
    sa.Column("locked_until", UtcDateTime(), nullable=False),
    sa.Column("expires_at", UtcDateTime(), nullable=False, index=True),
    sa.Column("finished_at", UtcDateTime()),
    sa.Column("status", sa.Integer()),
    sa.Column("headers", JsonText(), nullable=False),
    sa.Column("body", sa.LargeBinary()),
)
