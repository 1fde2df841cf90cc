"""Products as the replicator reads and writes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.aggregates import Child, Shape
from legacy_adapters.oscar.mapping.records import SYSTEM
from legacy_adapters.oscar.mapping.sync_catalog_product_rows import Asset
from legacy_adapters.oscar.mapping.sync_catalog_products import ProductDocument
from legacy_adapters.oscar.mapping.sync_catalog_values import (
    CHOSEN,
    Property,
    content_of,
    said_by,
)
from legacy_adapters.oscar.mapping.sync_cells import derived, is_legacy_born
from legacy_adapters.oscar.storage import tables as own
from legacy_adapters.oscar.storage.core_shapes import core_table
from new_core.domain import catalog
from new_core.domain.catalog import AttributeValue, Product, Reference, Status, Structure, Variant
from new_core.ports import UnitOfWork
from new_core.storage import connection_of
from new_core.storage import tables as t
from new_core.storage.statements import fetch, one_of, replace_children

_CHOSEN = (
    sa.select(own.chosen, own.choice.c.label)
    .join(own.choice, own.choice.c.id == own.chosen.c.choice_id)
    .where(one_of(own.chosen.c.product_id))
    .order_by(own.chosen.c.position)
)
_BY_LABEL = (
    sa.select(own.choice.c.id, own.choice.c.label)
    .where(one_of(own.choice.c.label))
    .order_by(own.choice.c.id.desc())
)
_CHOICES = sa.select(own.choice.c.id, own.choice.c.label).where(one_of(own.choice.c.id))
_THERE = sa.select(t.product.c.id).where(one_of(t.product.c.id))

_Picked = Mapping[tuple[UUID, UUID], Sequence[tuple[UUID, str]]]


@dataclass(frozen=True, slots=True)
class _Known:
    """What products point at, as far as it is there."""

    reference: Reference
    products: frozenset[UUID]
    labels: Mapping[UUID, str]

    def refusal(self, doc: ProductDocument) -> str | None:
        """Why a product cannot be written; None when it can."""
        if doc.parent_id is not None and doc.parent_id not in self.products:
            return f"needs product {doc.parent_id}, which is not there"
        if doc.type_id is not None and doc.type_id not in self.reference.types:
            return f"needs product type {doc.type_id}, which is not there"
        for some, there, what in (
            (doc.category_ids, self.reference.categories, "category"),
            (doc.option_ids, self.reference.options, "option"),
        ):
            missing = next((one for one in some if one not in there), None)
            if missing is not None:
                return f"needs {what} {missing}, which is not there"
        return next((why for one in doc.properties if (why := self._unfit(one)) is not None), None)

    def _unfit(self, one: Property) -> str | None:
        attribute = self.reference.attributes.get(one.attribute_id)
        if attribute is None:
            return f"needs attribute {one.attribute_id}, which is not there"
        if one.kind not in (None, attribute.value_type):
            return f"{attribute.code} is of type {attribute.value_type}, its value is {one.kind}"
        if isinstance(one.value, tuple) and any(choice not in self.labels for choice in one.value):
            return f"needs a choice of {attribute.code}, which is not there"
        return None


class SqlProductDocuments:
    """Products in the core's tables."""

    shapes: Sequence[Shape] = (
        Shape(
            "product",
            core_table(t.product),
            (
                Child(core_table(t.product_category), by="product_id"),
                Child(core_table(t.product_option), by="product_id"),
                Child(core_table(t.product_recommendation), by="product_id"),
                Child(core_table(t.asset), by="product_id"),
                Child(core_table(t.variant), by="product_id"),
            ),
        ),
    )

    async def read(self, uow: UnitOfWork, ids: Collection[UUID]) -> Mapping[UUID, ProductDocument]:
        """Products as they are now."""
        found = {one: stored.value for one, stored in (await uow.catalog.products(ids)).items()}
        variants = await uow.catalog.variants(list(found))
        reference = await uow.catalog.reference()
        connection = connection_of(uow)
        picked = await _picked(connection, found)
        by_label = await _by_label(connection, found.values(), reference, picked)
        return {
            ident: _document(one, variants.get(ident), reference, picked, by_label)
            for ident, one in found.items()
        }

    async def page(self, uow: UnitOfWork, after: UUID | None, size: int) -> Sequence[UUID]:
        """The next ids, ascending."""
        chosen = sa.select(t.product.c.id).order_by(t.product.c.id).limit(size)
        if after is not None:
            chosen = chosen.where(t.product.c.id > after)
        return list((await connection_of(uow).execute(chosen)).scalars())

    async def write(
        self, uow: UnitOfWork, docs: Sequence[ProductDocument], now: datetime
    ) -> Mapping[UUID, str]:
        """Make products like these; their SKUs come with their stock."""
        before = await self.read(uow, [one.id for one in docs])
        changed = [one for one in docs if before.get(one.id) != one]
        if not changed:
            return {}
        connection = connection_of(uow)
        known = await _known(uow, connection, changed)
        reasons = {one.id: why for one in changed if (why := known.refusal(one)) is not None}
        # Who needs a parent that is refused has none either.
        taken = [one for one in changed if one.id not in reasons and one.parent_id not in reasons]
        reasons |= {
            one.id: f"needs product {one.parent_id}, which is not there"
            for one in changed
            if one.parent_id in reasons and one.id not in reasons
        }
        await self._put(uow, taken, known, now)
        dropped = _assets(before[one.id] for one in taken if one.id in before) - _assets(taken)
        await uow.refs.bury(SYSTEM, dropped, now)
        return reasons

    async def remove(self, uow: UnitOfWork, ids: Collection[UUID], now: datetime) -> None:  # noqa: ARG002 - the port's
        """Delete products with their variants, stock and prices."""
        await replace_children(connection_of(uow), own.chosen.c.product_id, ids, [])
        await uow.catalog.delete("product", ids)

    async def _put(
        self, uow: UnitOfWork, docs: Sequence[ProductDocument], known: _Known, now: datetime
    ) -> None:
        if not docs:
            return
        ordered = sorted(docs, key=lambda one: one.structure is Structure.VARIANT)
        await uow.catalog.put_products([_product(one, known) for one in ordered], now)
        there = await uow.catalog.variants([one.id for one in docs])
        new = [
            Variant(one.variant_id or derived(one.id, "variant"), one.id, None)
            for one in docs
            if one.structure is not Structure.PARENT and one.id not in there
        ]
        if new:
            await uow.catalog.put_variants(new, now)
        rows = [
            {
                "product_id": doc.id, "attribute_id": one.attribute_id, "choice_id": choice,
                "position": place,
            }
            for doc in docs
            for one in doc.properties
            if isinstance(one.value, tuple)
            for place, choice in enumerate(one.value)
        ]  # fmt: skip
        column = own.chosen.c.product_id
        await replace_children(connection_of(uow), column, [one.id for one in docs], rows)


def _assets(docs: Any) -> set[UUID]:
    return {asset.id for one in docs for asset in one.assets}


async def _known(
    uow: UnitOfWork, connection: AsyncConnection, docs: Sequence[ProductDocument]
) -> _Known:
    parents = {one.parent_id for one in docs if one.parent_id is not None}
    there = {row["id"] for row in await fetch(connection, _THERE, parents)}
    choices = {
        choice
        for doc in docs
        for one in doc.properties
        if isinstance(one.value, tuple)
        for choice in one.value
    }
    labels = {row["id"]: row["label"] for row in await fetch(connection, _CHOICES, choices)}
    both = frozenset(there | {one.id for one in docs})
    return _Known(await uow.catalog.reference(), both, labels)


def _product(doc: ProductDocument, known: _Known) -> Product:
    attributes = known.reference.attributes
    return Product(
        id=doc.id,
        structure=doc.structure,
        parent_id=doc.parent_id,
        type_id=doc.type_id,
        status=Status.PUBLISHED if doc.published else Status.DRAFT,
        code=doc.code,
        gtin=doc.gtin,
        title=doc.title,
        slug=doc.slug,
        description=doc.description,
        seo_title=doc.seo_title,
        seo_description=doc.seo_description,
        discountable=doc.discountable,
        priority=doc.priority,
        created_at=doc.created_at,
        attributes=tuple(
            AttributeValue(
                one.attribute_id,
                content_of(one, attributes[one.attribute_id].value_type, known.labels),
            )
            for one in doc.properties
        ),
        category_ids=doc.category_ids,
        assets=tuple(
            catalog.Asset(one.id, one.uri, one.caption, one.rank, one.code, one.created_at)
            for one in doc.assets
        ),
        option_ids=doc.option_ids,
        recommendations=tuple(
            catalog.Recommendation(other, rank) for other, rank in doc.recommendations
        ),
    )


async def _picked(connection: AsyncConnection, products: Collection[UUID]) -> _Picked:
    found: dict[tuple[UUID, UUID], list[tuple[UUID, str]]] = {}
    for row in await fetch(connection, _CHOSEN, products):
        key = row["product_id"], row["attribute_id"]
        found.setdefault(key, []).append((row["choice_id"], row["label"]))
    return found


async def _by_label(
    connection: AsyncConnection,
    products: Collection[Product],
    reference: Reference,
    picked: _Picked,
) -> Mapping[str, UUID]:
    """Choices for labels that were written in the core, where nobody said which one is meant."""
    wanted: set[str] = set()
    for product in products:
        for one in product.attributes:
            labels = _labels(one)
            kind = reference.attributes[one.attribute_id].value_type
            said = tuple(label for _, label in picked.get((product.id, one.attribute_id), ()))
            if kind in CHOSEN and labels != said:
                wanted |= set(labels)
    rows = await fetch(connection, _BY_LABEL, wanted)
    return {row["label"]: row["id"] for row in rows}


def _labels(one: AttributeValue) -> tuple[str, ...]:
    if isinstance(one.content, tuple):
        return one.content
    return () if one.content is None else (str(one.content),)


def _document(
    product: Product,
    variant: Variant | None,
    reference: Reference,
    picked: _Picked,
    by_label: Mapping[str, UUID],
) -> ProductDocument:
    def said(one: AttributeValue) -> Property:
        labels, known = _labels(one), picked.get((product.id, one.attribute_id), ())
        chosen = tuple(choice for choice, _ in known)
        if tuple(label for _, label in known) != labels:
            chosen = tuple(by_label[label] for label in labels if label in by_label)
        kind = reference.attributes[one.attribute_id].value_type
        return said_by(one.attribute_id, kind, one.content, chosen)

    has_variant = product.structure is not Structure.PARENT and is_legacy_born(product.id)
    return ProductDocument(
        id=product.id,
        structure=product.structure,
        parent_id=product.parent_id,
        type_id=product.type_id,
        variant_id=variant.id if variant is not None and has_variant else None,
        published=product.status is Status.PUBLISHED,
        code=product.code,
        gtin=product.gtin,
        title=product.title,
        slug=product.slug,
        description=product.description,
        seo_title=product.seo_title,
        seo_description=product.seo_description,
        discountable=product.discountable,
        priority=product.priority,
        created_at=product.created_at,
        properties=tuple(said(one) for one in product.attributes),
        category_ids=tuple(sorted(product.category_ids)),
        option_ids=tuple(sorted(product.option_ids)),
        assets=tuple(
            Asset(one.id, one.uri, one.caption, one.rank, one.code, one.created_at)
            for one in sorted(product.assets, key=lambda one: (one.rank, one.id))
        ),
        recommendations=tuple(
            sorted(
                ((one.product_id, one.rank) for one in product.recommendations),
                key=lambda one: (-one[1], one[0]),
            )
        ),
    )
