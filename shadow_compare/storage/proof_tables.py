"""Tables that rules are proven by: recorded pairs, uses of rules, drift of fields."""

from __future__ import annotations

import sqlalchemy as sa

from shadow_compare.storage.tables import metadata


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


# Whole exchanges, equal ones too: per route and status class those with the lowest draws.
# They belong to the releases of both stores and not to the rules that they prove.
recorded_pairs = sa.Table(
    "recorded_pairs",
    metadata,
    _key("domain"),
    _key("stores"),
    _key("route"),
    _key("status_class"),
    sa.Column("draw", sa.BigInteger, primary_key=True),
    sa.Column("at_s", sa.Double, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    # Keyed hash of the shopper key: what a purge finds a person's pairs by.
    sa.Column("shopper", sa.Text, nullable=True, index=True),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("pair", sa.LargeBinary, nullable=False),
)

# When each rule was first judged by, and when it last accepted something.
rule_uses = sa.Table(
    "rule_uses",
    metadata,
    _key("domain"),
    _key("rule"),
    sa.Column("since_s", sa.Double, nullable=False),
    sa.Column("last_s", sa.Double, nullable=True),
    sa.Column("uses", sa.BigInteger, nullable=False, server_default="0"),
)

# What calibration saw move by itself, between two releases.
drifts = sa.Table(
    "drifts",
    metadata,
    _key("domain"),
    _key("stores"),
    _key("side"),
    _key("route"),
    _key("pattern"),
    sa.Column("at_s", sa.Double, nullable=False),
    sa.Column("drift", sa.LargeBinary, nullable=False),
)
