"""Cells as a database's driver takes them: the inverse of `mapping.rows.plain`. Pure."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from legacy_adapters.mapping.rows import Broken, Cell, Column, ColumnKind, Row, Table, key_text
from legacy_adapters.storage.opening import MARIADB, POSTGRESQL, SQLITE

_LARGEST = 2**63 - 1


def stored(column: Column, cell: Cell, dialect: str) -> Any:
    """A cell as it is written: a parameter, or for PostgreSQL a value of JSON.

    What SQLite and MariaDB have no type for is written as Django does: a moment as naive UTC, a
    UUID as 32 hexadecimal digits. Bytes are hexadecimal digits for MariaDB, in UNHEX.

    Raises:
        ValueError: it is broken, or the database cannot hold it; the text is the rest of a
            sentence about it.
    """
    if cell is None:
        return None
    if isinstance(cell, Broken):
        raise ValueError(f"is broken: {cell.seen!r}")  # noqa: TRY004 - a value's fault, not a caller's
    try:
        return _WRITE[dialect](column, cell)
    except (TypeError, OverflowError) as exc:
        raise ValueError(f"is no {column.kind}: {cell!r}") from exc


def cell_of_key(column: Column, text: str) -> Cell:
    """A part of a key text as the cell that it is the text of."""
    if column.kind is ColumnKind.INTEGER:
        return int(text)
    if column.kind is ColumnKind.BOOLEAN:
        return text == "True"
    return text


def key_cells(table: Table, key: str) -> dict[str, Cell]:
    """The key's columns of a key text.

    Raises:
        ValueError: it has too few parts.
    """
    # A "|" in a text can only stand in the last part of a key.
    parts = key.split("|", len(table.key) - 1)
    return {
        name: cell_of_key(table.columns[name], part)
        for name, part in zip(table.key, parts, strict=True)
    }


def alike(table: Table, rows: Sequence[Row]) -> Iterator[tuple[tuple[str, ...], list[Row]]]:
    """Runs of rows that name the same columns, in their order; of two states of one row in a run
    the later one.
    """
    for names, run in groupby(rows, key=lambda row: tuple(sorted(row))):
        latest = {key_text(table, row): row for row in run}
        yield names, list(latest.values())


def chunks(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """The rows in parts of `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def as_json(table: Table, rows: Sequence[Row]) -> str:
    """Rows for `json_populate_recordset`: PostgreSQL reads each value by its column's type.

    Raises:
        ValueError: see `stored`.
    """
    return "[" + ",".join(_object(table, row) for row in rows) + "]"


def told(table: Table, row: Row, dialect: str) -> tuple[Any, ...]:
    """The cells of a row as parameters, in the order of its columns' names.

    Raises:
        ValueError: see `stored`; it names the column.
    """
    return tuple(_named(table, name, row[name], dialect) for name in sorted(row))


def _object(table: Table, row: Row) -> str:
    pairs = []
    for name in sorted(row):
        cell = _named(table, name, row[name], POSTGRESQL)
        is_json = table.columns[name].kind is ColumnKind.JSON and cell is not None
        pairs.append(f"{_text(name)}:{cell if is_json else _text(cell)}")
    return "{" + ",".join(pairs) + "}"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _named(table: Table, name: str, cell: Cell, dialect: str) -> Any:
    if name not in table.columns:
        raise ValueError(f"{name} is no column of it")
    try:
        return stored(table.columns[name], cell, dialect)
    except ValueError as exc:
        raise ValueError(f"{name} {exc}") from exc


def _integer(cell: Any) -> int:
    if isinstance(cell, bool) or not isinstance(cell, int):
        raise TypeError(cell)
    if not -_LARGEST - 1 <= cell <= _LARGEST:
        raise OverflowError(cell)
    return cell


def _boolean(cell: Any) -> bool:
    if not isinstance(cell, bool):
        raise TypeError(cell)
    return cell


def _string(cell: Any) -> str:
    if not isinstance(cell, str):
        raise TypeError(cell)
    return cell


def _postgresql(column: Column, cell: Cell) -> Any:
    if column.kind is ColumnKind.INTEGER:
        return _integer(cell)
    if column.kind is ColumnKind.BOOLEAN:
        return _boolean(cell)
    text = _string(cell)
    if "\0" in text:
        raise ValueError("has a zero byte, which PostgreSQL does not hold")
    if column.kind is ColumnKind.BYTES:
        return "\\x" + base64.b64decode(text, validate=True).hex()
    if column.kind is ColumnKind.JSON:
        json.loads(text)
    return text


def _sqlite(column: Column, cell: Cell) -> Any:
    if column.kind is ColumnKind.MOMENT:
        return str(_moment(cell))
    if column.kind is ColumnKind.NUMBER:
        number = float(_string(cell))
        if math.isnan(number):
            raise ValueError("is not a number, which SQLite does not hold")
        return number
    return _common(column, cell)


def _mariadb(column: Column, cell: Cell) -> Any:
    if column.kind is ColumnKind.MOMENT:
        return _moment(cell).isoformat(" ", timespec="microseconds")
    if column.kind is ColumnKind.NUMBER:
        number = float(_string(cell))
        if not math.isfinite(number):
            raise ValueError("is not finite, which MariaDB does not hold")
        return number
    if column.kind is ColumnKind.BYTES:
        return base64.b64decode(_string(cell), validate=True).hex()
    return _common(column, cell)


def _common(column: Column, cell: Cell) -> Any:
    """What SQLite and MariaDB take alike."""
    if column.kind is ColumnKind.INTEGER:
        return _integer(cell)
    if column.kind is ColumnKind.BOOLEAN:
        return int(_boolean(cell))
    text = _string(cell)
    if column.kind is ColumnKind.UUID:
        return UUID(text).hex
    if column.kind is ColumnKind.BYTES:
        return base64.b64decode(text, validate=True)
    return text


def _moment(cell: Cell) -> datetime:
    return datetime.fromisoformat(_string(cell)).replace(tzinfo=None)


_WRITE: Mapping[str, Callable[[Column, Cell], Any]] = {
    SQLITE: _sqlite,
    POSTGRESQL: _postgresql,
    MARIADB: _mariadb,
}
