"""What the catalogue's translations have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from legacy_adapters.mapping.aggregates import AggregateRows, Loss, Shape
from legacy_adapters.mapping.columns import Fate
from legacy_adapters.oscar.mapping import sync_cells as cells
from legacy_adapters.oscar.mapping.cells import Row as Cells
from legacy_adapters.oscar.mapping.columns import COLUMNS
from legacy_adapters.ports.documents import Own


class _Document(Protocol):
    @property
    def id(self) -> UUID: ...


D = TypeVar("D", bound=_Document)


class Named(Generic[D]):
    """What the translations here have in common: one root with a number."""

    shape: Shape
    entity_type: str
    losses: Sequence[Loss] = ()

    @property
    def columns(self) -> Mapping[str, Mapping[str, Fate]]:
        """As the backfill's."""
        return {table.name: COLUMNS[table.name] for table in self.shape.tables}

    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        """The thing itself."""
        return ((self.entity_type, str(cells.root_of(self.shape, rows)["id"])),)

    def names(self, rows: AggregateRows, known: cells.Known) -> Mapping[tuple[str, str], UUID]:
        """The thing itself."""
        key = str(cells.root_of(self.shape, rows)["id"])
        return {(self.entity_type, key): cells.id_of(known, self.entity_type, key)}

    def owns(self, doc: D) -> Sequence[Own]:
        """The thing itself."""
        return (Own(self.entity_type, doc.id),)

    def points_at(self, doc: D) -> Sequence[Own]:  # noqa: ARG002 - others point
        """Nothing."""
        return ()

    def money(self, doc: D) -> tuple[int, str] | None:  # noqa: ARG002 - the port's
        """None: it is no money."""
        return None

    def row(self, rows: AggregateRows) -> Cells:
        """The root's row, to be read strictly."""
        return Cells(self.shape.root.name, cells.root_of(self.shape, rows))

    def fits(self, column: str, text: str, longest: int) -> str:
        """A text that the root's column can hold."""
        return cells.fitting(f"{self.shape.root.name}.{column}", text, longest)

    def maybe(self, column: str, text: str | None, longest: int) -> str | None:
        """The same for a text that may be missing."""
        return None if text is None else self.fits(column, text, longest)
