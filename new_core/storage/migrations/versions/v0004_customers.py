"""Customers, addresses, consent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from new_core.storage.types import JsonText, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = (
    "business_account",
    "consent_purpose",
    "customer",
    "customer_group",
    "data_request",
    "personal_data_access",
    "account_member",
    "consent_record",
    "customer_address",
    "customer_group_member",
    "customer_token",
)


def upgrade() -> None:
    _make_business_account()
    _make_consent_purpose()
    _make_customer()
    _make_customer_group()
    _make_data_request()
    _make_personal_data_access()
    _make_account_member()
    _make_consent_record()
    _make_customer_address()
    _make_customer_group_member()
    _make_customer_token()


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _make_business_account() -> None:
    op.create_table(
        "business_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid()),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("legal_name", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("tax_ids", JsonText(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('company', 'division')", name=op.f("ck_business_account_kind")
        ),
        sa.CheckConstraint(
            "parent_id IS NULL OR kind = 'division'", name=op.f("ck_business_account_parent")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["business_account.id"], name=op.f("fk_business_account_parent_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_business_account")),
    )
    op.create_index(op.f("ix_business_account_parent_id"), "business_account", ["parent_id"])


def _make_consent_purpose() -> None:
    op.create_table(
        "consent_purpose",
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("purpose_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("texts", JsonText(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("data_categories", JsonText(), nullable=False),
        sa.Column("retention_days", sa.Integer()),
        sa.Column("valid_days", sa.Integer()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("retention_days > 0", name=op.f("ck_consent_purpose_retention_days")),
        sa.CheckConstraint("valid_days > 0", name=op.f("ck_consent_purpose_valid_days")),
        sa.PrimaryKeyConstraint("code", "purpose_version", name=op.f("pk_consent_purpose")),
    )


def _make_customer() -> None:
    op.create_table(
        "customer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("username", sa.String(length=254), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("password_scheme", sa.String(length=32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "status IN ('active', 'disabled', 'erased')", name=op.f("ck_customer_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
    )
    op.create_index(op.f("ix_customer_password_scheme"), "customer", ["password_scheme"])
    op.create_index("ix_customer_updated_at_id", "customer", ["updated_at", "id"])
    op.create_index(
        "uq_customer_email",
        "customer",
        ["email"],
        unique=True,
        sqlite_where=sa.text("status <> 'erased'"),
        postgresql_where=sa.text("status <> 'erased'"),
    )
    op.create_index(
        "uq_customer_username",
        "customer",
        ["username"],
        unique=True,
        sqlite_where=sa.text("username <> ''"),
        postgresql_where=sa.text("username <> ''"),
    )


def _make_customer_group() -> None:
    op.create_table(
        "customer_group",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_group")),
        sa.UniqueConstraint("code", name=op.f("uq_customer_group_code")),
    )


def _make_data_request() -> None:
    op.create_table(
        "data_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("verified_by", sa.Text(), nullable=False),
        sa.Column("finished_at", UtcDateTime()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("kind IN ('access', 'erasure')", name=op.f("ck_data_request_kind")),
        sa.CheckConstraint(
            "state IN ('received', 'identity_verified', 'in_progress', 'fulfilled', 'refused')",
            name=op.f("ck_data_request_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_request")),
    )
    op.create_index(op.f("ix_data_request_customer_id"), "data_request", ["customer_id"])


def _make_personal_data_access() -> None:
    op.create_table(
        "personal_data_access",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("fields", JsonText(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personal_data_access")),
    )
    op.create_index(
        "ix_personal_data_access_customer_id_id", "personal_data_access", ["customer_id", "id"]
    )


def _make_account_member() -> None:
    op.create_table(
        "account_member",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("spending_limit_minor", sa.BigInteger()),
        sa.Column("joined_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "spending_limit_minor >= 0", name=op.f("ck_account_member_spending_limit")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["business_account.id"],
            name=op.f("fk_account_member_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_account_member_customer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "customer_id", name=op.f("pk_account_member")),
    )
    op.create_index(op.f("ix_account_member_customer_id"), "account_member", ["customer_id"])


def _make_consent_record() -> None:
    op.create_table(
        "consent_record",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("purpose_version", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("evidence", JsonText(), nullable=False),
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "decision IN ('granted', 'withdrawn', 'expired')",
            name=op.f("ck_consent_record_decision"),
        ),
        sa.ForeignKeyConstraint(
            ["purpose", "purpose_version"],
            ["consent_purpose.code", "consent_purpose.purpose_version"],
            name="fk_consent_record_purpose",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_record")),
    )
    op.create_index(
        "ix_consent_record_customer_id_purpose_at",
        "consent_record",
        ["customer_id", "purpose", "at", "id"],
    )
    op.create_index("ix_consent_record_purpose", "consent_record", ["purpose", "purpose_version"])


def _make_customer_address() -> None:
    op.create_table(
        "customer_address",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("default_shipping", sa.Boolean(), nullable=False),
        sa.Column("default_billing", sa.Boolean(), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
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
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_customer_address_customer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_address")),
    )
    op.create_index(op.f("ix_customer_address_customer_id"), "customer_address", ["customer_id"])


def _make_customer_group_member() -> None:
    op.create_table(
        "customer_group_member",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_customer_group_member_customer_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["customer_group.id"], name=op.f("fk_customer_group_member_group_id")
        ),
        sa.PrimaryKeyConstraint("customer_id", "group_id", name=op.f("pk_customer_group_member")),
    )
    op.create_index(
        op.f("ix_customer_group_member_group_id"), "customer_group_member", ["group_id"]
    )


def _make_customer_token() -> None:
    op.create_table(
        "customer_token",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_customer_token_customer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_customer_token")),
    )
    op.create_index(op.f("ix_customer_token_customer_id"), "customer_token", ["customer_id"])
    op.create_index(op.f("ix_customer_token_expires_at"), "customer_token", ["expires_at"])
