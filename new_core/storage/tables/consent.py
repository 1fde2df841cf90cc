"""Tables of consent, of who read whose data, and of what people asked for."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, written_columns
from new_core.storage.types import JsonText, UtcDateTime

consent_purpose = sa.Table(
    "consent_purpose",
    metadata,
    sa.Column("code", sa.String(64), primary_key=True),
    sa.Column("purpose_version", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("texts", JsonText(), nullable=False),
    sa.Column("required", sa.Boolean(), nullable=False),
    sa.Column("data_categories", JsonText(), nullable=False),
    sa.Column("retention_days", sa.Integer()),
    sa.Column("valid_days", sa.Integer()),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.CheckConstraint("retention_days > 0", name="retention_days"),
    sa.CheckConstraint("valid_days > 0", name="valid_days"),
)

# Rows are added and never changed, but for what an erasure takes out of `evidence`.
consent_record = sa.Table(
    "consent_record",
    metadata,
    id_column(),
    sa.Column("customer_id", sa.Uuid(), nullable=False),
    sa.Column("purpose", sa.String(64), nullable=False),
    sa.Column("purpose_version", sa.Integer(), nullable=False),
    sa.Column("decision", sa.String(10), nullable=False),
    sa.Column("channel", sa.String(32), nullable=False),
    sa.Column("evidence", JsonText(), nullable=False),
    sa.Column("actor_kind", sa.String(10), nullable=False),
    sa.Column("actor_id", sa.Text(), nullable=False),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(
        ["purpose", "purpose_version"],
        ["consent_purpose.code", "consent_purpose.purpose_version"],
        name="fk_consent_record_purpose",
    ),
    sa.Index("ix_consent_record_customer_id_purpose_at", "customer_id", "purpose", "at", "id"),
    sa.Index("ix_consent_record_purpose", "purpose", "purpose_version"),
    sa.CheckConstraint("decision IN ('granted', 'withdrawn', 'expired')", name="decision"),
)

personal_data_access = sa.Table(
    "personal_data_access",
    metadata,
    id_column(),
    sa.Column("customer_id", sa.Uuid(), nullable=False),
    sa.Column("actor_kind", sa.String(10), nullable=False),
    sa.Column("actor_id", sa.Text(), nullable=False),
    sa.Column("fields", JsonText(), nullable=False),
    sa.Column("purpose", sa.Text(), nullable=False),
    sa.Column("request_id", sa.String(128), nullable=False),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Index("ix_personal_data_access_customer_id_id", "customer_id", "id"),
)

data_request = sa.Table(
    "data_request",
    metadata,
    id_column(),
    sa.Column("customer_id", sa.Uuid(), nullable=False, index=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("received_at", UtcDateTime(), nullable=False),
    sa.Column("due_at", UtcDateTime(), nullable=False),
    sa.Column("verified_by", sa.Text(), nullable=False),
    sa.Column("finished_at", UtcDateTime()),
    sa.Column("reason", sa.Text(), nullable=False),
    *written_columns(),
    sa.CheckConstraint("kind IN ('access', 'erasure')", name="kind"),
    sa.CheckConstraint(
        "state IN ('received', 'identity_verified', 'in_progress', 'fulfilled', 'refused')",
        name="state",
    ),
)
