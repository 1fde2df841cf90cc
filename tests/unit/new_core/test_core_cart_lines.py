"""The same variant with the same options is one line, whatever the order of wishes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.cart import MOST_LINES, MOST_UNITS_OF_A_LINE, CartLine
from new_core.domain.cart_lines import (
    REFUSALS,
    Beside,
    Goods,
    Placed,
    RowRefusal,
    Shelf,
    Wish,
    changed_lines,
    options_hash,
    place,
    refused_quantity,
)

OPTIONS = st.sampled_from([(), (("size", "m"),), (("size", "l"),)])
WISHES = st.lists(
    st.builds(
        Wish, st.integers(1, 50), st.integers(0, 5).map(lambda n: UUID(int=n)), options=OPTIONS
    ),
    max_size=30,
)
EMPTY = Beside((), 0, 0)


def goods(number: int, **more: object) -> Goods:
    known: dict[str, object] = {
        "variant_id": UUID(int=number), "product_id": UUID(int=100 + number),
        "sku": f"s-{number}", "title": "", "is_for_sale": True, "requires_shipping": True,
    }  # fmt: skip
    return Goods(**(known | more))  # type: ignore[arg-type]


NUMBERS = count(1000)


def put(
    wishes: Sequence[Wish], some: Sequence[Goods], beside: Beside = EMPTY
) -> tuple[Placed, ...]:
    return place(beside, wishes, Shelf(some), lambda: UUID(int=next(NUMBERS)))


def told(some: Sequence[CartLine]) -> list[tuple[object, ...]]:
    """Lines without their ids."""
    return [(one.variant_id, one.options, one.quantity, one.position) for one in some]


@given(WISHES)
def test_lines_hold_what_was_wished_for_and_each_is_there_once(wishes: list[Wish]) -> None:
    placed = put(wishes, [goods(n) for n in range(6)])

    wanted: Counter[object] = Counter()
    for wish in wishes:
        wanted[wish.variant_id, wish.options] += wish.quantity
    lines = changed_lines(EMPTY, placed)
    assert {(one.variant_id, one.options): one.quantity for one in lines} == wanted
    assert len({one.id for one in lines}) == len(lines) == len(wanted)
    assert [one.position for one in lines] == list(range(len(lines)))
    assert sum(one.is_new for one in placed) == len(lines)


@given(WISHES, WISHES)
def test_in_two_steps_is_as_in_one(first: list[Wish], second: list[Wish]) -> None:
    shelf = [goods(n) for n in range(6)]

    lines = changed_lines(EMPTY, put(first, shelf))
    beside = Beside(lines, len(lines), len(lines))
    after = {one.id: one for one in (*lines, *changed_lines(beside, put(second, shelf, beside)))}
    at_once = changed_lines(EMPTY, put([*first, *second], shelf))

    assert told(sorted(after.values(), key=lambda one: one.position)) == told(at_once)


@given(WISHES)
def test_a_refused_wish_changes_nothing(wishes: list[Wish]) -> None:
    mixed = [goods(n, is_for_sale=n % 2 == 0) for n in range(6)]

    placed = put(wishes, mixed)
    kept = [w for w, one in zip(wishes, placed, strict=True) if one.refusal is None]

    assert told(changed_lines(EMPTY, placed)) == told(changed_lines(EMPTY, put(kept, mixed)))
    for wish, one in zip(wishes, placed, strict=True):
        assert wish.variant_id is not None
        assert (one.refusal is RowRefusal.NOT_FOR_SALE) == bool(wish.variant_id.int % 2)


def test_a_line_that_did_not_change_is_not_written() -> None:
    line = CartLine(UUID(int=1), UUID(int=0), 3, 0)
    beside = Beside((line,), 1, 1)

    placed = put([Wish(1, UUID(int=9)), Wish(2, UUID(int=1))], [goods(0), goods(1)], beside)

    assert [one.variant_id for one in changed_lines(beside, placed)] == [UUID(int=1)]


def test_what_grows_keeps_its_id_its_place_and_what_was_shown() -> None:
    line = CartLine(UUID(int=1), UUID(int=0), 3, 4, (), 1_000_000)

    placed = put([Wish(2, sku="s-0")], [goods(0)], Beside((line,), 5, 9))

    assert placed[0].line == CartLine(UUID(int=1), UUID(int=0), 5, 4, (), 1_000_000)
    assert not placed[0].is_new


def test_a_sku_of_two_things_names_neither() -> None:
    twins = [goods(0, sku="same"), goods(1, sku="same")]

    placed = put([Wish(1, sku="same"), Wish(1, sku="none"), Wish(1, UUID(int=1))], twins)

    assert [one.refusal for one in placed] == [
        RowRefusal.AMBIGUOUS_SKU, RowRefusal.UNKNOWN_SKU, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "refusal"),
    [(3, "quantity_below_minimum"), (4, None), (6, "quantity_not_a_step"), (8, None),
     (12, None), (13, "quantity_above_maximum"), (16, "quantity_above_maximum")],
)  # fmt: skip
def test_a_line_keeps_to_the_rules_of_its_goods(quantity: int, refusal: str | None) -> None:
    packed = goods(0, quantity_min=4, quantity_max=12, quantity_step=4)

    assert refused_quantity(packed, quantity) == refusal


def test_no_line_holds_more_than_the_house_allows() -> None:
    most = MOST_UNITS_OF_A_LINE

    assert refused_quantity(goods(0), most) is None
    assert refused_quantity(goods(0), most + 1) is RowRefusal.QUANTITY_ABOVE_MAXIMUM
    assert refused_quantity(goods(0, quantity_max=most * 2), most + 1) is not None
    assert refused_quantity(goods(0), 0) is RowRefusal.QUANTITY_BELOW_MINIMUM


def test_rules_hold_for_the_whole_line_and_not_for_what_is_added() -> None:
    packed = [goods(0, quantity_min=4, quantity_step=2)]

    first = put([Wish(2, UUID(int=0)), Wish(4, UUID(int=0)), Wish(2, UUID(int=0))], packed)

    assert [one.refusal for one in first] == [RowRefusal.QUANTITY_BELOW_MINIMUM, None, None]
    assert first[1].line is not None
    assert first[1].line.quantity == 6


def test_a_full_cart_takes_no_new_line_but_lets_others_grow() -> None:
    line = CartLine(UUID(int=1), UUID(int=0), 3, 0)
    full = Beside((line,), MOST_LINES, MOST_LINES)

    placed = put([Wish(1, UUID(int=1)), Wish(1, UUID(int=0))], [goods(0), goods(1)], full)
    last = put([Wish(1, UUID(int=1))], [goods(1)], Beside((), MOST_LINES - 1, MOST_LINES - 1))

    assert [one.refusal for one in placed] == [RowRefusal.TOO_MANY_LINES, None]
    assert last[0].refusal is None


@given(OPTIONS, OPTIONS)
def test_equal_options_have_one_hash_and_others_another(
    one: tuple[tuple[str, str], ...], other: tuple[tuple[str, str], ...]
) -> None:
    assert (options_hash(one) == options_hash(other)) == (one == other)


def test_every_refusal_is_told_to_people() -> None:
    assert set(REFUSALS) == set(RowRefusal)
