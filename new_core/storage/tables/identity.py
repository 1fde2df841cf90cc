"""Tables of identity. Secrets and tokens stand here as SHA-256 digests only."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import id_column, metadata, refers, written_columns
from new_core.storage.types import JsonText, UtcDateTime

signing_key = sa.Table(
    "signing_key",
    metadata,
    # Counted up: of two processes that make the next key, one wins.
    sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("kid", sa.String(64), nullable=False, unique=True),
    sa.Column("private_pem", sa.Text(), nullable=False),
    sa.Column("public_pem", sa.Text(), nullable=False),
    sa.Column("signs_from", UtcDateTime(), nullable=False),
    sa.Column("signs_until", UtcDateTime(), nullable=False),
    sa.Column("verifies_until", UtcDateTime(), nullable=False),
)

role = sa.Table(
    "role",
    metadata,
    sa.Column("code", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("scopes", JsonText(), nullable=False),
    *written_columns(),
)

oauth_client = sa.Table(
    "oauth_client",
    metadata,
    id_column(),
    sa.Column("client_id", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("active", sa.Boolean(), nullable=False),
    sa.Column("secrets_sha256", JsonText(), nullable=False),
    sa.Column("redirect_uris", JsonText(), nullable=False),
    sa.Column("roles", JsonText(), nullable=False),
    sa.Column("account_id", sa.Uuid()),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *written_columns(),
    sa.CheckConstraint(
        "kind IN ('service', 'partner', 'staff_app', 'shop_app')", name="kind"
    ),
)  # fmt: skip

staff_user = sa.Table(
    "staff_user",
    metadata,
    id_column(),
    sa.Column("email", sa.String(254), nullable=False, unique=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("password_hash", sa.Text(), nullable=False),
    sa.Column("active", sa.Boolean(), nullable=False),
    sa.Column("roles", JsonText(), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    *written_columns(),
)

# One login: all refresh tokens that came of it die together.
oauth_grant = sa.Table(
    "oauth_grant",
    metadata,
    id_column(),
    sa.Column("client_id", sa.String(64), nullable=False),
    sa.Column("subject_kind", sa.String(12), nullable=False),
    sa.Column("subject_id", sa.Uuid(), nullable=False),
    sa.Column("scopes", JsonText(), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("expires_at", UtcDateTime(), nullable=False, index=True),
    sa.Column("revoked_at", UtcDateTime()),
    sa.Column("revoked_for", sa.String(20), nullable=False),
    sa.Index("ix_oauth_grant_subject", "subject_kind", "subject_id"),
)

oauth_code = sa.Table(
    "oauth_code",
    metadata,
    sa.Column("code_sha256", sa.String(64), primary_key=True),
    sa.Column("grant_id", sa.Uuid(), refers("oauth_grant", cascade=True), nullable=False),
    sa.Column("redirect_uri", sa.Text(), nullable=False),
    sa.Column("challenge", sa.String(128), nullable=False),
    sa.Column("expires_at", UtcDateTime(), nullable=False),
    sa.Column("used_at", UtcDateTime()),
    sa.Index("ix_oauth_code_grant_id", "grant_id"),
)

refresh_token = sa.Table(
    "refresh_token",
    metadata,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("grant_id", sa.Uuid(), refers("oauth_grant", cascade=True), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("used_at", UtcDateTime()),
    sa.Index("ix_refresh_token_grant_id", "grant_id"),
)

login_attempts = sa.Table(
    "login_attempts",
    metadata,
    # A digest: who tried to log in is personal too.
    sa.Column("key_sha256", sa.String(64), primary_key=True),
    sa.Column("tries", sa.Integer(), nullable=False),
    sa.Column("until", UtcDateTime(), nullable=False, index=True),
)
