"""Rows of either database as plain values, equal whichever database held them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID


class ColumnKind(StrEnum):
    """What a column holds, and how its values look here.

    integer: int. boolean: bool. text: str as it is. decimal: text with the column's scale, as
    "7.90". number: text of a float, as Python's repr. moment: text in UTC with microseconds,
    as "2026-01-31T09:00:00.000000Z". day: "2026-01-31". uuid: lower case with hyphens.
    json: text as the database has it. bytes: base64.
    """

    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"
    DECIMAL = "decimal"
    NUMBER = "number"
    MOMENT = "moment"
    DAY = "day"
    UUID = "uuid"
    JSON = "json"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Broken:
    """A cell that is nothing of its column's kind: a zero date, bytes that are no UTF-8.

    It travels as what it is, so that the row arrives and its aggregate is parked with a reason.
    """

    seen: str


Cell = None | bool | int | str | Broken
Row = Mapping[str, Cell]
"""A whole row: every column of its table."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `scale` belongs to decimals: digits behind the point."""

    kind: ColumnKind
    scale: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a store, as this program knows it.

    Attributes:
        key: its primary key's columns.
        columns: all of them, mapped or not.
        is_fenced: whether writes to it are refused on the side that does not own its domain. A
            store may write to a table even where it only answers a read, as oscar makes an
            empty basket for every visitor: such a table is not fenced, and what the other
            side than the owner writes there is nobody's.
    """

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, Column] = field(hash=False)
    is_fenced: bool = True


def key_text(table: Table, row: Row) -> str:
    """A row's primary key as one text; parts of a longer key are joined by "|"."""
    return "|".join(str(row[column]) for column in table.key)


def plain(column: Column, value: Any) -> Cell:
    """A cell as the driver of any of the databases gave it, in this module's form. Total."""
    if value is None:
        return None
    try:
        return _READ[column.kind](value, column)
    except (ValueError, TypeError, ArithmeticError, LookupError):
        return Broken(_told(value))


def dump_row(row: Row) -> str:
    """As JSON text, e.g. for a stage."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_dump_broken)


def load_row(text: str) -> Row:
    """What `dump_row` wrote."""
    found: Row = json.loads(text, object_hook=_load_broken)
    return found


def _dump_broken(value: object) -> object:
    if isinstance(value, Broken):
        return {"broken": value.seen}
    raise TypeError(f"{value!r} is no cell")


def _load_broken(found: dict[str, Any]) -> object:
    return Broken(found["broken"]) if found.keys() == {"broken"} else found


def _told(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value)


def _text(value: Any, _column: Column) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode()
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair is no text
        return value
    raise TypeError(value)


def _integer(value: Any, column: Column) -> int:
    return int(value) if isinstance(value, int) else int(_text(value, column))


def _boolean(value: Any, column: Column) -> bool:
    known = {"0": False, "1": True, "t": True, "f": False, "true": True, "false": False}
    return known[str(int(value)) if isinstance(value, int) else _text(value, column)]


def _decimal(value: Any, column: Column) -> str:
    # SQLite hands out a float for 7.9; its shortest text is what was stored.
    amount = value if isinstance(value, Decimal) else Decimal(str(_unpacked(value)))
    exact = amount.quantize(Decimal(1).scaleb(-column.scale))
    if exact != amount:
        raise ValueError(value)
    return format(exact, "f")


def _unpacked(value: Any) -> Any:
    return bytes(value).decode() if isinstance(value, bytes | bytearray | memoryview) else value


def _number(value: Any, _column: Column) -> str:
    return repr(float(_unpacked(value)))


def _moment(value: Any, _column: Column) -> str:
    read = value if isinstance(value, datetime) else datetime.fromisoformat(_words(value))
    moment = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _words(value: Any) -> str:
    text = _unpacked(value)
    if not isinstance(text, str):
        raise TypeError(value)
    return text


def _day(value: Any, _column: Column) -> str:
    if isinstance(value, datetime):
        raise TypeError(value)
    read = value if isinstance(value, date) else date.fromisoformat(_words(value))
    return read.isoformat()


def _uuid(value: Any, _column: Column) -> str:
    return str(value if isinstance(value, UUID) else UUID(_words(value)))


def _json(value: Any, column: Column) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _text(value, column)


def _bytes(value: Any, _column: Column) -> str:
    raw = value.encode() if isinstance(value, str) else bytes(value)
    return base64.b64encode(raw).decode()


_READ: Mapping[ColumnKind, Callable[[Any, Column], Cell]] = {
    ColumnKind.INTEGER: _integer,
    ColumnKind.BOOLEAN: _boolean,
    ColumnKind.TEXT: _text,
    ColumnKind.DECIMAL: _decimal,
    ColumnKind.NUMBER: _number,
    ColumnKind.MOMENT: _moment,
    ColumnKind.DAY: _day,
    ColumnKind.UUID: _uuid,
    ColumnKind.JSON: _json,
    ColumnKind.BYTES: _bytes,
}
