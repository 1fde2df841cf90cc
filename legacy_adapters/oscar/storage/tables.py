"""What the facade has to remember that the core has no word for. Deleted with the adapter."""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage import UtcDateTime

metadata = sa.MetaData()

session = sa.Table(
    "oscar_session",
    metadata,
    # Made from the session's own key where that is kept, else from its digest.
    sa.Column("id", sa.Uuid()),
    sa.Column("key_sha256", sa.String(64), nullable=False),
    # As oscar keeps it: whoever reads it is that client. Only where sessions are carried.
    sa.Column("session_key", sa.String(40)),
    sa.Column("customer_id", sa.Uuid()),
    sa.Column("cart_id", sa.Uuid()),
    # What Django compares with the password; empty where oscar did not log them in.
    sa.Column("auth_hash", sa.Text(), nullable=False, server_default=""),
    sa.Column("updated_at", UtcDateTime(), nullable=False),
    sa.Column("expires_at", UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint("id", name="pk_oscar_session"),
    sa.UniqueConstraint("key_sha256", name="uq_oscar_session_key_sha256"),
    sa.Index("ix_oscar_session_expires_at", "expires_at"),
)

# Which place a line of a basket names; the core sells from the first one.
line = sa.Table(
    "oscar_line",
    metadata,
    sa.Column("line_id", sa.Uuid(), primary_key=True),
    sa.Column("cart_id", sa.Uuid(), nullable=False),
    sa.Column("stock_level_id", sa.Uuid(), nullable=False),
    sa.Index("ix_oscar_line_cart_id", "cart_id"),
)

# The codes that oscar knows; its baskets name them by number.
voucher = sa.Table(
    "oscar_voucher",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("code", sa.String(128), nullable=False),
    sa.Index("ix_oscar_voucher_code", "code"),
)

# Out of what attributes are chosen: the core holds the labels alone.
choice_list = sa.Table(
    "oscar_choice_list",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("code", sa.String(255)),
)

choice = sa.Table(
    "oscar_choice",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("list_id", sa.Uuid(), nullable=False),
    sa.Column("position", sa.Integer(), nullable=False),
    sa.Column("label", sa.String(255), nullable=False),
    sa.Column("code", sa.String(255)),
    sa.Index("ix_oscar_choice_list_id", "list_id"),
    sa.Index("ix_oscar_choice_label", "label"),
)

# Which choices a product's labels are.
chosen = sa.Table(
    "oscar_chosen",
    metadata,
    sa.Column("product_id", sa.Uuid(), primary_key=True),
    sa.Column("attribute_id", sa.Uuid(), primary_key=True),
    sa.Column("choice_id", sa.Uuid(), primary_key=True),
    sa.Column("position", sa.Integer(), nullable=False),
    sa.Index("ix_oscar_chosen_choice_id", "choice_id"),
)

counter = sa.Table(
    "oscar_counter",
    metadata,
    sa.Column("entity_type", sa.String(32), primary_key=True),
    sa.Column("last", sa.BigInteger(), nullable=False),
)

country = sa.Table(
    "oscar_country",
    metadata,
    sa.Column("code", sa.String(2), primary_key=True),
    sa.Column("alpha_3", sa.String(3), nullable=False),
    sa.Column("numeric_code", sa.String(3), nullable=False),
    sa.Column("printable_name", sa.Text(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("rank", sa.Integer(), nullable=False),
    sa.Column("ships", sa.Boolean(), nullable=False),
)
