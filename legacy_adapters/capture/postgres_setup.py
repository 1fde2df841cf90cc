"""What capturing needs in PostgreSQL: a publication, a slot, and whole old rows in the log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from legacy_adapters.capture.postgres_link import object_name, quoted
from legacy_adapters.errors import SourceLost, SourceUnfit
from legacy_adapters.mapping.rows import Table
from legacy_adapters.ports.capture import Retention

_LOCK_WAIT = "SET LOCAL lock_timeout = '4s'"

_SHAPE = """
SELECT a.attname AS name, a.attgenerated <> '' AS is_generated, c.relkind::text AS kind,
  c.relpersistence::text AS persistence, c.relreplident::text AS identity,
  array_position(i.indkey::int2[], a.attnum) AS place, r.relname AS identity_index
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
LEFT JOIN pg_index n ON n.indrelid = c.oid AND n.indisreplident
LEFT JOIN pg_class r ON r.oid = n.indexrelid
WHERE c.oid = to_regclass($1) ORDER BY a.attnum
"""

_DEFINITION = """
SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull::text
  || ' ' || a.attidentity::text || a.attgenerated::text
  || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') AS line
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = to_regclass($1) AND contype <> 'n'
ORDER BY 1
"""

_SLOT = """
SELECT plugin, database, active, wal_status, confirmed_flush_lsn - '0/0'::pg_lsn AS confirmed,
  pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS here,
  pg_current_wal_insert_lsn() - confirmed_flush_lsn AS behind,
  pg_current_wal_insert_lsn() - restart_lsn AS kept,
  current_setting('max_slot_wal_keep_size') AS limit_text,
  pg_size_bytes(replace(current_setting('max_slot_wal_keep_size'), '-1', '0')) AS limit_bytes
FROM pg_replication_slots WHERE slot_name = $1
"""


@dataclass(frozen=True, slots=True)
class Slot:
    """The slot as the server has it; places are numbers of the log."""

    confirmed: int
    here: int
    is_lost: bool
    retention: Retention


class PostgresSetup:
    """Makes and looks at what a stream needs. Calls take an open session."""

    def __init__(self, name: str, database: str, tables: Sequence[Table]) -> None:
        self.name = object_name(name, database)
        """Of the slot and of the publication."""
        self._tables = tables
        self._database = database

    async def prepare(self, session: Any) -> None:
        """Publication first: the slot knows of it only if it was there before the slot was.

        Raises:
            SourceUnfit: the text says what to do.
        """
        await _check_server(session)
        identities = {
            table.name: _identity(table, await session.fetch(_SHAPE, quoted(table.name)))
            for table in self._tables
        }
        await self._publish(session, {name: was for name, was in identities.items() if was})
        await self._make_slot(session)

    async def remove(self, session: Any) -> None:
        """Take all of it away.

        Raises:
            SourceUnavailable: a reader is at it.
        """
        if await session.fetchrow(_SLOT, self.name) is not None:
            await session.execute("SELECT pg_drop_replication_slot($1)", self.name)
        async with session.transaction():
            await session.execute(_LOCK_WAIT)
            for name, was in (await self._noted(session)).items():
                if await session.fetchval("SELECT to_regclass($1)", quoted(name)) is not None:
                    await session.execute(
                        f"ALTER TABLE {quoted(name)} REPLICA IDENTITY {_identity_sql(was)}"
                    )
            await session.execute(f"DROP PUBLICATION IF EXISTS {quoted(self.name)}")

    async def slot(self, session: Any) -> Slot | None:
        """The slot, if there is one of this database."""
        row = await session.fetchrow(_SLOT, self.name)
        if row is None:
            return None
        is_lost = row["wal_status"] == "lost" or row["confirmed"] is None
        limit = int(row["limit_bytes"]) if row["limit_text"] != "-1" else None
        behind = 0 if row["behind"] is None else int(row["behind"])
        kept = behind if row["kept"] is None else int(row["kept"])
        is_close = limit is not None and kept > limit // 2
        state = "alarm" if is_close or row["wal_status"] == "unreserved" else "ok"
        return Slot(
            confirmed=int(row["confirmed"] or 0),
            here=int(row["here"]),
            is_lost=is_lost,
            retention=Retention(max(behind, 0), limit, None, "lost" if is_lost else state),
        )

    async def check(self, session: Any, after: int | None) -> int:
        """Where reading begins.

        Raises:
            SourceLost: the log from `after` on is gone.
            SourceUnfit: nothing was prepared.
        """
        found = await self.slot(session)
        if found is None and after is None:
            raise SourceUnfit(f"there is no slot {self.name}; prepare the source first")
        if found is None or found.is_lost:
            raise SourceLost(f"the slot {self.name} is gone, and the log with it")
        if after is None:
            return found.confirmed
        if after < found.confirmed:
            raise SourceLost(f"the slot {self.name} was moved on, beyond what was read of it")
        if after > found.here:
            raise SourceLost("the log ends before the place that was read last: another server?")
        return after

    async def fingerprints(self, session: Any) -> dict[str, str]:
        """Digests of columns and constraints, by table."""
        found: dict[str, str] = {}
        for table in self._tables:
            lines = [row["line"] for row in await session.fetch(_DEFINITION, quoted(table.name))]
            if lines:
                found[table.name] = hashlib.blake2b(
                    "\n".join(lines).encode(), digest_size=16
                ).hexdigest()
        return found

    async def _publish(self, session: Any, identities: Mapping[str, str]) -> None:
        tables = ", ".join(quoted(table.name) for table in self._tables)
        async with session.transaction():
            await session.execute(_LOCK_WAIT)
            noted = {**await self._noted(session), **identities}
            published = await session.fetch(
                "SELECT tablename FROM pg_publication_tables WHERE pubname = $1", self.name
            )
            if not await session.fetchval(
                "SELECT true FROM pg_publication WHERE pubname = $1", self.name
            ):
                await session.execute(f"CREATE PUBLICATION {quoted(self.name)} FOR TABLE {tables}")
            elif {row["tablename"] for row in published} != {t.name for t in self._tables}:
                await session.execute(f"ALTER PUBLICATION {quoted(self.name)} SET TABLE {tables}")
            for name in identities:
                await session.execute(f"ALTER TABLE {quoted(name)} REPLICA IDENTITY FULL")
            comment = json.dumps(noted).replace("'", "''")
            await session.execute(f"COMMENT ON PUBLICATION {quoted(self.name)} IS '{comment}'")

    async def _noted(self, session: Any) -> dict[str, str]:
        """What the tables logged of old rows before us, as we noted it at the publication."""
        text = await session.fetchval(
            "SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = $1",
            self.name,
        )
        found: dict[str, str] = json.loads(text) if text else {}
        return found

    async def _make_slot(self, session: Any) -> None:
        row = await session.fetchrow(_SLOT, self.name)
        if row is None:
            await session.execute(
                "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", self.name
            )
        elif row["plugin"] != "pgoutput" or row["database"] != self._database:
            raise SourceUnfit(f"the slot {self.name} is somebody else's; drop it")


async def _check_server(session: Any) -> None:
    if await session.fetchval("SHOW wal_level") != "logical":
        raise SourceUnfit("wal_level is not logical: ALTER SYSTEM SET wal_level = logical, restart")
    if await session.fetchval("SHOW server_encoding") == "SQL_ASCII":
        raise SourceUnfit("the database has no encoding (SQL_ASCII); load it into one with UTF8")
    may = await session.fetchval(
        "SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user"
    )
    if not may:
        user = await session.fetchval("SELECT current_user")
        raise SourceUnfit(f"no right to read the log: ALTER ROLE {quoted(user)} REPLICATION")


def _identity(table: Table, columns: Sequence[Any]) -> str:
    """What is logged of old rows now, if that is not enough; "" if it is.

    Raises:
        SourceUnfit: the table cannot be captured.
    """
    if not columns:
        raise SourceUnfit(f"there is no table {table.name}")
    first = columns[0]
    if first["kind"] != "r" or first["persistence"] != "p":
        raise SourceUnfit(f"{table.name} is no plain, logged table; only such ones are captured")
    keyed = sorted((row["place"], row["name"]) for row in columns if row["place"] is not None)
    if not keyed:
        names = ", ".join(table.key)
        raise SourceUnfit(f"no primary key: ALTER TABLE {table.name} ADD PRIMARY KEY ({names})")
    if {name for _, name in keyed} != set(table.key):
        raise SourceUnfit(f"{table.name} has another primary key than {', '.join(table.key)}")
    sent = {row["name"] for row in columns if not row["is_generated"]}
    if missing := sorted(table.columns.keys() - sent):
        raise SourceUnfit(
            f"{table.name} lacks {', '.join(missing)} (a generated column counts as none)"
        )
    if first["identity"] == "f":
        return ""
    return f"i:{first['identity_index']}" if first["identity"] == "i" else str(first["identity"])


def _identity_sql(noted: str) -> str:
    if noted.startswith("i:"):
        return f"USING INDEX {quoted(noted[2:])}"
    return "NOTHING" if noted == "n" else "DEFAULT"


def full_number(xid: int, next_number: int) -> int:
    """A transaction's number with the turns of its counter, from its lower 32 bits.

    Args:
        xid: as the log tells it.
        next_number: any number of now, with turns; the transaction is the nearest one.
    """
    distance = (xid - next_number + (1 << 31)) % (1 << 32) - (1 << 31)
    return next_number + distance


def end_of_records(insert: int) -> int:
    """The end of what is written, where the server tells the place of the next record.

    At the beginning of a page the next record comes behind the page's head, and a reader of the
    log never comes as far before there is such a record.
    """
    in_page, in_segment = insert % 8192, insert % (1 << 20)
    if in_segment == 40 or in_page == 24:
        return insert - in_page
    return insert
