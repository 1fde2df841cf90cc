"""Tables of ours that stand in both databases beside the stores' own.

They travel through the same logs as the stores' tables, and that is what they are for.
"""

from __future__ import annotations

from legacy_adapters.mapping.rows import Column, ColumnKind, Table
from legacy_adapters.mapping.versions import Side

_TEXT, _INTEGER = Column(ColumnKind.TEXT), Column(ColumnKind.INTEGER)

FENCE = Table(
    "mig_fence", ("domain",), {"domain": _TEXT, "owner": _TEXT, "term": _INTEGER}, is_fenced=False
)
"""Who may write a domain here: "legacy", "core" or "none". Its change stands in the log after
every write that it still let through and before every one that it refused: it is the mark.
"""

APPLIED = Table(
    "mig_applied",
    ("stream", "domain"),
    {
        "stream": _TEXT,
        "domain": _TEXT,
        "term": _INTEGER,  # the newest term that an applier came with; an older one is fenced out
        "barrier": _INTEGER,  # the term up to whose fence everything is applied
        "position": _INTEGER,
        "writes": _INTEGER,  # goes up: a row that stays as it was stands in no binary log
    },
    is_fenced=False,
)
"""How far this database has what the other side wrote. A transaction that writes it is the
replicator's own, and is never sent back: the tag against loops.
"""

HEARTBEAT = Table(
    "mig_heartbeat",
    ("name",),
    {"name": _TEXT, "beat": _INTEGER, "sent_us": _INTEGER},
    is_fenced=False,
)
"""A row that is written again and again, to see how long a change takes to the other side."""

MARKS = (FENCE, APPLIED, HEARTBEAT)

VERSIONS = "mig_version"
"""kind, id (the core's id as text), term, position, is_deleted: the newest state of each
aggregate that was applied here. Not captured.
"""

REPLICATOR = "replicator"
"""What `banyan.role` (PostgreSQL), `@banyan_role` (MariaDB) or `mig_role.role` (SQLite) is while
the replicator writes: fences let it through.
"""

DRY_RUN = "dry_run"
"""The same for what is rolled back anyway."""


def stream_from(side: Side) -> str:
    """Name of the stream that carries a side's changes across."""
    return f"{side}>{side.other}"
