"""The core's tables in SQLite or PostgreSQL, and units of work on them.

engine = make_engine("sqlite:///var/core.sqlite3")
await upgrade(engine)
database = SqlDatabase(engine, make_reader("sqlite:///var/core.sqlite3"))
"""

from __future__ import annotations

from new_core.storage.database import SqlDatabase, connection_of
from new_core.storage.dry_run import MarkDryRun
from new_core.storage.engine import make_engine, make_reader, make_trier
from new_core.storage.migrate import Chain, downgrade, upgrade
from new_core.storage.types import UtcDateTime

__all__ = [
    "Chain",
    "MarkDryRun",
    "SqlDatabase",
    "UtcDateTime",
    "connection_of",
    "downgrade",
    "make_engine",
    "make_reader",
    "make_trier",
    "upgrade",
]
