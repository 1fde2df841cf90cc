"""The accuracy of the books is a share, and a policy never makes units out of nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.stock import MOST_UNITS, StockLevel, StockPolicy
from new_core.domain.stock_accuracy import Counts
from new_core.errors import InvalidValue

units = st.integers(0, 2**31)


def a_level(on_hand: int | None, reserved: int | None) -> StockLevel:
    ident = UUID(int=1)
    return StockLevel(
        ident, ident, ident, "s", 0, on_hand, reserved, None, datetime(2026, 1, 1, tzinfo=UTC)
    )


@given(st.lists(st.tuples(units, units), min_size=1, max_size=6))
def test_accuracy_is_a_share_and_whole_only_when_nothing_is_off(
    found: list[tuple[int, int]],
) -> None:
    off_by = sum(abs(expected - counted) for expected, counted in found)
    counts = Counts(len(found), sum(counted for _, counted in found), off_by)

    assert counts.accuracy_ppm is not None
    assert 0 <= counts.accuracy_ppm <= 1_000_000
    if off_by == 0:
        assert counts.accuracy_ppm == 1_000_000


def test_accuracy_of_no_counts_is_unknown_and_of_empty_shelves_is_all_or_nothing() -> None:
    assert Counts(0, 0, 0).accuracy_ppm is None
    assert Counts(2, 0, 0).accuracy_ppm == 1_000_000
    assert Counts(2, 0, 3).accuracy_ppm == 0
    assert Counts(2, 200, 3).accuracy_ppm == 985_000


@given(units, units, st.integers(0, 99), st.integers(0, 99))
def test_a_policy_keeps_safety_and_lends_no_more_than_its_limit(
    on_hand: int, reserved: int, safety: int, limit: int
) -> None:
    policy, level = StockPolicy(safety, 5, limit), a_level(on_hand, reserved)

    free = policy.promisable(level)

    assert free >= 0
    assert free == 0 or reserved + free + safety == on_hand + limit
    assert policy.promisable(a_level(None, reserved)) == 0


@pytest.mark.parametrize("name", ["safety", "incoming", "backorder_limit"])
@pytest.mark.parametrize("value", [-1, MOST_UNITS + 1])
def test_what_no_shelf_holds_is_refused(name: str, value: int) -> None:
    with pytest.raises(InvalidValue, match=name):
        StockPolicy(**{name: value})
