"""Availability comes from the first place and never from what nobody counted."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.stock import MOST_UNITS, StockLevel, Supply, availability, sold_from
from new_core.errors import InvalidValue

counts = st.one_of(st.none(), st.integers(0, 2**31))


def a_level(rank: int, on_hand: int | None, reserved: int | None) -> StockLevel:
    return StockLevel(
        id=UUID(int=rank + 1),
        variant_id=UUID(int=7),
        warehouse_id=UUID(int=8),
        sku="sku",
        rank=rank,
        on_hand=on_hand,
        reserved=reserved,
        low_at=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


places = st.lists(st.tuples(counts, counts), max_size=5).map(
    lambda pairs: [a_level(rank, *pair) for rank, pair in enumerate(pairs)]
)


@given(places, st.randoms(use_true_random=False))
def test_the_place_of_the_lowest_rank_sells(
    levels: list[StockLevel], shuffler: random.Random
) -> None:
    first = levels[0] if levels else None
    shuffler.shuffle(levels)

    assert sold_from(levels) == first


@given(places)
def test_what_can_be_bought_is_what_is_left_at_that_place(levels: list[StockLevel]) -> None:
    found = availability(levels, track_stock=True)

    if not levels:
        assert found.supply is Supply.NOWHERE
    elif levels[0].on_hand is None:
        assert found.units == 0
    else:
        assert found.units == levels[0].on_hand - (levels[0].reserved or 0)
    assert found.purchasable == bool(levels and found.units and found.units > 0)


def test_what_is_not_tracked_never_runs_out_where_somebody_sells_it() -> None:
    sold = availability([a_level(0, None, None)], track_stock=False)
    unsold = availability([], track_stock=False)

    assert sold.purchasable
    assert sold.units is None
    assert not unsold.purchasable


def test_an_oversold_place_says_by_how_much() -> None:
    found = availability([a_level(0, 3, 5), a_level(1, 100, 0)], track_stock=True)

    assert found.units == -2
    assert not found.purchasable


@given(counts, counts, counts)
def test_a_count_changes_what_lies_there_and_no_promise(
    before: int | None, reserved: int | None, units: int | None
) -> None:
    level = a_level(0, before, reserved)
    if units is not None and units > MOST_UNITS:
        with pytest.raises(InvalidValue):
            level.counted(units)
        return

    counted = level.counted(units)

    assert (counted.on_hand, counted.reserved) == (units, reserved)
    assert counted.available == (0 if units is None else units - (reserved or 0))


@given(st.integers(max_value=-1))
def test_fewer_than_none_cannot_be_counted(units: int) -> None:
    with pytest.raises(InvalidValue):
        a_level(0, 1, None).counted(units)
