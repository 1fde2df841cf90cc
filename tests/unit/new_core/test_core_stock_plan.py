"""Places are chosen as brute force would, and what is short is short."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.catalog import BundleComponent
from new_core.domain.reservation import Shortage, Want
from new_core.domain.stock_plan import (
    Components,
    Plan,
    Shelf,
    VariantSupply,
    added_up,
    most_of,
    plan,
    shortages,
    taken_apart,
)
from new_core.errors import InvalidValue

A, B, C, SET = (UUID(int=n) for n in (1, 2, 3, 9))
THINGS = (A, B, C)
PLACES = tuple(UUID(int=n) for n in (21, 22, 23))
BUNDLES: Components = {SET: (BundleComponent(A, 2), BundleComponent(B, 1))}


def a_shelf(thing: UUID, place: UUID, units: int | None, rank: int = 0, **more: Any) -> Shelf:
    ident = UUID(int=1000 * thing.int + place.int)
    return Shelf(ident, thing, place, rank, on_hand=units, **more)


def supply(*shelves: Shelf, tracked: bool = True) -> VariantSupply:
    return VariantSupply(shelves[0].variant_id, tracked, shelves)


@st.composite
def rooms(draw: st.DrawFn) -> dict[UUID, VariantSupply]:
    priorities = {place: draw(st.integers(0, 2)) for place in PLACES}
    return {
        thing: VariantSupply(
            thing,
            draw(st.sampled_from((True, True, True, False))),
            tuple(
                Shelf(
                    UUID(int=1000 * thing.int + place.int), thing, place,
                    draw(st.integers(0, 2)), priorities[place], draw(st.booleans()),
                    draw(st.one_of(st.none(), st.integers(0, 4))), draw(st.integers(0, 3)),
                    draw(st.integers(0, 1)), draw(st.integers(0, 2)),
                )
                for place in PLACES
            ),
        )
        for thing in THINGS
    }  # fmt: skip


needs = st.dictionaries(st.sampled_from(THINGS), st.integers(1, 6), max_size=3)
wishes = st.dictionaries(st.sampled_from((*THINGS, SET)), st.integers(1, 4), max_size=4)


def enough(needed: Mapping[UUID, int], room: Mapping[UUID, VariantSupply]) -> bool:
    return all((p := room[one].promisable) is None or p >= n for one, n in needed.items())


def shelves_of(made: Plan, room: Mapping[UUID, VariantSupply]) -> list[tuple[Shelf, int]]:
    known = {s.stock_level_id: s for some in room.values() for s in some.shelves}
    return [(known[one], units) for one, units in made.units.items()]


@given(rooms(), wishes)
def test_something_is_short_exactly_when_its_parts_together_are_too_few(
    room: dict[UUID, VariantSupply], wanted: dict[UUID, int]
) -> None:
    short = shortages(wanted, BUNDLES, room)

    assert (short == ()) == enough(taken_apart(wanted, BUNDLES), room)


@given(rooms(), wishes)
def test_what_is_said_to_be_available_can_be_had(
    room: dict[UUID, VariantSupply], wanted: dict[UUID, int]
) -> None:
    short = shortages(wanted, BUNDLES, room)

    had = wanted | {one.variant_id: one.available for one in short}
    assert all(0 <= one.available < one.wanted == wanted[one.variant_id] for one in short)
    assert enough(taken_apart(had, BUNDLES), room)
    if short:
        first = short[0]
        before = dict(list(had.items())[: list(had).index(first.variant_id) + 1])
        before[first.variant_id] += 1
        assert not enough(taken_apart(before, BUNDLES), room)


@given(rooms(), needs)
def test_a_plan_gives_all_and_takes_from_no_place_more_than_it_may(
    room: dict[UUID, VariantSupply], needed: dict[UUID, int]
) -> None:
    if not enough(needed, room):
        return

    given_by = shelves_of(plan(needed, room), room)

    for thing, units in needed.items():
        here = [(s, n) for s, n in given_by if s.variant_id == thing]
        assert sum(n for _, n in here) == (units if room[thing].track_stock else 0)
        assert all(0 < n <= s.promisable for s, n in here)


@given(rooms(), needs)
def test_one_place_gives_all_when_one_can_and_it_is_the_first_that_can(
    room: dict[UUID, VariantSupply], needed: dict[UUID, int]
) -> None:
    if not enough(needed, room):
        return
    counted = {one: n for one, n in needed.items() if room[one].track_stock}
    whole = []
    for place in PLACES:
        some = [s for one in counted for s in room[one].shelves if s.warehouse_id == place]
        if counted and all(s.promisable >= counted[s.variant_id] for s in some):
            whole.append((sum(s.rank for s in some), some[0].priority, place))

    used = {s.warehouse_id for s, _ in shelves_of(plan(needed, room), room)}

    if whole:
        assert used == {min(whole)[2]}
    elif counted:
        assert len(used) > 1


@given(rooms(), needs)
def test_a_thing_comes_from_one_place_when_one_has_enough_of_it(
    room: dict[UUID, VariantSupply], needed: dict[UUID, int]
) -> None:
    if not enough(needed, room):
        return
    made = shelves_of(plan(needed, room), room)

    for thing, units in needed.items():
        if room[thing].track_stock:
            used = [s for s, _ in made if s.variant_id == thing]
            fewest = next(
                n for n in range(1, len(PLACES) + 1)
                for some in combinations(room[thing].shelves, n)
                if sum(s.promisable for s in some) >= units
            )  # fmt: skip
            assert (len(used) == 1) == (fewest == 1)


@given(rooms(), needs)
def test_the_trace_tells_all_that_is_given(
    room: dict[UUID, VariantSupply], needed: dict[UUID, int]
) -> None:
    if not enough(needed, room):
        return
    made = plan(needed, room)

    told = sorted(one.units for one in made.trace if one.variant_id is not None)
    assert told == sorted(made.units.values())
    assert plan(dict(reversed(needed.items())), room).units == made.units


def test_a_split_takes_places_in_their_order_and_says_so() -> None:
    room = {A: supply(a_shelf(A, PLACES[0], 2, 1), a_shelf(A, PLACES[1], 3, 0))}

    made = plan({A: 4}, room)

    assert [(one.warehouse_id, one.units, one.reason) for one in made.trace] == [
        (None, 4, "no place has it all"),
        (PLACES[1], 3, "all that this place has"),
        (PLACES[0], 1, "the rest"),
    ]


def test_of_two_equal_places_the_one_of_lower_priority_gives() -> None:
    room = {
        A: supply(a_shelf(A, PLACES[0], 5, priority=2), a_shelf(A, PLACES[1], 5, priority=1)),
    }

    assert list(plan({A: 1}, room).units) == [UUID(int=1000 + 22)]


def test_the_first_of_two_that_share_a_part_is_served() -> None:
    room = {A: supply(a_shelf(A, PLACES[0], 5)), B: supply(a_shelf(B, PLACES[0], 9))}

    assert shortages({A: 4, SET: 1}, BUNDLES, room) == (Shortage(SET, 1, 0),)
    assert shortages({SET: 2, A: 4}, BUNDLES, room) == (Shortage(A, 4, 1),)


def test_what_nobody_counts_is_not_promised_and_safety_stays() -> None:
    assert a_shelf(A, PLACES[0], None, backorder_limit=9).promisable == 0
    assert a_shelf(A, PLACES[0], 5, safety=2, reserved=1).promisable == 2
    assert a_shelf(A, PLACES[0], 1, reserved=5).promisable == 0
    assert a_shelf(A, PLACES[0], 0, backorder_limit=3, reserved=1).promisable == 2


def test_a_bundle_is_there_as_often_as_its_scarcest_part() -> None:
    assert most_of(SET, BUNDLES, {A: 5, B: 9}) == 2
    assert most_of(SET, BUNDLES, {A: None, B: 9}) == 9
    assert most_of(SET, BUNDLES, {A: None, B: None}) is None
    assert most_of(SET, BUNDLES, {A: 5}) == 0


def test_what_is_not_tracked_is_short_only_where_nobody_sells_it() -> None:
    sold = {A: supply(a_shelf(A, PLACES[0], None), tracked=False)}
    shut = {A: VariantSupply(A, track_stock=False, shelves=())}

    assert shortages({A: 10**9}, {}, sold) == ()
    assert plan({A: 10**9}, sold).units == {}
    assert shortages({A: 1}, {}, shut) == (Shortage(A, 1, 0),)


def test_wants_are_added_up_and_fewer_than_one_are_none() -> None:
    assert added_up([Want(A, 1), Want(B, 2), Want(A, 3)]) == {A: 4, B: 2}
    with pytest.raises(InvalidValue, match="quantity"):
        added_up([Want(A, 0)])


def test_more_than_there_is_cannot_be_planned() -> None:
    with pytest.raises(ValueError, match="more units"):
        plan({A: 3}, {A: supply(a_shelf(A, PLACES[0], 2))})
