"""A chunk needs an old checkpoint for its stamp, versions, and tombstones."""

from __future__ import annotations

import pytest

from tests.models.backfilling import Mutation, diverges

BROKEN = [mutation for mutation in Mutation if mutation is not Mutation.NONE]


def test_a_backfill_beside_a_stream_comes_to_what_the_source_has() -> None:
    assert not any(diverges(seed, Mutation.NONE) for seed in range(1_000))


@pytest.mark.soak
def test_it_does_so_in_twenty_thousand_trials() -> None:
    assert not any(diverges(seed, Mutation.NONE) for seed in range(20_000))


@pytest.mark.parametrize("mutation", BROKEN, ids=lambda mutation: mutation.name)
def test_each_part_of_it_is_needed(mutation: Mutation) -> None:
    assert any(diverges(seed, mutation) for seed in range(20_000))
