"""From a cart to its order: where a checkout stands."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from new_core.errors import Conflict


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
