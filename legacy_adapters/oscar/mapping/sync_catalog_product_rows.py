"""Rows of a product, as they go back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.mapping.rows import Row, Table
from legacy_adapters.oscar.mapping import records
from legacy_adapters.oscar.mapping import sync_catalog_tables as tables
from legacy_adapters.oscar.mapping import sync_cells as cells
from legacy_adapters.oscar.mapping.cells import Row as Cells
from legacy_adapters.oscar.mapping.sync_catalog_values import (
    CHOSEN,
    Property,
    property_of,
    value_row,
)
from legacy_adapters.ports.documents import Own
from new_core.domain.catalog import Structure, ValueType

_OSCARS_STRUCTURES = {kind: name for name, kind in records.STRUCTURES.items()}
_LONG, _UPC, _CAPTION, _MOST_PRIORITY = 255, 64, 200, 2**15 - 1


class Asset(msgspec.Struct, frozen=True):
    """An image of a product."""

    id: UUID
    uri: str
    caption: str
    rank: int
    code: str | None
    created_at: datetime


class Described(Protocol):
    """A product, as far as its own row says it."""

    @property
    def id(self) -> UUID: ...
    @property
    def structure(self) -> Structure: ...
    @property
    def parent_id(self) -> UUID | None: ...
    @property
    def type_id(self) -> UUID | None: ...
    @property
    def published(self) -> bool: ...
    @property
    def code(self) -> str | None: ...
    @property
    def gtin(self) -> str | None: ...
    @property
    def title(self) -> str: ...
    @property
    def slug(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def seo_title(self) -> str | None: ...
    @property
    def seo_description(self) -> str | None: ...
    @property
    def discountable(self) -> bool: ...
    @property
    def priority(self) -> int: ...
    @property
    def created_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Links:
    """Ids of the rows that hang on a product and are nothing in the core."""

    product: UUID

    def row(self, name: str, other: UUID) -> UUID:
        """The row of a kind that names another thing."""
        return cells.derived(self.product, f"{name} {other}")

    def choice(self, attribute: UUID, choice: UUID) -> UUID:
        """The row of one of several choices."""
        return cells.derived(self.product, f"attribute_choice {attribute} {choice}")

    def of(
        self, linked: Sequence[tuple[str, Sequence[UUID]]], properties: Sequence[Property]
    ) -> Iterator[Own]:
        """All of them."""
        for name, others in linked:
            yield from (Own(name, self.row(name, one)) for one in others)
        for one in properties:
            yield Own("attribute_value", self.row("attribute_value", one.attribute_id))
            if one.kind is ValueType.CHOICES and isinstance(one.value, tuple):
                some = (self.choice(one.attribute_id, choice) for choice in one.value)
                yield from (Own("attribute_choice", ident) for ident in some)


def links_of(
    rows: AggregateRows, table: Table, to: str, what: str, known: cells.Known
) -> Iterator[tuple[UUID, Row]]:
    """The other ends of a product's links, with their rows."""
    for one in rows.get(table.name, ()):
        yield cells.id_of(known, what, Cells(table.name, one).key(to)), one


def product_row(doc: Described, before: Row, numbers: Mapping[UUID, str]) -> Row:
    """The product's own row."""
    created = cells.moment_text(doc.created_at)
    if abs(doc.priority) > _MOST_PRIORITY:
        raise RowCorrupt("catalogue_product.priority", f"cannot hold {doc.priority}")
    row: Row = {
        "id": int(numbers[doc.id]),
        "structure": _OSCARS_STRUCTURES[doc.structure],
        "upc": _maybe("upc", doc.gtin, _UPC),
        "title": cells.fitting("catalogue_product.title", doc.title, _LONG),
        "slug": cells.fitting("catalogue_product.slug", doc.slug, _LONG),
        "description": doc.description,
        "rating": before.get("rating"),
        "date_created": created,
        "date_updated": before.get("date_updated", created),
        "is_discountable": doc.discountable,
        "product_class_id": None if doc.type_id is None else int(numbers[doc.type_id]),
        "is_public": doc.published,
        "meta_description": doc.seo_description,
        "meta_title": _maybe("meta_title", doc.seo_title, _LONG),
        "priority": doc.priority,
        "code": _maybe("code", doc.code, _LONG),
        "parent_id": None if doc.parent_id is None else int(numbers[doc.parent_id]),
    }
    return cells.same_nothing(row, before, ("upc",))


def image_row(one: Asset, product: int, before: Row, numbers: Mapping[UUID, str]) -> Row:
    """The row of an image."""
    row: Row = {
        "id": int(numbers[one.id]),
        "original": cells.fitting("catalogue_productimage.original", one.uri, _LONG),
        "caption": cells.fitting("catalogue_productimage.caption", one.caption, _CAPTION),
        "display_order": one.rank,
        "date_created": cells.moment_text(one.created_at),
        "product_id": product,
        "code": one.code,
    }
    return cells.same_nothing(row, before, ("code",))


def value_rows(
    product_id: UUID,
    properties: Sequence[Property],
    sidecar: AggregateRows,
    numbers: Mapping[UUID, str],
) -> dict[str, tuple[Row, ...]]:
    """Rows of attributes' values, and of what was chosen for those that take several."""
    links, product = Links(product_id), int(numbers[product_id])
    before = {str(row["attribute_id"]): row for row in sidecar.get(tables.VALUE.name, ())}
    known = _named(properties, numbers)
    values: list[Row] = []
    chosen: list[Row] = []
    for one in properties:
        old = before.get(numbers[one.attribute_id])
        picked = [] if old is None else _picked(sidecar, old)
        if old is not None and _same(one, old, picked, known):
            values.append(old)
            chosen += picked
            continue
        link = links.row("attribute_value", one.attribute_id)
        number = int(str(old["id"])) if old is not None else int(numbers[link])
        row = value_row(one, number, product, numbers)
        if old is not None:
            of = ("entity_object_id", "entity_content_type_id")
            row = {**row, **{name: old[name] for name in of}}
        values.append(row)
        chosen += _chosen(one, number, picked, links, numbers)
    return {tables.VALUE.name: _sorted(values), tables.CHOSEN.name: _sorted(chosen)}


def _named(properties: Sequence[Property], numbers: Mapping[UUID, str]) -> cells.Known:
    known = {("attribute", numbers[one.attribute_id]): one.attribute_id for one in properties}
    for one in properties:
        if isinstance(one.value, tuple):
            known |= {("choice", numbers[choice]): choice for choice in one.value}
    return known


def _same(one: Property, old: Row, picked: Sequence[Row], known: cells.Known) -> bool:
    try:
        return property_of(old, picked, known) == one
    except RowCorrupt:
        return False


def _picked(sidecar: AggregateRows, value: Row) -> list[Row]:
    of = "productattributevalue_id"
    return [row for row in sidecar.get(tables.CHOSEN.name, ()) if row[of] == value["id"]]


def _chosen(
    one: Property, number: int, before: Sequence[Row], links: Links, numbers: Mapping[UUID, str]
) -> tuple[Row, ...]:
    if one.kind not in CHOSEN or one.kind is ValueType.CHOICE or not isinstance(one.value, tuple):
        return ()
    fresh = {
        int(numbers[choice]): int(numbers.get(links.choice(one.attribute_id, choice), "0"))
        for choice in one.value
    }
    return cells.links(before, "attributeoption_id", fresh, {"productattributevalue_id": number})


def _maybe(column: str, text: str | None, longest: int) -> str | None:
    return None if text is None else cells.fitting(f"catalogue_product.{column}", text, longest)


def _sorted(rows: Sequence[Row]) -> tuple[Row, ...]:
    return tuple(sorted(rows, key=lambda row: int(str(row["id"]))))
