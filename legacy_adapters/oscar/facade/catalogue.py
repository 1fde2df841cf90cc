"""Oscar's catalogue, answered by the core's services. Nothing of oscar is asked."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar
from uuid import UUID

from legacy_adapters.oscar.facade.visit import Visit, missing, refused
from legacy_adapters.oscar.mapping import answers
from legacy_adapters.oscar.mapping.records import SYSTEM
from new_core.domain.catalog import Category, Structure
from new_core.errors import NotFound
from new_core.ports import StockLine, UnitOfWork
from new_core.service.catalog import ProductDetail, product_detail
from new_core.service.selling import product_availability, product_price

T = TypeVar("T")

_LIKE_STRUCTURES = {
    "standalone": Structure.STANDALONE,
    "parent": Structure.PARENT,
    "child": Structure.VARIANT,
}


async def product_list(uow: UnitOfWork, visit: Visit) -> object:
    if visit.structure is not None and visit.structure not in _LIKE_STRUCTURES:
        return []
    wanted = _LIKE_STRUCTURES[visit.structure] if visit.structure is not None else None
    found = await uow.catalog.summaries(wanted)
    keys = await uow.refs.every(SYSTEM, "product")
    shop = visit.shop(keys)
    ordered = sorted(
        (one for one in found if one.id in keys),
        key=lambda one: (one.created_at, shop.number(one.id)),
        reverse=True,
    )
    return [answers.product_line(shop, one) for one in ordered]


async def product(uow: UnitOfWork, visit: Visit) -> object:
    product_id = await _product_id(uow, visit.arguments[0])
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
    return answers.product(visit.shop(keys), detail, recommended)


def _ids_shown(family: tuple[ProductDetail, ...]) -> list[UUID]:
    """Everything in the answer that is shown by oscar's key."""
    ids = [each.product.id for each in family]
    for each in family:
        ids += [one.id for one in each.product.assets]
        ids += [one.id for one in each.options]
    return list(dict.fromkeys(ids))


async def price(uow: UnitOfWork, visit: Visit) -> object:
    product_id = await _product_id(uow, visit.arguments[0])
    trace = await _found(product_price(uow, product_id, quantity=1, at=visit.at))
    return answers.price(trace)


async def availability(uow: UnitOfWork, visit: Visit) -> object:
    product_id = await _product_id(uow, visit.arguments[0])
    return answers.availability(await _found(product_availability(uow, product_id)))


async def stock_records(uow: UnitOfWork, visit: Visit) -> object:
    key = _key(visit.arguments[0])
    found = await uow.refs.internal(SYSTEM, "product", [key])
    if key not in found:
        return []
    product_id = found[key].internal_id
    lines = (await uow.stock.lines([product_id])).get(product_id, ())
    shop = await _stock_shop(uow, visit, product_id, lines)
    known = (line for line in lines if line.level.value.id in shop.keys)
    ordered = sorted(known, key=lambda line: shop.number(line.level.value.id))
    return [answers.stock_record(shop, product_id, line) for line in ordered]


async def stock_record(uow: UnitOfWork, visit: Visit) -> object:
    """Oscar looks the record up by its own key alone; the product in the path is not read."""
    key = _key(visit.arguments[1])
    found = await uow.refs.internal(SYSTEM, "stock_level", [key])
    if key not in found:
        raise missing("StockRecord")
    line = (await uow.stock.levels([found[key].internal_id]))[found[key].internal_id]
    product_id = await uow.stock.product_of(line.level.value.variant_id)
    shop = await _stock_shop(uow, visit, product_id, (line,))
    return answers.stock_record(shop, product_id, line)


async def _stock_shop(
    uow: UnitOfWork, visit: Visit, product_id: UUID, lines: tuple[StockLine, ...]
) -> answers.Shop:
    ids = [product_id]
    for line in lines:
        ids += (line.level.value.id, line.level.value.warehouse_id)
    return visit.shop(await _keys(uow, ids))


async def categories(uow: UnitOfWork, visit: Visit) -> object:
    return await _below(uow, visit, None)


async def categories_below(uow: UnitOfWork, visit: Visit) -> object:
    reference = await uow.catalog.reference()
    category = reference.by_slug_path(visit.arguments[0])
    if category is None:
        raise refused(404, "No Category found matching the query")
    return await _below(uow, visit, category)


async def _below(uow: UnitOfWork, visit: Visit, category: Category | None) -> object:
    reference = await uow.catalog.reference()
    found = reference.children(category)
    shop = visit.shop(await _keys(uow, [one.id for one in found]))
    return [answers.category(shop, reference, one) for one in found if one.id in shop.keys]


async def category(uow: UnitOfWork, visit: Visit) -> object:
    key = _key(visit.arguments[0])
    found = await uow.refs.internal(SYSTEM, "category", [key])
    reference = await uow.catalog.reference()
    category = reference.categories.get(found[key].internal_id) if key in found else None
    if category is None:
        raise missing("Category")
    return answers.category(visit.shop({category.id: key}), reference, category)


async def options(uow: UnitOfWork, visit: Visit) -> object:
    """What shoppers may say about goods, by key."""
    found = (await uow.catalog.reference()).options.values()
    shop = visit.shop(await _keys(uow, [one.id for one in found]))
    known = [one for one in found if one.id in shop.keys]
    return [answers.option(shop, one) for one in sorted(known, key=lambda one: shop.number(one.id))]


async def option(uow: UnitOfWork, visit: Visit) -> object:
    """One of them."""
    key = _key(visit.arguments[0])
    found = await uow.refs.internal(SYSTEM, "option", [key])
    reference = await uow.catalog.reference()
    one = reference.options.get(found[key].internal_id) if key in found else None
    if one is None:
        raise missing("Option")
    return answers.option(visit.shop({one.id: key}), one)


async def _product_id(uow: UnitOfWork, digits: str) -> UUID:
    key = _key(digits)
    found = await uow.refs.internal(SYSTEM, "product", [key])
    if key not in found:
        raise missing("Product")
    return found[key].internal_id


async def _found(load: Awaitable[T]) -> T:
    try:
        return await load
    except NotFound as exc:
        raise missing("Product") from exc


async def _keys(uow: UnitOfWork, ids: list[UUID]) -> dict[UUID, str]:
    return await uow.refs.external(SYSTEM, ids)


def _key(digits: str) -> str:
    """Digits of a path as a key: oscar reads them as a number, so 007 is 7."""
    return digits.lstrip("0") or "0"
