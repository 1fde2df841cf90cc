"""What products point at: options, classes, attributes, categories and partners."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
from legacy_adapters.ports.documents import Own
from new_core.domain.catalog import PATH_STEP, ValueType

_OSCARS_TYPES = {kind: name for name, kind in records.VALUE_TYPES.items()}
_CODE, _LONG, _NAME = 128, 255, 128


class OptionDocument(msgspec.Struct, frozen=True):
    """Something a shopper decides when buying."""

    id: UUID
    code: str
    name: str
    kind: str
    required: bool
    help_text: str | None
    rank: int | None


class TypeDocument(msgspec.Struct, frozen=True):
    """A kind of product; its options are sorted."""

    id: UUID
    code: str
    name: str
    requires_shipping: bool
    track_stock: bool
    option_ids: tuple[UUID, ...]


class AttributeDocument(msgspec.Struct, frozen=True):
    """A property that products may have."""

    id: UUID
    type_id: UUID | None
    code: str
    name: str
    value_type: ValueType
    required: bool


class WarehouseDocument(msgspec.Struct, frozen=True):
    """A place that goods are sent from."""

    id: UUID
    code: str
    name: str


class CategoryDocument(msgspec.Struct, frozen=True):
    """A shelf of the shop.

    Attributes:
        path: says what is above it.
        children: how many stand right below it.
    """

    id: UUID
    path: str
    children: int
    code: str | None
    slug: str
    name: str
    description: str
    long_description: str
    seo_title: str | None
    seo_description: str | None
    image: str | None
    listed: bool
    published: bool
    ancestors_published: bool


class OptionTranslation(Named[OptionDocument]):
    """Between catalogue_option and the core's options."""

    shape = Shape("option", tables.OPTION)
    entity_type = "option"

    def forward(self, rows: AggregateRows, known: cells.Known) -> OptionDocument:
        """The option of a row."""
        row = self.row(rows)
        if row.key_or_none("option_group_id") is not None:
            raise row.corrupt("option_group_id", "is set, and oscar's own API cannot show such one")
        return OptionDocument(
            id=cells.id_of(known, "option", row.key("id")),
            code=row.text("code"),
            name=row.text("name"),
            kind=row.text("type"),
            required=row.truth("required"),
            help_text=row.text_or_none("help_text"),
            rank=row.integer_or_none("order"),
        )

    def reverse(
        self, doc: OptionDocument, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> AggregateRows:
        """The row of an option."""
        row: Row = {
            "id": int(numbers[doc.id]),
            "code": self.fits("code", doc.code, _CODE),
            "type": self.fits("type", doc.kind, _LONG),
            "required": doc.required,
            "name": self.fits("name", doc.name, _NAME),
            "help_text": self.maybe("help_text", doc.help_text, _LONG),
            "option_group_id": cells.before_of(self.shape, sidecar).get("option_group_id"),
            "order": doc.rank,
        }
        return {tables.OPTION.name: (row,)}


class TypeTranslation(Named[TypeDocument]):
    """Between catalogue_productclass and the core's product types."""

    shape = Shape("product_type", tables.CLASS, (Child(tables.CLASS_OPTION, by="productclass_id"),))
    entity_type = "product_type"

    def forward(self, rows: AggregateRows, known: cells.Known) -> TypeDocument:
        """The type of a class."""
        row = self.row(rows)
        options = (
            cells.id_of(known, "option", Cells(tables.CLASS_OPTION.name, one).key("option_id"))
            for one in rows.get(tables.CLASS_OPTION.name, ())
        )
        return TypeDocument(
            id=cells.id_of(known, "product_type", row.key("id")),
            code=row.text("slug"),
            name=row.text("name"),
            requires_shipping=row.truth("requires_shipping"),
            track_stock=row.truth("track_stock"),
            option_ids=tuple(sorted(set(options))),
        )

    @override
    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        """The class and its options."""
        links = rows.get(tables.CLASS_OPTION.name, ())
        return {*super().refers(rows), *(("option", str(one["option_id"])) for one in links)}

    @override
    def names(self, rows: AggregateRows, known: cells.Known) -> Mapping[tuple[str, str], UUID]:
        """The class, and its rows that link."""
        ident = cells.id_of(known, "product_type", self.row(rows).key("id"))
        links = {
            ("product_type_option", str(one["id"])): cells.derived(
                ident, str(cells.id_of(known, "option", str(one["option_id"])))
            )
            for one in rows.get(tables.CLASS_OPTION.name, ())
        }
        return {**super().names(rows, known), **links}

    @override
    def owns(self, doc: TypeDocument) -> Sequence[Own]:
        """The class, and its rows that link."""
        links = (cells.derived(doc.id, str(one)) for one in doc.option_ids)
        return (*super().owns(doc), *(Own("product_type_option", one) for one in links))

    @override
    def points_at(self, doc: TypeDocument) -> Sequence[Own]:
        """Its options."""
        return tuple(Own("option", one) for one in doc.option_ids)

    def reverse(
        self, doc: TypeDocument, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> AggregateRows:
        """The rows of a type."""
        number = int(numbers[doc.id])
        row: Row = {
            "id": number,
            "name": self.fits("name", doc.name, _NAME),
            "slug": self.fits("slug", doc.code, _CODE),
            "requires_shipping": doc.requires_shipping,
            "track_stock": doc.track_stock,
        }
        fresh = {
            int(numbers[one]): int(numbers.get(cells.derived(doc.id, str(one)), "0"))
            for one in doc.option_ids
        }
        links = cells.links(
            sidecar.get(tables.CLASS_OPTION.name, ()), "option_id", fresh,
            {"productclass_id": number},
        )  # fmt: skip
        return {tables.CLASS.name: (row,), tables.CLASS_OPTION.name: links}


class AttributeTranslation(Named[AttributeDocument]):
    """Between catalogue_productattribute and the core's attributes."""

    shape = Shape("attribute", tables.ATTRIBUTE)
    entity_type = "attribute"
    losses = (
        Loss(
            "catalogue_productattribute.option_group_id",
            "empty for an attribute with choices that was born in the core",
        ),
    )

    def forward(self, rows: AggregateRows, known: cells.Known) -> AttributeDocument:
        """The attribute of a row."""
        row = self.row(rows)
        kind, owner = row.text("type"), row.key_or_none("product_class_id")
        if kind not in records.VALUE_TYPES:
            raise row.corrupt("type", f"is {kind!r}, which the core has no values for")
        return AttributeDocument(
            id=cells.id_of(known, "attribute", row.key("id")),
            type_id=None if owner is None else cells.id_of(known, "product_type", owner),
            code=row.text("code"),
            name=row.text("name"),
            value_type=records.VALUE_TYPES[kind],
            required=row.truth("required"),
        )

    @override
    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        """The attribute and its class."""
        owner = cells.root_of(self.shape, rows)["product_class_id"]
        above = [] if owner is None else [("product_type", str(owner))]
        return (*super().refers(rows), *above)

    @override
    def points_at(self, doc: AttributeDocument) -> Sequence[Own]:
        """Its type."""
        return () if doc.type_id is None else (Own("product_type", doc.type_id),)

    def reverse(
        self, doc: AttributeDocument, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> AggregateRows:
        """The row of an attribute."""
        before = cells.before_of(self.shape, sidecar)
        row: Row = {
            "id": int(numbers[doc.id]),
            "name": self.fits("name", doc.name, _NAME),
            "code": self.fits("code", doc.code, _CODE),
            "type": _OSCARS_TYPES[doc.value_type],
            "required": doc.required,
            "option_group_id": before.get("option_group_id"),
            "product_class_id": None if doc.type_id is None else int(numbers[doc.type_id]),
        }
        return {tables.ATTRIBUTE.name: (row,)}


class WarehouseTranslation(Named[WarehouseDocument]):
    """Between partner_partner and the core's warehouses."""

    shape = Shape("warehouse", tables.PARTNER)
    entity_type = "warehouse"

    def forward(self, rows: AggregateRows, known: cells.Known) -> WarehouseDocument:
        """The warehouse of a partner."""
        row = self.row(rows)
        ident = cells.id_of(known, "warehouse", row.key("id"))
        return WarehouseDocument(ident, row.text("code"), row.text("name"))

    def reverse(
        self,
        doc: WarehouseDocument,
        sidecar: AggregateRows,  # noqa: ARG002 - the core holds all of it
        numbers: Mapping[UUID, str],
    ) -> AggregateRows:
        """The row of a warehouse."""
        row: Row = {
            "id": int(numbers[doc.id]),
            "code": self.fits("code", doc.code, _CODE),
            "name": self.fits("name", doc.name, _NAME),
        }
        return {tables.PARTNER.name: (row,)}


class CategoryTranslation(Named[CategoryDocument]):
    """Between catalogue_category and the core's categories."""

    shape = Shape("category", tables.CATEGORY)
    entity_type = "category"
    losses = (
        Loss("catalogue_category.numchild", "counted anew when the category itself is written"),
    )

    def forward(self, rows: AggregateRows, known: cells.Known) -> CategoryDocument:
        """The category of a row."""
        row = self.row(rows)
        path, depth = row.text("path", longest=_LONG), row.integer("depth", least=1)
        if not path or len(path) % PATH_STEP:
            raise row.corrupt("path", f"is {path!r}, not {PATH_STEP} characters per level")
        if len(path) != depth * PATH_STEP:
            raise row.corrupt("path", f"is {path!r}, but depth is {depth}; run oscar's fix_tree")
        return CategoryDocument(
            id=cells.id_of(known, "category", row.key("id")),
            path=path,
            children=row.integer("numchild", least=0),
            code=row.text_or_none("code") or None,
            slug=row.text("slug"),
            name=row.text("name"),
            description=row.text("description"),
            long_description=row.text("long_description"),
            seo_title=row.text_or_none("meta_title"),
            seo_description=row.text_or_none("meta_description"),
            image=row.text_or_none("image") or None,
            listed=not row.truth("exclude_from_menu"),
            published=row.truth("is_public"),
            ancestors_published=row.truth("ancestors_are_public"),
        )

    def reverse(
        self, doc: CategoryDocument, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> AggregateRows:
        """The row of a category."""
        before = cells.before_of(self.shape, sidecar)
        row: Row = {
            "id": int(numbers[doc.id]),
            "path": doc.path,
            "depth": len(doc.path) // PATH_STEP,
            "numchild": doc.children,
            "name": self.fits("name", doc.name, _LONG),
            "description": doc.description,
            "image": self.maybe("image", doc.image, _LONG),
            "slug": self.fits("slug", doc.slug, _LONG),
            "ancestors_are_public": doc.ancestors_published,
            "is_public": doc.published,
            "meta_description": doc.seo_description,
            "meta_title": self.maybe("meta_title", doc.seo_title, _LONG),
            "code": self.maybe("code", doc.code, _LONG),
            "exclude_from_menu": not doc.listed,
            "long_description": doc.long_description,
        }
        return {tables.CATEGORY.name: (cells.same_nothing(row, before, ("image", "code")),)}
