"""The stages as a state machine, cell by cell."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cutover.core.stages import (
    ROLLBACK,
    TRANSITIONS,
    Direction,
    Position,
    direction,
    needs_evidence,
)
from proxy.routing import Stage

ORDER = tuple(Stage)
POSITIONS = st.sampled_from(Stage).flatmap(
    lambda stage: st.builds(
        Position,
        st.just(stage),
        st.integers(0, 10_000) if stage is Stage.CANARY else st.just(0),
        st.booleans() if stage in (Stage.CANARY, Stage.CORE) else st.just(value=False),
    )
)


@pytest.mark.parametrize("before", Stage)
@pytest.mark.parametrize("after", Stage)
def test_forward_is_one_stage_at_a_time_and_back_is_any(before: Stage, after: Stage) -> None:
    steps = ORDER.index(after) - ORDER.index(before)

    found = TRANSITIONS[before][after]

    expected = {0: Direction.SAME, 1: Direction.FORWARD}.get(
        steps, Direction.SKIP if steps > 0 else Direction.BACKWARD
    )
    assert found is expected


def test_a_larger_share_is_a_step_forward_and_a_smaller_one_back() -> None:
    ten, fifty = Position(Stage.CANARY, 1_000), Position(Stage.CANARY, 5_000)

    assert direction(ten, fifty) is Direction.FORWARD
    assert direction(fifty, ten) is Direction.BACKWARD
    assert direction(ten, ten) is Direction.SAME


def test_the_core_may_follow_any_share() -> None:
    assert direction(Position(Stage.CANARY, 100), Position(Stage.CORE)) is Direction.FORWARD


@given(POSITIONS, POSITIONS)
def test_evidence_is_asked_for_exactly_forward_from_shadow_on(
    before: Position, after: Position
) -> None:
    asked = needs_evidence(before, after)

    is_forward = direction(before, after) is Direction.FORWARD
    assert asked == (is_forward and before.stage is not Stage.LEGACY)


@given(POSITIONS, POSITIONS)
def test_what_leads_forward_leads_back_the_other_way(before: Position, after: Position) -> None:
    """But where reads and writes go opposite ways: that is a step forward both times."""
    ahead = {Direction.FORWARD, Direction.SKIP}
    reads = direction(replace(before, writes_stay=False), replace(after, writes_stay=False))
    if before.has_writes_at_core != after.has_writes_at_core:
        assume((reads in ahead) == after.has_writes_at_core or reads is Direction.SAME)

    assert (direction(before, after) in ahead) == (direction(after, before) is Direction.BACKWARD)


@pytest.mark.parametrize("stage", Stage)
def test_a_rollback_ends_where_legacy_answers_everything(stage: Stage) -> None:
    target = ROLLBACK[stage]

    assert target in (Stage.LEGACY, Stage.SHADOW)
    assert TRANSITIONS[stage][target] in (Direction.BACKWARD, Direction.SAME)


@given(POSITIONS, POSITIONS)
def test_writes_come_to_the_core_by_a_step_forward_alone(before: Position, after: Position) -> None:
    if after.has_writes_at_core and not before.has_writes_at_core:
        assert direction(before, after) in (Direction.FORWARD, Direction.SKIP)


@given(POSITIONS)
def test_taking_writes_back_alone_is_a_step_back_and_asks_for_nothing(at: Position) -> None:
    if at.stage in (Stage.CANARY, Stage.CORE) and not at.writes_stay:
        back = replace(at, writes_stay=True)

        assert direction(at, back) is Direction.BACKWARD
        assert direction(back, at) is Direction.FORWARD
        assert needs_evidence(back, at)


def test_nothing_is_retired_while_legacy_takes_writes() -> None:
    staying = Position(Stage.CORE, writes_stay=True)

    assert direction(staying, Position(Stage.RETIRED)) is Direction.SKIP
