"""Messages of Debezium in JSON, with their schemas or without. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from legacy_adapters.capture.debezium_values import (
    NO_SCHEMA,
    NOT_LOGGED,
    Schema,
    cell,
    is_unavailable,
)
from legacy_adapters.capture.row_changes import deleted, inserted, updated
from legacy_adapters.mapping.rows import Cell, Row, Table, key_text
from legacy_adapters.ports.capture import Change

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Garbage(Exception):
    """A message that is nothing of Debezium's, or of a known table and not readable."""


@dataclass(frozen=True, slots=True)
class Event:
    """What a message says.

    Attributes:
        transaction: the source's name for it; "" where the message does not say.
        at: when it was committed, by the database's clock.
        marker: its place in the database's own log (LSN or GTID), as a number; None without one.
        ends: of a transaction's END message: how many events it has; None else.
        is_snapshot: a row as Debezium found it when it began, no commit of anybody.
    """

    transaction: str = ""
    at: datetime | None = None
    changes: tuple[Change, ...] = ()
    truncated: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    marker: int | None = None
    ends: int | None = None
    is_snapshot: bool = False


class MessageReader:
    """Reads messages of known tables."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = {table.name: table for table in tables}
        self._homes: dict[str, tuple[str, str]] = {}

    def read(self, data: bytes) -> Event | None:
        """What a message says; None when it concerns nobody: a tombstone, another table's.

        Raises:
            Garbage: it cannot be told what it says.
        """
        if not data or data == b"null":
            return None
        try:
            found = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise Garbage(f"it is no JSON: {exc}") from exc
        payload, schema = found, None
        if isinstance(found, dict) and found.keys() == {"schema", "payload"}:
            payload, schema = found["payload"], found["schema"]
        if payload is None:
            return None
        if not isinstance(payload, dict):
            raise Garbage("it is no object")
        try:
            return self._read(payload, schema)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise Garbage(f"it is no change as Debezium writes it: {exc!r}") from exc

    def _read(self, payload: Mapping[str, Any], schema: Any) -> Event | None:
        if "op" in payload:
            return self._change(payload, _fields(schema))
        if "status" in payload and "id" in payload:
            return _edge(payload)
        if "tableChanges" in payload:
            return self._definitions(payload)
        if payload.keys() <= {"ts_ms", "ts_us", "ts_ns"} and payload:
            return None  # a heartbeat
        raise Garbage(f"it says none of what Debezium says: {', '.join(payload)[:200]}")

    def _change(self, payload: Mapping[str, Any], schemas: Mapping[str, Schema]) -> Event | None:
        source = payload["source"]
        table = self._tables.get(source.get("table") or "")
        if table is None:
            return None
        home = str(source.get("db") or ""), str(source.get("schema") or "")
        if self._homes.setdefault(table.name, home) != home:
            raise Garbage(f"{table.name} is of {home} now, and was of {self._homes[table.name]}")
        operation = payload["op"]
        changes = () if operation == "t" else _changes(table, operation, payload, schemas)
        return Event(
            _transaction(payload, source),
            _moment(source.get("ts_ms")),
            changes,
            (table.name,) if operation == "t" else (),
            marker=_marker(source),
            is_snapshot=operation == "r",
        )

    def _definitions(self, payload: Mapping[str, Any]) -> Event | None:
        """A message of the topic with changes of tables' definitions."""
        names = {str(one["id"]).rpartition(".")[2].strip('"`') for one in payload["tableChanges"]}
        altered = tuple(name for name in self._tables if name in names)
        source = payload.get("source") or {}
        return Event(at=_moment(source.get("ts_ms")), altered=altered) if altered else None


def _changes(
    table: Table, operation: str, payload: Mapping[str, Any], schemas: Mapping[str, Schema]
) -> tuple[Change, ...]:
    before = _row(table, payload.get("before"), schemas)
    after = _row(table, payload.get("after"), schemas, before)
    if operation == "d":
        if before is None:
            raise Garbage(f"a deletion from {table.name} does not say what was deleted")
        return deleted(table, _keyed(table, before))
    if after is None or operation not in "cru":
        raise Garbage(f"{operation!r} of {table.name} does not say what became of the row")
    _keyed(table, after)
    if operation != "u":
        return inserted(table, after)
    if before is None:
        return (Change(table.name, key_text(table, after), None, after),)
    return updated(table, before, after)


def _keyed(table: Table, row: Row) -> Row:
    if any(not isinstance(row[name], bool | int | str) for name in table.key):
        raise Garbage(f"a row of {table.name} lacks its key")
    return row


def _row(
    table: Table, told: Any, schemas: Mapping[str, Schema], before: Row | None = None
) -> Row | None:
    if told is None:
        return None
    row: dict[str, Cell] = {}
    for name, column in table.columns.items():
        if name not in told or is_unavailable(told[name]):
            row[name] = before[name] if before is not None else NOT_LOGGED
        else:
            row[name] = cell(column, told[name], schemas.get(name, NO_SCHEMA))
    return row


def _fields(schema: Any) -> Mapping[str, Schema]:
    """Schemas of a row's cells by column."""
    if not schema:
        return {}
    rows = next(one for one in schema["fields"] if one["field"] in {"after", "before"})
    return {
        one["field"]: Schema(one["type"], one.get("name") or "", one.get("parameters") or {})
        for one in rows["fields"]
    }


def _edge(payload: Mapping[str, Any]) -> Event | None:
    if payload["status"] != "END":
        return None
    count = payload.get("event_count")
    return Event(str(payload["id"]), _moment(payload.get("ts_ms")), ends=int(count or 0))


def _transaction(payload: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    block = payload.get("transaction")
    if block:
        return str(block["id"])
    return str(source.get("gtid") or source.get("txId") or "")


def _marker(source: Mapping[str, Any]) -> int | None:
    if isinstance(source.get("lsn"), int):
        return int(source["lsn"])
    last = str(source.get("gtid") or "").rpartition("-")[2]
    return int(last) if last.isdecimal() else None


def _moment(ts_ms: Any) -> datetime | None:
    return None if ts_ms is None else _EPOCH + timedelta(milliseconds=int(ts_ms))
