"""The tables of the evidence. `migrations/` builds the same ones; a test compares them."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


# One row per domain and epoch that anything was ever judged in.
epochs = sa.Table(
    "epochs",
    metadata,
    _key("domain"),
    _key("key"),
    sa.Column("rules", sa.Text, nullable=False),
    sa.Column("stores", sa.Text, nullable=False),
    sa.Column("since_s", sa.Double, nullable=False),
)

# Which epoch a domain is in, and when a comparer last said so. `carried` samples were there
# when it came into force.
domains = sa.Table(
    "domains",
    metadata,
    _key("domain"),
    sa.Column("epoch", sa.Text, nullable=False),
    sa.Column("heartbeat_s", sa.Double, nullable=False),
    _count("carried"),
    sa.Column("in_force_since_s", sa.Double),
)

# Outcomes since the epoch began.
totals = sa.Table(
    "totals",
    metadata,
    _key("domain"),
    _key("epoch"),
    _key("route"),
    _count("matched"),
    _count("accepted"),
    _count("mismatched"),
    _count("incomparable"),
    _count("broken"),
    _count("asked_twice"),
    _count("samples"),
    _count("unequal"),
    _count("noisy"),
)

# The same, in intervals of ten seconds: the trend.
tallies = sa.Table(
    "tallies",
    metadata,
    _key("domain"),
    sa.Column("at_s", sa.BigInteger, primary_key=True),
    _key("epoch"),
    _key("route"),
    _count("matched"),
    _count("accepted"),
    _count("mismatched"),
    _count("incomparable"),
    _count("broken"),
    _count("samples"),
    _count("unequal"),
)

# Answer times, in log-spaced buckets and intervals of five minutes.
latencies = sa.Table(
    "latencies",
    metadata,
    _key("domain"),
    sa.Column("at_s", sa.BigInteger, primary_key=True),
    _key("side"),
    _key("role"),
    sa.Column("bucket", sa.Integer, primary_key=True),
    _count("answers"),
)

# How often each side answered and how often that was an error, in the same intervals.
answered = sa.Table(
    "answered",
    metadata,
    _key("domain"),
    sa.Column("at_s", sa.BigInteger, primary_key=True),
    _key("side"),
    _key("role"),
    _count("answers"),
    _count("errors"),
)

# Where the live side differed from itself, of `totals.asked_twice` exchanges.
noise = sa.Table(
    "noise",
    metadata,
    _key("domain"),
    _key("epoch"),
    _key("route"),
    _key("pattern"),
    _count("differed"),
)

# Mismatches that look the same.
groups = sa.Table(
    "groups",
    metadata,
    _key("fingerprint"),
    _key("epoch"),
    sa.Column("domain", sa.Text, nullable=False, index=True),
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("patterns", sa.Text, nullable=False),
    _count("mismatches"),
    sa.Column("first_seen_s", sa.Double, nullable=False),
    sa.Column("last_seen_s", sa.Double, nullable=False),
    sa.Column("legacy_release", sa.Text, nullable=False, server_default=""),
    sa.Column("core_release", sa.Text, nullable=False, server_default=""),
)

# At most ten exchanges of a group: the first, eight drawn fairly, the last.
examples = sa.Table(
    "examples",
    metadata,
    _key("fingerprint"),
    _key("epoch"),
    sa.Column("slot", sa.Integer, primary_key=True),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("at_s", sa.Double, nullable=False),
    sa.Column("exchange", sa.LargeBinary, nullable=False),
)

# How far each run of the spool was read. A closed run stays until the spool forgot it.
runs = sa.Table(
    "runs",
    metadata,
    _key("run"),
    sa.Column("segment", sa.BigInteger, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("closed", sa.Boolean, nullable=False, server_default=sa.false()),
)

# Where every mirrored exchange went. Closed runs are folded into the run named "".
ledger = sa.Table(
    "ledger",
    metadata,
    _key("run"),
    _key("domain"),
    _key("route"),
    _key("kind"),
    _key("reason"),
    _count("exchanges"),
)
