"""A plan as a file: read back as it was written, or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.gate import Judgement, Verdict
from cutover.core.plan import Plan, make_plan
from cutover.core.plan_file import (
    MadeFrom,
    NewerPlan,
    NotAPlan,
    PlanFile,
    changed_since,
    plan_from_json,
    plan_to_json,
)
from proxy.storage.tables import parse_routing
from tests.support.ledger_shop import table

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SENTENCES = st.lists(TEXT, max_size=2).map(tuple)
JUDGEMENTS = st.builds(
    Judgement,
    verdict=st.sampled_from(Verdict),
    sentences=SENTENCES,
    compared=st.integers(0, 10**9),
    lower_ppm=st.integers(0, 10**6),
    min_ppm=st.integers(0, 10**6),
    confidence_bp=st.integers(0, 10**4),
)
PLANS = st.builds(
    PlanFile,
    made_at=st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)),
    made_by=TEXT,
    file=TEXT,
    init=st.booleans(),
    made_from=st.builds(
        MadeFrom,
        revision=st.none() | st.integers(1, 10**6),
        revision_hash=st.none() | TEXT,
        table_sha256=st.none() | TEXT,
    ),
    lines=SENTENCES,
    refusals=st.dictionaries(TEXT, SENTENCES, max_size=2),
    judgements=st.dictionaries(TEXT, JUDGEMENTS, max_size=2),
    notes=SENTENCES,
    routing_yaml=TEXT,
)
PASSED = Judgement(Verdict.PASS, ("at least 99.1 % equal",), 400, 991_000, 990_000, 9_900)
FAILED = Judgement(Verdict.FAIL, ("40 of 440 differ",), 440, 880_000, 990_000, 9_900)
PLANNED = PlanFile(
    datetime(2027, 3, 1, 9, 30, tzinfo=UTC),
    "op",
    "routing.yaml",
    init=False,
    made_from=MadeFrom(7, "ab" * 32, "cd" * 32),
    lines=("catalog: shadow -> canary 10 %",),
    refusals={},
    judgements={"catalog": PASSED},
    notes=(),
    routing_yaml=table(catalog="canary 10%"),
)
CONTENT = plan_to_json(PLANNED)


def replanned(said: Judgement) -> Plan:
    tables = [parse_routing(table(catalog=at).encode(), "f") for at in ("canary 10%", "shadow")]
    return make_plan(tables[0], tables[1], {"catalog": said})


@given(PLANS)
def test_a_plan_is_read_back_as_it_was_written(planned: PlanFile) -> None:
    assert plan_from_json(plan_to_json(planned)) == planned


@given(st.data())
def test_a_plan_altered_anywhere_is_refused(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(CONTENT) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != CONTENT[place]))

    with pytest.raises((NotAPlan, NewerPlan)):
        plan_from_json(CONTENT[:place] + bytes([byte]) + CONTENT[place + 1 :])


@given(st.integers(0, len(CONTENT) - 1))
def test_a_plan_cut_off_anywhere_is_refused(at: int) -> None:
    with pytest.raises(NotAPlan):
        plan_from_json(CONTENT[:at])


def test_a_plan_whose_hash_was_not_made_anew_is_told_as_altered() -> None:
    told = CONTENT.replace(b"core_share: 10%", b"core_share: 90%")

    with pytest.raises(NotAPlan, match="it was altered after it was written"):
        plan_from_json(told)


def test_a_plan_of_a_newer_format_is_told_from_an_altered_one() -> None:
    told = {**json.loads(CONTENT), "format": 2, "more": "than we know"}

    with pytest.raises(NewerPlan, match="it has format 2, and this Banyan knows 1"):
        plan_from_json(json.dumps(told).encode())


@given(st.binary(max_size=60) | st.sampled_from([b"[]", b"1", b"{}", b"null", b"[" * 5_000]))
def test_whatever_is_no_plan_is_refused(content: bytes) -> None:
    with pytest.raises(NotAPlan):
        plan_from_json(content)


def test_text_that_cannot_be_written_as_utf_8_is_refused() -> None:
    with pytest.raises(NotAPlan):
        plan_from_json(CONTENT.replace(b"apiVersion", b"\\ud800", 1))


def test_a_gate_that_says_something_else_now_is_told_with_both_answers() -> None:
    (told,) = changed_since(PLANNED, replanned(FAILED))

    assert told == (
        "catalog: its gate said pass: at least 99.1 % equal when the plan was made"
        " (2027-03-01 09:30 UTC), and says fail: 40 of 440 differ now"
    )


def test_where_nothing_stands_against_it_nothing_is_told() -> None:
    assert changed_since(PLANNED, replanned(PASSED)) == ()


def test_the_same_answer_with_other_figures_is_no_news() -> None:
    failed = replace(PLANNED, judgements={"catalog": replace(FAILED, compared=7)})

    assert changed_since(failed, replanned(FAILED)) == ()


def test_a_refusal_that_was_known_is_no_news() -> None:
    skipped = make_plan(
        parse_routing(table(catalog="canary 10%").encode(), "f"),
        parse_routing(table(catalog="legacy").encode(), "f"),
        {},
    )
    known = replace(PLANNED, refusals={"catalog": skipped.refused[0].refusals})

    assert changed_since(known, skipped) == ()


@pytest.mark.parametrize(
    ("refusal", "refused"),
    [
        ("approvals gate fails: 1 more person must approve", ()),
        ("calendar gate fails: closed until Monday", ()),
        ("parity gate fails: 40 of 440 differ", ("catalog",)),
    ],
)
def test_what_waits_for_people_or_hours_is_the_same_plan_afterwards(
    refusal: str, refused: tuple[str, ...]
) -> None:
    assert replace(PLANNED, refusals={"catalog": (refusal,)}).refused == refused


def test_a_refusal_that_no_gate_made_is_told_as_new() -> None:
    skipped = make_plan(
        parse_routing(table(catalog="canary 10%").encode(), "f"),
        parse_routing(table(catalog="legacy").encode(), "f"),
        {},
    )

    (told,) = changed_since(PLANNED, skipped)

    assert told.startswith("catalog: was not refused when the plan was made, and is now: one stage")
