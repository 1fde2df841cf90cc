"""The stages as a state machine, cell by cell."""

from __future__ import annotations

import pytest
from hypothesis import given
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
    ahead = {Direction.FORWARD, Direction.SKIP}

    assert (direction(before, after) in ahead) == (direction(after, before) is Direction.BACKWARD)


@pytest.mark.parametrize("stage", Stage)
def test_a_rollback_ends_where_legacy_answers_everything(stage: Stage) -> None:
    target = ROLLBACK[stage]

    assert target in (Stage.LEGACY, Stage.SHADOW)
    assert TRANSITIONS[stage][target] in (Direction.BACKWARD, Direction.SAME)
