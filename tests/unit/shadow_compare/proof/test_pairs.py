"""Which exchanges are kept for the proof of the rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import Side
from shadow_compare.core.answer import Answer
from shadow_compare.core.pairs import (
    DOMAIN_BYTES,
    PAIR_BODY_BYTES,
    PAIRS_PER_STRATUM,
    STRATUM_BYTES,
    Held,
    RecordedPair,
    bar,
    draw_of,
    recordable,
    status_class,
    surplus,
)
from shadow_compare.core.verdict import Outcome
from shadow_compare.storage.pair_packing import pack_pair, unpack_pair
from tests.support.comparing import frame

SMALL = 1_000
helds = st.dictionaries(st.integers(0, 10_000), st.integers(1, STRATUM_BYTES), max_size=120)
OTHER = Answer(200, (("Content-Type", "application/json"),), b"[]", 5)


@given(helds, st.integers(1, 2_000))
def test_what_is_kept_never_passes_its_count_or_its_bytes(
    sizes: dict[int, int], strata: int
) -> None:
    let_go = set(surplus([Held(*one) for one in sizes.items()], strata=strata))

    kept = [size for draw, size in sizes.items() if draw not in let_go]
    assert len(kept) <= PAIRS_PER_STRATUM
    assert sum(kept) * strata <= max(DOMAIN_BYTES, STRATUM_BYTES * strata)
    assert sum(kept) <= STRATUM_BYTES


@given(st.sets(st.integers(0, 10_000), max_size=200))
def test_the_lowest_draws_stay_whatever_order_they_came_in(draws: set[int]) -> None:
    let_go = surplus([Held(draw, SMALL) for draw in draws], strata=1)

    assert draws - {*let_go} == set(sorted(draws)[:PAIRS_PER_STRATUM])


@given(st.lists(st.integers(0, 10_000), unique=True, max_size=200))
def test_a_pair_at_or_above_the_bar_would_be_let_go_again(draws: list[int]) -> None:
    kept: list[Held] = []
    for draw in draws:
        limit = bar(kept, is_full=False)
        held = [*kept, Held(draw, SMALL)]
        let_go = set(surplus(held, strata=1))
        kept = [one for one in held if one.draw not in let_go]

        if limit is not None and draw >= limit:
            assert draw in let_go
        else:
            assert draw not in let_go


def test_every_pair_is_about_equally_likely_to_stay() -> None:
    frames = [("run", seq) for seq in range(10_000)]
    draws = sorted(frames, key=lambda name: draw_of(*name))[:1_000]

    early = sum(seq < 5_000 for _, seq in draws)

    assert 430 < early < 570


def test_a_pair_that_was_packed_is_the_same_pair() -> None:
    pair = RecordedPair(frame(body=b"\x00\xff", side="core"), OTHER, Outcome.MATCH)

    found = unpack_pair(pack_pair(pair))

    assert found == pair
    assert found is not None
    exchange = found.exchange()
    assert (exchange.legacy, exchange.live) == (OTHER, Side.CORE)


def test_a_pair_of_another_release_or_a_damaged_one_is_no_pair() -> None:
    assert unpack_pair(b"") is None
    assert unpack_pair(b"\x00garbage") is None
    assert unpack_pair(pack_pair(RecordedPair(frame(), OTHER, Outcome.MATCH))[:-4]) is None


def test_a_pair_with_a_large_body_is_not_kept_rather_than_cut() -> None:
    large = b"x" * (PAIR_BODY_BYTES + 1)

    assert recordable(frame(), OTHER)
    assert not recordable(frame(body=large), OTHER)
    assert not recordable(frame(), Answer(200, (), large))
    assert status_class(404) == "4xx"
