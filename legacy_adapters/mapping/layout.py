"""In which order an aggregate's rows are written and taken away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from legacy_adapters.mapping.aggregates import AggregateRows, Child, Shape
from legacy_adapters.mapping.rows import Row, Table, key_text


@dataclass(frozen=True, slots=True)
class Plan:
    """What the legacy's rows of one aggregate become.

    Attributes:
        first: (table, keys) to take away before anything is written.
        put: (table, rows) to write, in this order.
        last: (table, keys) to take away at the end.
    """

    first: tuple[tuple[Table, tuple[str, ...]], ...]
    put: tuple[tuple[Table, tuple[Row, ...]], ...]
    last: tuple[tuple[Table, tuple[str, ...]], ...]


def write_order(shape: Shape) -> tuple[Table, ...]:
    """Tables so that what a row names is there before it: pointed rows, the row that points at
    them, then what hangs on it.
    """
    ordered: list[Table] = []

    def visit(table: Table) -> None:
        parts = [one for one in shape.parts if (one.of or shape.root.name) == table.name]
        for one in parts:
            if not isinstance(one, Child):
                visit(one.table)
        ordered.append(table)
        for one in parts:
            if isinstance(one, Child):
                visit(one.table)

    visit(shape.root)
    return tuple(ordered)


def plan_rows(shape: Shape, rows: AggregateRows, known: Mapping[str, Collection[str]]) -> Plan:
    """From the rows that are known to be there, or may be, to the rows that are wanted.

    Children that go make way first, as another row may want their unique value; what was
    pointed at goes last, when nothing points at it any more. Without wanted rows all go.
    """
    ordered = write_order(shape)
    wanted = {
        table.name: {key_text(table, row) for row in rows.get(table.name, ())} for table in ordered
    }
    extra = {
        table.name: tuple(sorted(set(known.get(table.name, ())) - wanted[table.name]))
        for table in ordered
    }
    children = {part.table.name for part in shape.parts if isinstance(part, Child)}
    backwards = [table for table in reversed(ordered) if extra[table.name]]
    first = tuple((one, extra[one.name]) for one in backwards if one.name in children)
    last = tuple((one, extra[one.name]) for one in backwards if one.name not in children)
    put = tuple((one, tuple(rows[one.name])) for one in ordered if rows.get(one.name))
    return Plan(first, put, last)


def unknown_rows(
    shape: Shape, rows: AggregateRows, known: Mapping[str, Collection[str]]
) -> Mapping[Table, tuple[str, ...]]:
    """Keys of wanted rows that were never heard of."""
    fresh = {
        table: tuple(
            sorted(
                {key_text(table, row) for row in rows.get(table.name, ())}
                - set(known.get(table.name, ()))
            )
        )
        for table in shape.tables
    }
    return {table: keys for table, keys in fresh.items() if keys}
