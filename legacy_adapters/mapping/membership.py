"""Which aggregate a row of a store belongs to, as far as the row itself tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from legacy_adapters.mapping.aggregates import Child, Shape
from legacy_adapters.mapping.rows import Broken, Cell, Row, Table

RowName = tuple[str, str]
"""A row of a store: its table's name and the text of its key."""


class Tie(StrEnum):
    """How a row finds its aggregate.

    root: it is its root. named: it names the root. hung: it names another row of it.
    pointed: another row of it names this one.
    """

    ROOT = "root"
    NAMED = "named"
    HUNG = "hung"
    POINTED = "pointed"


@dataclass(frozen=True, slots=True)
class Home:
    """Where a table stands in its shape.

    Attributes:
        depth: greater than that of the table its rows hang on.
        holder: the table whose rows its own hang on; "" for the root's.
        by: the column that says so: its own, or the holder's for pointed rows.
        hung: tables whose rows name one of this as what they hang on.
        pointers: (table, column) for rows that this table's rows point at.
    """

    kind: str
    domain: str
    table: Table
    depth: int
    tie: Tie
    holder: str
    by: str
    hung: tuple[str, ...]
    pointers: tuple[tuple[str, str], ...]

    def link(self, row: Row) -> str | None:
        """The key of the row that this one names as what it hangs on."""
        is_child = self.tie in (Tie.NAMED, Tie.HUNG)
        return cell_text(row.get(self.by)) if is_child else None

    def own_key(self, key: str, link: str | None) -> str | None:
        """The aggregate's key where the row alone tells it; its holder is not asked."""
        if self.tie is Tie.ROOT:
            return key
        return link if self.tie is Tie.NAMED else None

    def points(self, row: Row | None) -> frozenset[RowName]:
        """Rows that this one points at, and so has in its aggregate."""
        if row is None:
            return frozenset()
        named = ((table, cell_text(row.get(by))) for table, by in self.pointers)
        return frozenset((table, key) for table, key in named if key is not None)


Membership = Mapping[str, Home]
"""Where each known table stands."""


def membership(shapes: Iterable[tuple[Shape, str]]) -> Membership:
    """Of the shapes of one store, each with the domain of its kind.

    Raises:
        ValueError: a table stands in two shapes, or hangs on one that does not come before it.
    """
    homes: dict[str, Home] = {}
    for shape, domain in shapes:
        for depth, home in enumerate(_homes(shape, domain)):
            if home.table.name in homes:
                raise ValueError(f"table {home.table.name} stands in two shapes")
            if depth and home.holder not in homes:
                raise ValueError(f"{home.table.name} hangs on {home.holder}, which is not there")
            homes[home.table.name] = home
    return homes


def cell_text(cell: Cell) -> str | None:
    """A cell that names a row; None where it names none."""
    return None if cell is None or isinstance(cell, Broken) else str(cell)


def _homes(shape: Shape, domain: str) -> Iterable[Home]:
    root = shape.root
    for depth, table in enumerate(shape.tables):
        part = shape.parts[depth - 1] if depth else None
        hung = tuple(
            one.table.name
            for one in shape.parts
            if isinstance(one, Child) and one.of == table.name != root.name
        )
        pointers = tuple(
            (one.table.name, one.by)
            for one in shape.parts
            if not isinstance(one, Child) and (one.of or root.name) == table.name
        )
        tie, holder, by = Tie.ROOT, "", ""
        if part is not None:
            holder, by = part.of or root.name, part.by
            tie = Tie.POINTED
            if isinstance(part, Child):
                tie = Tie.NAMED if holder == root.name else Tie.HUNG
        yield Home(shape.kind, domain, table, depth, tie, holder, by, hung, pointers)
