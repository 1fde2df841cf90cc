"""Tables of streams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from new_core.storage import UtcDateTime
from new_core.storage.types import BigNumber

revision = "sync0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_stage()
    _make_books()
    _make_lists()


def downgrade() -> None:
    op.drop_table("mig_definition")
    op.drop_table("mig_rogue")
    op.drop_table("mig_parked")
    op.drop_table("mig_dirty")
    op.drop_table("mig_emptied")
    op.drop_table("mig_claim")
    op.drop_table("mig_stage")
    op.drop_table("mig_progress")
    op.drop_table("mig_checkpoint")


def _make_stage() -> None:
    op.create_table(
        "mig_stage",
        sa.Column("tbl", sa.String(64), primary_key=True),
        sa.Column("pk", sa.Text(), primary_key=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("key", sa.Text()),
        sa.Column("link", sa.Text()),
        sa.Column("row", sa.Text()),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_mig_stage_aggregate", "mig_stage", ["kind", "key"])
    op.create_index("ix_mig_stage_link", "mig_stage", ["tbl", "link"])
    op.create_table(
        "mig_claim",
        sa.Column("tbl", sa.String(64), primary_key=True),
        sa.Column("pk", sa.Text(), primary_key=True),
        sa.Column("by_tbl", sa.String(64), primary_key=True),
        sa.Column("by_pk", sa.Text(), primary_key=True),
    )
    op.create_index("ix_mig_claim_by", "mig_claim", ["by_tbl", "by_pk"])
    op.create_table(
        "mig_emptied",
        sa.Column("tbl", sa.String(64), primary_key=True),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
    )


def _make_books() -> None:
    op.create_table(
        "mig_checkpoint",
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("source_at", UtcDateTime()),
        sa.Column("moved_at", UtcDateTime(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("lag_ms", sa.Float()),
        sa.Column("beat_at", UtcDateTime()),
    )
    op.create_table(
        "mig_progress",
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("domain", sa.String(64), primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("applied", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("applied_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "mig_definition",
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("tbl", sa.String(64), primary_key=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("altered", sa.Text(), nullable=False),
    )


def _make_lists() -> None:
    op.create_table(
        "mig_dirty",
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("marks", sa.BigInteger(), nullable=False),
        sa.Column("first_us", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("not_before_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_mig_dirty_next", "mig_dirty", ["stream", "kind", "position"])
    op.create_table(
        "mig_parked",
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("is_waiting", sa.Boolean(), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("tried_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_mig_parked_domain", "mig_parked", ["stream", "domain"])
    op.create_table(
        "mig_rogue",
        sa.Column("id", BigNumber, primary_key=True, autoincrement=True),
        sa.Column("side", sa.String(16), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("tbl", sa.String(64), nullable=False),
        sa.Column("pk", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("settled_us", sa.BigInteger()),
    )
    op.create_index("ix_mig_rogue_open", "mig_rogue", ["settled_us", "domain"])
