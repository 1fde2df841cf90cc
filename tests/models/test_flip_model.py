"""The protocol of a flip holds in every state, and breaks with each thought left out."""

from __future__ import annotations

import pytest

from tests.models.flipping import Mutation, check


@pytest.mark.parametrize(("writes", "flips", "states"), [(3, 2, 8_052), (4, 3, 124_397)])
def test_flips_there_and_back_lose_nothing(writes: int, flips: int, states: int) -> None:
    found = check(writes=writes, flips=flips)

    assert (found.problem, found.states) == (None, states)


@pytest.mark.soak
@pytest.mark.timeout(1_200)
def test_three_flips_and_five_writes_lose_nothing() -> None:
    found = check(writes=5, flips=3)

    assert (found.problem, found.states) == (None, 826_454)


@pytest.mark.parametrize(
    ("mutation", "breaks", "steps"),
    [
        (Mutation.MARK_BEFORE_DRAIN, "I5", 8),
        (Mutation.NO_DRAIN, "I5", 7),
        (Mutation.LATE_REVERSE, "I2b", 10),
        (Mutation.NO_FENCE, "I1", 6),
        (Mutation.ECHO, "I4", 20),
        (Mutation.EARLY_GRANT, "I5", 8),
        (Mutation.ZOMBIE, "I1", 7),
        (Mutation.CHECKPOINT_FIRST, "I2b", 4),
        (Mutation.BUS_LOSS, "I2b", 3),
    ],
)
def test_each_thought_of_the_protocol_is_needed(
    mutation: Mutation, breaks: str, steps: int
) -> None:
    found = check(mutation, writes=2, flips=2)

    assert str(found.problem).startswith(f"{breaks}:")
    assert len(found.trace) == steps
