"""Routes that write the catalogue."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from new_core.api.answers import answer, changed, is_expected
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.idempotency import SHORT, Asked, once
from new_core.api.problems import described
from new_core.api.schemas import Answer, CategoryOut, ProductDetailOut
from new_core.domain.actor import Actor
from new_core.domain.catalog import (
    AttributeContent,
    BundleComponent,
    ProductType,
    Status,
    Structure,
    ValueType,
)
from new_core.errors import NotFound
from new_core.ports import UnitOfWork
from new_core.service.catalog import ProductDetail
from new_core.service.cataloguing import (
    AttributeDraft,
    ProductDraft,
    add_category,
    put_components,
    put_product,
    put_type,
    set_status,
)
from new_core.service.doing import Doing

_SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_CODE = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"

Text = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]
Title = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Slug = Annotated[str, Field(min_length=1, max_length=255, pattern=_SLUG)]
TypeCode = Annotated[str, Path(min_length=1, max_length=64, pattern=_CODE)]
Label = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]
LongText = Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00]*$")]
Scalar = bool | int | float | LongText | None


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageIn(_Body):
    """An image of a product."""

    uri: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
    caption: Text = ""


class ProductIn(_Body):
    """A product, whole: what is left out is gone afterwards."""

    structure: Structure = Structure.STANDALONE
    parent_id: UUID | None = Field(default=None, description="of a variant: what gathers it")
    type: Text | None = Field(default=None, description="code; null for a variant")
    title: Title
    slug: Slug
    description: Annotated[str, Field(max_length=100_000, pattern=r"^[^\x00]*$")] = ""
    sku: Text | None = None
    code: Text | None = None
    gtin: Text | None = None
    discountable: StrictBool = True
    attributes: dict[Annotated[str, Field(max_length=64)], Scalar | list[Label]] = Field(
        default={}, max_length=200
    )
    category_ids: list[UUID] = Field(default=[], max_length=100)
    images: list[ImageIn] = Field(default=[], max_length=100)
    recommended_ids: list[UUID] = Field(default=[], max_length=100)

    def draft(self) -> ProductDraft:
        """The same as the core's value."""
        contents: dict[str, AttributeContent] = {
            code: tuple(value) if isinstance(value, list) else value
            for code, value in self.attributes.items()
        }
        return ProductDraft(
            structure=self.structure,
            parent_id=self.parent_id,
            type=self.type,
            title=self.title,
            slug=self.slug,
            description=self.description,
            sku=self.sku,
            code=self.code,
            gtin=self.gtin,
            discountable=self.discountable,
            attributes=contents,
            category_ids=tuple(self.category_ids),
            images=tuple({one.uri: one.caption for one in self.images}.items()),
            recommended_ids=tuple(dict.fromkeys(self.recommended_ids)),
        )


class ComponentBody(_Body):
    """One of the things that a bundle is made of."""

    variant_id: UUID
    quantity: StrictInt = Field(ge=1, le=10_000)


class ComponentsBody(_Body):
    """What a bundle is made of; nothing makes it a single thing."""

    components: list[ComponentBody] = Field(max_length=100)


class AttributeIn(_Body):
    """A property that products of a type may have."""

    code: Annotated[str, Field(min_length=1, max_length=64, pattern=_CODE)]
    name: Title
    type: ValueType
    required: StrictBool = False


class TypeIn(_Body):
    """A kind of product, e.g. "book". Attributes left out stay as they are."""

    name: Title
    requires_shipping: StrictBool = True
    track_stock: StrictBool = True
    attributes: list[AttributeIn] = Field(default=[], max_length=200)


class TypeOut(Answer):
    """A kind of product."""

    id: UUID
    code: str
    name: str
    requires_shipping: StrictBool
    track_stock: StrictBool
    attributes: list[AttributeIn]


class CategoryIn(_Body):
    """A new category, put after its siblings."""

    parent_id: UUID | None = None
    name: Title
    slug: Slug
    description: Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00]*$")] = ""


def add_catalog_writes(router: APIRouter, house: House) -> None:
    """Add the routes."""
    _add_product(router, house)
    for word, status in (("publish", Status.PUBLISHED), ("unpublish", Status.DRAFT)):
        _add_status(router, house, word, status)
    _add_components(router, house)
    _add_types(router, house)
    _add_category(router, house)


def _add_product(router: APIRouter, house: House) -> None:
    @router.put(
        "/products/{product_id}", response_model=ProductDetailOut,
        responses=described(409, 412), openapi_extra=TAKES_BACK, tags=["catalog"],
    )  # fmt: skip
    async def write_product(
        actor: Annotated[Actor, needs("catalog:write")],
        product_id: UUID,
        body: ProductIn,
        if_match: Annotated[str | None, Header(description="tags that it must have now")] = None,
    ) -> Response:
        """Write a product whole; its id is the caller's choice. A new one is a draft."""

        def expected(detail: ProductDetail) -> bool:
            return is_expected(if_match, ProductDetailOut.whole(detail))

        async with house.database.writing() as uow:
            doing = Doing(actor, house.now(), house.new_id)
            detail = await put_product(uow, product_id, body.draft(), expected, doing)
        return changed(ProductDetailOut.whole(detail))


def _add_status(router: APIRouter, house: House, word: str, status: Status) -> None:
    async def change(actor: Annotated[Actor, needs("catalog:write")], product_id: UUID) -> Response:
        async with house.database.writing() as uow:
            doing = Doing(actor, house.now(), house.new_id)
            detail = await set_status(uow, product_id, status, doing)
        return changed(ProductDetailOut.whole(detail))

    router.add_api_route(
        f"/products/{{product_id}}/{word}",
        change,
        methods=["POST"],
        response_model=ProductDetailOut,
        responses=described(404, 409),
        openapi_extra=TAKES_BACK,
        tags=["catalog"],
        name=f"{word}_product",
        description="Show it to shoppers; the same again changes nothing."
        if status is Status.PUBLISHED
        else "Hide it from shoppers; the same again changes nothing.",
    )


def _add_components(router: APIRouter, house: House) -> None:
    @router.get(
        "/products/{product_id}/components", response_model=ComponentsBody,
        responses=described(404), tags=["catalog"],
    )  # fmt: skip
    async def get_components(
        request: Request, _actor: Annotated[Actor, needs()], product_id: UUID
    ) -> Response:
        """What a bundle is made of; empty for a single thing."""
        async with house.database.reading() as uow:
            variant = (await uow.catalog.variants([product_id])).get(product_id)
            if variant is None:
                raise NotFound("variant of product", str(product_id))
            found = (await uow.catalog.components([variant.id])).get(variant.id, ())
        return answer(request, _components(found))

    @router.put(
        "/products/{product_id}/components", response_model=ComponentsBody,
        responses=described(404), openapi_extra=TAKES_BACK, tags=["catalog"],
    )  # fmt: skip
    async def write_components(
        actor: Annotated[Actor, needs("catalog:write")], product_id: UUID, body: ComponentsBody
    ) -> Response:
        """Say what a bundle is made of."""
        made: dict[UUID, int] = {}
        for one in body.components:
            made[one.variant_id] = made.get(one.variant_id, 0) + one.quantity
        parts = tuple(BundleComponent(variant, quantity) for variant, quantity in made.items())
        async with house.database.writing() as uow:
            doing = Doing(actor, house.now(), house.new_id)
            written = await put_components(uow, product_id, parts, doing)
        return changed(_components(written))


def _add_types(router: APIRouter, house: House) -> None:
    @router.put(
        "/product-types/{code}", response_model=TypeOut, responses=described(409),
        openapi_extra=TAKES_BACK, tags=["catalog"],
    )  # fmt: skip
    async def write_type(
        actor: Annotated[Actor, needs("catalog:write")], code: TypeCode, body: TypeIn
    ) -> Response:
        """Write a type of products and its attributes."""
        attributes = {one.code: one for one in body.attributes}
        drafts = [
            AttributeDraft(one.code, one.name, one.type, one.required)
            for one in attributes.values()
        ]
        async with house.database.writing() as uow:
            doing = Doing(actor, house.now(), house.new_id)
            kind = ProductType(
                house.new_id(), code, body.name, body.requires_shipping, body.track_stock, ()
            )
            written = await put_type(uow, kind, drafts, doing)
        return changed(_type(written, list(attributes.values())))


def _add_category(router: APIRouter, house: House) -> None:
    @router.post(
        "/categories", response_model=CategoryOut, status_code=201,
        responses=described(400, 409), openapi_extra=TAKES_BACK, tags=["catalog"],
    )  # fmt: skip
    async def create_category(
        actor: Annotated[Actor, needs("catalog:write")], asked: Asked, body: CategoryIn
    ) -> Response:
        """Add a category after those below the same parent."""

        async def work(uow: UnitOfWork) -> Response:
            doing = Doing(actor, house.now(), house.new_id)
            made = await add_category(
                uow, body.parent_id, body.name, body.slug, body.description, doing
            )
            response = changed(CategoryOut.of(await uow.catalog.reference(), made))
            response.status_code = 201
            return response

        return await once(house, asked, actor, keep=SHORT).in_one(work)


def _components(found: tuple[BundleComponent, ...]) -> ComponentsBody:
    parts = [ComponentBody(variant_id=one.variant_id, quantity=one.quantity) for one in found]
    return ComponentsBody(components=parts)


def _type(kind: ProductType, attributes: list[AttributeIn]) -> TypeOut:
    return TypeOut(
        id=kind.id,
        code=kind.code,
        name=kind.name,
        requires_shipping=kind.requires_shipping,
        track_stock=kind.track_stock,
        attributes=attributes,
    )
