"""The evidence: epochs, tallies, groups, examples, checkpoints, books."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OUTCOMES = ("matched", "accepted", "mismatched", "incomparable", "broken")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _time(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=False)


def upgrade() -> None:
    _counts()
    _groups()
    _spool()


def _create(name: str, keys: int, *columns: sa.Column[Any]) -> None:
    key = sa.PrimaryKeyConstraint(*(c.name for c in columns[:keys]), name=f"pk_{name}")
    op.create_table(name, *columns, key)


def _counts() -> None:
    outcomes = [_count(name) for name in (*OUTCOMES, "asked_twice")]
    per_interval = [_count(name) for name in OUTCOMES]
    _create(
        "epochs", 2, _key("domain"), _key("key"), _key("rules"), _key("stores"), _time("since_s")
    )
    _create("domains", 1, _key("domain"), _key("epoch"), _time("heartbeat_s"))
    _create("totals", 3, _key("domain"), _key("epoch"), _key("route"), *outcomes)
    _create(
        "tallies", 4, _key("domain"), _number("at_s"), _key("epoch"), _key("route"), *per_interval
    )
    _create(
        "latencies",
        5,
        _key("domain"),
        _number("at_s"),
        _key("side"),
        _key("role"),
        sa.Column("bucket", sa.Integer, nullable=False),
        _count("answers"),
    )
    _create(
        "noise",
        4,
        _key("domain"),
        _key("epoch"),
        _key("route"),
        _key("pattern"),
        _count("differed"),
    )


def _groups() -> None:
    _create(
        "groups",
        2,
        _key("fingerprint"),
        _key("epoch"),
        _key("domain"),
        _key("route"),
        _key("title"),
        _key("patterns"),
        _count("mismatches"),
        _time("first_seen_s"),
        _time("last_seen_s"),
    )
    op.create_index("ix_groups_domain", "groups", ["domain"])
    _create(
        "examples",
        3,
        _key("fingerprint"),
        _key("epoch"),
        sa.Column("slot", sa.Integer, nullable=False),
        _key("run"),
        _number("seq"),
        _time("at_s"),
        sa.Column("exchange", sa.LargeBinary, nullable=False),
    )


def _spool() -> None:
    closed = sa.Column("closed", sa.Boolean, nullable=False, server_default=sa.false())
    _create("runs", 1, _key("run"), _number("segment"), _number("position"), closed)
    _create(
        "ledger",
        5,
        _key("run"),
        _key("domain"),
        _key("route"),
        _key("kind"),
        _key("reason"),
        _count("exchanges"),
    )


def downgrade() -> None:
    for name in (
        "ledger",
        "runs",
        "examples",
        "groups",
        "noise",
        "latencies",
        "tallies",
        "totals",
        "domains",
        "epochs",
    ):
        op.drop_table(name)
