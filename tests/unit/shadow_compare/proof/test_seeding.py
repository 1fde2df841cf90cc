"""Every kind of defect: it changes the answer, at the place it names, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow_compare.core.answer import Answer
from shadow_compare.core.judge import Exchange, Judge
from shadow_compare.core.seeding import DEFECTS, Defect, Seeded
from shadow_compare.core.verdict import Outcome

JSON = ("Content-Type", "application/json")
PRODUCT = {
    "id": 7,
    "url": "http://shop/api/products/7/",
    "title": "Bücher & mehr",
    "price": {"currency": "EUR", "excl_tax": "12.50", "incl_tax": "13.38", "tax": "0.88"},
    "num_in_stock": 5,
    "is_public": True,
    "date_updated": "2026-11-01T10:00:00+01:00",
    "categories": ["a", "b", "c"],
}
LISTING = {"count": 2, "results": [PRODUCT, {**PRODUCT, "id": 8, "title": "Ärger"}]}
ANSWERS = {
    "listing": Answer(200, (JSON, ("Vary", "Accept")), json.dumps(LISTING).encode()),
    "redirect": Answer(302, (("Location", "http://shop/a/"),), b""),
    "text": Answer(200, (("Content-Type", "text/plain"),), b"one\ntwo\n"),
    "picture": Answer(200, (("Content-Type", "image/png"),), bytes(range(128))),
}
HEADERS = ("cache-control", "content-type", "etag", "location", "vary")
STRICT = Judge(HEADERS, ())

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


def seeded(defect: Defect, lot: int = 1) -> Iterator[tuple[Answer, Seeded]]:
    for answer in ANSWERS.values():
        for spot in defect.spots(answer, lot):
            yield answer, spot


def judged(before: Answer, after: Answer) -> tuple[Outcome, set[str]]:
    verdict = STRICT.judge(Exchange("GET", before, after))
    return verdict.outcome, {leaf.pattern for leaf in verdict.leaves}


def test_there_are_at_least_thirty_kinds_and_each_has_a_name_of_its_own() -> None:
    kinds = [defect.kind for defect in DEFECTS]

    assert len(kinds) >= 30
    assert len(set(kinds)) == len(kinds)
    assert sum(defect.is_critical for defect in DEFECTS) >= 15


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.kind)
def test_without_a_rule_the_defect_is_caught_where_it_says_it_was_put(defect: Defect) -> None:
    spots = list(seeded(defect))

    assert spots, "nobody could tell whether this kind works"
    for before, spot in spots:
        outcome, patterns = judged(before, spot.answer)
        if outcome is Outcome.INCOMPARABLE:
            assert defect.kind in ("body_cut", "key_twice")
        else:
            assert outcome is Outcome.MISMATCH
            assert spot.pattern in patterns or defect.kind == "error_page"


@given(documents, st.sampled_from(DEFECTS), st.integers(0, 99))
def test_whatever_the_document_a_seeded_defect_is_a_difference(
    document: object, defect: Defect, lot: int
) -> None:
    before = Answer(200, (JSON,), json.dumps(document).encode())

    for spot in defect.spots(before, lot):
        outcome, _ = judged(before, spot.answer)

        assert outcome in (Outcome.MISMATCH, Outcome.INCOMPARABLE), spot


@given(st.sampled_from(DEFECTS), st.integers(0, 99))
def test_the_same_lot_seeds_the_same_and_one_pattern_once(defect: Defect, lot: int) -> None:
    once, again = list(seeded(defect, lot)), list(seeded(defect, lot))

    assert once == again
    for answer in ANSWERS.values():
        patterns = [spot.pattern for spot in defect.spots(answer, lot)]
        assert len(patterns) == len(set(patterns))


def test_a_price_keeps_its_form_and_is_a_cent_off() -> None:
    [cent] = [defect for defect in DEFECTS if defect.kind == "price_cent_more"]
    answer = Answer(200, (JSON,), b'{"price": "12.50", "cost": 9.9, "fee": 100, "title": "1"}')

    found = {spot.pattern: json.loads(spot.answer.body) for spot in cent.spots(answer, 1)}

    assert found["$.price"]["price"] == "12.51"
    assert found["$.cost"]["cost"] == 9.91
    assert found["$.fee"]["fee"] == 101
    assert "$.title" not in found


def test_lots_reach_different_elements_of_a_list() -> None:
    [zero] = [defect for defect in DEFECTS if defect.kind == "stock_zero"]
    body = json.dumps([{"stock": n} for n in range(1, 9)]).encode()

    spoilt = {
        json.loads(spot.answer.body).index({"stock": 0})
        for lot in range(40)
        for spot in zero.spots(Answer(200, (JSON,), body), lot)
    }

    assert len(spoilt) > 4
