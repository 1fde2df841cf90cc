"""Products and what they point at, in tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import (
    AttributeDef,
    BundleComponent,
    Category,
    Option,
    Product,
    ProductSummary,
    ProductType,
    Reference,
    Stored,
    Structure,
    Variant,
)
from new_core.errors import InvalidValue
from new_core.ports import ProductQuery
from new_core.storage import tables as t
from new_core.storage.product_rows import (
    Satellites,
    product_of,
    product_row,
    satellite_rows,
    without,
)
from new_core.storage.reference import (
    CatalogCache,
    Versions,
    bump_products,
    bump_reference,
    versions,
)
from new_core.storage.search import mark_all_stale, mark_stale, may_be_seen
from new_core.storage.statements import Row, chunks, fetch, one_of, replace_children, upsert

_ENTITIES = {
    "product_type": t.product_type,
    "attribute": t.attribute_def,
    "option": t.option,
    "category": t.category,
    "product": t.product,
    "variant": t.variant,
    "warehouse": t.warehouse,
    "stock_level": t.stock_level,
}
_REFERENCE = frozenset({"product_type", "attribute", "option", "category"})


class SqlCatalog:
    """The catalogue's tables, in one transaction."""

    def __init__(self, connection: AsyncConnection, cache: CatalogCache) -> None:
        self._connection = connection
        self._cache = cache
        self._seen: Versions | None = None

    async def reference(self) -> Reference:
        return await self._cache.reference(self._connection, await self._versions())

    async def products(self, ids: Collection[UUID]) -> dict[UUID, Stored[Product]]:
        return await self._whole(await fetch(self._connection, _PRODUCTS, ids))

    async def family(self, product_id: UUID) -> dict[UUID, Stored[Product]]:
        seen = await self._versions()
        kept = self._cache.family(product_id, seen)
        if kept is not None:
            return dict(kept)
        result = await self._connection.execute(_FAMILY, {"id": product_id})
        rows = result.mappings().all()
        found = await self._whole(rows) if rows else {}
        if found:
            self._cache.remember(product_id, found, seen)
        return found

    async def with_children(self, ids: Collection[UUID]) -> dict[UUID, Stored[Product]]:
        own = await fetch(self._connection, _PRODUCTS, ids)
        below = await fetch(self._connection, _CHILDREN, ids)
        return await self._whole([*own, *(row for row in below if row["id"] not in ids)])

    async def page(self, query: ProductQuery) -> tuple[Stored[Product], ...]:
        result = await self._connection.execute(_page_statement(query))
        found = await self._whole(result.mappings().all())
        return tuple(found.values())

    async def summaries(self, structure: Structure | None) -> tuple[ProductSummary, ...]:
        statement = _SUMMARY.order_by(t.product.c.created_at.desc(), t.product.c.id)
        if structure is not None:
            statement = statement.where(t.product.c.structure == structure.value)
        return _summaries((await self._connection.execute(statement)).mappings())

    async def summaries_of(self, ids: Collection[UUID]) -> tuple[ProductSummary, ...]:
        found = _summaries(await fetch(self._connection, _SUMMARIES, ids))
        return tuple(sorted(found, key=lambda one: one.created_at, reverse=True))

    async def variants(self, product_ids: Collection[UUID]) -> dict[UUID, Variant]:
        rows = await fetch(self._connection, _VARIANTS, product_ids)
        return {
            row["product_id"]: Variant(row["id"], row["product_id"], row["sku"]) for row in rows
        }

    async def components(
        self, variant_ids: Collection[UUID]
    ) -> dict[UUID, tuple[BundleComponent, ...]]:
        found: dict[UUID, list[BundleComponent]] = {}
        for row in await fetch(self._connection, _COMPONENTS, variant_ids):
            component = BundleComponent(row["component_variant_id"], row["quantity"])
            found.setdefault(row["variant_id"], []).append(component)
        return {
            one: tuple(sorted(parts, key=lambda part: part.variant_id))
            for one, parts in found.items()
        }

    async def put_components(
        self, variant_id: UUID, components: Sequence[BundleComponent], now: datetime
    ) -> None:
        table = t.bundle_component
        ids = [one.variant_id for one in components]
        # 1. One writer puts B into A, 2. another puts C into B, 3. neither sees the other.
        await self._connection.execute(_LOCKED, {"values": sorted([variant_id, *ids])})
        nested = await self.components(ids)
        above = await fetch(self._connection, _BUNDLES_WITH, [variant_id] if components else [])
        if nested or above:
            raise InvalidValue("components", "must not be bundles: a bundle holds single things")
        rows = [
            {
                "variant_id": variant_id,
                "component_variant_id": one.variant_id,
                "quantity": one.quantity,
            }
            for one in components
        ]
        await replace_children(self._connection, table.c.variant_id, [variant_id], rows)
        touched = sa.update(t.variant).where(t.variant.c.id == variant_id)
        await self._connection.execute(
            touched.values(version=t.variant.c.version + 1, updated_at=now)
        )

    async def lock(self, product_id: UUID) -> None:
        row = sa.select(t.product.c.id).where(t.product.c.id == product_id)
        await self._connection.execute(row.with_for_update())

    async def put_types(self, types: Sequence[ProductType], now: datetime) -> None:
        rows = [without(asdict(one), "option_ids") for one in types]
        await upsert(self._connection, t.product_type, rows, now)
        links = [
            {"type_id": one.id, "option_id": option_id}
            for one in types
            for option_id in one.option_ids
        ]
        owners = [one.id for one in types]
        await replace_children(self._connection, t.product_type_option.c.type_id, owners, links)
        await self._renamed()

    async def put_attributes(self, defs: Sequence[AttributeDef], now: datetime) -> None:
        await upsert(self._connection, t.attribute_def, [asdict(one) for one in defs], now)
        await self._renamed()

    async def put_options(self, options: Sequence[Option], now: datetime) -> None:
        await upsert(self._connection, t.option, [asdict(one) for one in options], now)
        await bump_reference(self._connection)

    async def put_categories(self, categories: Sequence[Category], now: datetime) -> None:
        await upsert(self._connection, t.category, [asdict(one) for one in categories], now)
        await self._renamed()

    async def put_products(self, products: Sequence[Product], now: datetime) -> None:
        await upsert(self._connection, t.product, [product_row(one) for one in products], now)
        owners = [one.id for one in products]
        for column, rows in satellite_rows(products):
            await replace_children(self._connection, column, owners, rows)
        await self._changed(owners)

    async def put_variants(self, variants: Sequence[Variant], now: datetime) -> None:
        await upsert(self._connection, t.variant, [asdict(one) for one in variants], now)
        await self._changed([one.product_id for one in variants])

    async def delete(self, entity_type: str, ids: Collection[UUID]) -> None:
        table = _ENTITIES[entity_type]
        if entity_type == "product":
            await self._changed(ids)
        if entity_type == "variant":
            rows = await fetch(self._connection, _PRODUCTS_OF, ids)
            await self._changed([row["product_id"] for row in rows])
        for part in chunks(ids):
            await self._connection.execute(sa.delete(table).where(table.c.id.in_(part)))
        if entity_type in _REFERENCE and ids:
            await self._renamed()

    async def _versions(self) -> Versions:
        if self._seen is None:
            self._seen = await versions(self._connection)
        return self._seen

    async def _changed(self, product_ids: Collection[UUID]) -> None:
        """Products are not what readers and the search remember."""
        if product_ids:
            self._seen = None
            await bump_products(self._connection)
            await mark_stale(self._connection, product_ids)

    async def _renamed(self) -> None:
        """Nor is what they all point at."""
        self._seen = None
        await bump_reference(self._connection)
        await mark_all_stale(self._connection)

    async def _whole(self, rows: Sequence[Row]) -> dict[UUID, Stored[Product]]:
        parts: dict[UUID, Satellites] = {row["id"]: Satellites() for row in rows}
        for one in await fetch(self._connection, _SATELLITES, parts):
            parts[one["product_id"]].add(one)
        return {
            row["id"]: Stored(product_of(row, parts[row["id"]]), row["version"], row["updated_at"])
            for row in rows
        }


def _satellites() -> sa.CompoundSelect[Any]:
    """One round trip for the four kinds of rows that belong to products."""

    def branch(kind: str, table: sa.Table, ident: str, **columns: Any) -> sa.Select[Any]:
        nothing = sa.null()
        return sa.select(
            sa.literal(kind, literal_execute=True).label("kind"),
            table.c.product_id,
            table.c[ident].label("id"),
            sa.cast(columns.get("rank", nothing), sa.Integer()).label("rank"),
            sa.cast(columns.get("uri", nothing), sa.Text()).label("uri"),
            sa.cast(columns.get("caption", nothing), sa.Text()).label("caption"),
            sa.cast(columns.get("code", nothing), sa.Text()).label("code"),
            columns.get("created_at", sa.null()).label("created_at"),
        ).where(one_of(table.c.product_id))

    asset = t.asset
    return sa.union_all(
        branch(
            "asset", asset, "id", rank=asset.c.rank, uri=asset.c.uri, caption=asset.c.caption,
            code=asset.c.code, created_at=asset.c.created_at,
        ),
        branch("category", t.product_category, "category_id"),
        branch("option", t.product_option, "option_id"),
        branch(
            "recommendation", t.product_recommendation, "recommended_id",
            rank=t.product_recommendation.c.rank,
        ),
    )  # fmt: skip


_SATELLITES = _satellites()
_PRODUCTS = sa.select(t.product).where(one_of(t.product.c.id))
_CHILDREN = sa.select(t.product).where(one_of(t.product.c.parent_id))
_FAMILY = sa.select(t.product).where(
    sa.or_(
        t.product.c.id == sa.bindparam("id"),
        t.product.c.parent_id == sa.bindparam("id"),
        t.product.c.id
        == sa.select(t.product.c.parent_id)
        .where(t.product.c.id == sa.bindparam("id"))
        .scalar_subquery(),
    )
)
_PRODUCTS_OF = sa.select(t.variant.c.product_id).where(one_of(t.variant.c.id))
_VARIANTS = sa.select(t.variant).where(one_of(t.variant.c.product_id))
_COMPONENTS = sa.select(t.bundle_component).where(one_of(t.bundle_component.c.variant_id))
_BUNDLES_WITH = sa.select(t.bundle_component.c.variant_id).where(
    one_of(t.bundle_component.c.component_variant_id)
)
_LOCKED = (
    sa.select(t.variant.c.id).where(one_of(t.variant.c.id)).order_by(t.variant.c.id)
).with_for_update()
_SUMMARY = sa.select(t.product.c.id, t.product.c.title, t.product.c.gtin, t.product.c.created_at)

_SUMMARIES = _SUMMARY.where(one_of(t.product.c.id))


def _summaries(rows: Iterable[Row]) -> tuple[ProductSummary, ...]:
    return tuple(
        ProductSummary(row["id"], row["title"], row["gtin"], row["created_at"]) for row in rows
    )


def _page_statement(query: ProductQuery) -> sa.Select[Any]:
    product = t.product.c
    statement = sa.select(t.product).order_by(product.updated_at, product.id).limit(query.limit)
    if query.after is not None:
        at, last = query.after
        later = sa.or_(
            product.updated_at > at, sa.and_(product.updated_at == at, product.id > last)
        )
        statement = statement.where(later)
    if query.status is not None:
        statement = statement.where(product.status == query.status.value)
    if query.updated_since is not None:
        statement = statement.where(product.updated_at >= query.updated_since)
    if query.category_ids is not None:
        linked = sa.select(t.product_category.c.product_id).where(
            t.product_category.c.category_id.in_(query.category_ids)
        )
        statement = statement.where(product.id.in_(linked))
    if query.sku is not None:
        statement = statement.where(product.id.in_(_products_of_sku(query.sku)))
    shown = may_be_seen(product.id, query.visible)
    if shown is not None:
        statement = statement.where(shown)
    return statement


def _products_of_sku(sku: str) -> sa.Select[Any]:
    places = sa.select(t.stock_level.c.variant_id).where(t.stock_level.c.sku == sku)
    return sa.select(t.variant.c.product_id).where(
        sa.or_(t.variant.c.sku == sku, t.variant.c.id.in_(places))
    )
