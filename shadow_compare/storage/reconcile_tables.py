"""Tables of reconciliation: passes, their stretches, differences and repairs."""

from __future__ import annotations

import sqlalchemy as sa

from shadow_compare.storage.tables import metadata


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _moment(name: str, *, known: bool = True) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=not known)


# One row per pass. `holder` runs it and says so every few seconds in `beat_s`.
passes = sa.Table(
    "reconcile_passes",
    metadata,
    _key("id"),
    sa.Column("domain", sa.Text, nullable=False, index=True),
    _text("kind"),
    _text("owner"),
    _count("from_order"),
    _moment("started_s"),
    _moment("ended_s", known=False),
    _count("expected"),
    _count("checked"),
    _count("rows"),
    _count("different"),
    _count("unsettled"),
    _count("looked_again"),
    sa.Column("is_clean", sa.Boolean, nullable=False, server_default=sa.false()),
    _text("holder"),
    _moment("beat_s"),
    _text("problem"),
)

# How far each part of a pass is. `tally` and `pending` are JSON; they are read as a whole.
stretches = sa.Table(
    "reconcile_stretches",
    metadata,
    _key("pass_id"),
    sa.Column("number", sa.Integer, primary_key=True),
    _text("kind"),
    _text("leg"),
    sa.Column("first", sa.Text),
    sa.Column("last", sa.Text),
    sa.Column("cursor", sa.Text),
    sa.Column("is_done", sa.Boolean, nullable=False, server_default=sa.false()),
    _count("behind"),
    _text("tally"),
    _text("pending"),
)

# What a pass could not tell: it never stood still.
unsettled = sa.Table(
    "reconcile_unsettled",
    metadata,
    _key("pass_id"),
    _key("kind"),
    _key("key"),
)

# Every aggregate that ever differed. `stake_minor` is NULL where no money is at stake.
drifts = sa.Table(
    "reconcile_drifts",
    metadata,
    _key("id"),
    sa.Column("domain", sa.Text, nullable=False, index=True),
    _text("kind"),
    _text("key"),
    _text("core_id"),
    _text("owner"),
    _text("drift"),
    _text("fields"),
    sa.Column("stake_minor", sa.BigInteger),
    _text("currency"),
    _text("note"),
    _moment("first_s"),
    _moment("last_s"),
    sa.Column("state", sa.Text, nullable=False, index=True),
    _moment("since_s"),
    _text("said_by"),
    _text("reason"),
)

# What the fields of a difference held, personal data hidden.
samples = sa.Table(
    "reconcile_samples",
    metadata,
    _key("drift_id"),
    sa.Column("n", sa.Integer, primary_key=True),
    _text("path"),
    _text("owner"),
    _text("other"),
)

# What repairs did.
repairs = sa.Table(
    "reconcile_repairs",
    metadata,
    _key("id"),
    sa.Column("domain", sa.Text, nullable=False, index=True),
    _text("owner"),
    _text("said_by"),
    _text("cause"),
    _count("keys"),
    _text("stake"),
    _count("repaired"),
    _moment("started_s"),
    _moment("ended_s", known=False),
)
