"""What the replicator notes in a target database, in the transaction of its writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.errors import FencedOut
from legacy_adapters.mapping.marks import REPLICATOR
from legacy_adapters.mapping.versions import Version
from legacy_adapters.storage.opening import MARIADB, POSTGRESQL, SQLITE
from legacy_adapters.storage.tables import marks as t

_CHUNK = 500
_ROLES = {
    SQLITE: "UPDATE mig_role SET role = '{}' WHERE id = 1",
    POSTGRESQL: "SELECT set_config('banyan.role', '{}', true)",
    MARIADB: "SET @banyan_role = '{}'",
}


class SqlMarks:
    """The marks of one writing transaction. Raises the database's own errors, and FencedOut."""

    def __init__(
        self, connection: AsyncConnection, stream: str, domain: str, term: int, position: int
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._domain = domain
        self._term = term
        self._position = position
        self._dialect = connection.dialect.name

    async def begin(self) -> None:
        """Say who writes, before anything is written.

        From here on the row of APPLIED is locked: who comes for the same stream and domain
        waits, so that the versions that are read here are still true when they are stamped.

        Raises:
            FencedOut: an applier with a newer term was here.
        """
        await say_role(self._connection, REPLICATOR)
        await self._sign()

    async def end(self) -> None:
        """Say it again, after all that was written.

        A database that knows rows but no transactions in its log, as SQLite's changes are
        kept, takes for ours what stands between the two.
        """
        await self._sign()
        if self._dialect != POSTGRESQL:
            # There the role ends with the transaction, after what is checked at its very end.
            await say_role(self._connection, "")

    async def versions(self, kind: str, ids: Collection[UUID]) -> dict[UUID, Version]:
        """As Writing.versions."""
        here, found = t.version.c, {}
        wanted = sorted(str(one) for one in ids)
        for start in range(0, len(wanted), _CHUNK):
            part = wanted[start : start + _CHUNK]
            statement = sa.select(here.id, here.term, here.position).where(
                here.kind == kind, here.id.in_(part)
            )
            for row in await self._connection.execute(statement):
                found[UUID(row.id)] = Version(row.term, row.position)
        return found

    async def stamp(
        self, kind: str, versions: Mapping[UUID, Version], deleted: Collection[UUID]
    ) -> None:
        """As Writing.stamp."""
        gone = frozenset(deleted)
        rows = [
            {
                "kind": kind,
                "id": str(one),
                "term": version.term,
                "position": version.order,
                "is_deleted": one in gone,
            }
            for one, version in sorted(versions.items())
        ]
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            await self._connection.execute(upsert(self._dialect, t.version, part))

    async def barrier(self, domain: str, term: int) -> None:
        """As Writing.barrier."""
        here = t.applied.c
        if domain != self._domain:
            raise ValueError(f"this transaction is about {self._domain}, not {domain}")
        await self._connection.execute(
            sa.update(t.applied)
            .where(here.stream == self._stream, here.domain == domain, here.barrier < term)
            .values(barrier=term)
        )

    async def _sign(self) -> None:
        await self._connection.execute(
            _signature(self._dialect),
            {
                "stream": self._stream,
                "domain": self._domain,
                "term": self._term,
                "position": self._position,
            },
        )
        here = t.applied.c
        newest = await self._connection.scalar(
            sa.select(here.term).where(here.stream == self._stream, here.domain == self._domain)
        )
        if newest != self._term:
            raise FencedOut(f"{self._stream} of {self._domain} is at term {newest}")


async def say_role(connection: AsyncConnection, role: str) -> None:
    """Say whose the transaction is."""
    await connection.exec_driver_sql(_ROLES[connection.dialect.name].format(role))


async def read_applied(
    connection: AsyncConnection,
) -> dict[tuple[str, str], tuple[int, int, int]]:
    """(stream, domain) to (term, barrier, position)."""
    return {
        (row.stream, row.domain): (row.term, row.barrier, row.position)
        for row in await connection.execute(sa.select(t.applied))
    }


async def write_beat(connection: AsyncConnection, name: str, beat: int, sent_us: int) -> None:
    """Write the heartbeat row."""
    row = {"name": name, "beat": beat, "sent_us": sent_us}
    await connection.execute(upsert(connection.dialect.name, t.heartbeat, [row]))


def upsert(dialect: str, table: sa.Table, rows: list[dict[str, Any]]) -> sa.Insert:
    """Insert rows of ours, or make those with the same key like them."""
    keys = [column.name for column in table.primary_key]
    names = [column.name for column in table.c if column.name not in keys]
    if dialect == MARIADB:
        statement = mysql.insert(table).values(rows)
        return statement.on_duplicate_key_update({name: statement.inserted[name] for name in names})
    if dialect == POSTGRESQL:
        of_postgresql = postgresql.insert(table).values(rows)
        return of_postgresql.on_conflict_do_update(
            index_elements=keys, set_={name: of_postgresql.excluded[name] for name in names}
        )
    of_sqlite = sqlite.insert(table).values(rows)
    return of_sqlite.on_conflict_do_update(
        index_elements=keys, set_={name: of_sqlite.excluded[name] for name in names}
    )


def _signature(dialect: str) -> sa.TextClause:
    """Change the row of APPLIED unless its term is newer; lock it either way.

    `writes` makes it another row each time: MariaDB logs none that stays as it was.
    """
    insert = (
        "INSERT INTO mig_applied (stream, domain, term, barrier, position, writes)"
        " VALUES (:stream, :domain, :term, 0, :position, 1)"
    )
    if dialect == MARIADB:
        # From left to right: the term is compared before it is changed.
        return sa.text(
            f"{insert} ON DUPLICATE KEY UPDATE"
            " position = IF(term <= VALUES(term), VALUES(position), position),"
            " writes = IF(term <= VALUES(term), writes + 1, writes),"
            " term = GREATEST(term, VALUES(term))"
        )
    return sa.text(
        f"{insert} ON CONFLICT (stream, domain) DO UPDATE SET term = excluded.term,"
        " position = excluded.position, writes = mig_applied.writes + 1"
        " WHERE mig_applied.term <= excluded.term"
    )
