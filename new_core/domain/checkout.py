"""From a cart to its order: where a checkout stands, and what the shopper was shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from new_core.domain.money import Money, UnitPrice
from new_core.domain.totals import PricedCart
from new_core.errors import Conflict, Detail


class CheckoutState(StrEnum):
    """Where a checkout stands. One that failed is open again: another card may be tried."""

    OPEN = "open"
    PAYING = "paying"
    COMPLETED = "completed"


class CheckoutEvent(StrEnum):
    """What happens to a checkout."""

    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"


CHECKOUTS: Final = MappingProxyType(
    {
        CheckoutState.OPEN: {CheckoutEvent.START: CheckoutState.PAYING},
        CheckoutState.PAYING: {
            CheckoutEvent.SUCCEED: CheckoutState.COMPLETED,
            CheckoutEvent.FAIL: CheckoutState.OPEN,
        },
        CheckoutState.COMPLETED: {},
    }
)


def after(state: CheckoutState, event: CheckoutEvent) -> CheckoutState:
    """The state that follows.

    Raises:
        Conflict: `checkout_in_progress` or `checkout_completed`, as it stands.
    """
    follows = CHECKOUTS[state].get(event)
    if follows is not None:
        return follows
    if state is CheckoutState.COMPLETED:
        raise Conflict("checkout_completed", "the cart has been ordered")
    if state is CheckoutState.PAYING:
        raise Conflict("checkout_in_progress", "the cart is being paid for")
    raise Conflict("checkout_not_started", "the checkout has not been started")


@dataclass(frozen=True, slots=True)
class OfferedLine:
    """One line as the shopper was shown it."""

    line_id: UUID
    unit_micro: int | None
    quantity: int
    gross_minor: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A cart's money as the shopper was shown it."""

    currency: str
    total_minor: int
    tax_minor: int
    discount_minor: int
    shipping_minor: int
    lines: tuple[OfferedLine, ...]


def offer_of(priced: PricedCart) -> Offer:
    """What to remember of a priced cart, so that a later difference can be told."""
    return Offer(
        priced.currency,
        priced.total_minor,
        priced.tax_minor,
        priced.discount_minor,
        priced.shipping.gross_minor if priced.shipping else 0,
        tuple(
            OfferedLine(one.key, one.unit_micro, one.quantity, one.gross_minor)
            for one in priced.lines
        ),
    )


def check_price(expected: Money, shown: Offer | None, now: Offer) -> None:
    """Let a checkout through whose total is what the shopper agreed to.

    Args:
        expected: what the shopper says they agreed to.
        shown: the offer they were shown, if they were shown one.
        now: what it costs now.

    Raises:
        Conflict: `price_changed`, with every difference between the two offers.
    """
    actual = Money(now.total_minor, now.currency)
    if actual == expected:
        return
    total = Detail(
        "/expected_total",
        "price_changed",
        f"it is {actual.text} {actual.currency} now",
        {"expected": _amount(expected), "actual": _amount(actual)},
    )
    found = () if shown is None else tuple(_differences(shown, now))
    raise Conflict("price_changed", "the total is not what you agreed to", (total, *found))


def _differences(shown: Offer, now: Offer) -> Iterator[Detail]:
    before = {one.line_id: one for one in shown.lines}
    after = {one.line_id: one for one in now.lines}
    for line_id in [*before, *(one for one in after if one not in before)]:
        was, is_now = before.get(line_id), after.get(line_id)
        if was != is_now:
            yield Detail(
                f"/lines/{line_id}",
                _code(was, is_now),
                "the line is not what it was",
                {"before": _line(was, shown), "after": _line(is_now, now)},
            )
    for name in ("shipping_minor", "discount_minor", "tax_minor"):
        if getattr(shown, name) != getattr(now, name):
            what = name.removesuffix("_minor")
            yield Detail(
                f"/{what}",
                f"{what}_changed",
                f"the {what} is not what it was",
                {
                    "before": _amount(Money(getattr(shown, name), shown.currency)),
                    "after": _amount(Money(getattr(now, name), now.currency)),
                },
            )


def _code(was: OfferedLine | None, is_now: OfferedLine | None) -> str:
    if was is None:
        return "line_added"
    if is_now is None:
        return "line_removed"
    return "line_quantity_changed" if was.quantity != is_now.quantity else "line_price_changed"


def _line(line: OfferedLine | None, offer: Offer) -> Mapping[str, object] | None:
    if line is None:
        return None
    unit = None if line.unit_micro is None else UnitPrice(line.unit_micro, offer.currency)
    return {
        "unit_price": None if unit is None else {"amount": unit.text, "currency": unit.currency},
        "quantity": line.quantity,
        "total": _amount(Money(line.gross_minor, offer.currency)),
    }


def _amount(money: Money) -> Mapping[str, object]:
    return {"amount": money.text, "currency": money.currency}
