"""Oscar's catalogue API, answered by the core's services.

Read-only: every other method gets the 405 that oscar's views give. Nothing of oscar is asked
while a request is answered.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from typing import TypeVar
from urllib.parse import parse_qs
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from legacy_adapters.oscar.mapping import answers, negotiation
from legacy_adapters.oscar.mapping.links import Links, origin
from legacy_adapters.oscar.mapping.records import SYSTEM
from new_core.domain.catalog import Category, Structure
from new_core.errors import NotFound, StoreUnavailable
from new_core.ports import Clock, Database, StockLine, UnitOfWork
from new_core.service.catalog import ProductDetail, product_detail
from new_core.service.selling import product_availability, product_price

T = TypeVar("T")

_NO_PRODUCT = "No Product matches the given query."
_NO_STOCK_RECORD = "No StockRecord matches the given query."
_NO_CATEGORY = "No Category matches the given query."
_NO_CATEGORY_PATH = "No Category found matching the query"
_HEADERS = {"vary": "Accept, Cookie", "allow": "GET, HEAD, OPTIONS"}
_READS = ("GET", "HEAD")
_LIKE_STRUCTURES = {
    "standalone": Structure.STANDALONE,
    "parent": Structure.PARENT,
    "child": Structure.VARIANT,
}


class _Missing(Exception):
    """What was asked for is not in the core; `args[0]` is what oscar's API says about it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as the answers depend on it."""

    links: Links
    zone: tzinfo
    arguments: tuple[str, ...]
    structure: str | None

    def shop(self, keys: dict[UUID, str]) -> answers.Shop:
        """The context of the answers."""
        return answers.Shop(self.links, keys, self.zone)


Answer = Callable[[UnitOfWork, Asked], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class View:
    """One of oscar's views.

    Attributes:
        name: what the view calls itself when asked with OPTIONS.
        template: its path, for metrics.
    """

    path: re.Pattern[str]
    name: str
    template: str
    answer: Answer


class OscarFacade:
    """An ASGI application that answers like oscar's catalogue API."""

    def __init__(
        self, database: Database, now: Clock, *, zone: tzinfo, media_url: str = "/media/"
    ) -> None:
        self._database = database
        self._zone = zone
        self._media_url = media_url
        self._views = _views(now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = _path_below_mount(request.scope)
        request.scope["banyan.route"] = "oscar:unmatched"
        for view in self._views:
            match = view.path.match(path)
            if match is not None:
                request.scope["banyan.route"] = f"oscar:{view.template}"
                return await self._view(request, view, match.groups())
        return _page(404, "Not Found", _NOT_FOUND_TEXT)

    async def _view(self, request: Request, view: View, arguments: tuple[str, ...]) -> Response:
        query = parse_qs(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        override = query["format"][-1] if "format" in query else None
        here = origin(_scheme(request), request.headers.get("host", ""))
        if here is None:
            return _page(400, "Bad Request (400)", "")
        if not negotiation.format_known(override):
            return _json(404, {"detail": "Not found."})
        if not override and not negotiation.acceptable(request.headers.get("accept", "*/*")):
            return _json(406, {"detail": "Could not satisfy the request Accept header."})
        if request.method == "OPTIONS":
            return _json(200, {"name": view.name, **_ABILITIES})
        if request.method not in _READS:
            return _json(405, {"detail": f'Method "{request.method}" not allowed.'})
        structure = query["structure"][-1] if "structure" in query else None
        links = Links(here, self._media_url, override)
        return await self._read(view, Asked(links, self._zone, arguments, structure))

    async def _read(self, view: View, asked: Asked) -> Response:
        try:
            async with self._database.reading() as uow:
                body = await view.answer(uow, asked)
        except _Missing as missing:
            return _json(404, {"detail": str(missing.args[0])})
        except StoreUnavailable:
            unavailable = _json(
                503, {"detail": "Service temporarily unavailable, try again later."}
            )
            unavailable.headers["retry-after"] = "1"
            return unavailable
        return _json(200, body)


def _views(now: Clock) -> tuple[View, ...]:
    """All views, in the order in which oscar tries them."""

    def view(path: str, name: str, answer: Answer) -> View:
        pattern = path.replace("<n>", "([0-9]+)").replace("<slugs>", "(.*)")
        return View(re.compile(rf"/api/{pattern}\Z"), name, f"/api/{path}", answer)

    record = "products/<n>/stockrecords/<n>/"
    return (
        view("products/<n>/", "Product Detail", _product),
        view("products/<n>/price/", "Product Price", partial(_price, now)),
        view("products/<n>/availability/", "Product Availability", _availability),
        view("products/<n>/stockrecords/", "Product Stock Records", _stock_records),
        view(record, "Product Stock Record Detail", _stock_record),
        view("products/", "Product List", _product_list),
        view("categories/", "Category List", _categories),
        view("categories/<n>/", "Category Detail", _category),
        view("categories/<slugs>/", "Category List", _categories_below),
    )


async def _product_list(uow: UnitOfWork, asked: Asked) -> object:
    if asked.structure is not None and asked.structure not in _LIKE_STRUCTURES:
        return []
    wanted = _LIKE_STRUCTURES[asked.structure] if asked.structure is not None else None
    found = await uow.catalog.summaries(wanted)
    keys = await uow.refs.every(SYSTEM, "product")
    shop = asked.shop(keys)
    ordered = sorted(
        (one for one in found if one.id in keys),
        key=lambda one: (one.created_at, shop.number(one.id)),
        reverse=True,
    )
    return [answers.product_line(shop, one) for one in ordered]


async def _product(uow: UnitOfWork, asked: Asked) -> object:
    product_id = await _product_id(uow, asked.arguments[0])
    detail = await _found(product_detail(uow, product_id))
    family = (detail, *detail.children)
    named = {one.product_id for each in family for one in each.product.recommendations}
    others = await uow.catalog.summaries_of(named) if named else ()
    keys = await _keys(uow, [*_ids_shown(family), *(one.id for one in others)])
    known = [one for one in others if one.id in keys]
    by_key = sorted(known, key=lambda one: int(keys[one.id]))
    newest = sorted(by_key, key=lambda one: one.created_at, reverse=True)
    recommended = {
        each.product.id: tuple(
            other.id
            for other in newest
            if any(other.id == one.product_id for one in each.product.recommendations)
        )
        for each in family
    }
    return answers.product(asked.shop(keys), detail, recommended)


def _ids_shown(family: tuple[ProductDetail, ...]) -> list[UUID]:
    """Everything in the answer that is shown by oscar's key."""
    ids = [each.product.id for each in family]
    for each in family:
        ids += [one.id for one in each.product.assets]
        ids += [one.id for one in each.options]
    return list(dict.fromkeys(ids))


async def _price(now: Clock, uow: UnitOfWork, asked: Asked) -> object:
    product_id = await _product_id(uow, asked.arguments[0])
    trace = await _found(product_price(uow, product_id, quantity=1, at=now()))
    return answers.price(trace)


async def _availability(uow: UnitOfWork, asked: Asked) -> object:
    product_id = await _product_id(uow, asked.arguments[0])
    return answers.availability(await _found(product_availability(uow, product_id)))


async def _stock_records(uow: UnitOfWork, asked: Asked) -> object:
    key = _key(asked.arguments[0])
    found = await uow.refs.internal(SYSTEM, "product", [key])
    if key not in found:
        return []
    product_id = found[key].internal_id
    lines = (await uow.stock.lines([product_id])).get(product_id, ())
    shop = await _stock_shop(uow, asked, product_id, lines)
    known = (line for line in lines if line.level.value.id in shop.keys)
    ordered = sorted(known, key=lambda line: shop.number(line.level.value.id))
    return [answers.stock_record(shop, product_id, line) for line in ordered]


async def _stock_record(uow: UnitOfWork, asked: Asked) -> object:
    """Oscar looks the record up by its own key alone; the product in the path is not read."""
    key = _key(asked.arguments[1])
    found = await uow.refs.internal(SYSTEM, "stock_level", [key])
    if key not in found:
        raise _Missing(_NO_STOCK_RECORD)
    line = (await uow.stock.levels([found[key].internal_id]))[found[key].internal_id]
    product_id = await uow.stock.product_of(line.level.value.variant_id)
    shop = await _stock_shop(uow, asked, product_id, (line,))
    return answers.stock_record(shop, product_id, line)


async def _stock_shop(
    uow: UnitOfWork, asked: Asked, product_id: UUID, lines: tuple[StockLine, ...]
) -> answers.Shop:
    ids = [product_id]
    for line in lines:
        ids += (line.level.value.id, line.level.value.warehouse_id)
    return asked.shop(await _keys(uow, ids))


async def _categories(uow: UnitOfWork, asked: Asked) -> object:
    return await _below(uow, asked, None)


async def _categories_below(uow: UnitOfWork, asked: Asked) -> object:
    reference = await uow.catalog.reference()
    category = reference.by_slug_path(asked.arguments[0])
    if category is None:
        raise _Missing(_NO_CATEGORY_PATH)
    return await _below(uow, asked, category)


async def _below(uow: UnitOfWork, asked: Asked, category: Category | None) -> object:
    reference = await uow.catalog.reference()
    found = reference.children(category)
    shop = asked.shop(await _keys(uow, [one.id for one in found]))
    return [answers.category(shop, reference, one) for one in found if one.id in shop.keys]


async def _category(uow: UnitOfWork, asked: Asked) -> object:
    key = _key(asked.arguments[0])
    found = await uow.refs.internal(SYSTEM, "category", [key])
    reference = await uow.catalog.reference()
    category = reference.categories.get(found[key].internal_id) if key in found else None
    if category is None:
        raise _Missing(_NO_CATEGORY)
    return answers.category(asked.shop({category.id: key}), reference, category)


async def _product_id(uow: UnitOfWork, digits: str) -> UUID:
    key = _key(digits)
    found = await uow.refs.internal(SYSTEM, "product", [key])
    if key not in found:
        raise _Missing(_NO_PRODUCT)
    return found[key].internal_id


async def _found(load: Awaitable[T]) -> T:
    try:
        return await load
    except NotFound as exc:
        raise _Missing(_NO_PRODUCT) from exc


async def _keys(uow: UnitOfWork, ids: list[UUID]) -> dict[UUID, str]:
    return await uow.refs.external(SYSTEM, ids)


def _key(digits: str) -> str:
    """Digits of a path as a key: oscar reads them as a number, so 007 is 7."""
    return digits.lstrip("0") or "0"


def _path_below_mount(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _scheme(request: Request) -> str:
    """The scheme that the shopper used, told by the proxy in front."""
    told = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return told if told in ("http", "https") else str(request.scope.get("scheme", "http"))


def _json(status: int, body: object) -> Response:
    return Response(answers.to_bytes(body), status, headers=_HEADERS, media_type="application/json")


def _page(status: int, title: str, text: str) -> Response:
    """What Django answers when no view is asked."""
    body = (
        f'\n<!doctype html>\n<html lang="en">\n<head>\n  <title>{title}</title>\n</head>\n'
        f"<body>\n  <h1>{title}</h1><p>{text}</p>\n</body>\n</html>\n"
    )
    return Response(body, status, headers={"vary": "Cookie"}, media_type="text/html")


_NOT_FOUND_TEXT = "The requested resource was not found on this server."
_ABILITIES = {
    "description": "",
    "renders": ["application/json", "text/html"],
    "parses": [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ],
}
