"""The tables of mismatch groups besides `groups` and `examples` themselves."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from shadow_compare.storage.tables import metadata


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _said() -> tuple[sa.Column[Any], ...]:
    """What a person, or the comparer, said of a group."""
    return (
        _text("changed_by"),
        _text("owner"),
        _text("note"),
        _text("ticket"),
        sa.Column("expires", sa.Date, nullable=True),
    )


# Where each group stands, whatever the epoch, and what its closing is reckoned from:
# `hits` within (`compared_from`, `compared_last`] of its route's exposures, in `epoch`.
lives = sa.Table(
    "group_lives",
    metadata,
    _key("fingerprint"),
    sa.Column("domain", sa.Text, nullable=False),
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("since_s", sa.Double, nullable=False),
    *_said(),
    sa.Column("epoch", sa.Text, nullable=False),
    _count("hits"),
    _count("compared_from"),
    _count("compared_last"),
)

# Who moved a group, when and why; the newest hundred of each.
journal = sa.Table(
    "group_journal",
    metadata,
    _key("fingerprint"),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("at_s", sa.Double, nullable=False),
    sa.Column("act", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    *_said(),
)

# Comparisons of a route since records began, over all epochs. It only ever grows.
exposures = sa.Table(
    "exposures",
    metadata,
    _key("domain"),
    _key("route"),
    _count("compared"),
)

# When a group was seen, in slots of ten minutes, for a day.
hits = sa.Table(
    "group_hits",
    metadata,
    _key("fingerprint"),
    sa.Column("at_s", sa.BigInteger, primary_key=True, index=True),
    _count("mismatches"),
)

# Who answered the shoppers that met it.
cohorts = sa.Table(
    "group_cohorts",
    metadata,
    _key("fingerprint"),
    _key("epoch"),
    _key("cohort"),
    _count("mismatches"),
)

# The money that its exchanges were about.
stakes = sa.Table(
    "group_stakes",
    metadata,
    _key("fingerprint"),
    _key("epoch"),
    _key("currency"),
    _count("affected_minor"),
    _count("over_minor"),
    _count("under_minor"),
    _count("exchanges"),
    _count("compared"),
)

# Its single differences, so that groups are found which share one.
signatures = sa.Table(
    "group_signatures",
    metadata,
    _key("fingerprint"),
    sa.Column("signature", sa.Text, primary_key=True, index=True),
)
