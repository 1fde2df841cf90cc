"""Products with all that belongs to them alone; stock and prices are documents of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from typing_extensions import override

from legacy_adapters.mapping.aggregates import AggregateRows, Child, Loss, Shape
from legacy_adapters.mapping.rows import Row
from legacy_adapters.oscar.mapping import records
from legacy_adapters.oscar.mapping import sync_catalog_tables as tables
from legacy_adapters.oscar.mapping import sync_cells as cells
from legacy_adapters.oscar.mapping.cells import Row as Cells
from legacy_adapters.oscar.mapping.sync_catalog_named import Named
from legacy_adapters.oscar.mapping.sync_catalog_product_rows import (
    Asset,
    Links,
    image_row,
    links_of,
    product_row,
    value_rows,
)
from legacy_adapters.oscar.mapping.sync_catalog_values import Property, properties_of
from legacy_adapters.ports.documents import Own
from new_core.domain.catalog import Structure

_LINKED = (
    (tables.PRODUCT_CATEGORY, "category_id", "category", "product_category"),
    (tables.PRODUCT_OPTION, "option_id", "option", "product_option"),
    (tables.RECOMMENDATION, "recommendation_id", "product", "product_recommendation"),
)


class ProductDocument(msgspec.Struct, frozen=True):
    """What a shopper reads about something on sale.

    Attributes:
        variant_id: what is put into carts, as the legacy's key gives it; None for a parent and
            for what was born in the core.
        properties: in order of display.
        assets: ascending by rank.
        recommendations: (product, rank), the highest rank first.
    """

    id: UUID
    structure: Structure
    parent_id: UUID | None
    type_id: UUID | None
    variant_id: UUID | None
    published: bool
    code: str | None
    gtin: str | None
    title: str
    slug: str
    description: str
    seo_title: str | None
    seo_description: str | None
    discountable: bool
    priority: int
    created_at: datetime
    properties: tuple[Property, ...]
    category_ids: tuple[UUID, ...]
    option_ids: tuple[UUID, ...]
    assets: tuple[Asset, ...]
    recommendations: tuple[tuple[UUID, int], ...]


class ProductTranslation(Named[ProductDocument]):
    """Between catalogue_product with what hangs on it and the core's products."""

    shape = Shape(
        "product",
        tables.PRODUCT,
        (
            Child(tables.VALUE, by="product_id"),
            Child(tables.CHOSEN, by="productattributevalue_id", of=tables.VALUE.name),
            Child(tables.PRODUCT_CATEGORY, by="product_id"),
            Child(tables.PRODUCT_OPTION, by="product_id"),
            Child(tables.RECOMMENDATION, by="primary_id"),
            Child(tables.IMAGE, by="product_id"),
        ),
    )
    entity_type = "product"
    losses: Sequence[Loss] = (
        Loss("catalogue_product.date_updated", "stays as the legacy last wrote it"),
        Loss("catalogue_product.rating", "stays as the legacy last worked it out"),
    )

    def forward(self, rows: AggregateRows, known: cells.Known) -> ProductDocument:
        """The product of its rows."""
        row = self.row(rows)
        key = row.key("id")
        ident = cells.id_of(known, "product", key)
        structure, parent, kind = _place(row, known)
        has_variant = structure is not Structure.PARENT and cells.is_legacy_born(ident)
        links = {
            name: dict(links_of(rows, table, to, what, known)) for table, to, what, name in _LINKED
        }
        recommended = links["product_recommendation"]
        return ProductDocument(
            id=ident,
            structure=structure,
            parent_id=parent,
            type_id=kind,
            variant_id=records.oscar_id("variant", key) if has_variant else None,
            published=row.truth("is_public"),
            code=row.text_or_none("code"),
            gtin=row.text_or_none("upc") or None,
            title=row.text("title"),
            slug=row.text("slug"),
            description=row.text("description"),
            seo_title=row.text_or_none("meta_title"),
            seo_description=row.text_or_none("meta_description"),
            discountable=row.truth("is_discountable"),
            priority=row.integer("priority"),
            created_at=row.moment("date_created"),
            properties=properties_of(rows, known),
            category_ids=tuple(sorted(links["product_category"])),
            option_ids=tuple(sorted(links["product_option"])),
            assets=_assets(rows, known),
            recommendations=tuple(
                sorted(
                    (
                        (other, Cells(tables.RECOMMENDATION.name, one).integer("ranking", least=0))
                        for other, one in recommended.items()
                    ),
                    key=lambda one: (-one[1], one[0]),
                )
            ),
        )

    @override
    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        """The product, its images, and all that its rows name."""
        root = cells.root_of(self.shape, rows)
        found = {("product", str(root["id"]))}
        for what, column in (("product", "parent_id"), ("product_type", "product_class_id")):
            if root[column] is not None:
                found.add((what, str(root[column])))
        for table, to, what, _ in _LINKED:
            found |= {(what, str(one[to])) for one in rows.get(table.name, ())}
        for one in rows.get(tables.VALUE.name, ()):
            found.add(("attribute", str(one["attribute_id"])))
            if one["value_option_id"] is not None:
                found.add(("choice", str(one["value_option_id"])))
        chosen = rows.get(tables.CHOSEN.name, ())
        found |= {("choice", str(one["attributeoption_id"])) for one in chosen}
        return found | {("asset", str(one["id"])) for one in rows.get(tables.IMAGE.name, ())}

    @override
    def names(self, rows: AggregateRows, known: cells.Known) -> Mapping[tuple[str, str], UUID]:
        """The product, its images, and the rows of values and links."""
        found = dict(super().names(rows, known))
        links = Links(found["product", str(cells.root_of(self.shape, rows)["id"])])
        for one in rows.get(tables.IMAGE.name, ()):
            found["asset", str(one["id"])] = cells.id_of(known, "asset", str(one["id"]))
        for table, to, what, name in _LINKED:
            for other, one in links_of(rows, table, to, what, known):
                found[name, str(one["id"])] = links.row(name, other)
        attributes = {}
        for one in rows.get(tables.VALUE.name, ()):
            attribute = cells.id_of(known, "attribute", str(one["attribute_id"]))
            attributes[one["id"]] = attribute
            found["attribute_value", str(one["id"])] = links.row("attribute_value", attribute)
        for one in rows.get(tables.CHOSEN.name, ()):
            choice = cells.id_of(known, "choice", str(one["attributeoption_id"]))
            attribute = attributes[one["productattributevalue_id"]]
            found["attribute_choice", str(one["id"])] = links.choice(attribute, choice)
        return found

    @override
    def owns(self, doc: ProductDocument) -> Sequence[Own]:
        """The product, its images, and the rows of values and links."""
        links = Links(doc.id)
        assets = (Own("asset", one.id) for one in doc.assets)
        return (*super().owns(doc), *assets, *links.of(_linked(doc), doc.properties))

    @override
    def points_at(self, doc: ProductDocument) -> Sequence[Own]:
        """Parent, type, attributes, choices, categories and options. A product that goes with it
        may be gone.
        """
        named = (("product", doc.parent_id), ("product_type", doc.type_id))
        found = [Own(what, one) for what, one in named if one is not None]
        found += [Own("category", one) for one in doc.category_ids]
        found += [Own("option", one) for one in doc.option_ids]
        found += [Own("product", one, is_needed=False) for one, _ in doc.recommendations]
        for one in doc.properties:
            found.append(Own("attribute", one.attribute_id))
            if isinstance(one.value, tuple):
                found += [Own("choice", choice) for choice in one.value]
        return tuple(found)

    def reverse(
        self, doc: ProductDocument, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> AggregateRows:
        """The rows of a product."""
        before = cells.before_of(self.shape, sidecar)
        # What goes with it may be a product that was never carried.
        known = (
            str(one["recommendation_id"]) for one in sidecar.get(tables.RECOMMENDATION.name, ())
        )
        numbers = {**{records.oscar_id("product", one): one for one in known}, **numbers}
        number = int(numbers[doc.id])
        links = Links(doc.id)
        rows: dict[str, tuple[Row, ...]] = {
            tables.PRODUCT.name: (product_row(doc, before, numbers),)
        }
        for (table, to, _, name), (_, others) in zip(_LINKED, _linked(doc), strict=True):
            fresh = {
                int(numbers[one]): int(numbers.get(links.row(name, one), "0"))
                for one in others
                if one in numbers
            }
            end = "primary_id" if table is tables.RECOMMENDATION else "product_id"
            ends = {end: number, **({"ranking": 0} if end == "primary_id" else {})}
            rows[table.name] = cells.links(sidecar.get(table.name, ()), to, fresh, ends)
        ranks = {int(numbers[one]): rank for one, rank in doc.recommendations if one in numbers}
        rows[tables.RECOMMENDATION.name] = tuple(
            {**one, "ranking": ranks[int(str(one["recommendation_id"]))]}
            for one in rows[tables.RECOMMENDATION.name]
        )
        rows |= value_rows(doc.id, doc.properties, sidecar, numbers)
        old = {str(one["id"]): one for one in sidecar.get(tables.IMAGE.name, ())}
        images = (
            image_row(one, number, old.get(numbers[one.id], {}), numbers) for one in doc.assets
        )
        rows[tables.IMAGE.name] = tuple(sorted(images, key=lambda one: int(str(one["id"]))))
        return rows


def _linked(doc: ProductDocument) -> tuple[tuple[str, tuple[UUID, ...]], ...]:
    recommended = tuple(one for one, _ in doc.recommendations)
    others = (doc.category_ids, doc.option_ids, recommended)
    return tuple((name, some) for (_, _, _, name), some in zip(_LINKED, others, strict=True))


def _place(row: Cells, known: cells.Known) -> tuple[Structure, UUID | None, UUID | None]:
    """Structure, parent and type, which have to agree."""
    name = row.text("structure")
    if name not in records.STRUCTURES:
        raise row.corrupt("structure", f"is {name!r}")
    structure = records.STRUCTURES[name]
    parent, kind = row.key_or_none("parent_id"), row.key_or_none("product_class_id")
    if structure is Structure.VARIANT:
        if parent is None:
            raise row.corrupt("parent_id", "is NULL, but the product is a child")
        if kind is not None:
            raise row.corrupt("product_class_id", "is set, but a child has its parent's")
        return structure, cells.id_of(known, "product", parent), None
    if parent is not None:
        raise row.corrupt("parent_id", f"is set, but the product is {name}")
    if kind is None:
        raise row.corrupt("product_class_id", "is NULL; oscar's own API cannot show the product")
    return structure, None, cells.id_of(known, "product_type", kind)


def _assets(rows: AggregateRows, known: cells.Known) -> tuple[Asset, ...]:
    def found() -> Iterator[Asset]:
        for cell in rows.get(tables.IMAGE.name, ()):
            row = Cells(tables.IMAGE.name, cell)
            yield Asset(
                id=cells.id_of(known, "asset", row.key("id")),
                uri=row.text("original"),
                caption=row.text("caption"),
                rank=row.integer("display_order", least=0),
                code=row.text_or_none("code") or None,
                created_at=row.moment("date_created"),
            )

    return tuple(sorted(found(), key=lambda one: (one.rank, one.id)))
