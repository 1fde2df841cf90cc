"""What is often read of the catalogue, kept in memory while nobody changes it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import (
    AttributeDef,
    Category,
    Option,
    Product,
    ProductType,
    Reference,
    Stored,
    ValueType,
)
from new_core.storage import tables as t
from new_core.storage.statements import Row

T = TypeVar("T")

_VERSIONS = sa.select(t.reference_version.c.version, t.reference_version.c.products)
_MOST_FAMILIES = 2000

Family = Mapping[UUID, Stored[Product]]


@dataclass(frozen=True, slots=True)
class Versions:
    """Which state of the catalogue a transaction sees."""

    reference: int
    products: int


class CatalogCache:
    """The last Reference and the families of products read, with the versions they had.

    1. A reader sees version 7, 2. a writer commits version 8, 3. the reader loads the rows.
    Versions and rows are read in one snapshot, so the cache never says 8 over rows of 7. A
    reader whose snapshot is older than what is remembered reads for itself and remembers
    nothing: else two such readers would throw out each other's rows for ever.
    """

    def __init__(self) -> None:
        self._reference: tuple[int, Reference] | None = None
        self._products = -1
        self._families: OrderedDict[UUID, Family] = OrderedDict()

    async def reference(self, connection: AsyncConnection, seen: Versions) -> Reference:
        """The reference as of the connection's transaction, which sees these versions."""
        kept = self._reference
        if kept is not None and kept[0] == seen.reference:
            return kept[1]
        loaded = await _load(connection)
        if kept is None or kept[0] < seen.reference:
            self._reference = seen.reference, loaded
        return loaded

    def family(self, product_id: UUID, seen: Versions) -> Family | None:
        """What is remembered of a product's family; None when nothing of this version is."""
        if seen.products != self._products:
            return None
        found = self._families.get(product_id)
        if found is not None:
            self._families.move_to_end(product_id)
        return found

    def remember(self, product_id: UUID, family: Family, seen: Versions) -> None:
        """Keep a family that was read in a transaction that saw these versions."""
        if seen.products < self._products:
            return
        if seen.products > self._products:
            self._families.clear()
            self._products = seen.products
        self._families[product_id] = family
        if len(self._families) > _MOST_FAMILIES:
            self._families.popitem(last=False)


async def versions(connection: AsyncConnection) -> Versions:
    """The versions that the connection's transaction sees."""
    row = (await connection.execute(_VERSIONS)).first()
    return Versions(row[0], row[1]) if row is not None else Versions(0, 0)


async def bump_reference(connection: AsyncConnection) -> None:
    """Tell every reader, in every process, that its Reference is old once this commits."""
    await _bump(connection, t.reference_version.c.version)


async def bump_products(connection: AsyncConnection) -> None:
    """The same of products, their variants and all that hangs on them."""
    await _bump(connection, t.reference_version.c.products)


async def _bump(connection: AsyncConnection, column: sa.Column[Any]) -> None:
    table = t.reference_version
    bumped = await connection.execute(sa.update(table).values({column: column + 1}))
    if bumped.rowcount == 0:
        fresh = {"id": 1, "version": 0, "products": 0, column.name: 1}
        await connection.execute(sa.insert(table).values(fresh))


async def _load(connection: AsyncConnection) -> Reference:
    async def rows(statement: sa.Select[Any]) -> list[Row]:
        return list((await connection.execute(statement)).mappings())

    options_of: dict[Any, list[Any]] = {}
    for row in await rows(sa.select(t.product_type_option)):
        options_of.setdefault(row["type_id"], []).append(row["option_id"])
    types = [
        ProductType(
            row["id"], row["code"], row["name"], row["requires_shipping"], row["track_stock"],
            tuple(sorted(options_of.get(row["id"], ()))),
        )
        for row in await rows(sa.select(t.product_type))
    ]  # fmt: skip
    attributes = [
        AttributeDef(
            row["id"], row["type_id"], row["code"], row["name"],
            ValueType(row["value_type"]), row["required"],
        )
        for row in await rows(sa.select(t.attribute_def))
    ]  # fmt: skip
    options = [_plain(Option, row) for row in await rows(sa.select(t.option))]
    categories = sorted(
        (_plain(Category, row) for row in await rows(sa.select(t.category))),
        key=lambda one: (one.path, one.id),
    )
    return Reference(
        types={one.id: one for one in types},
        attributes={one.id: one for one in attributes},
        options={one.id: one for one in options},
        categories={one.id: one for one in categories},
        categories_by_path={one.path: one for one in categories},
    )


def _plain(kind: type[T], row: Row) -> T:
    """A dataclass whose fields are columns of the same names."""
    return kind(**{field.name: row[field.name] for field in fields(kind)})  # type: ignore[arg-type]  # a TypeVar bound to dataclasses cannot be said
