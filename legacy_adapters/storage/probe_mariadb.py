"""Looks at a MariaDB or MySQL database before its changes are captured."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.preflight import ForeignKey, LogFacts, TableFacts
from legacy_adapters.mapping.rows import ColumnKind, Table
from legacy_adapters.ports.probing import Probed

_SETTINGS = (
    "log_bin", "binlog_format", "binlog_row_image", "binlog_row_metadata",
    "binlog_row_value_options", "binlog_expire_logs_seconds", "expire_logs_days", "wsrep_on",
    "group_replication_group_name", "server_id", "sql_mode",
)  # fmt: skip
_LOG_RIGHTS = ({"REPLICATION SLAVE", "ALL PRIVILEGES"}, {"BINLOG MONITOR", "REPLICATION CLIENT"})
_NEEDS_PROCESS = 1227
_BYPASS = ("SUPER", "BINLOG ADMIN", "READ_ONLY ADMIN")

_TABLES = """
SELECT table_name, COALESCE(engine, ''), COALESCE(table_rows, 0) FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'
  AND table_name NOT LIKE 'mig\\\\_%' ORDER BY table_name
"""
_COLUMNS = """
SELECT table_name, column_name, column_key = 'PRI', extra LIKE '%GENERATED%',
  COALESCE(character_set_name, '')
FROM information_schema.columns WHERE table_schema = DATABASE()
ORDER BY table_name, ordinal_position
"""
_TRIGGERS = """
SELECT event_object_table, trigger_name FROM information_schema.triggers
WHERE trigger_schema = DATABASE() AND trigger_name NOT LIKE 'mig\\\\_%'
"""
_UNIQUE = """
SELECT DISTINCT s.table_name, s.index_name FROM information_schema.statistics s
JOIN information_schema.columns c
  ON (c.table_schema, c.table_name, c.column_name) = (s.table_schema, s.table_name, s.column_name)
WHERE s.table_schema = DATABASE() AND s.non_unique = 0 AND c.collation_name LIKE '%\\\\_ci'
"""
_KEYS = """
SELECT k.table_name, k.column_name, k.referenced_table_name, r.delete_rule, r.update_rule
FROM information_schema.referential_constraints r
JOIN information_schema.key_column_usage k
  ON k.constraint_schema = r.constraint_schema AND k.constraint_name = r.constraint_name
  AND k.table_name = r.table_name
WHERE r.constraint_schema = DATABASE() AND k.ordinal_position = 1 ORDER BY 1, 2
"""
_EVENTS = """
SELECT CONCAT('event ', event_name) FROM information_schema.events
WHERE event_schema = DATABASE() AND status = 'ENABLED'
UNION ALL
SELECT CONCAT('routine ', routine_name) FROM information_schema.routines
WHERE routine_schema = DATABASE() AND security_type = 'DEFINER'
"""
_LONGEST = """
SELECT COALESCE(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0)
FROM information_schema.innodb_trx
"""
_WRITERS = """
SELECT DISTINCT p.grantee FROM information_schema.user_privileges p
WHERE p.privilege_type IN :bypass
  AND p.grantee NOT IN (CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), ''''))
  AND p.grantee NOT LIKE '''mariadb.sys''%' AND p.grantee NOT LIKE '''root''@%'
ORDER BY 1
"""


async def probe_mariadb(connection: AsyncConnection, contents: Collection[Table]) -> Probed:
    """What information_schema tells, and the dates and texts of `contents`."""
    settings = await _settings(connection)
    log = LogFacts(
        settings,
        retention_s=_retention_s(settings),
        may_read=await _may_read(connection),
        longest_s=await _longest_s(connection),
        writers=await _writers(connection),
    )
    tables = await _tables(connection, {table.name: table for table in contents})
    keys = tuple(ForeignKey(*(str(cell) for cell in row)) for row in await _rows(connection, _KEYS))
    events = tuple(str(row[0]) for row in await _rows(connection, _EVENTS))
    return Probed("mariadb", log, tables, keys, events, _cluster(settings))


async def _longest_s(connection: AsyncConnection) -> float | None:
    try:
        return float((await connection.execute(sa.text(_LONGEST))).scalar_one())
    except OperationalError as exc:
        if exc.orig is not None and exc.orig.args[:1] == (_NEEDS_PROCESS,):
            return None
        raise


async def _rows(connection: AsyncConnection, statement: str) -> list[Any]:
    return list((await connection.execute(sa.text(statement))).all())


async def _settings(connection: AsyncConnection) -> dict[str, str]:
    wanted: sa.BindParameter[list[str]] = sa.bindparam("names", list(_SETTINGS), expanding=True)
    statement = sa.text("SHOW GLOBAL VARIABLES WHERE variable_name IN :names").bindparams(wanted)
    return {str(row[0]): str(row[1]).lower() for row in await connection.execute(statement)}


def _retention_s(settings: dict[str, str]) -> float | None:
    """0 is for ever. MariaDB keeps both settings in step, and days may be a fraction."""
    seconds = float(settings.get("binlog_expire_logs_seconds", 0) or 0)
    days = float(settings.get("expire_logs_days", 0) or 0)
    return seconds or days * 86_400 or None


def _cluster(settings: dict[str, str]) -> str:
    if settings.get("wsrep_on") in {"on", "1"}:
        return "Galera (wsrep_on)"
    return "Group Replication" if settings.get("group_replication_group_name") else ""


async def _may_read(connection: AsyncConnection) -> bool:
    grants = [str(row[0]).upper() for row in await _rows(connection, "SHOW GRANTS")]
    everywhere = [one for one in grants if " ON *.* " in one]
    if any("ALL PRIVILEGES" in one for one in everywhere):
        return True
    return all(any(right in one for one in everywhere for right in some) for some in _LOG_RIGHTS)


async def _writers(connection: AsyncConnection) -> tuple[str, ...]:
    bypass: sa.BindParameter[list[str]] = sa.bindparam("bypass", list(_BYPASS), expanding=True)
    found = await connection.execute(sa.text(_WRITERS).bindparams(bypass))
    return tuple(str(row[0]) for row in found)


async def _tables(
    connection: AsyncConnection, searched: dict[str, Table]
) -> tuple[TableFacts, ...]:
    columns: dict[str, list[Any]] = {}
    for row in await _rows(connection, _COLUMNS):
        columns.setdefault(str(row[0]), []).append(row)
    triggers = await _rows(connection, _TRIGGERS)
    unique = await _rows(connection, _UNIQUE)
    found = []
    for name, engine, rows in await _rows(connection, _TABLES):
        own = columns.get(str(name), [])
        zero, broken = await _contents(connection, str(name), searched.get(str(name)), own)
        found.append(
            TableFacts(
                name=str(name),
                columns=tuple(str(one[1]) for one in own),
                key=tuple(str(one[1]) for one in own if one[2]),
                generated=tuple(str(one[1]) for one in own if one[3]),
                engine=str(engine),
                is_transactional=str(engine).lower() == "innodb",
                triggers=tuple(str(one[1]) for one in triggers if one[0] == name),
                rows=int(rows),
                zero_dates=zero,
                broken_text=broken,
                unsafe_unique=tuple(str(one[1]) for one in unique if one[0] == name),
            )
        )
    return tuple(found)


async def _contents(
    connection: AsyncConnection, name: str, table: Table | None, columns: list[Any]
) -> tuple[dict[str, int], dict[str, int]]:
    """Dates that are none, and texts of another character set that read as UTF-8 in disguise."""
    if table is None:
        return {}, {}
    charsets = {str(one[1]): str(one[4]) for one in columns}
    times = (ColumnKind.MOMENT, ColumnKind.DAY)
    checks = {
        ("zero", one): f"CAST({_quoted(one)} AS CHAR) LIKE '%0000-%' OR "
        f"CAST({_quoted(one)} AS CHAR) LIKE '%-00%'"
        for one, column in table.columns.items()
        if column.kind in times and one in charsets
    } | {
        # "Ã©": bytes of UTF-8 that somebody wrote through a latin1 connection.
        ("text", one): _disguised(_quoted(one))
        for one, charset in charsets.items()
        if charset == "latin1" and one in table.columns
    }
    if not checks:
        return {}, {}
    sums = ", ".join(f"COALESCE(SUM({check}), 0)" for check in checks.values())
    counted = (await _rows(connection, f"SELECT {sums} FROM {_quoted(name)}"))[0]  # noqa: S608 - quoted names
    found = {key: int(count) for key, count in zip(checks, counted, strict=True) if count}
    zero = {one: count for (kind, one), count in found.items() if kind == "zero"}
    return zero, {one: count for (kind, one), count in found.items() if kind == "text"}


def _disguised(column: str) -> str:
    read_anew = f"CONVERT(CAST({column} AS BINARY) USING utf8mb4)"
    return f"{read_anew} IS NOT NULL AND LENGTH({column}) > CHAR_LENGTH({read_anew})"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``").replace(":", "\\:") + "`"
