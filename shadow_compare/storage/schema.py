"""Bring the evidence database to the shape this release writes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shadow_compare.errors import EvidenceUnavailable

_MIGRATIONS = Path(__file__).parent / "migrations"
_TRIES, _RETRY_S = 50, 0.1
_LOCK = 5_723_441_190_212_804  # any number that no other program locks in this database


def alembic_config() -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def head_revision() -> str:
    """The revision that this release reads and writes."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise EvidenceUnavailable(f"no migrations found in {_MIGRATIONS}")
    return head


async def migrate(engine: AsyncEngine) -> None:
    """Create or upgrade the tables. Safe to run from several processes at once.

    Raises:
        EvidenceUnavailable: the database did not answer, refused, or is newer than this
            release.
    """
    # Alembic announces itself on every start; a comparer's log has better things to say.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    for last in (False,) * _TRIES + (True,):
        try:
            await _migrate(engine)
        except OperationalError as exc:
            # Two comparers meet on a new SQLite file: while one writes the tables, the
            # other may not turn on WAL, and SQLite says so without waiting.
            if last or "locked" not in str(exc):
                raise EvidenceUnavailable(f"cannot prepare the evidence database: {exc}") from exc
            await asyncio.sleep(_RETRY_S)
        except (SQLAlchemyError, OSError) as exc:
            raise EvidenceUnavailable(f"cannot prepare the evidence database: {exc}") from exc
        else:
            return


async def _migrate(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            lock = sa.text("SELECT pg_advisory_xact_lock(:key)")
            await connection.execute(lock, {"key": _LOCK})
        await connection.run_sync(_upgrade)


def _upgrade(connection: sa.Connection) -> None:
    found = current_revision(connection)
    known = {
        script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()
    }
    if found is not None and found not in known:
        raise EvidenceUnavailable(
            f"the evidence database is of a newer release (revision {found}); upgrade this one"
        )
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def current_revision(connection: sa.Connection) -> str | None:
    """The revision the database is at, None when it holds no evidence yet."""
    if not sa.inspect(connection).has_table("evidence_version"):
        return None
    row = connection.execute(sa.text("SELECT version_num FROM evidence_version")).first()
    return None if row is None else str(row[0])
