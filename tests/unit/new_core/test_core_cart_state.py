"""What can happen to a cart, cell by cell."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from new_core.domain.buyer import Buyer
from new_core.domain.cart import Cart, CartEvent, CartState, check_open, moved
from new_core.errors import Conflict

THEN = datetime(2026, 1, 1, tzinfo=UTC)
ALLOWED = {
    ("open", "freeze"): "frozen",
    ("open", "merge"): "merged",
    ("open", "abandon"): "abandoned",
    ("frozen", "order"): "ordered",
    ("frozen", "thaw"): "open",
}


def a_cart(state: CartState) -> Cart:
    return Cart(UUID(int=1), Buyer("CAD"), state, (), THEN, THEN)


@pytest.mark.parametrize("state", CartState)
@pytest.mark.parametrize("event", CartEvent)
def test_every_cell_of_the_table(state: CartState, event: CartEvent) -> None:
    after = ALLOWED.get((state.value, event.value))

    if after is None:
        wanted = next(before for before, name in ALLOWED if name == event.value)
        with pytest.raises(Conflict) as refused:
            moved(a_cart(state), event)
        assert refused.value.code == f"cart_not_{wanted}"
    else:
        assert moved(a_cart(state), event) == a_cart(CartState(after))


@pytest.mark.parametrize("state", CartState)
def test_only_an_open_cart_changes(state: CartState) -> None:
    if state is CartState.OPEN:
        check_open(a_cart(state))
        return
    with pytest.raises(Conflict) as refused:
        check_open(a_cart(state))
    assert refused.value.code == "cart_not_open"
