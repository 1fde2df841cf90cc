"""Sessions, places of lines and codes, as they are carried between both stores."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from new_core.domain.identity import core_id
from new_core.storage import UtcDateTime

revision = "oscar0002"
down_revision = "oscar0001"
branch_labels = None
depends_on = None

_AT_ONCE = 1000


def upgrade() -> None:
    op.create_table(
        "oscar_line",
        sa.Column("line_id", sa.Uuid(), primary_key=True),
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("stock_level_id", sa.Uuid(), nullable=False),
    )
    op.create_index("ix_oscar_line_cart_id", "oscar_line", ["cart_id"])
    op.create_table(
        "oscar_voucher",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("code", sa.String(128), nullable=False),
    )
    op.create_index("ix_oscar_voucher_code", "oscar_voucher", ["code"])
    op.drop_index("ix_oscar_session_expires_at", table_name="oscar_session")
    new = op.create_table(
        "oscar_session_new",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key_sha256", sa.String(64), nullable=False),
        sa.Column("session_key", sa.String(40)),
        sa.Column("customer_id", sa.Uuid()),
        sa.Column("cart_id", sa.Uuid()),
        sa.Column("auth_hash", sa.Text(), nullable=False, server_default=""),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_oscar_session"),
        sa.UniqueConstraint("key_sha256", name="uq_oscar_session_key_sha256"),
    )
    _copy(_sessions(), new)
    op.drop_table("oscar_session")
    op.rename_table("oscar_session_new", "oscar_session")
    op.create_index("ix_oscar_session_expires_at", "oscar_session", ["expires_at"])


def downgrade() -> None:
    op.drop_index("ix_oscar_session_expires_at", table_name="oscar_session")
    old = op.create_table(
        "oscar_session_old",
        sa.Column("key_sha256", sa.String(64), primary_key=True),
        sa.Column("customer_id", sa.Uuid()),
        sa.Column("cart_id", sa.Uuid()),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
    )
    _copy(_sessions(), old)
    op.drop_table("oscar_session")
    op.rename_table("oscar_session_old", "oscar_session")
    op.create_index("ix_oscar_session_expires_at", "oscar_session", ["expires_at"])
    op.drop_table("oscar_voucher")
    op.drop_table("oscar_line")


def _sessions() -> sa.TableClause:
    return sa.table(
        "oscar_session",
        sa.column("key_sha256", sa.String()),
        sa.column("customer_id", sa.Uuid()),
        sa.column("cart_id", sa.Uuid()),
        sa.column("updated_at", UtcDateTime()),
        sa.column("expires_at", UtcDateTime()),
    )


def _copy(source: sa.TableClause, target: sa.Table) -> None:
    """Copy the sessions, some at a time: there may be many."""
    connection, last = op.get_bind(), ""
    while True:
        chosen = sa.select(source).where(source.c.key_sha256 > last)
        page = connection.execute(chosen.order_by(source.c.key_sha256).limit(_AT_ONCE)).mappings()
        rows: list[dict[str, Any]] = [dict(row) for row in page]
        if not rows:
            return
        last = rows[-1]["key_sha256"]
        if "id" in target.c:
            for row in rows:
                row["id"] = core_id("oscar", "session", row["key_sha256"])
        connection.execute(sa.insert(target), rows)
