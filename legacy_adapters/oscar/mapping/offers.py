"""Oscar's offers and vouchers as the core's promotions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from new_core.domain.currency import decimals
from new_core.domain.identity import core_id
from new_core.domain.promotions import (
    EVERYTHING,
    Action,
    AmountOff,
    BuyXGetY,
    Condition,
    FixedPrice,
    Items,
    PercentOff,
    Promotion,
    QuantityFrom,
    SubtotalFrom,
)
from new_core.domain.totals import DiscountKind

Cells = Mapping[str, Any]

_PPM_PER_PERCENT = 10_000
_MULTIBUY, _COUNT, _VALUE = "Multibuy", "Count", "Value"


@dataclass(frozen=True, slots=True)
class OfferRows:
    """An offer with what it asks for and gives.

    Attributes:
        offer, condition, benefit: rows of their tables.
        everything: whether both are about all products.
        voucher: the row of the code that opens it; None for an offer of the site.
    """

    offer: Cells
    condition: Cells
    benefit: Cells
    everything: bool
    voucher: Cells | None = None


def offer_key(rows: OfferRows) -> str:
    """What the core calls an offer of oscar by: one promotion for each voucher of it."""
    return f"{rows.offer['id']}/{rows.voucher['id'] if rows.voucher is not None else 'site'}"


def promotion(rows: OfferRows, currency: str) -> Promotion | None:
    """The promotion that does the same; None where the core has none that would."""
    if not rows.everything or rows.condition["proxy_class"] or rows.benefit["proxy_class"]:
        return None
    condition, found = _condition(rows, currency), _action(rows, currency)
    if condition is None or found is None:
        return None
    kind, action = found
    times = rows.voucher if rows.voucher is not None else rows.offer
    once = rows.voucher is not None and rows.voucher["usage"] == "Single use"
    is_order = kind is DiscountKind.ORDER
    return Promotion(
        id=core_id("oscar", "offer", offer_key(rows)),
        name=str(rows.offer["name"]),
        kind=kind,
        action=action,
        code=str(rows.voucher["code"]).upper() if rows.voucher is not None else "",
        conditions=condition,
        items=EVERYTHING,
        priority=-int(rows.offer["priority"]),
        exclusive=bool(rows.offer["exclusive"]) and not is_order,
        # What one exclusive offer took from, no other offer takes from.
        combines_with=frozenset({DiscountKind.SHIPPING})
        if rows.offer["exclusive"]
        else frozenset(DiscountKind),
        currency=currency if isinstance(action, AmountOff | FixedPrice) else "",
        starts_at=_moment(times["start_datetime"]),
        ends_at=_moment(times["end_datetime"]),
        usage_limit=1 if once else None,
    )


def _condition(rows: OfferRows, currency: str) -> Condition | None:
    kind, value = rows.condition["type"], Decimal(str(rows.condition["value"] or 0))
    if kind == _COUNT:
        return QuantityFrom(int(value), Items())
    if kind == _VALUE:
        return SubtotalFrom(int(value.scaleb(decimals(currency))), Items())
    return None


def _action(rows: OfferRows, currency: str) -> tuple[DiscountKind, Action] | None:
    kind, value = rows.benefit["type"], Decimal(str(rows.benefit["value"] or 0))
    if kind == _MULTIBUY:
        is_count = rows.condition["type"] == _COUNT
        buy = int(Decimal(str(rows.condition["value"]))) - 1 if is_count else 0
        return (DiscountKind.LINE, BuyXGetY(buy, 1)) if buy > 0 else None
    share, minor = PercentOff(int(value * _PPM_PER_PERCENT)), int(value.scaleb(decimals(currency)))
    gives: Mapping[str, tuple[DiscountKind, Action]] = {
        "Percentage": (DiscountKind.LINE, share),
        "Absolute": (DiscountKind.ORDER, AmountOff(minor)),
        "Shipping percentage": (DiscountKind.SHIPPING, share),
        "Shipping absolute": (DiscountKind.SHIPPING, AmountOff(minor)),
        "Shipping fixed price": (DiscountKind.SHIPPING, FixedPrice(minor)),
    }
    return gives.get(str(kind))


def _moment(cell: Any) -> datetime | None:
    if cell is None:
        return None
    found = datetime.fromisoformat(cell) if isinstance(cell, str) else cell
    if not isinstance(found, datetime):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
