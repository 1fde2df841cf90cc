"""Attribute values: a column per type in oscar, one content in the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.mapping.rows import Cell, Row
from legacy_adapters.oscar.mapping import sync_catalog_tables as tables
from legacy_adapters.oscar.mapping import sync_cells as cells
from legacy_adapters.oscar.mapping.cells import Row as Cells
from legacy_adapters.oscar.mapping.values import utc_text
from new_core.domain.catalog import AttributeContent, ValueType

Value = None | bool | int | str | tuple[UUID, ...]

_COLUMNS: Mapping[ValueType, str] = {
    ValueType.TEXT: "value_text",
    ValueType.RICHTEXT: "value_richtext",
    ValueType.INTEGER: "value_integer",
    ValueType.NUMBER: "value_float",
    ValueType.BOOLEAN: "value_boolean",
    ValueType.DATE: "value_date",
    ValueType.DATETIME: "value_datetime",
    ValueType.FILE: "value_file",
    ValueType.IMAGE: "value_image",
}
_TYPES = {column: kind for kind, column in _COLUMNS.items()}
CHOSEN = (ValueType.CHOICE, ValueType.CHOICES)


class Property(msgspec.Struct, frozen=True):
    """What a product says of one attribute.

    Attributes:
        kind: type of the value; None for no value.
        value: choices by their ids; times and numbers as rows have them.
    """

    attribute_id: UUID
    kind: ValueType | None
    value: Value


def properties_of(rows: AggregateRows, known: cells.Known) -> tuple[Property, ...]:
    """A product's attributes, in the order in which they were given."""
    chosen: dict[str, list[Row]] = {}
    for cell in sorted(rows.get(tables.CHOSEN.name, ()), key=_number):
        chosen.setdefault(str(cell["productattributevalue_id"]), []).append(cell)
    return tuple(
        property_of(cell, chosen.get(str(cell["id"]), ()), known)
        for cell in sorted(rows.get(tables.VALUE.name, ()), key=_number)
    )


def property_of(cell: Row, chosen: Sequence[Row], known: cells.Known) -> Property:
    """One attribute of a product.

    Which type it has its attribute says, which is another row: here it is the one column that
    is not empty.
    """
    row = Cells(tables.VALUE.name, cell)
    attribute = cells.id_of(known, "attribute", row.key("attribute_id"))
    found: list[tuple[ValueType, Value]] = []
    for column, kind in _TYPES.items():
        value = None if cell[column] is None else _READERS[kind](row, column)
        if value is not None:
            found.append((kind, value))
    option = row.key_or_none("value_option_id")
    if option is not None:
        found.append((ValueType.CHOICE, (cells.id_of(known, "choice", option),)))
    if chosen:
        some = (Cells(tables.CHOSEN.name, one).key("attributeoption_id") for one in chosen)
        ids = tuple(cells.id_of(known, "choice", one) for one in some)
        found.append((ValueType.CHOICES, ids))
    if len(found) > 1:
        raise row.corrupt("attribute_id", "has values of two types; empty all but its own")
    return Property(attribute, *found[0]) if found else Property(attribute, None, None)


def _float(row: Cells, column: str) -> str:
    said = row.text(column)
    try:
        number = Cells(tables.VALUE.name, {column: float(said)})
    except ValueError as exc:
        raise row.corrupt(column, f"is {said!r}, not a number") from exc
    return repr(number.number_or_none(column))


def _day(row: Cells, column: str) -> str | None:
    day = row.day_or_none(column)
    return day.isoformat() if day else None


_READERS: Mapping[ValueType, Callable[[Cells, str], Value]] = {
    ValueType.TEXT: lambda row, column: row.text(column),
    ValueType.RICHTEXT: lambda row, column: row.text(column),
    ValueType.INTEGER: lambda row, column: row.integer(column),
    ValueType.NUMBER: _float,
    ValueType.BOOLEAN: lambda row, column: row.truth(column),
    ValueType.DATE: _day,
    ValueType.DATETIME: lambda row, column: cells.moment_text(row.moment(column)),
    ValueType.FILE: lambda row, column: row.text(column) or None,
    ValueType.IMAGE: lambda row, column: row.text(column) or None,
}


def content_of(one: Property, kind: ValueType, labels: Mapping[UUID, str]) -> AttributeContent:
    """The core's content of an attribute of a type."""
    value = one.value
    if isinstance(value, tuple):
        found = tuple(labels[choice] for choice in value)
        return found if kind is ValueType.CHOICES else found[0]
    if one.kind is None:
        return () if kind is ValueType.CHOICES else None
    if one.kind is ValueType.NUMBER:
        return float(str(value))
    if one.kind is ValueType.DATETIME:
        return utc_text(datetime.fromisoformat(str(value)))
    return value


def said_by(
    attribute_id: UUID, kind: ValueType, content: AttributeContent, chosen: tuple[UUID, ...]
) -> Property:
    """What the core's content of an attribute says; `chosen` are the choices of its labels."""
    if content is None or content == ():
        return Property(attribute_id, None, None)
    if kind in CHOSEN:
        return Property(attribute_id, kind, chosen)
    if kind is ValueType.NUMBER:
        return Property(attribute_id, kind, repr(float(str(content))))
    if kind is ValueType.DATETIME:
        moment = datetime.fromisoformat(str(content))
        return Property(attribute_id, kind, cells.moment_text(moment))
    assert not isinstance(content, tuple | float)  # noqa: S101 - these are taken care of above
    return Property(attribute_id, kind, content)


def value_row(one: Property, number: int, product: int, numbers: Mapping[UUID, str]) -> Row:
    """A new row of an attribute's value."""
    row: dict[str, Cell] = {**dict.fromkeys(tables.VALUE.columns), "id": number}
    row["attribute_id"], row["product_id"] = int(numbers[one.attribute_id]), product
    if one.kind is ValueType.CHOICE and isinstance(one.value, tuple):
        if not one.value:
            raise RowCorrupt("value_option_id", "must name a choice that the shop has")
        row["value_option_id"] = int(numbers[one.value[0]])
    elif one.kind is not None and one.kind not in CHOSEN and not isinstance(one.value, tuple):
        row[_COLUMNS[one.kind]] = one.value
    return row


def _number(row: Row) -> int:
    return int(str(row["id"]))
