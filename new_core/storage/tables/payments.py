"""Tables of payments. Amounts of an attempt are the sums of its events."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, refers, written_columns
from new_core.storage.types import JsonText, UtcDateTime

_CLAIMING = sa.text("state IN ('sending', 'unknown', 'authorised', 'captured')")
_LIVE = sa.text("state IN ('open', 'won')")

payment_intent = sa.Table(
    "payment_intent",
    metadata,
    id_column(),
    sa.Column("order_id", sa.Uuid(), nullable=False, index=True),
    sa.Column("reference", sa.String(64), nullable=False),
    sa.Column("amount_minor", sa.BigInteger(), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("capture", sa.String(16), nullable=False),
    sa.Column("method", JsonText(), nullable=False),
    sa.Column("redirect_url", sa.Text(), nullable=False),
    sa.Column("won_by", sa.Uuid()),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *written_columns(),
    sa.Index("ix_payment_intent_updated_at_id", "updated_at", "id"),
    sa.Index(
        "uq_payment_intent_live",
        "order_id",
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    ),
    sa.CheckConstraint("amount_minor >= 0", name="amount"),
    sa.CheckConstraint("state IN ('open', 'won', 'failed', 'cancelled')", name="state"),
)

payment_attempt = sa.Table(
    "payment_attempt",
    metadata,
    id_column(),
    sa.Column("intent_id", sa.Uuid(), refers("payment_intent"), nullable=False),
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("gateway", sa.String(32), nullable=False),
    sa.Column("gateway_ref", sa.String(255), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("is_retryable", sa.Boolean(), nullable=False),
    sa.Column("authorised_minor", sa.BigInteger(), nullable=False),
    sa.Column("captured_minor", sa.BigInteger(), nullable=False),
    sa.Column("claimed_minor", sa.BigInteger(), nullable=False),
    sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
    sa.Column("sent_at", UtcDateTime()),
    sa.Column("resolved_at", UtcDateTime()),
    sa.Column("look_at", UtcDateTime(), index=True),
    sa.Column("looks", sa.Integer(), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *written_columns(),
    sa.UniqueConstraint("intent_id", "number", name="uq_payment_attempt_number"),
    sa.Index(
        "uq_payment_attempt_claiming",
        "intent_id",
        unique=True,
        sqlite_where=_CLAIMING,
        postgresql_where=_CLAIMING,
    ),
    sa.Index("ix_payment_attempt_gateway_gateway_ref", "gateway", "gateway_ref"),
    sa.CheckConstraint("number >= 1", name="number"),
    sa.CheckConstraint("authorised_minor >= 0", name="authorised"),
    sa.CheckConstraint("captured_minor >= 0", name="captured"),
    sa.CheckConstraint("refunded_minor >= 0 AND refunded_minor <= captured_minor", name="refunded"),
    sa.CheckConstraint("claimed_minor >= 0 AND claimed_minor <= captured_minor", name="claimed"),
    sa.CheckConstraint("state = 'created' OR gateway <> ''", name="gateway"),
)

payment_event = sa.Table(
    "payment_event",
    metadata,
    id_column(),
    sa.Column("attempt_id", sa.Uuid(), refers("payment_attempt"), nullable=False),
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("amount_minor", sa.BigInteger(), nullable=False),
    sa.Column("gateway", sa.String(32), nullable=False),
    sa.Column("gateway_event_id", sa.String(255)),
    sa.Column("raw", JsonText(), nullable=False),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.UniqueConstraint("attempt_id", "number", name="uq_payment_event_number"),
    sa.UniqueConstraint("gateway", "gateway_event_id", name="uq_payment_event_gateway_event_id"),
    sa.CheckConstraint("amount_minor >= 0", name="amount"),
)

payment_move = sa.Table(
    "payment_move",
    metadata,
    id_column(),
    sa.Column("attempt_id", sa.Uuid(), refers("payment_attempt"), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("amount_minor", sa.BigInteger(), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("problem", sa.Text(), nullable=False),
    sa.Column("is_owed", sa.Boolean(), nullable=False),
    sa.Column("request_key", sa.String(255)),
    sa.Column("gateway_ref", sa.String(255), nullable=False),
    sa.Column("sent_at", UtcDateTime()),
    sa.Column("look_at", UtcDateTime(), index=True),
    sa.Column("looks", sa.Integer(), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *written_columns(),
    sa.UniqueConstraint("attempt_id", "kind", "request_key", name="uq_payment_move_request_key"),
    sa.CheckConstraint("amount_minor >= 0", name="amount"),
    sa.CheckConstraint("kind IN ('capture', 'void', 'refund')", name="kind"),
    sa.CheckConstraint("state IN ('asked', 'sending', 'unknown', 'done', 'refused')", name="state"),
)

gateway_health = sa.Table(
    "gateway_health",
    metadata,
    sa.Column("gateway", sa.String(32), primary_key=True),
    sa.Column("failures", sa.Integer(), nullable=False),
    sa.Column("open_until", UtcDateTime()),
    sa.CheckConstraint("failures >= 0", name="failures"),
)
