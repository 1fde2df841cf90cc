"""Use case of writing many prices at once, each row with its own outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.domain.identity import core_id
from new_core.domain.pricing import Price, PriceList
from new_core.errors import NotFound
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.pricing_told import Change, tell

MOST_ROWS = 1000


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A price as somebody wants it.

    Attributes:
        currency: of its price; empty for one on request.
    """

    variant_id: UUID
    min_qty: int
    unit_micro: int | None
    currency: str
    stock_level_id: UUID | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    @property
    def step(self) -> tuple[UUID, UUID | None, int, datetime | None]:
        """What makes it the same price as another: only one of each stands in a list."""
        return self.variant_id, self.stock_level_id, self.min_qty, self.valid_from


class RowStatus(StrEnum):
    """What became of a row."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    HELD_BACK = "held_back"


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of a row.

    Attributes:
        code: why it was refused; empty otherwise.
        price_id: None unless it stands in the list.
    """

    status: RowStatus
    code: str = ""
    detail: str = ""
    price_id: UUID | None = None


async def put_prices(
    uow: UnitOfWork, list_id: UUID, rows: Sequence[PriceRow], doing: Doing, *, atomic: bool
) -> tuple[RowResult, ...]:
    """Write prices into a list, and commit; a fixed number of queries.

    Rows that do not fit are refused with their reason. `atomic` holds the others back then.

    Raises:
        NotFound: there is no such list.
    """
    # One writer per list at a time, or two would make two prices of one step.
    found = await uow.pricing.locked_list(list_id)
    if found is None:
        raise NotFound("price list", str(list_id))
    price_list = found.value
    variants = {one.variant_id for one in rows}
    facts = await uow.pricing.facts(variants)
    there = await uow.pricing.prices([list_id], variants)
    known = {_step(one): one for some in there.values() for one in some}
    places = {one.stock_level_id for one in rows if one.stock_level_id is not None}
    at_places = await uow.pricing.variants_of_places(places)
    results: list[RowResult] = []
    changed: dict[UUID, Price] = {}
    for row in rows:
        refusal = _refusal(row, price_list, facts, at_places)
        if refusal is not None:
            results.append(RowResult(RowStatus.REFUSED, *refusal))
            continue
        price = _price(row, list_id, known.get(row.step))
        status = RowStatus.UNCHANGED if known.get(row.step) == price else RowStatus.WRITTEN
        if status is RowStatus.WRITTEN:
            known[row.step] = changed[price.id] = price
        results.append(RowResult(status, price_id=price.id))
    if atomic and any(one.status is RowStatus.REFUSED for one in results):
        return tuple(
            one if one.status is RowStatus.REFUSED else replace(one, status=RowStatus.HELD_BACK)
            for one in results
        )
    await _write(uow, price_list, list(changed.values()), doing)
    return tuple(results)


def _step(price: Price) -> tuple[UUID, UUID | None, int, datetime | None]:
    return price.variant_id, price.stock_level_id, price.min_qty, price.valid_from


def _price(row: PriceRow, list_id: UUID, before: Price | None) -> Price:
    """The row as a price: the one that has its step, or a new one named after the step."""
    begins = row.valid_from.isoformat() if row.valid_from else ""
    name = f"{list_id}|{row.variant_id}|{row.stock_level_id or ''}|{row.min_qty}|{begins}"
    return Price(
        id=before.id if before else core_id("core", "price", name),
        price_list_id=list_id,
        variant_id=row.variant_id,
        stock_level_id=row.stock_level_id,
        min_qty=row.min_qty,
        unit_micro=row.unit_micro,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


def _refusal(
    row: PriceRow,
    price_list: PriceList,
    facts: Mapping[UUID, object],
    at_places: Mapping[UUID, UUID],
) -> tuple[str, str] | None:
    if row.variant_id not in facts:
        return "variant_not_found", f"there is no variant {row.variant_id}"
    if row.unit_micro is not None and row.currency != price_list.currency:
        return "currency_mismatch", f"the list is in {price_list.currency}"
    if row.valid_from and row.valid_to and row.valid_from >= row.valid_to:
        return "invalid_time", "valid_to must be after valid_from"
    place = row.stock_level_id
    if place is not None and at_places.get(place) != row.variant_id:
        return "stock_level_not_found", f"there is no stock level {place} of this variant"
    return None


async def _write(
    uow: UnitOfWork, price_list: PriceList, prices: Sequence[Price], doing: Doing
) -> None:
    if not prices:
        return
    await uow.pricing.put_prices(prices, doing.at)
    variants = sorted({str(one.variant_id) for one in prices})
    change = Change(
        "price_list", price_list.id, "price.changed", "pricing.price.changed.v1",
        after=_Changed(tuple(prices)),
    )  # fmt: skip
    await tell(uow, change, doing, {"code": price_list.code, "variant_ids": variants})
    await uow.commit()


@dataclass(frozen=True, slots=True)
class _Changed:
    prices: tuple[Price, ...]


async def delete_price(uow: UnitOfWork, list_id: UUID, price_id: UUID, doing: Doing) -> None:
    """Take a price out of a list, and commit.

    Raises:
        NotFound: there is no such price in the list.
    """
    if not await uow.pricing.delete_prices(list_id, [price_id]):
        raise NotFound("price", str(price_id))
    change = Change("price_list", list_id, "price.deleted", "pricing.price.changed.v1")
    await tell(uow, change, doing, {"price_ids": [str(price_id)]})
    await uow.commit()
