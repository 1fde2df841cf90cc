"""Use cases of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from new_core.domain.catalog import (
    AttributeContent,
    AttributeDef,
    Category,
    Option,
    Product,
    ProductType,
    Reference,
    Stored,
    Structure,
    Variant,
    inherited,
)
from new_core.errors import NotFound
from new_core.ports import ProductQuery, UnitOfWork


@dataclass(frozen=True, slots=True)
class ProductDetail:
    """A product with all that it points at resolved.

    Attributes:
        type: a variant's is its parent's.
        attributes: own ones first, then those inherited from the parent.
        lineages: its categories in order of display, each from the top down.
        options: its type's and its own, in order of display.
        variant: None for one that only gathers others.
        children: the products it gathers, newest first; empty in a list.
    """

    stored: Stored[Product]
    type: ProductType
    attributes: tuple[tuple[AttributeDef, AttributeContent], ...]
    lineages: tuple[tuple[Category, ...], ...]
    options: tuple[Option, ...]
    variant: Variant | None = None
    children: tuple[ProductDetail, ...] = ()

    @property
    def product(self) -> Product:
        """The product itself."""
        return self.stored.value


async def product_detail(uow: UnitOfWork, product_id: UUID) -> ProductDetail:
    """One product, whatever its status, with its children.

    Raises:
        NotFound: there is no such product.
    """
    family = await uow.catalog.family(product_id)
    if product_id not in family:
        raise NotFound("product", str(product_id))
    reference = await uow.catalog.reference()
    children = sorted(
        (one for one in family.values() if one.value.parent_id == product_id),
        key=lambda one: one.value.created_at,
        reverse=True,
    )
    return replace(
        _resolve(family[product_id], family, reference),
        children=tuple(_resolve(child, family, reference) for child in children),
    )


async def with_variants(uow: UnitOfWork, detail: ProductDetail) -> ProductDetail:
    """The same with the variants of the product and its children filled in."""
    ids = [detail.product.id, *(child.product.id for child in detail.children)]
    variants = await uow.catalog.variants(ids)
    children = (replace(one, variant=variants.get(one.product.id)) for one in detail.children)
    return replace(detail, variant=variants.get(detail.product.id), children=tuple(children))


async def product_page(uow: UnitOfWork, query: ProductQuery) -> tuple[ProductDetail, ...]:
    """Products in the query's order, with their variants, without their children."""
    return await _in_short(uow, await uow.catalog.page(query))


async def _in_short(uow: UnitOfWork, page: Sequence[Stored[Product]]) -> tuple[ProductDetail, ...]:
    products = {one.value.id: one for one in page}
    above = {one.value.parent_id for one in page if one.value.parent_id} - products.keys()
    parents = await uow.catalog.products(above)
    reference = await uow.catalog.reference()
    variants = await uow.catalog.variants(products)
    family = {**parents, **products}
    return tuple(
        replace(_resolve(one, family, reference), variant=variants.get(one.value.id))
        for one in page
    )


async def details_of(uow: UnitOfWork, ids: Sequence[UUID]) -> tuple[ProductDetail, ...]:
    """These products in this order, with their variants, without their children; unknown ids
    are left out.
    """
    products = await uow.catalog.products(ids)
    return await _in_short(uow, [products[one] for one in ids if one in products])


def subtree(reference: Reference, category: Category) -> tuple[UUID, ...]:
    """The ids of a category and of all below it."""
    return tuple(
        one.id for path, one in reference.categories_by_path.items()
        if path.startswith(category.path)
    )  # fmt: skip


def _resolve(
    stored: Stored[Product], family: Mapping[UUID, Stored[Product]], reference: Reference
) -> ProductDetail:
    product = stored.value
    values = product.attributes
    product_type = reference.types.get(product.type_id) if product.type_id else None
    if product.structure is Structure.VARIANT and product.parent_id:
        parent = family[product.parent_id].value
        values = inherited(values, parent.attributes, reference)
        product_type = reference.types.get(parent.type_id) if parent.type_id else None
    if product_type is None:
        raise NotFound("type of product", str(product.id))
    categories = sorted(
        (reference.categories[one] for one in product.category_ids), key=lambda one: one.path
    )
    return ProductDetail(
        stored=stored,
        type=product_type,
        attributes=tuple((reference.attributes[v.attribute_id], v.content) for v in values),
        lineages=tuple(reference.lineage(one) for one in categories),
        options=reference.options_of(product_type, product.option_ids),
    )
