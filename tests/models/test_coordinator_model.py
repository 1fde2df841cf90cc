"""Two coordinators, crashes and sleeps: nobody ever opens both gates."""

from __future__ import annotations

import pytest

from tests.models.coordinators import Mutation, check


def test_two_coordinators_never_open_both_gates_and_never_get_stuck() -> None:
    found = check()

    assert found.problem is None
    assert found.states == 2_960


@pytest.mark.parametrize(
    ("mutation", "steps"),
    [
        (Mutation.ABORT_WITHOUT_ASKING, 7),
        (Mutation.BLIND_GRANT, 11),
        (Mutation.BLIND_FENCE, 7),
    ],
)
def test_each_thought_of_the_protocol_is_needed(mutation: Mutation, steps: int) -> None:
    found = check(mutation)

    assert found.problem is not None
    assert len(found.trace) == steps
