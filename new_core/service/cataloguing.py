"""Use cases that write the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from new_core.domain.attributes import checked
from new_core.domain.catalog import (
    Asset,
    AttributeContent,
    AttributeDef,
    AttributeValue,
    BundleComponent,
    Category,
    Product,
    ProductType,
    Recommendation,
    Reference,
    Status,
    Structure,
    ValueType,
    Variant,
    next_path,
)
from new_core.domain.events import AuditEntry, Event
from new_core.errors import ChangedMeanwhile, Conflict, InvalidValue, NotFound
from new_core.ports import UnitOfWork
from new_core.service.catalog import ProductDetail, product_detail, with_variants
from new_core.service.doing import Doing

Expected = Callable[[ProductDetail], bool]
"""Whether a product is still what the caller saw."""


@dataclass(frozen=True, slots=True)
class ProductDraft:
    """A product as somebody writes it.

    Attributes:
        type: code of its type; None for a variant, which has its parent's.
        attributes: contents by the attributes' codes.
        images: (uri, caption), the primary one first.
    """

    structure: Structure
    parent_id: UUID | None
    type: str | None
    title: str
    slug: str
    description: str = ""
    sku: str | None = None
    code: str | None = None
    gtin: str | None = None
    discountable: bool = True
    attributes: Mapping[str, AttributeContent] | None = None
    category_ids: tuple[UUID, ...] = ()
    images: tuple[tuple[str, str], ...] = ()
    recommended_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class AttributeDraft:
    """An attribute of a type as somebody writes it."""

    code: str
    name: str
    value_type: ValueType
    required: bool


async def put_product(
    uow: UnitOfWork, product_id: UUID, draft: ProductDraft, expected: Expected, doing: Doing
) -> ProductDetail:
    """Write a product with its variant, commit, and give it as it is now. A new one is a
    draft until it is published.

    Raises:
        InvalidValue: something in it does not fit its type, its parent or the catalogue.
        Conflict: it would change its structure or its parent, which it cannot.
        ChangedMeanwhile: it is not as expected.
    """
    await uow.catalog.lock(product_id)
    before = await _seen(uow, product_id, expected)
    reference = await uow.catalog.reference()
    kind = await _type_of(uow, draft, reference)
    if before is not None and (before.structure, before.parent_id) != (
        draft.structure,
        draft.parent_id,
    ):
        raise Conflict("structure_is_fixed", "a product keeps its structure and its parent")
    product = _product(product_id, draft, kind, reference, before, doing)
    await uow.catalog.put_products([product], doing.at)
    if draft.structure is not Structure.PARENT:
        known = (await uow.catalog.variants([product_id])).get(product_id)
        variant_id = known.id if known else doing.new_id()
        await uow.catalog.put_variants([Variant(variant_id, product_id, draft.sku)], doing.at)
    action = "updated" if before else "created"
    await _tell(uow, product, action, doing)
    return await _written(uow, product_id)


async def set_status(
    uow: UnitOfWork, product_id: UUID, status: Status, doing: Doing
) -> ProductDetail:
    """Publish a product or take it back; the same again changes nothing.

    Raises:
        NotFound: there is no such product.
        Conflict: a required attribute is missing, so it cannot be published.
    """
    await uow.catalog.lock(product_id)
    found = (await uow.catalog.products([product_id])).get(product_id)
    if found is None:
        raise NotFound("product", str(product_id))
    if found.value.status is status:
        return await with_variants(uow, await product_detail(uow, product_id))
    if status is Status.PUBLISHED:
        await _must_be_whole(uow, product_id)
    changed = replace(found.value, status=status)
    await uow.catalog.put_products([changed], doing.at)
    action = "published" if status is Status.PUBLISHED else "unpublished"
    await _tell(uow, changed, action, doing)
    return await _written(uow, product_id)


async def put_components(
    uow: UnitOfWork, product_id: UUID, components: Sequence[BundleComponent], doing: Doing
) -> tuple[BundleComponent, ...]:
    """Say what a bundle is made of, commit, and give it as it is now.

    Raises:
        NotFound: there is no such product, or it has no variant.
        InvalidValue: a component is a bundle, is the product itself, or is not there.
    """
    variant = (await uow.catalog.variants([product_id])).get(product_id)
    if variant is None:
        raise NotFound("variant of product", str(product_id))
    if variant.id in {one.variant_id for one in components}:
        raise InvalidValue("components", "must not hold the bundle itself")
    await uow.catalog.put_components(variant.id, components, doing.at)
    found = (await uow.catalog.products([product_id]))[product_id]
    await uow.catalog.put_products([found.value], doing.at)
    await _tell(uow, found.value, "updated", doing)
    made = (await uow.catalog.components([variant.id])).get(variant.id, ())
    await uow.commit()
    return made


async def put_type(
    uow: UnitOfWork,
    product_type: ProductType,
    attributes: Sequence[AttributeDraft],
    doing: Doing,
) -> ProductType:
    """Write a type of products with its attributes and commit. Attributes left out stay: rows
    of products hold them.

    Raises:
        Conflict: an attribute would change its value type.
    """
    reference = await uow.catalog.reference()
    known = next((one for one in reference.types.values() if one.code == product_type.code), None)
    written = replace(
        product_type,
        id=known.id if known else product_type.id,
        option_ids=known.option_ids if known else (),
    )
    await uow.catalog.put_types([written], doing.at)
    own = {one.code: one for one in reference.attributes.values() if one.type_id == written.id}
    defs = []
    for one in attributes:
        there = own.get(one.code)
        if there is not None and there.value_type is not one.value_type:
            raise Conflict(
                "value_type_is_fixed", f"{one.code} holds {there.value_type.value} already"
            )
        ident = there.id if there else doing.new_id()
        defs.append(
            AttributeDef(ident, written.id, one.code, one.name, one.value_type, one.required)
        )
    await uow.catalog.put_attributes(defs, doing.at)
    data: dict[str, object] = {"code": written.code}
    event = Event("catalog.product_type.updated.v1", "product_type", written.id, data)
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry("product_type.written", "product_type", str(written.id), after=data)
    await uow.audit.add([entry], doing.actor, doing.at)
    await uow.commit()
    return written


async def add_category(
    uow: UnitOfWork,
    parent_id: UUID | None,
    name: str,
    slug: str,
    description: str,
    doing: Doing,
) -> Category:
    """Put a category at the end of those below its parent; the caller commits.

    Raises:
        InvalidValue: the parent is not there, is full, or has one of that slug.
    """
    reference = await uow.catalog.reference()
    parent = reference.categories.get(parent_id) if parent_id else None
    if parent_id is not None and parent is None:
        raise InvalidValue("parent_id", "names a category that is not there")
    siblings = reference.children(parent)
    if any(one.slug == slug for one in siblings):
        raise InvalidValue("slug", f"{slug!r} is taken among its siblings")
    category = Category(
        id=doing.new_id(),
        parent_id=parent_id,
        path=next_path(parent, siblings),
        code=None,
        slug=slug,
        name=name,
        description=description,
        long_description="",
        seo_title=None,
        seo_description=None,
        image=None,
        listed=True,
        published=True,
        ancestors_published=parent is None or (parent.published and parent.ancestors_published),
    )
    await uow.catalog.put_categories([category], doing.at)
    data: dict[str, object] = {"slug": slug}
    event = Event("catalog.category.created.v1", "category", category.id, data)
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry("category.created", "category", str(category.id), after=data)
    await uow.audit.add([entry], doing.actor, doing.at)
    return category


async def _seen(uow: UnitOfWork, product_id: UUID, expected: Expected) -> Product | None:
    found = await uow.catalog.family(product_id)
    if product_id not in found:
        return None
    detail = await with_variants(uow, await product_detail(uow, product_id))
    if not expected(detail):
        raise ChangedMeanwhile("the product is not what it was when you read it")
    return found[product_id].value


async def _type_of(uow: UnitOfWork, draft: ProductDraft, reference: Reference) -> ProductType:
    if draft.structure is Structure.VARIANT:
        if draft.parent_id is None or draft.type is not None:
            raise InvalidValue("structure", "variant needs a parent_id, and has its parent's type")
        parent = (await uow.catalog.products([draft.parent_id])).get(draft.parent_id)
        if parent is None or parent.value.structure is not Structure.PARENT:
            raise InvalidValue("parent_id", "names no product that gathers variants")
        return reference.types[parent.value.type_id]  # type: ignore[index]  # a parent has a type
    if draft.parent_id is not None:
        raise InvalidValue("parent_id", "is for variants only")
    found = next((one for one in reference.types.values() if one.code == draft.type), None)
    if found is None:
        raise InvalidValue("type", f"{draft.type!r} is no product type")
    return found


def _product(
    product_id: UUID,
    draft: ProductDraft,
    kind: ProductType,
    reference: Reference,
    before: Product | None,
    doing: Doing,
) -> Product:
    unknown = [one for one in draft.category_ids if one not in reference.categories]
    if unknown:
        raise InvalidValue("categories", f"name {unknown[0]}, which is not there")
    kept = {one.uri: one for one in before.assets} if before else {}
    assets = tuple(
        replace(kept[uri], caption=caption, rank=rank)
        if uri in kept
        else Asset(doing.new_id(), uri, caption, rank, None, doing.at)
        for rank, (uri, caption) in enumerate(draft.images)
    )
    ranks = range(len(draft.recommended_ids), 0, -1)
    return Product(
        id=product_id,
        structure=draft.structure,
        parent_id=draft.parent_id,
        type_id=None if draft.structure is Structure.VARIANT else kind.id,
        status=before.status if before else Status.DRAFT,
        code=draft.code,
        gtin=draft.gtin,
        title=draft.title,
        slug=draft.slug,
        description=draft.description,
        seo_title=before.seo_title if before else None,
        seo_description=before.seo_description if before else None,
        discountable=draft.discountable,
        priority=before.priority if before else 0,
        created_at=before.created_at if before else doing.at,
        attributes=_values(draft.attributes or {}, kind, reference),
        category_ids=tuple(sorted(set(draft.category_ids))),
        assets=assets,
        option_ids=before.option_ids if before else (),
        recommendations=tuple(map(Recommendation, draft.recommended_ids, ranks)),
    )


def _values(
    contents: Mapping[str, AttributeContent], kind: ProductType, reference: Reference
) -> tuple[AttributeValue, ...]:
    own = {one.code: one for one in reference.attributes.values() if one.type_id == kind.id}
    values = []
    for code, content in contents.items():
        if code not in own:
            raise InvalidValue(f"attributes.{code}", f"is no attribute of {kind.code}")
        values.append(AttributeValue(own[code].id, checked(own[code], content)))
    return tuple(values)


async def _must_be_whole(uow: UnitOfWork, product_id: UUID) -> None:
    detail = await product_detail(uow, product_id)
    reference = await uow.catalog.reference()
    there = {one.code for one, content in detail.attributes if content is not None}
    if detail.product.structure is Structure.PARENT:
        return
    missing = sorted(
        one.code
        for one in reference.attributes.values()
        if one.type_id == detail.type.id and one.required and one.code not in there
    )
    if missing:
        raise Conflict("attributes_missing", f"{', '.join(missing)} must be there to publish it")


async def _tell(uow: UnitOfWork, product: Product, action: str, doing: Doing) -> None:
    data: dict[str, object] = {"status": product.status.value, "slug": product.slug}
    event = Event(f"catalog.product.{action}.v1", "product", product.id, data)
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry(f"product.{action}", "product", str(product.id), after=data)
    await uow.audit.add([entry], doing.actor, doing.at)


async def _written(uow: UnitOfWork, product_id: UUID) -> ProductDetail:
    detail = await with_variants(uow, await product_detail(uow, product_id))
    await uow.commit()
    return detail
