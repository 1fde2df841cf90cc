"""What every translation of oscar's rows needs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows, Shape
from legacy_adapters.mapping.rows import Cell, Column, ColumnKind, Row
from legacy_adapters.oscar.mapping.records import SYSTEM
from new_core.domain.identity import core_id

INTEGER, BOOLEAN, TEXT = map(Column, (ColumnKind.INTEGER, ColumnKind.BOOLEAN, ColumnKind.TEXT))
MOMENT, DAY, NUMBER, JSON = map(
    Column, (ColumnKind.MOMENT, ColumnKind.DAY, ColumnKind.NUMBER, ColumnKind.JSON)
)
CENTS = Column(ColumnKind.DECIMAL, 2)

Known = Mapping[tuple[str, str], UUID]

_LEGACY_BORN = 5
_EMPTY: Row = {}


def root_of(shape: Shape, rows: AggregateRows) -> Row:
    """The root's row.

    Raises:
        RowCorrupt: there is none.
    """
    found = rows.get(shape.root.name, ())
    if not found:
        raise RowCorrupt(shape.root.name, "is not there")
    return found[0]


def before_of(shape: Shape, sidecar: AggregateRows) -> Row:
    """The root's row as the legacy last had it; empty for what was born in the core."""
    found = sidecar.get(shape.root.name, ())
    return found[0] if found else _EMPTY


def id_of(known: Known, entity_type: str, key: str) -> UUID:
    """Who a legacy row is in the core."""
    return known.get((entity_type, key)) or core_id(SYSTEM, entity_type, key)


def is_legacy_born(ident: UUID) -> bool:
    """Whether the legacy had it first: ids made from its keys are of another kind than the
    core's own.
    """
    return ident.version == _LEGACY_BORN


def derived(ident: UUID, what: str) -> UUID:
    """An id for a part of something, the same at every replay.

    Of version 8, so that nobody takes it for one that the legacy's keys give.
    """
    raw = bytearray(uuid.uuid5(ident, what).bytes)
    raw[6] = raw[6] & 0x0F | 0x80
    return UUID(bytes=bytes(raw))


def moment_text(moment: datetime) -> str:
    """A time as rows have it."""
    naive = moment.astimezone(UTC).replace(tzinfo=None)
    return naive.isoformat(timespec="microseconds") + "Z"


def cents_text(micro: int | None) -> str | None:
    """A price in millionths as a column of two decimals; halves up."""
    if micro is None:
        return None
    cents = Decimal(micro).scaleb(-6).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return format(cents, "f")


def fitting(field: str, text: str, longest: int) -> str:
    """A text that its column can hold.

    Raises:
        RowCorrupt: it is too long.
    """
    if len(text) > longest:
        raise RowCorrupt(field, f"takes {longest} characters, the core has {len(text)}")
    return text


def same_nothing(row: Row, before: Row, columns: Sequence[str]) -> Row:
    """The row with nothing written as it was before: oscar has two words for it, NULL and ""."""
    empty = {one: "" for one in columns if row[one] is None and before.get(one) == ""}
    return {**row, **empty}


def links(
    before: Sequence[Row], to: str, wanted: Mapping[int, int], ends: Mapping[str, Cell]
) -> tuple[Row, ...]:
    """Rows that link an owner with others: those that were there, and new ones.

    Args:
        before: as the legacy last had them.
        to: the column that names the other end.
        wanted: other ends, with the key of a new row to each.
        ends: what else a new row says.
    """
    there = {row[to]: row for row in before}
    rows = [there.get(other) or {"id": key, **ends, to: other} for other, key in wanted.items()]
    return tuple(sorted(rows, key=lambda row: int(str(row["id"]))))
