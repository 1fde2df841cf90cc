"""A guest's cart goes into the customer's: nothing is lost, and nothing is there twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.address import PostalAddress
from new_core.domain.buyer import Buyer
from new_core.domain.cart import (
    MOST_COUPONS,
    MOST_LINES,
    MOST_UNITS_OF_A_LINE,
    Cart,
    CartLine,
    CartState,
)
from new_core.domain.cart_merging import Merged, Quantities, claimed, merge
from new_core.errors import Conflict

THEN = datetime(2026, 1, 1, tzinfo=UTC)
HOME, WORK = PostalAddress("CA", ("1",), "Ottawa"), PostalAddress("CA", ("2",), "Gatineau")
ANN = UUID(int=7)


def a_cart(number: int, *pairs: tuple[int, int]) -> Cart:
    lines = tuple(
        CartLine(UUID(int=number * 10_000 + n), UUID(int=variant), quantity, n)
        for n, (variant, quantity) in enumerate(pairs)
    )
    return Cart(UUID(int=number), Buyer("CAD"), CartState.OPEN, lines, THEN, THEN)


def merged(into: Cart, other: Cart, quantities: Quantities = Quantities.ADDED) -> Merged:
    numbers = count(1 << 40)
    return merge(into, other, lambda: UUID(int=next(numbers)), quantities)


CARTS = st.dictionaries(st.integers(0, 8), st.integers(1, 99), max_size=6).map(
    lambda found: tuple(found.items())
)


@given(CARTS, CARTS)
def test_units_add_up(
    ours: tuple[tuple[int, int], ...], theirs: tuple[tuple[int, int], ...]
) -> None:
    into, other = a_cart(1, *ours), a_cart(2, *theirs)

    after = merged(into, other)

    wanted = Counter(dict(ours)) + Counter(dict(theirs))
    assert {one.variant_id.int: one.quantity for one in after.into.lines} == wanted
    assert [one.position for one in after.into.lines] == list(range(len(wanted)))
    assert after.into.lines[: len(into.lines)] == tuple(
        replace(one, quantity=wanted[one.variant_id.int]) for one in into.lines
    )
    assert len({one.id for one in after.into.lines}) == len(wanted)
    assert not {one.id for one in other.lines} & {one.id for one in after.into.lines}


@given(CARTS, CARTS)
def test_or_the_larger_counts(
    ours: tuple[tuple[int, int], ...], theirs: tuple[tuple[int, int], ...]
) -> None:
    after = merged(a_cart(1, *ours), a_cart(2, *theirs), Quantities.LARGER)

    wanted = Counter(dict(ours)) | Counter(dict(theirs))
    assert {one.variant_id.int: one.quantity for one in after.into.lines} == wanted


def test_what_a_customer_said_stays_and_what_they_did_not_say_comes_over() -> None:
    into = replace(a_cart(1), shipping_address=HOME, coupons=("A",))
    other = replace(
        a_cart(2), shipping_address=WORK, billing_address=WORK, email="g@example.org",
        coupons=("A", "B"), shipping_code="post",
    )  # fmt: skip

    after = merged(into, other)

    assert (after.into.shipping_address, after.into.billing_address) == (HOME, WORK)
    assert (after.into.email, after.into.shipping_code) == ("g@example.org", "post")
    assert after.into.coupons == ("A", "B")
    assert after.emptied.state is CartState.MERGED
    assert after.emptied.merged_into == into.id
    assert after.emptied.lines == other.lines
    assert (after.emptied.email, after.emptied.billing_address) == ("", None)


def test_bounds_hold_for_both_together() -> None:
    most = MOST_UNITS_OF_A_LINE
    many = tuple(f"C{n}" for n in range(MOST_COUPONS))

    after = merged(
        replace(a_cart(1, (0, most)), coupons=many), replace(a_cart(2, (0, 2)), coupons=("more",))
    )
    half = MOST_LINES // 2 + 1
    with pytest.raises(Conflict) as refused:
        merged(
            a_cart(1, *((n, 1) for n in range(half))),
            a_cart(2, *((half + n, 1) for n in range(half))),
        )

    assert after.into.lines[0].quantity == most
    assert after.into.coupons == many
    assert refused.value.code == "too_many_lines"


def test_two_currencies_do_not_become_one() -> None:
    with pytest.raises(Conflict) as refused:
        merged(a_cart(1), replace(a_cart(2), buyer=Buyer("EUR")))

    assert refused.value.code == "currencies_differ"


@pytest.mark.parametrize("state", [one for one in CartState if one is not CartState.OPEN])
def test_only_an_open_cart_is_merged(state: CartState) -> None:
    with pytest.raises(Conflict) as refused:
        merged(a_cart(1), replace(a_cart(2), state=state))

    assert refused.value.code == "cart_not_open"


def test_a_claimed_cart_is_opened_by_its_customer_alone() -> None:
    groups = frozenset({UUID(int=9)})

    after = claimed(replace(a_cart(1), token_sha256="ab"), ANN, groups)

    assert after.buyer == Buyer("CAD", ANN, group_ids=groups)
    assert after.token_sha256 == ""
