"""Tables of customers."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, refers, written_columns
from new_core.storage.types import JsonText, UtcDateTime

customer = sa.Table(
    "customer",
    metadata,
    id_column(),
    sa.Column("email", sa.String(254), nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("username", sa.String(254), nullable=False),
    sa.Column("first_name", sa.Text(), nullable=False),
    sa.Column("last_name", sa.Text(), nullable=False),
    sa.Column("phone", sa.Text(), nullable=False),
    sa.Column("locale", sa.String(35), nullable=False),
    sa.Column("password_hash", sa.Text(), nullable=False),
    # What it begins with, so that it is known at once whether old ones are left.
    sa.Column("password_scheme", sa.String(32), nullable=False, index=True),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *written_columns(),
    # The erased have no address any more, and there are many of them.
    sa.Index(
        "uq_customer_email", "email", unique=True,
        sqlite_where=sa.text("status <> 'erased'"),
        postgresql_where=sa.text("status <> 'erased'"),
    ),
    sa.Index(
        "uq_customer_username", "username", unique=True,
        sqlite_where=sa.text("username <> ''"),
        postgresql_where=sa.text("username <> ''"),
    ),
    sa.Index("ix_customer_updated_at_id", "updated_at", "id"),
    sa.CheckConstraint("status IN ('active', 'disabled', 'erased')", name="status"),
)  # fmt: skip

customer_address = sa.Table(
    "customer_address",
    metadata,
    id_column(),
    sa.Column(
        "customer_id", sa.Uuid(), refers("customer", cascade=True), nullable=False, index=True
    ),
    sa.Column("position", sa.Integer(), nullable=False),
    sa.Column("default_shipping", sa.Boolean(), nullable=False),
    sa.Column("default_billing", sa.Boolean(), nullable=False),
    sa.Column("country", sa.String(2), nullable=False),
    sa.Column("region", sa.Text(), nullable=False),
    sa.Column("postcode", sa.Text(), nullable=False),
    sa.Column("city", sa.Text(), nullable=False),
    sa.Column("lines", JsonText(), nullable=False),
    sa.Column("title", sa.Text(), nullable=False),
    sa.Column("first_name", sa.Text(), nullable=False),
    sa.Column("last_name", sa.Text(), nullable=False),
    sa.Column("company", sa.Text(), nullable=False),
    sa.Column("phone", sa.Text(), nullable=False),
    sa.Column("notes", sa.Text(), nullable=False),
)

customer_group = sa.Table(
    "customer_group",
    metadata,
    id_column(),
    sa.Column("code", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    *written_columns(),
)

customer_group_member = sa.Table(
    "customer_group_member",
    metadata,
    sa.Column("customer_id", sa.Uuid(), refers("customer", cascade=True), primary_key=True),
    sa.Column("group_id", sa.Uuid(), refers("customer_group"), primary_key=True, index=True),
)

customer_token = sa.Table(
    "customer_token",
    metadata,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column(
        "customer_id", sa.Uuid(), refers("customer", cascade=True), nullable=False, index=True
    ),
    sa.Column("purpose", sa.String(20), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("expires_at", UtcDateTime(), nullable=False, index=True),
)

business_account = sa.Table(
    "business_account",
    metadata,
    id_column(),
    sa.Column("parent_id", sa.Uuid(), refers("business_account"), index=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("legal_name", sa.Text(), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("tax_ids", JsonText(), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *written_columns(),
    sa.CheckConstraint("kind IN ('company', 'division')", name="kind"),
    sa.CheckConstraint("parent_id IS NULL OR kind = 'division'", name="parent"),
)

account_member = sa.Table(
    "account_member",
    metadata,
    sa.Column("account_id", sa.Uuid(), refers("business_account", cascade=True), primary_key=True),
    sa.Column(
        "customer_id", sa.Uuid(), refers("customer", cascade=True), primary_key=True, index=True
    ),
    sa.Column("role", sa.String(64), nullable=False),
    sa.Column("active", sa.Boolean(), nullable=False),
    sa.Column("spending_limit_minor", sa.BigInteger()),
    sa.Column("joined_at", UtcDateTime(), nullable=False),
    sa.CheckConstraint("spending_limit_minor >= 0", name="spending_limit"),
)
