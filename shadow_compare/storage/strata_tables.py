"""The tables of samples. They belong to the same database as those of `tables`."""

from __future__ import annotations

import sqlalchemy as sa

from shadow_compare.storage.tables import metadata


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


# What was compared of each stratum of an epoch. `remembered` rows of `samples` are its own,
# all of them with keys under `below`.
strata = sa.Table(
    "strata",
    metadata,
    _key("domain"),
    _key("epoch"),
    _key("route"),
    _key("served"),
    _key("status_class"),
    _count("compared"),
    _count("mismatched"),
    _count("samples"),
    _count("unequal"),
    _count("remembered"),
    sa.Column("below", sa.BigInteger, nullable=False),
    sa.Column("last_s", sa.Double, nullable=False),
)

# Which samples were counted. `stratum` is a number made of the key of its row in `strata`.
samples = sa.Table(
    "samples",
    metadata,
    sa.Column("stratum", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("sample", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("request", sa.BigInteger, nullable=False),
    sa.Column("is_unequal", sa.Boolean, nullable=False),
    sqlite_with_rowid=False,
)
