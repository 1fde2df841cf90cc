"""Payments, attempts and events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from new_core.storage.types import JsonText, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_CLAIMING = sa.text("state IN ('sending', 'unknown', 'authorised', 'captured')")
_LIVE = sa.text("state IN ('open', 'won')")


def upgrade() -> None:
    """Make the tables."""
    _make_intent()
    _make_attempt()
    _make_event()
    _make_move()
    op.create_table(
        "gateway_health",
        sa.Column("gateway", sa.String(32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", UtcDateTime()),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_gateway_health_failures")),
        sa.PrimaryKeyConstraint("gateway", name=op.f("pk_gateway_health")),
    )


def downgrade() -> None:
    """Drop them."""
    for name in (
        "gateway_health",
        "payment_move",
        "payment_event",
        "payment_attempt",
        "payment_intent",
    ):
        op.drop_table(name)


def _make_intent() -> None:
    op.create_table(
        "payment_intent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("capture", sa.String(16), nullable=False),
        sa.Column("method", JsonText(), nullable=False),
        sa.Column("redirect_url", sa.Text(), nullable=False),
        sa.Column("won_by", sa.Uuid()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_payment_intent_amount")),
        sa.CheckConstraint(
            "state IN ('open', 'won', 'failed', 'cancelled')",
            name=op.f("ck_payment_intent_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_intent")),
    )
    op.create_index("ix_payment_intent_order_id", "payment_intent", ["order_id"])
    op.create_index("ix_payment_intent_updated_at_id", "payment_intent", ["updated_at", "id"])
    op.create_index(
        "uq_payment_intent_live",
        "payment_intent",
        ["order_id"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )


def _make_attempt() -> None:
    op.create_table(
        "payment_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("intent_id", sa.Uuid(), nullable=False),
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
        sa.Column("look_at", UtcDateTime()),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_payment_attempt_number")),
        sa.CheckConstraint("authorised_minor >= 0", name=op.f("ck_payment_attempt_authorised")),
        sa.CheckConstraint("captured_minor >= 0", name=op.f("ck_payment_attempt_captured")),
        sa.CheckConstraint(
            "refunded_minor >= 0 AND refunded_minor <= captured_minor",
            name=op.f("ck_payment_attempt_refunded"),
        ),
        sa.CheckConstraint(
            "claimed_minor >= 0 AND claimed_minor <= captured_minor",
            name=op.f("ck_payment_attempt_claimed"),
        ),
        sa.CheckConstraint(
            "state = 'created' OR gateway <> ''", name=op.f("ck_payment_attempt_gateway")
        ),
        sa.ForeignKeyConstraint(
            ["intent_id"], ["payment_intent.id"], name=op.f("fk_payment_attempt_intent_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_attempt")),
        sa.UniqueConstraint("intent_id", "number", name="uq_payment_attempt_number"),
    )
    op.create_index("ix_payment_attempt_look_at", "payment_attempt", ["look_at"])
    op.create_index(
        "ix_payment_attempt_gateway_gateway_ref", "payment_attempt", ["gateway", "gateway_ref"]
    )
    op.create_index(
        "uq_payment_attempt_claiming",
        "payment_attempt",
        ["intent_id"],
        unique=True,
        sqlite_where=_CLAIMING,
        postgresql_where=_CLAIMING,
    )


def _make_event() -> None:
    op.create_table(
        "payment_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("gateway", sa.String(32), nullable=False),
        sa.Column("gateway_event_id", sa.String(255)),
        sa.Column("raw", JsonText(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_payment_event_amount")),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["payment_attempt.id"], name=op.f("fk_payment_event_attempt_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_event")),
        sa.UniqueConstraint("attempt_id", "number", name="uq_payment_event_number"),
        sa.UniqueConstraint(
            "gateway", "gateway_event_id", name="uq_payment_event_gateway_event_id"
        ),
    )


def _make_move() -> None:
    op.create_table(
        "payment_move",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("is_owed", sa.Boolean(), nullable=False),
        sa.Column("request_key", sa.String(255)),
        sa.Column("gateway_ref", sa.String(255), nullable=False),
        sa.Column("sent_at", UtcDateTime()),
        sa.Column("look_at", UtcDateTime()),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_payment_move_amount")),
        sa.CheckConstraint(
            "kind IN ('capture', 'void', 'refund')", name=op.f("ck_payment_move_kind")
        ),
        sa.CheckConstraint(
            "state IN ('asked', 'sending', 'unknown', 'done', 'refused')",
            name=op.f("ck_payment_move_state"),
        ),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["payment_attempt.id"], name=op.f("fk_payment_move_attempt_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_move")),
        sa.UniqueConstraint(
            "attempt_id", "kind", "request_key", name="uq_payment_move_request_key"
        ),
    )
    op.create_index("ix_payment_move_attempt_id", "payment_move", ["attempt_id"])
    op.create_index("ix_payment_move_look_at", "payment_move", ["look_at"])
