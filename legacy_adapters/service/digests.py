"""What is compared: each record's parts with their digests, as mapped and as stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from legacy_adapters.ports import Kind, ProductRecord, Record, Supply
from new_core.domain.canonical import digest
from new_core.ports import UnitOfWork

Part = tuple[str, str]
"""Entity type and external id."""


def record_digest(record: Record) -> str:
    """The digest of a record; of a product, without its supplies, which have their own."""
    if isinstance(record, ProductRecord):
        return digest((record.product, record.variant))
    return digest(record)


def supply_digest(supply: Supply) -> str:
    """The digest of a place's stock with its price and the list the price stands in."""
    return digest((supply.level, supply.price, supply.price_list))


def mapped_digests(kind: Kind, external_id: str, record: Record) -> dict[Part, str]:
    """Digests of a mapped record and its parts."""
    found = {(kind.entity_type, external_id): record_digest(record)}
    if isinstance(record, ProductRecord):
        found |= {("stock_level", one.external_id): supply_digest(one) for one in record.supplies}
    return found


async def stored_digests(
    uow: UnitOfWork, system: str, kind: Kind, external_ids: Sequence[str]
) -> dict[Part, str]:
    """Digests of what the core's tables hold under these external ids, read back now."""
    refs = await uow.refs.internal(system, kind.entity_type, external_ids)
    by_id = {ref.internal_id: external_id for external_id, ref in refs.items()}
    if kind in (Kind.PRODUCT, Kind.VARIANT):
        return await _stored_products(uow, system, by_id)
    rows = await _stored_rows(uow, kind)
    return {
        (kind.entity_type, external_id): digest(rows[internal_id])
        for internal_id, external_id in by_id.items()
        if internal_id in rows
    }


async def _stored_rows(uow: UnitOfWork, kind: Kind) -> dict[UUID, Any]:
    if kind is Kind.WAREHOUSE:
        return {**await uow.stock.warehouses()}
    reference = await uow.catalog.reference()
    if kind is Kind.OPTION:
        return {**reference.options}
    if kind is Kind.PRODUCT_TYPE:
        return {**reference.types}
    return {**(reference.attributes if kind is Kind.ATTRIBUTE else reference.categories)}


async def _stored_products(uow: UnitOfWork, system: str, by_id: dict[UUID, str]) -> dict[Part, str]:
    products = await uow.catalog.products(by_id)
    variants = await uow.catalog.variants(by_id)
    found = {
        ("product", by_id[product_id]): digest((stored.value, variants.get(product_id)))
        for product_id, stored in products.items()
    }
    lines = [line for some in (await uow.stock.lines(by_id)).values() for line in some]
    keys = await uow.refs.external(system, [line.level.value.id for line in lines])
    for line in lines:
        level, listed = line.level.value, line.listed
        if level.id in keys:
            price = (listed.price, listed.price_list) if listed else (None, None)
            found["stock_level", keys[level.id]] = digest((level, *price))
    return found
