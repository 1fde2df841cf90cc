"""An oscar's and a core's database in the hands of a DBA, who gets past streams and fences."""

# ruff: noqa: S608 - SQL by hand is what this module makes, of own names

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg2
import pymysql

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Database:
    """One database. Every call is a transaction of its own."""

    url: str

    @property
    def kind(self) -> str:
        """sqlite, postgresql or mysql."""
        return self.url.partition(":")[0]

    def literal(self, uid: UUID) -> str:
        """An id as SQL of the core's tables."""
        return f"'{uid.hex if self.kind == 'sqlite' else uid}'"

    def run(self, *statements: str) -> Rows:
        """As an application: fenced, and its writes are in the log."""
        with self._open() as cursor:
            return _all(cursor, statements)

    def columns(self, table: str) -> list[str]:
        """Names of a table's columns."""
        with self._open() as cursor:
            cursor.execute(f"SELECT * FROM {table} WHERE 1 = 0")
            return [str(one[0]) for one in cursor.description]

    def unlogged(self, tables: Sequence[str], *statements: str) -> None:
        """Past the fence, and no log of changes tells of it.

        SQLite: a tool that copies tables drops their triggers and makes them again. MariaDB:
        sql_log_bin is off. PostgreSQL: the tables were left out of the publication meanwhile.
        """
        with self._open() as cursor:
            if self.kind == "sqlite":
                with _without_triggers(cursor, tables, "%"):
                    _all(cursor, statements)
            elif self.kind == "mysql":
                _all(cursor, ("SET sql_log_bin = 0", "SET @banyan_role = 'replicator'"))
                _all(cursor, statements)
            else:
                with _unpublished(cursor, tables):
                    _all(cursor, ("SELECT set_config('banyan.role', 'replicator', true)",))
                    _all(cursor, statements)

    def unfenced(self, tables: Sequence[str], *statements: str) -> None:
        """Past the fence, in the log: a rogue's write."""
        with self._open() as cursor:
            if self.kind == "sqlite":
                with _without_triggers(cursor, tables, "mig_fence%"):
                    _all(cursor, statements)
            elif self.kind == "mysql":
                _all(cursor, ("SET @banyan_role = 'replicator'", *statements))
            else:
                # The fence fires even for replicas: somebody has to switch it off.
                off = [f"ALTER TABLE {table} DISABLE TRIGGER mig_fence" for table in tables]
                on = [f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER mig_fence" for table in tables]
                _all(cursor, (*off, *statements, *on))

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        if self.kind == "sqlite":
            file = sqlite3.connect(
                self.url.removeprefix("sqlite:///"), timeout=60, isolation_level=None
            )
            with contextlib.closing(file):
                file.execute("BEGIN IMMEDIATE")
                yield file.cursor()
                file.execute("COMMIT")
        elif self.kind == "mysql":
            place, _, name = self.url.partition("@")[2].partition("/")
            host, _, port = place.partition(":")
            maria = pymysql.connect(
                host=host, port=int(port), user="root", database=name, charset="utf8mb4"
            )
            with contextlib.closing(maria):
                yield maria.cursor()
                maria.commit()
        else:
            server = psycopg2.connect(self.url, options="-c timezone=UTC")
            with contextlib.closing(server):
                yield server.cursor()
                server.commit()


def _all(cursor: Any, statements: Sequence[str]) -> Rows:
    found: Rows = []
    for statement in statements:
        cursor.execute(statement)
        found = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
    return found


@contextlib.contextmanager
def _without_triggers(cursor: Any, tables: Sequence[str], like: str) -> Iterator[None]:
    names = ", ".join(f"'{table}'" for table in tables)
    wanted = f"type = 'trigger' AND tbl_name IN ({names}) AND name LIKE '{like}'"
    found = _all(cursor, [f"SELECT name, sql FROM sqlite_master WHERE {wanted}"])
    assert found, tables
    _all(cursor, [f'DROP TRIGGER "{name}"' for name, _ in found])
    yield
    _all(cursor, [sql for _, sql in found])


@contextlib.contextmanager
def _unpublished(cursor: Any, tables: Sequence[str]) -> Iterator[None]:
    names = ", ".join(f"'{table}'" for table in tables)
    found = _all(
        cursor,
        [f"SELECT pubname, tablename FROM pg_publication_tables WHERE tablename IN ({names})"],
    )
    assert found, tables
    _all(cursor, [f'ALTER PUBLICATION "{of}" DROP TABLE "{table}"' for of, table in found])
    yield
    _all(cursor, [f'ALTER PUBLICATION "{of}" ADD TABLE "{table}"' for of, table in found])
