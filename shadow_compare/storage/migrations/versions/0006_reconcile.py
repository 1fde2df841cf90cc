"""Reconciliation: passes, their stretches, differences and repairs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = ("passes", "stretches", "unsettled", "drifts", "samples", "repairs")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())


def _moment(name: str, *, known: bool = True) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=not known)


def upgrade() -> None:
    _make_passes()
    op.create_table(
        "reconcile_drifts",
        *(_key(name) for name in ("id", "domain")),
        *(_text(name) for name in ("kind", "key", "core_id", "owner", "drift", "fields")),
        sa.Column("stake_minor", sa.BigInteger),
        *(_text(name) for name in ("currency", "note")),
        *(_moment(name) for name in ("first_s", "last_s")),
        _key("state"),
        _moment("since_s"),
        *(_text(name) for name in ("said_by", "reason")),
        sa.PrimaryKeyConstraint("id", name="pk_reconcile_drifts"),
    )
    op.create_index("ix_reconcile_drifts_domain", "reconcile_drifts", ["domain"])
    op.create_index("ix_reconcile_drifts_state", "reconcile_drifts", ["state"])
    op.create_table(
        "reconcile_samples",
        _key("drift_id"),
        sa.Column("n", sa.Integer, nullable=False),
        *(_text(name) for name in ("path", "owner", "other")),
        sa.PrimaryKeyConstraint("drift_id", "n", name="pk_reconcile_samples"),
    )
    op.create_table(
        "reconcile_repairs",
        *(_key(name) for name in ("id", "domain")),
        *(_text(name) for name in ("owner", "said_by", "cause")),
        _count("keys"),
        _text("stake"),
        _count("repaired"),
        _moment("started_s"),
        _moment("ended_s", known=False),
        sa.PrimaryKeyConstraint("id", name="pk_reconcile_repairs"),
    )
    op.create_index("ix_reconcile_repairs_domain", "reconcile_repairs", ["domain"])


def _make_passes() -> None:
    counts = ("expected", "checked", "rows", "different", "unsettled", "looked_again")
    op.create_table(
        "reconcile_passes",
        *(_key(name) for name in ("id", "domain")),
        *(_text(name) for name in ("kind", "owner")),
        _count("from_order"),
        _moment("started_s"),
        _moment("ended_s", known=False),
        *(_count(name) for name in counts),
        _flag("is_clean"),
        _text("holder"),
        _moment("beat_s"),
        _text("problem"),
        sa.PrimaryKeyConstraint("id", name="pk_reconcile_passes"),
    )
    op.create_index("ix_reconcile_passes_domain", "reconcile_passes", ["domain"])
    op.create_table(
        "reconcile_stretches",
        _key("pass_id"),
        sa.Column("number", sa.Integer, nullable=False),
        *(_text(name) for name in ("kind", "leg")),
        *(sa.Column(name, sa.Text) for name in ("first", "last", "cursor")),
        _flag("is_done"),
        _count("behind"),
        *(_text(name) for name in ("tally", "pending")),
        sa.PrimaryKeyConstraint("pass_id", "number", name="pk_reconcile_stretches"),
    )
    keys = ("pass_id", "kind", "key")
    op.create_table(
        "reconcile_unsettled",
        *(_key(name) for name in keys),
        sa.PrimaryKeyConstraint(*keys, name="pk_reconcile_unsettled"),
    )


def downgrade() -> None:
    for name in reversed(_TABLES):
        op.drop_table(f"reconcile_{name}")
