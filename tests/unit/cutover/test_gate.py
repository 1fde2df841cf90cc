"""The parity gate: pass, fail or inconclusive, and a sentence that says what would help."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.gate import Findings, Judgement, Verdict, judge, percent
from proxy.routing import ParityGate
from shadow_compare.core.evidence import Accounting, DomainEvidence, MismatchGroup, Parity
from tests.support.routing_tables import domain

GATE = ParityGate(min_ppm=999_000, confidence_bp=9_500, samples=3_000, max_loss_ppm=10_000)
CATALOG = domain(paths=("/catalog/", "/catalog/{id}"))
LIST, DETAIL = (route.name for route in CATALOG.routes)


def parity(
    matched: int, mismatched: int = 0, *, route: str | None = None, unread: int = 0
) -> Parity:
    return Parity(route, matched, 0, mismatched, unread, 0, 0, 9_500)


def evidence(
    overall: Parity,
    *,
    routes: tuple[Parity, ...] = (),
    unseen: tuple[str, ...] = (),
    pending: int = 0,
    losses: dict[str, int] | None = None,
) -> DomainEvidence:
    compared = overall.compared + overall.incomparable
    lost = losses or {}
    books = Accounting(compared + pending + sum(lost.values()), compared, pending, lost)
    return DomainEvidence("catalog", "e", 0.0, overall, routes, unseen, books, 1.0)


def judged(found: DomainEvidence, *groups: MismatchGroup, gate: ParityGate = GATE) -> Judgement:
    return judge((gate,), CATALOG, Findings(found, groups))


def group(title: str, count: int) -> MismatchGroup:
    return MismatchGroup("v1:0", "catalog", DETAIL, title, (), count, 0, 0, 0, "e", current=True)


def test_enough_equal_answers_pass_and_say_what_was_shown() -> None:
    answer = judged(evidence(parity(3_000)))

    assert answer.verdict is Verdict.PASS
    assert answer.sentences == (
        "at least 99.9001 % equal, 99.9 % asked (95 % sure, 3,000 comparisons)",
    )


def test_too_few_comparisons_are_inconclusive_and_say_how_many_are_missing() -> None:
    answer = judged(evidence(parity(2_588)))

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.sentences == ("needs 412 more comparisons (2,588 of 3,000)",)


def test_a_comparer_that_never_reported_is_asked_after() -> None:
    silent = replace(evidence(parity(0)), heartbeat_s=None)

    assert "is banyan compare running?" in judged(silent).sentences[0]


def test_mismatches_fail_the_gate_and_name_the_largest_group() -> None:
    found = evidence(parity(4_980, 20))

    answer = judged(found, group("price differs in $.incl_tax", 15), group("b", 4), group("c", 1))

    assert answer.verdict is Verdict.FAIL
    assert "is below 99.9 %" in answer.sentences[0]
    assert (
        "3 mismatch groups, largest: price differs in $.incl_tax (15 times)"
        in (answer.sentences[0])
    )


def test_mismatches_that_can_no_longer_be_outweighed_fail_before_the_count_is_full() -> None:
    answer = judged(evidence(parity(100, 50)))

    assert answer.verdict is Verdict.FAIL
    assert any(sentence.startswith("needs 2,850 more") for sentence in answer.sentences)


def test_a_bound_just_below_the_mark_says_how_many_equal_answers_lift_it() -> None:
    found = parity(4_999, 1)
    answer = judged(evidence(found))

    assert answer.verdict is Verdict.PASS
    tight = judged(evidence(parity(2_999, 1)), gate=replace(GATE, samples=1_000))
    assert tight.verdict is Verdict.INCONCLUSIVE
    (sentence,) = tight.sentences
    more = int(sentence.split("needs ")[1].split()[0].replace(",", ""))
    enough = judged(evidence(parity(2_999 + more, 1)), gate=replace(GATE, samples=1_000))
    one_less = judged(evidence(parity(2_998 + more, 1)), gate=replace(GATE, samples=1_000))
    assert (enough.verdict, one_less.verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)


def test_exchanges_that_were_not_compared_fail_the_gate() -> None:
    answer = judged(evidence(parity(5_000), losses={"shadow_timeout": 100, "queue_full": 17}))

    assert answer.verdict is Verdict.FAIL
    (sentence,) = answer.sentences
    assert sentence.startswith(
        "2.2864 % of mirrored exchanges were not compared, allowed 1 %"
        " (most of them shadow_timeout: 100); 6,583 more without a loss"
    )


def test_answers_that_could_not_be_read_fail_the_gate() -> None:
    answer = judged(evidence(parity(5_000, unread=60)))

    assert answer.verdict is Verdict.FAIL
    assert "60 of 5,060 answers could not be compared" in answer.sentences[0]


def test_a_route_that_was_never_compared_holds_the_gate_open() -> None:
    answer = judged(evidence(parity(5_000), unseen=(LIST,)))

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.sentences == ("route GET /catalog/ never compared",)


def test_a_route_that_is_never_mirrored_is_not_waited_for() -> None:
    cart = domain("cart", methods=("POST",))
    found = evidence(parity(5_000), unseen=("POST /cart/{id}",))

    assert judge((GATE,), cart, Findings(found)).verdict is Verdict.PASS


def test_a_rare_route_that_is_often_wrong_fails_although_the_whole_looks_well() -> None:
    routes = (parity(1, 2, route=DETAIL), parity(9_997, route=LIST))

    answer = judged(evidence(parity(9_998, 2), routes=routes))

    assert answer.verdict is Verdict.FAIL
    assert answer.sentences[0].startswith(f"route {DETAIL} is 33.3333 % equal in 3 comparisons")


def test_a_route_that_the_file_does_not_have_any_more_does_not_count() -> None:
    gone = parity(0, 2, route="GET /gone")

    assert judged(evidence(parity(9_998, 2), routes=(gone,))).verdict is Verdict.PASS


def test_a_backlog_may_hold_anything() -> None:
    answer = judged(evidence(parity(5_000), pending=1_000))

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert "1,000 of 6,000 mirrored exchanges still wait" in answer.sentences[0]


def test_evidence_that_cannot_be_read_is_no_pass() -> None:
    answer = judge((GATE,), CATALOG, Findings(None, problem="the database is locked"))

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert "the database is locked" in answer.sentences[0]


def test_of_two_gates_the_harder_answer_counts() -> None:
    loose = ParityGate(500_000, 9_500, 10)

    answers = [
        judge(gates, CATALOG, Findings(evidence(parity(100)))).verdict
        for gates in ((loose,), (loose, GATE), (GATE, loose))
    ]

    assert answers == [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE]


@given(
    matched=st.integers(0, 20_000),
    mismatched=st.integers(0, 200),
    more=st.integers(0, 5_000),
    lost=st.integers(0, 300),
)
def test_more_equal_answers_never_make_a_verdict_worse(
    matched: int, mismatched: int, more: int, lost: int
) -> None:
    rank = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2}

    before = judged(evidence(parity(matched, mismatched), losses={"queue_full": lost}))
    after = judged(evidence(parity(matched + more, mismatched), losses={"queue_full": lost}))

    assert rank[after.verdict] >= rank[before.verdict]
    assert before.sentences


@given(matched=st.integers(0, 20_000), mismatched=st.integers(0, 50))
def test_a_pass_always_has_its_bound_and_its_samples(matched: int, mismatched: int) -> None:
    answer = judged(evidence(parity(matched, mismatched)))

    if answer.verdict is Verdict.PASS:
        assert answer.lower_ppm >= GATE.min_ppm
        assert answer.compared >= GATE.samples


@pytest.mark.parametrize(
    ("ppm", "text"), [(999_000, "99.9 %"), (1_000_000, "100 %"), (0, "0 %"), (999_950, "99.995 %")]
)
def test_parts_per_million_are_written_without_needless_digits(ppm: int, text: str) -> None:
    assert percent(ppm) == text
