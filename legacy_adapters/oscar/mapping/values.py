"""Attribute values: oscar keeps each type in a column of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from legacy_adapters.oscar.mapping.cells import Row
from new_core.domain.catalog import AttributeContent


def attribute_value(row: Row, labels: tuple[str, ...]) -> AttributeContent:
    """The value of a row of catalogue_productattributevalue, in the core's form.

    Args:
        row: with the attribute's type as `attribute_type` and the chosen option's label as
            `option_label`.
        labels: the labels chosen for a multi-option, in order.

    Raises:
        RowCorrupt: the value is not of its type, or of a type that the core does not have.
    """
    kind = row.text("attribute_type")
    if kind == "multi_option":
        return labels
    if kind not in _READERS:
        raise row.corrupt("attribute_id", f"is of type {kind!r}, which the core does not have")
    return _READERS[kind](row)


def _day(row: Row) -> str | None:
    day = row.day_or_none("value_date")
    return day.isoformat() if day else None


def _moment(row: Row) -> str | None:
    moment = row.moment_or_none("value_datetime")
    return utc_text(moment) if moment else None


_READERS: dict[str, Callable[[Row], AttributeContent]] = {
    "text": lambda row: row.text_or_none("value_text"),
    "richtext": lambda row: row.text_or_none("value_richtext"),
    "file": lambda row: row.text_or_none("value_file") or None,
    "image": lambda row: row.text_or_none("value_image") or None,
    "integer": lambda row: row.integer_or_none("value_integer"),
    "float": lambda row: row.number_or_none("value_float"),
    "boolean": lambda row: row.truth_or_none("value_boolean"),
    "date": _day,
    "datetime": _moment,
    "option": lambda row: row.text("option_label"),
}


def utc_text(moment: datetime) -> str:
    """A time as text: ISO 8601 in UTC with a Z, fractions only where there are some."""
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
