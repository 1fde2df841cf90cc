"""Types, attributes, options and categories, kept in memory while nobody changes them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import (
    AttributeDef,
    Category,
    Option,
    ProductType,
    Reference,
    ValueType,
)
from new_core.storage import tables as t
from new_core.storage.statements import Row

T = TypeVar("T")

_VERSION = sa.select(t.reference_version.c.version)


class ReferenceCache:
    """The last Reference read, with the version that it had.

    1. A reader sees version 7, 2. a writer commits version 8, 3. the reader loads the rows.
    Version and rows are read in one snapshot, so the cache never says 8 over rows of 7.
    """

    def __init__(self) -> None:
        self._version: int | None = None
        self._reference: Reference | None = None

    async def get(self, connection: AsyncConnection) -> Reference:
        """The reference as of the connection's transaction."""
        version = (await connection.execute(_VERSION)).scalar_one_or_none() or 0
        if self._reference is None or version != self._version:
            loaded = await _load(connection)
            self._reference, self._version = loaded, version
            return loaded
        return self._reference


async def bump_reference(connection: AsyncConnection) -> None:
    """Tell every reader, in every process, that its Reference is old once this commits."""
    table = t.reference_version
    bumped = await connection.execute(sa.update(table).values(version=table.c.version + 1))
    if bumped.rowcount == 0:
        await connection.execute(sa.insert(table).values(id=1, version=1))


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
