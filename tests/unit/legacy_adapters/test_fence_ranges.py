"""Keys of both stores never meet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.mapping.number_ranges import FIRST_FREE, FIRST_OWN
from legacy_adapters.storage.ranges import Counter, judge

KEYS = st.integers(1, 2**31 - 1)
COUNTERS = st.builds(
    Counter,
    table=st.just("order_order"),
    column=st.just("id"),
    next_key=st.none() | KEYS,
    looks_at_keys=st.booleans(),
    can_move=st.booleans(),
    highest_core=st.none() | st.integers(FIRST_OWN, FIRST_FREE - 1),
    largest=st.sampled_from([2**15 - 1, 2**31 - 1, 2**63 - 1]),
)


@given(COUNTERS, st.booleans())
def test_what_has_no_problem_never_draws_a_key_of_the_cores(
    counter: Counter, was_applied: bool
) -> None:
    found = judge(counter, was_applied=was_applied)

    if not found.problem and counter.next_key is not None:
        after = counter.next_key if found.is_reserved else FIRST_FREE
        assert not FIRST_OWN <= after < FIRST_FREE
        # What looks at keys draws behind the highest one, which the core may put any day.
        assert after >= FIRST_FREE or not counter.looks_at_keys


@given(COUNTERS, st.booleans())
def test_only_a_counter_that_can_be_moved_is_to_be_moved(
    counter: Counter, was_applied: bool
) -> None:
    found = judge(counter, was_applied=was_applied)

    assert found.is_reserved or found.problem or counter.can_move


@given(COUNTERS, st.booleans())
def test_headroom_ends_where_the_others_keys_begin_or_the_column_does(
    counter: Counter, was_applied: bool
) -> None:
    found = judge(counter, was_applied=was_applied)

    assert 0 <= found.core_headroom <= FIRST_FREE - FIRST_OWN
    if not found.problem and counter.next_key is not None:
        assert found.headroom is not None
        after = counter.next_key if found.is_reserved else FIRST_FREE
        last = after + found.headroom - 1
        assert last in {FIRST_OWN - 1, counter.largest}


def test_a_key_in_the_cores_range_before_the_core_wrote_is_the_legacys_and_refused() -> None:
    counter = Counter("order_order", "id", 7, False, False, 1_000_000_007, 2**31 - 1)

    before = judge(counter, was_applied=False).problem
    after = judge(counter, was_applied=True).problem

    assert "1000000007" in before
    assert after == ""
