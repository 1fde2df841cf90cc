"""Looks at a PostgreSQL database before its changes are captured."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.preflight import ForeignKey, LogFacts, TableFacts
from legacy_adapters.mapping.rows import Table
from legacy_adapters.ports.probing import Probed

_SETTINGS = ("wal_level", "max_slot_wal_keep_size", "max_replication_slots", "max_wal_senders")
_ACTS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

_TABLES = """
SELECT c.relname, c.relreplident::text,
  GREATEST(c.reltuples, 0)::bigint,
  ARRAY(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
  ARRAY(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attgenerated <> ''),
  ARRAY(SELECT a.attname::text FROM pg_index i
        JOIN unnest(i.indkey) WITH ORDINALITY AS k(attnum, n) ON true
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.n),
  ARRAY(SELECT t.tgname::text FROM pg_trigger t
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgname NOT LIKE 'mig\\_%'),
  ARRAY(SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
        WHERE i.indrelid = c.oid AND i.indisunique AND EXISTS (
          SELECT 1 FROM unnest(i.indcollation) AS o(id)
          JOIN pg_collation l ON l.oid = o.id WHERE NOT l.collisdeterministic))
FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
  AND c.relname NOT LIKE 'mig\\_%'
ORDER BY c.relname
"""
_KEYS = """
SELECT c.relname, a.attname, p.relname, f.confdeltype::text, f.confupdtype::text
FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid
JOIN pg_class p ON p.oid = f.confrelid
JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
WHERE f.contype = 'f' AND c.relnamespace = current_schema()::regnamespace
ORDER BY 1, 2
"""
_MAY_READ = "SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user"
_LONGEST = """
SELECT COALESCE(EXTRACT(epoch FROM max(clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_WRITERS = """
SELECT DISTINCT s.usename::text FROM pg_stat_activity s JOIN pg_roles r ON r.rolname = s.usename
WHERE s.datname = current_database() AND r.rolsuper AND s.pid <> pg_backend_pid()
  AND s.usename <> current_user AND s.backend_type = 'client backend' ORDER BY 1
"""
_DEFINERS = """
SELECT p.proname::text FROM pg_proc p
WHERE p.pronamespace = current_schema()::regnamespace AND p.prosecdef
  AND p.proname NOT LIKE 'mig\\_%' ORDER BY 1
"""


async def probe_postgresql(connection: AsyncConnection, _contents: Collection[Table]) -> Probed:
    """What the catalogue tells. Zero dates and torn text do not exist in PostgreSQL."""
    found = await connection.execute(
        sa.text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)"),
        {"names": list(_SETTINGS)},
    )
    settings = {str(row[0]): str(row[1]).lower() for row in found}
    log = LogFacts(
        settings,
        retention_s=None,
        may_read=bool((await connection.execute(sa.text(_MAY_READ))).scalar()),
        longest_s=float((await connection.execute(sa.text(_LONGEST))).scalar_one()),
        writers=await _names(connection, _WRITERS),
    )
    tables = tuple(
        TableFacts(
            name=str(row[0]), replica_identity=str(row[1]), rows=int(row[2]),
            columns=tuple(row[3]), generated=tuple(row[4]), key=tuple(row[5]),
            triggers=tuple(row[6]), unsafe_unique=tuple(row[7]),
        )
        for row in await connection.execute(sa.text(_TABLES))
    )  # fmt: skip
    keys = tuple(
        ForeignKey(str(row[0]), str(row[1]), str(row[2]), _ACTS[row[3]], _ACTS[row[4]])
        for row in await connection.execute(sa.text(_KEYS))
    )
    routines = await _names(connection, _DEFINERS)
    return Probed("postgresql", log, tables, keys, tuple(f"routine {one}" for one in routines))


async def _names(connection: AsyncConnection, statement: str) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in await connection.execute(sa.text(statement)))
