"""Noise excuses a difference only where the live side differed from itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing.model import Accept, CompareRule, Side
from proxy.routing.terms import RuleTerms
from shadow_compare.core.answer import Answer
from shadow_compare.core.judge import Exchange, Judge
from shadow_compare.core.verdict import Outcome, Verdict
from tests.support.comparing import rule
from tests.support.judging import answer, places, verdict

KEYED = rule("$", Accept.KEYED, terms=RuleTerms(by=("id",)))
Items = dict[int, int]


def listed(items: Items) -> list[dict[str, int]]:
    return [{"id": key, "n": value} for key, value in items.items()]


def judged(live: Side, shown: Any, again: Any, other: Any, *rules: CompareRule) -> Verdict:
    legacy, core = (shown, other) if live is Side.LEGACY else (other, shown)
    return verdict(legacy, core, *rules, again=again, live=live)


def shuffled(items: Items) -> st.SearchStrategy[Items]:
    return st.permutations(list(items.items())).map(dict)


few = st.dictionaries(st.integers(0, 6), st.integers(0, 2), max_size=6).flatmap(shuffled)


@given(live=st.sampled_from(Side), shown=few, again=few, other=few)
def test_only_the_very_element_that_moved_by_itself_is_excused(
    live: Side, shown: Items, again: Items, other: Items
) -> None:
    found = judged(live, listed(shown), listed(again), listed(other), KEYED)

    moved = {key for key in shown.keys() & again.keys() if shown[key] != again[key]}
    differs = {key for key in shown.keys() & other.keys() if shown[key] != other[key]}
    legacy, core = (shown, other) if live is Side.LEGACY else (other, shown)
    assert _keys(found.noise, "value", legacy) == moved & differs
    assert _keys(found.leaves, "value", legacy) == differs - moved
    # Of elements that the live answer has: it lost the very same one when asked again.
    gone, of = ("missing", legacy) if live is Side.LEGACY else ("added", core)
    assert _keys(found.noise, gone, of) == shown.keys() - other.keys() - again.keys()
    assert _keys(found.leaves, gone, of) == (shown.keys() & again.keys()) - other.keys()
    # Of elements that it has not: one came there when it was asked again.
    come = "added" if live is Side.LEGACY else "missing"
    of = core if live is Side.LEGACY else legacy
    excused = _keys(found.noise, come, of)
    assert len(excused) <= len(again.keys() - shown.keys())
    behind = {_ahead(key, again, shown) for key in again.keys() - shown.keys()}
    assert {_ahead(key, other, shown) for key in excused} <= behind


def _keys(leaves: Any, kind: str, items: Items) -> set[int]:
    """The ids of the elements at which leaves of a kind stand."""
    keys = list(items)
    places = [leaf.path for leaf in leaves if leaf.kind == kind]
    return {keys[int(path.partition("[")[2].partition("]")[0])] for path in places}


def _ahead(key: int, items: Items, shown: Items) -> int | None:
    """The last element before one that the live answer has."""
    keys = list(items)
    return next((one for one in reversed(keys[: keys.index(key)]) if one in shown), None)


def test_a_neighbour_with_the_same_index_on_the_other_side_is_not_excused() -> None:
    shown, again = listed({1: 1, 2: 1}), listed({1: 1, 2: 5})

    found = judged(Side.CORE, shown, again, listed({0: 0, 1: 9, 2: 1}), KEYED)

    assert ("$[1].n", "value") in places(found)
    assert found.noise == ()


@pytest.mark.parametrize("live", list(Side))
def test_an_element_that_came_elsewhere_is_not_excused(live: Side) -> None:
    found = judged(live, ["a", "b", "c"], ["a", "x", "b", "c"], ["c", "z"])

    assert found.noise == ()


@pytest.mark.parametrize("live", list(Side))
def test_an_element_that_comes_at_the_same_place_is_excused_once(live: Side) -> None:
    found = judged(live, ["a", "b"], ["a", "b", "x"], ["a", "b", "y", "z"])

    assert len(found.noise) == len(found.leaves) == 1


def page(live: Side, shown: str, again: str, other: str) -> Verdict:
    html = (("Content-Type", "text/html"),)
    one, two, three = (
        Answer(200, html, f"<html><body>{body}</body></html>".encode())
        for body in (shown, again, other)
    )
    legacy, core = (one, three) if live is Side.LEGACY else (three, one)
    return Judge((), ()).judge(Exchange("GET", legacy, core, live, two))


@pytest.mark.parametrize("live", list(Side))
def test_a_text_that_moves_does_not_excuse_the_next_one(live: Side) -> None:
    found = page(live, "<p>1<b>x</b>2</p>", "<p>7<b>x</b>2</p>", "<p>1<b>x</b>9</p>")

    assert found.outcome is Outcome.MISMATCH
    assert (
        page(live, "<p>1<b>x</b>2</p>", "<p>1<b>x</b>7</p>", "<p>1<b>x</b>9</p>").outcome
        is Outcome.ACCEPTED
    )


@pytest.mark.parametrize("live", list(Side))
def test_an_element_is_told_by_its_place_in_the_live_page(live: Side) -> None:
    shown, again = "<p>1</p><p>2</p>", "<p>1</p><p>7</p>"

    moved = page(live, shown, again, "<p>1</p><p>9</p>")
    still = page(live, shown, again, "<i></i><p>9</p><p>2</p>")

    assert moved.outcome is Outcome.ACCEPTED
    assert still.outcome is Outcome.MISMATCH
    assert [leaf.legacy for leaf in still.noise] == []


def test_headers_and_whole_bodies_are_places_too() -> None:
    text = (("Content-Type", "text/plain"),)
    one, two, three = (answer(body, headers=text) for body in (b"1", b"2", b"3"))

    assert verdict(one, three, again=two).outcome is Outcome.ACCEPTED
    assert verdict(one, three, again=one).outcome is Outcome.MISMATCH
