"""What the live side's second answer may excuse: the very same place, and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import Side
from shadow_compare.core.answer import Answer
from shadow_compare.core.judge import Exchange, Judge
from shadow_compare.core.seeding import DEFECTS
from shadow_compare.core.verdict import Outcome, Verdict

HEADERS = (("Content-Type", "application/json"),)
JUDGE = Judge(("content-type",), ())
ITEMS = [{"id": n, "price": f"{n}.50", "seen": 0} for n in range(4)]


def said(document: object) -> Answer:
    return Answer(200, HEADERS, json.dumps(document).encode())


def judged(live: object, other: object, again: object, side: Side = Side.LEGACY) -> Verdict:
    legacy, core = (live, other) if side is Side.LEGACY else (other, live)
    return JUDGE.judge(Exchange("GET", said(legacy), said(core), side, said(again)))


def places(verdict: Verdict) -> set[str]:
    return {leaf.path for leaf in verdict.leaves}


@pytest.mark.parametrize("side", list(Side))
def test_noise_at_one_field_never_hides_a_defect_at_another(side: Side) -> None:
    verdict = judged({"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 3, "b": 1}, side)

    assert verdict.outcome is Outcome.MISMATCH
    assert places(verdict) == {"$.b"}
    assert [leaf.path for leaf in verdict.noise] == ["$.a"]


@pytest.mark.parametrize("side", list(Side))
@given(noisy=st.integers(0, 3), broken=st.integers(0, 3))
def test_noise_in_one_element_never_hides_a_defect_in_another(
    side: Side, noisy: int, broken: int
) -> None:
    again = [{**one, "price": "9.99"} if at == noisy else one for at, one in enumerate(ITEMS)]
    other = [{**one, "price": "0.00"} if at == broken else one for at, one in enumerate(ITEMS)]

    verdict = judged(ITEMS, other, again, side)

    if noisy == broken:
        assert verdict.outcome is Outcome.ACCEPTED
    else:
        assert places(verdict) == {f"$[{broken}].price"}


@pytest.mark.parametrize("side", list(Side))
def test_a_value_that_moves_does_not_excuse_one_that_is_gone(side: Side) -> None:
    verdict = judged({"a": 1, "b": 1}, {"b": 1}, {"a": 2, "b": 1}, side)

    assert verdict.outcome is Outcome.MISMATCH


def test_noise_in_a_body_does_not_excuse_a_status() -> None:
    exchange = Exchange(
        "GET", said({"a": 1}), Answer(404, HEADERS, b"{}"), Side.LEGACY, said({"a": 2})
    )

    assert JUDGE.judge(exchange).outcome is Outcome.MISMATCH


@pytest.mark.parametrize("side", list(Side))
@given(lot=st.integers(0, 50), nth=st.integers(0, len(DEFECTS) - 1))
def test_no_kind_of_defect_hides_behind_a_counter_that_moves(
    side: Side, lot: int, nth: int
) -> None:
    live = {"seen": 1, "items": ITEMS, "title": "Bücher"}
    again = {**live, "seen": 2}

    for spot in DEFECTS[nth].spots(said(live), lot):
        if spot.pattern == "$.seen":
            continue
        legacy, core = (said(live), spot.answer)[:: 1 if side is Side.LEGACY else -1]
        verdict = JUDGE.judge(Exchange("GET", legacy, core, side, said(again)))

        assert verdict.outcome in (Outcome.MISMATCH, Outcome.INCOMPARABLE), spot.pattern
