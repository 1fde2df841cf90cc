"""What moves as one: aggregates, the rows that make them, and the domains that own them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from legacy_adapters.mapping.rows import Row, Table


@dataclass(frozen=True, slots=True)
class Child:
    """Rows that name their aggregate's root, or another row of it, in a column.

    Attributes:
        by: the column that names it.
        of: the table that `by` points into; "" for the root's.
    """

    table: Table
    by: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Pointed:
    """Rows that a row of the aggregate names, as an order names its addresses.

    Attributes:
        by: the column of `of` that has this row's key.
        of: the table of the row that names it; "" for the root's.
    """

    table: Table
    by: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """Which rows of one store make an aggregate of a kind.

    A table belongs to one shape, and a row of it to one aggregate at most.

    Attributes:
        kind: name of the kind, as "order".
        root: the table whose row's key is the aggregate's.
        parts: children and pointed rows, each after what it hangs on.
    """

    kind: str
    root: Table
    parts: tuple[Child | Pointed, ...] = ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The root's table, then the others."""
        return (self.root, *(part.table for part in self.parts))


AggregateRows = Mapping[str, tuple[Row, ...]]
"""Rows of one aggregate by table, in the order of their keys. Without the root there is none."""


@dataclass(frozen=True, slots=True, order=True)
class AggregateKey:
    """One aggregate of a store.

    Attributes:
        key: text of the root's primary key in that store.
    """

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that a round trip does not keep, said beforehand.

    Attributes:
        where: table.column of the legacy, or a field of the document.
    """

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class SyncDomain:
    """What flips as one: no write of either store touches two of them.

    Attributes:
        kinds: of its aggregates; each may point at what stands before it, here or in a domain
            that this one needs.
        routes: domains of routing.yaml whose requests write it.
        needs: domains that its aggregates point into.
    """

    name: str
    kinds: tuple[str, ...]
    routes: tuple[str, ...]
    needs: tuple[str, ...] = ()
