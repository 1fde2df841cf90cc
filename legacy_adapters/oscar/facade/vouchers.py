"""Codes, as the core's promotions know them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from legacy_adapters.oscar.facade.visit import Visit
from legacy_adapters.oscar.mapping.baskets import Voucher
from new_core.domain.totals import Discount
from new_core.ports import UnitOfWork


async def vouchers_of(
    uow: UnitOfWork, visit: Visit, discounts: Iterable[Discount]
) -> dict[str, Voucher]:
    """The codes that took something off, in upper case."""
    return await vouchers(uow, visit, {one.coupon.upper() for one in discounts if one.coupon})


async def vouchers(uow: UnitOfWork, visit: Visit, codes: Collection[str]) -> dict[str, Voucher]:
    """Codes that a promotion has, whatever becomes of it; others are absent.

    A voucher of oscar has a name and its offer has another; a promotion has one.
    """
    if not codes:
        return {}
    found = await uow.promotions.running(codes, visit.customer_id, visit.at)
    return {
        one.promotion.code: Voucher(
            one.promotion.name, one.promotion.code, one.promotion.starts_at, one.promotion.ends_at
        )
        for one in found
        if one.promotion.code
    }
