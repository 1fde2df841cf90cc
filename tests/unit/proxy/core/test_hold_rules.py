"""The table of a hold's states, and its room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.hold import STEPS, HoldEvent, HoldLimits, HoldState, Room, step

O, H, R, X = HoldState.OPEN, HoldState.HOLDING, HoldState.RELEASED, HoldState.EXPIRED  # noqa: E741
CELLS = {
    (O, HoldEvent.HOLD): H, (O, HoldEvent.RELEASE): O, (O, HoldEvent.EXPIRE): O,
    (H, HoldEvent.HOLD): H, (H, HoldEvent.RELEASE): R, (H, HoldEvent.EXPIRE): X,
    (R, HoldEvent.HOLD): H, (R, HoldEvent.RELEASE): R, (R, HoldEvent.EXPIRE): R,
    (X, HoldEvent.HOLD): H, (X, HoldEvent.RELEASE): X, (X, HoldEvent.EXPIRE): X,
}  # fmt: skip


@pytest.mark.parametrize(("state", "event"), CELLS)
def test_each_cell_of_the_table(state: HoldState, event: HoldEvent) -> None:
    assert step(state, event) is CELLS[state, event]


def test_the_table_has_every_state_and_event() -> None:
    assert {(s, e) for s in HoldState for e in HoldEvent} == set(CELLS)
    assert {(s, e) for s, row in STEPS.items() for e in row} == set(CELLS)


@given(st.lists(st.sampled_from(HoldEvent)))
def test_only_a_hold_makes_writes_wait(events: list[HoldEvent]) -> None:
    state = O
    for event in events:
        state = step(state, event)

    assert (state is H) == (bool(events) and events[-1] is HoldEvent.HOLD)


LIMITS = HoldLimits(requests=5, waiting_bytes=100)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=60))
def test_the_room_keeps_its_bounds_and_counts_who_is_in(moves: list[tuple[bool, int]]) -> None:
    room, inside = Room(), list[int]()
    for is_entering, size in moves:
        if is_entering:
            entered = room.enter(size, LIMITS)
            fits = len(inside) < 5 and sum(inside) + size <= 100
            assert (entered is not None) == fits
            if entered is not None:
                room = entered
                inside.append(size)
        elif inside:
            room = room.leave(inside.pop(0))

        assert (room.requests, room.waiting_bytes) == (len(inside), sum(inside))
