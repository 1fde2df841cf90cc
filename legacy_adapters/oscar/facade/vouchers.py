"""Codes, as the core's promotions know them."""

from __future__ import annotations

from collections.abc import Iterable

from legacy_adapters.oscar.facade.visit import Refused
from legacy_adapters.oscar.mapping.baskets import Voucher
from new_core.domain.totals import Discount
from new_core.ports import UnitOfWork


async def vouchers_of(uow: UnitOfWork, discounts: Iterable[Discount]) -> dict[str, Voucher]:
    """The codes that took something off, in upper case."""
    del uow
    found = {}
    for one in discounts:
        if one.coupon:
            found[one.coupon.upper()] = Voucher(one.name, one.coupon.upper(), None, None)
    return found


async def voucher_of(uow: UnitOfWork, code: str, discounts: Iterable[Discount]) -> Voucher:
    """A code that took something off."""
    found = await vouchers_of(uow, discounts)
    if code not in found:
        raise Refused(406, {"non_field_errors": ["Voucher code unknown"]})
    return found[code]
