"""Cells as Debezium writes them into JSON. Pure.

With schemas in its messages (`value.converter.schemas.enable = true`) each cell says what it is.
Without them the declared kind decides, and two things are guessed: a whole number in a moment is
milliseconds below 1e14, microseconds below 1e17 and else nanoseconds, so microseconds of the years
1967 to 1973 are misread; and a DECIMAL without a point is base64 of its unscaled value, as
`decimal.handling.mode = precise`, Debezium's default, has it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from legacy_adapters.mapping.rows import Broken, Cell, Column, ColumnKind, plain

NOT_LOGGED = Broken("not in the log")
_UNAVAILABLE = "__debezium_unavailable_value"
_UNAVAILABLE_BYTES = base64.b64encode(_UNAVAILABLE.encode()).decode()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_ONE = date(1970, 1, 1)
_UUID_BASE64 = 24


@dataclass(frozen=True, slots=True)
class Schema:
    """What a message says of a column: Kafka Connect's type, its logical name and parameters."""

    type: str = ""
    name: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)


NO_SCHEMA = Schema()


def is_unavailable(value: Any) -> bool:
    """Whether Debezium says that the database's log did not have a cell: it has not changed."""
    return isinstance(value, str) and value in {_UNAVAILABLE, _UNAVAILABLE_BYTES}


def cell(column: Column, value: Any, schema: Schema = NO_SCHEMA) -> Cell:
    """A cell of a message in the form of the rows. Total."""
    if value is None:
        return None
    read = _READ.get(column.kind)
    try:
        return plain(column, value if read is None else read(column, value, schema))
    except (ValueError, TypeError, ArithmeticError, LookupError):
        return Broken(str(value))


def _decimal(column: Column, value: Any, schema: Schema) -> Any:
    if isinstance(value, dict):  # io.debezium.data.VariableScaleDecimal
        return _unscaled(value["value"], int(value["scale"]))
    if not isinstance(value, str) or "." in value or "-" in value or schema.type == "string":
        return value
    return _unscaled(value, int(schema.parameters.get("scale", column.scale)))


def _unscaled(text: str, scale: int) -> Decimal:
    raw = int.from_bytes(base64.b64decode(text, validate=True), "big", signed=True)
    digits = tuple(int(one) for one in str(abs(raw)))
    return Decimal((int(raw < 0), digits, -scale))


def _integer(_column: Column, value: Any, schema: Schema) -> Any:
    """BIGINT UNSIGNED comes as a decimal of scale 0 where it is handled precisely."""
    if isinstance(value, str) and schema.type == "bytes":
        return int(_unscaled(value, 0))
    if isinstance(value, float):
        raise TypeError(value)
    return value


def _moment(_column: Column, value: Any, schema: Schema) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    unit_ns = _UNITS_NS.get(schema.name.rpartition(".")[2]) or _guessed_unit_ns(value)
    return _EPOCH + timedelta(microseconds=value * unit_ns // 1_000)


def _guessed_unit_ns(value: int) -> int:
    if abs(value) < 10**14:
        return 1_000_000
    return 1_000 if abs(value) < 10**17 else 1


_UNITS_NS = {"Timestamp": 1_000_000, "MicroTimestamp": 1_000, "NanoTimestamp": 1}


def _day(_column: Column, value: Any, _schema: Schema) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    return _DAY_ONE + timedelta(days=value)


def _uuid(_column: Column, value: Any, _schema: Schema) -> Any:
    if isinstance(value, str) and len(value) == _UUID_BASE64 and value.endswith("=="):
        return base64.b64decode(value, validate=True).hex()
    return value


def _bytes(_column: Column, value: Any, _schema: Schema) -> bytes:
    return base64.b64decode(value, validate=True)


def _text(_column: Column, value: Any, schema: Schema) -> Any:
    """A TIME comes as a number since midnight, which means nothing without its unit."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    unit_ns = _TIME_UNITS_NS.get(schema.name.rpartition(".")[2])
    if unit_ns is None:
        raise TypeError(value)
    sign, micro = ("-" if value < 0 else ""), abs(value) * unit_ns // 1_000
    seconds, fraction = divmod(micro, 1_000_000)
    text = f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}" if fraction else text


_TIME_UNITS_NS = {"Time": 1_000_000, "MicroTime": 1_000, "NanoTime": 1}
_READ: Mapping[ColumnKind, Callable[[Column, Any, Schema], Any]] = {
    ColumnKind.INTEGER: _integer,
    ColumnKind.TEXT: _text,
    ColumnKind.DECIMAL: _decimal,
    ColumnKind.MOMENT: _moment,
    ColumnKind.DAY: _day,
    ColumnKind.UUID: _uuid,
    ColumnKind.BYTES: _bytes,
}
