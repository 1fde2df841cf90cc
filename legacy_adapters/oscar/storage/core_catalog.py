"""What products point at, as the replicator reads and writes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa

from legacy_adapters.mapping.aggregates import Child, Shape
from legacy_adapters.oscar.mapping.sync_catalog import (
    AttributeDocument,
    CategoryDocument,
    OptionDocument,
    TypeDocument,
    WarehouseDocument,
)
from legacy_adapters.oscar.storage.core_shapes import core_table
from new_core.domain.catalog import PATH_STEP, AttributeDef, Category, Option, ProductType
from new_core.domain.stock import Warehouse
from new_core.ports import UnitOfWork
from new_core.storage import connection_of
from new_core.storage import tables as t

D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Reading(Generic[D]):
    """How documents of one kind are read and written.

    Attributes:
        load: all that there are; there are few of them.
        refusal: why one cannot be written, beside all others that are or will be there.
    """

    load: Callable[[UnitOfWork], Awaitable[Mapping[UUID, D]]]
    put: Callable[[UnitOfWork, Sequence[D], datetime], Awaitable[None]]
    refusal: Callable[[UnitOfWork, Sequence[D]], Awaitable[Mapping[UUID, str]]]


class SqlReferenceDocuments(Generic[D]):
    """Documents of one kind of which a shop has few."""

    def __init__(self, kind: str, table: sa.Table, how: Reading[D], *parts: Child) -> None:
        """Begin.

        Args:
            kind: its name.
            table: of the core, with its root.
            how: it is read and written.
            parts: other tables of it.
        """
        self.shapes: Sequence[Shape] = (Shape(kind, core_table(table), parts),)
        self._kind = kind
        self._table = table
        self._how = how

    async def read(self, uow: UnitOfWork, ids: Collection[UUID]) -> Mapping[UUID, D]:
        """Documents as they are now."""
        every = await self._how.load(uow)
        return {one: every[one] for one in ids if one in every}

    async def page(self, uow: UnitOfWork, after: UUID | None, size: int) -> Sequence[UUID]:
        """The next ids, ascending."""
        ident = self._table.c.id
        chosen = sa.select(ident).order_by(ident).limit(size)
        if after is not None:
            chosen = chosen.where(ident > after)
        return list((await connection_of(uow).execute(chosen)).scalars())

    async def write(self, uow: UnitOfWork, docs: Sequence[D], now: datetime) -> Mapping[UUID, str]:
        """Make the core hold these."""
        before = await self._how.load(uow)
        reasons = await self._how.refusal(uow, docs)
        taken = [one for one in docs if _id(one) not in reasons and before.get(_id(one)) != one]
        if taken:
            await self._how.put(uow, taken, now)
        return reasons

    async def remove(self, uow: UnitOfWork, ids: Collection[UUID], now: datetime) -> None:  # noqa: ARG002 - the port's
        """Delete them."""
        await uow.catalog.delete(self._kind, ids)


def _id(doc: Any) -> UUID:
    found: UUID = doc.id
    return found


async def _fine(_uow: UnitOfWork, _docs: Sequence[Any]) -> Mapping[UUID, str]:
    return {}


async def _options(uow: UnitOfWork) -> Mapping[UUID, OptionDocument]:
    found = (await uow.catalog.reference()).options.values()
    return {
        one.id: OptionDocument(
            one.id, one.code, one.name, one.kind, one.required, one.help_text, one.rank
        )
        for one in found
    }


async def _put_options(uow: UnitOfWork, docs: Sequence[OptionDocument], now: datetime) -> None:
    rows = [
        Option(one.id, one.code, one.name, one.kind, one.required, one.help_text, one.rank)
        for one in docs
    ]
    await uow.catalog.put_options(rows, now)


async def _types(uow: UnitOfWork) -> Mapping[UUID, TypeDocument]:
    found = (await uow.catalog.reference()).types.values()
    return {
        one.id: TypeDocument(
            one.id, one.code, one.name, one.requires_shipping, one.track_stock,
            tuple(sorted(one.option_ids)),
        )
        for one in found
    }  # fmt: skip


async def _put_types(uow: UnitOfWork, docs: Sequence[TypeDocument], now: datetime) -> None:
    rows = [
        ProductType(
            one.id, one.code, one.name, one.requires_shipping, one.track_stock, one.option_ids
        )
        for one in docs
    ]
    await uow.catalog.put_types(rows, now)


async def _types_refused(uow: UnitOfWork, docs: Sequence[TypeDocument]) -> Mapping[UUID, str]:
    there = (await uow.catalog.reference()).options
    wanted = ((one.id, one.option_ids) for one in docs)
    return _missing("option", wanted, there)


async def _attributes(uow: UnitOfWork) -> Mapping[UUID, AttributeDocument]:
    found = (await uow.catalog.reference()).attributes.values()
    return {
        one.id: AttributeDocument(
            one.id, one.type_id, one.code, one.name, one.value_type, one.required
        )
        for one in found
    }


async def _put_attributes(
    uow: UnitOfWork, docs: Sequence[AttributeDocument], now: datetime
) -> None:
    rows = [
        AttributeDef(one.id, one.type_id, one.code, one.name, one.value_type, one.required)
        for one in docs
    ]
    await uow.catalog.put_attributes(rows, now)


async def _attributes_refused(
    uow: UnitOfWork, docs: Sequence[AttributeDocument]
) -> Mapping[UUID, str]:
    there = (await uow.catalog.reference()).types
    wanted = ((one.id, [one.type_id] if one.type_id is not None else []) for one in docs)
    return _missing("product type", wanted, there)


async def _warehouses(uow: UnitOfWork) -> Mapping[UUID, WarehouseDocument]:
    found = (await uow.stock.warehouses()).values()
    return {one.id: WarehouseDocument(one.id, one.code, one.name) for one in found}


async def _put_warehouses(
    uow: UnitOfWork, docs: Sequence[WarehouseDocument], now: datetime
) -> None:
    rows = [Warehouse(one.id, one.code, one.name) for one in docs]
    await uow.stock.put_warehouses(rows, now)


async def _categories(uow: UnitOfWork) -> Mapping[UUID, CategoryDocument]:
    found = (await uow.catalog.reference()).categories.values()
    below: dict[str, int] = {}
    for one in found:
        above = one.path[:-PATH_STEP]
        below[above] = below.get(above, 0) + 1
    return {
        one.id: CategoryDocument(
            one.id, one.path, below.get(one.path, 0), one.code, one.slug, one.name,
            one.description, one.long_description, one.seo_title, one.seo_description, one.image,
            one.listed, one.published, one.ancestors_published,
        )
        for one in found
    }  # fmt: skip


async def _put_categories(uow: UnitOfWork, docs: Sequence[CategoryDocument], now: datetime) -> None:
    """From the top down: each points at the one above it."""
    there = (await uow.catalog.reference()).categories_by_path
    paths = {path: one.id for path, one in there.items()} | {one.path: one.id for one in docs}
    rows = [
        Category(
            one.id, paths.get(one.path[:-PATH_STEP]), one.path, one.code, one.slug, one.name,
            one.description, one.long_description, one.seo_title, one.seo_description, one.image,
            one.listed, one.published, one.ancestors_published,
        )
        for one in sorted(docs, key=lambda one: one.path)
    ]  # fmt: skip
    await uow.catalog.put_categories(rows, now)


async def _categories_refused(
    uow: UnitOfWork, docs: Sequence[CategoryDocument]
) -> Mapping[UUID, str]:
    there = set((await uow.catalog.reference()).categories_by_path)
    reasons = {}
    for one in sorted(docs, key=lambda one: one.path):
        above = one.path[:-PATH_STEP]
        if above and above not in there:
            reasons[one.id] = f"needs a category at {above}, which is not there"
        else:
            there.add(one.path)
    return reasons


def _missing(
    what: str, wanted: Iterable[tuple[UUID, Sequence[UUID]]], there: Collection[UUID]
) -> Mapping[UUID, str]:
    found = ((one, next((to for to in some if to not in there), None)) for one, some in wanted)
    return {one: f"needs {what} {to}, which is not there" for one, to in found if to is not None}


def option_documents() -> SqlReferenceDocuments[OptionDocument]:
    """Options."""
    return SqlReferenceDocuments("option", t.option, Reading(_options, _put_options, _fine))


def type_documents() -> SqlReferenceDocuments[TypeDocument]:
    """Product types with their options."""
    links = Child(core_table(t.product_type_option), by="type_id")
    how = Reading(_types, _put_types, _types_refused)
    return SqlReferenceDocuments("product_type", t.product_type, how, links)


def attribute_documents() -> SqlReferenceDocuments[AttributeDocument]:
    """Attributes."""
    how = Reading(_attributes, _put_attributes, _attributes_refused)
    return SqlReferenceDocuments("attribute", t.attribute_def, how)


def warehouse_documents() -> SqlReferenceDocuments[WarehouseDocument]:
    """Warehouses; where they stand and how they send only the core knows."""
    how = Reading(_warehouses, _put_warehouses, _fine)
    return SqlReferenceDocuments("warehouse", t.warehouse, how)


def category_documents() -> SqlReferenceDocuments[CategoryDocument]:
    """Categories."""
    how = Reading(_categories, _put_categories, _categories_refused)
    return SqlReferenceDocuments("category", t.category, how)
