"""Mismatch groups: their life and journal, rate, cohorts, money, signatures, releases."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _must(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _time(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=False)


def _said() -> tuple[sa.Column[Any], ...]:
    texts = map(_text, ("changed_by", "owner", "note", "ticket"))
    return (*texts, sa.Column("expires", sa.Date, nullable=True))


def _create(name: str, keys: int, *columns: sa.Column[Any]) -> None:
    key = sa.PrimaryKeyConstraint(*(c.name for c in columns[:keys]), name=f"pk_{name}")
    op.create_table(name, *columns, key)


def upgrade() -> None:
    with op.batch_alter_table("groups") as groups:
        groups.add_column(_text("legacy_release"))
        groups.add_column(_text("core_release"))
    _lives()
    _create("exposures", 2, _must("domain"), _must("route"), _count("compared"))
    _create(
        "group_hits",
        2,
        _must("fingerprint"),
        sa.Column("at_s", sa.BigInteger, nullable=False),
        _count("mismatches"),
    )
    op.create_index("ix_group_hits_at_s", "group_hits", ["at_s"])
    _create(
        "group_cohorts",
        3,
        _must("fingerprint"),
        _must("epoch"),
        _must("cohort"),
        _count("mismatches"),
    )
    amounts = ("affected_minor", "over_minor", "under_minor", "exchanges", "compared")
    _create(
        "group_stakes",
        3,
        _must("fingerprint"),
        _must("epoch"),
        _must("currency"),
        *map(_count, amounts),
    )
    _create("group_signatures", 2, _must("fingerprint"), _must("signature"))
    op.create_index("ix_group_signatures_signature", "group_signatures", ["signature"])
    _carry_over()


def _lives() -> None:
    _create(
        "group_lives",
        1,
        _must("fingerprint"),
        _must("domain"),
        _must("route"),
        _must("state"),
        _time("since_s"),
        *_said(),
        _must("epoch"),
        *map(_count, ("hits", "compared_from", "compared_last")),
    )
    op.create_index("ix_group_lives_state", "group_lives", ["state"])
    _create(
        "group_journal",
        2,
        _must("fingerprint"),
        sa.Column("n", sa.Integer, nullable=False),
        _time("at_s"),
        _must("act"),
        _must("before"),
        _must("after"),
        *_said(),
    )


def _carry_over() -> None:
    """Groups that are known already begin as new ones.

    When each was last seen, in comparisons, is not known: it is taken to be now, so that
    none is closed too early.
    """
    op.execute(
        "INSERT INTO exposures (domain, route, compared)"
        " SELECT domain, route, SUM(matched + accepted + mismatched) FROM totals"
        " GROUP BY domain, route"
    )
    op.execute(
        "INSERT INTO group_lives (fingerprint, domain, route, state, since_s, epoch, hits,"
        " compared_from, compared_last)"
        " SELECT g.fingerprint, MIN(g.domain), MIN(g.route), 'new', MIN(g.first_seen_s), '',"
        " SUM(g.mismatches), 0, COALESCE((SELECT MAX(e.compared) FROM exposures e"
        " WHERE e.domain = MIN(g.domain) AND e.route = MIN(g.route)), SUM(g.mismatches))"
        " FROM groups g GROUP BY g.fingerprint"
    )


def downgrade() -> None:
    for name in (
        "group_signatures",
        "group_stakes",
        "group_cohorts",
        "group_hits",
        "exposures",
        "group_journal",
        "group_lives",
    ):
        op.drop_table(name)
    with op.batch_alter_table("groups") as groups:
        groups.drop_column("core_release")
        groups.drop_column("legacy_release")
