"""Brings a database to this program's tables, one process at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from new_core.errors import SchemaMismatch, StoreUnavailable
from new_core.storage.engine import WRITING

_Change = Callable[[Config], None]

HEAD = "head"


@dataclass(frozen=True, slots=True)
class Chain:
    """Migrations of some tables, one after the other.

    Attributes:
        folder: where they stand, as Alembic wants it.
        version_table: in which the database keeps how far it is with them.
    """

    folder: Path
    version_table: str = "alembic_version"


CORE = Chain(Path(__file__).parent / "migrations")
_LOCK_KEY = 4_706_051_966_283_021
"""Any number, the same in every process; names the advisory lock on PostgreSQL."""


def head_revision(chain: Chain = CORE) -> str:
    """The revision that this program works with."""
    head = ScriptDirectory.from_config(_config(chain)).get_current_head()
    if head is None:
        raise SchemaMismatch("this installation has no migrations; reinstall it")
    return head


async def current_revision(engine: AsyncEngine) -> str | None:
    """The revision that the database is at; None for an empty one.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_revision, CORE)
    except (DBAPIError, OSError) as exc:
        raise StoreUnavailable(_first_line(exc)) from exc


async def upgrade(engine: AsyncEngine, revision: str = HEAD, *, chain: Chain = CORE) -> None:
    """Migrate up; does nothing when the database is there already.

    1. Two processes start on an empty database, 2. both see no tables, 3. both make them.
    So the look and the making happen under one lock: SQLite's write lock, taken at BEGIN, or
    an advisory lock of PostgreSQL, held to the end of the transaction.

    Raises:
        SchemaMismatch: the database was made by a newer program.
        StoreUnavailable: the database does not answer.
    """
    await _run(engine, chain, lambda config: command.upgrade(config, revision))


async def downgrade(engine: AsyncEngine, revision: str, *, chain: Chain = CORE) -> None:
    """Migrate down to a revision, or to "base", which drops every table and all data."""
    await _run(engine, chain, lambda config: command.downgrade(config, revision))


async def _run(engine: AsyncEngine, chain: Chain, change: _Change) -> None:
    def run(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        _refuse_newer(_revision(connection, chain), chain)
        config = _config(chain)
        config.attributes["connection"] = connection
        change(config)

    try:
        async with engine.connect() as connection:
            writing = await connection.execution_options(**{WRITING: True})
            async with writing.begin():
                await writing.run_sync(run)
    except (DBAPIError, OSError) as exc:
        raise StoreUnavailable(_first_line(exc)) from exc


def _refuse_newer(revision: str | None, chain: Chain) -> None:
    scripts = ScriptDirectory.from_config(_config(chain))
    known = {one.revision for one in scripts.walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaMismatch(
            f"the database is at revision {revision}, which this program does not know; "
            "run the newer program, or restore the backup from before its upgrade"
        )


def _revision(connection: Connection, chain: Chain) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": chain.version_table})
    return context.get_current_revision()


def _config(chain: Chain) -> Config:
    config = Config()
    config.set_main_option("script_location", str(chain.folder))
    config.set_main_option("path_separator", "os")
    return config


def _first_line(exc: Exception) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0]
