"""The parity gate: pass, fail or inconclusive, and a sentence that says what would help."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.gate import Findings, Judgement, Verdict, judge, judge_parity, percent
from proxy.routing import ParityGate
from shadow_compare.core.evidence import (
    Accounting,
    DomainEvidence,
    MismatchGroup,
    Parity,
    StratumParity,
)
from shadow_compare.core.parity import StratumCounts, stratum_parity
from shadow_compare.core.sampling import Served, Stratum
from tests.fakes.evidence import some_parity
from tests.support.routing_tables import domain

GATE = ParityGate(min_ppm=999_000, confidence_bp=9_500, samples=3_000, max_loss_ppm=10_000)
CATALOG = domain(paths=("/catalog/", "/catalog/{id}"))
LIST, DETAIL = (route.name for route in CATALOG.routes)


def parity(
    matched: int, mismatched: int = 0, *, route: str | None = None, unread: int = 0
) -> Parity:
    """Comparisons that are a sample each."""
    found = some_parity(matched, route=route, mismatched=mismatched, lower_ppm=0)
    return replace(found, incomparable=unread)


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
    answer = judged(evidence(parity(4_104)))

    assert answer.verdict is Verdict.PASS
    assert answer.sentences == ("at least 99.9 % equal, 99.9 % asked (95 % sure, 4,104 samples)",)


def test_too_few_comparisons_are_inconclusive_and_say_how_many_are_missing() -> None:
    answer = judged(evidence(parity(2_588)))

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.sentences == ("needs 412 more samples (2,588 of 3,000)",)


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
    found = parity(7_999, 1)
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


def test_what_waited_when_a_release_came_is_no_loss_of_the_new_one() -> None:
    books = {"other_release": 4_000, "queue_full": 40}

    assert judged(evidence(parity(5_000), losses=books)).verdict is Verdict.PASS
    more = judged(evidence(parity(5_000), losses={**books, "queue_full": 60}))
    assert more.verdict is Verdict.FAIL
    assert "1.1857 % of mirrored exchanges were not compared" in more.sentences[0]


def test_answers_that_could_not_be_read_fail_the_gate() -> None:
    answer = judged(evidence(parity(5_000, unread=60)))

    assert answer.verdict is Verdict.FAIL
    assert "60 of 5,060 answers could not be compared" in answer.sentences[0]


def test_a_route_that_was_never_compared_holds_the_gate_open() -> None:
    found = evidence(parity(5_000), unseen=(LIST,))
    answer = judged(found)

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.sentences == (
        "route GET /catalog/ never compared; one mirrored request would do",
    )
    assert judge_parity((GATE,), CATALOG, Findings(found)).verdict is Verdict.PASS


def test_a_route_that_is_never_mirrored_is_not_waited_for() -> None:
    cart = domain("cart", methods=("POST",))
    found = evidence(parity(5_000), unseen=("POST /cart/{id}",))

    assert judge((GATE,), cart, Findings(found)).verdict is Verdict.PASS


def stratum(
    samples: int,
    unequal: int = 0,
    *,
    route: str = LIST,
    served: Served = Served.LEGACY,
    compared: int | None = None,
    mismatched: int | None = None,
) -> StratumParity:
    counts = StratumCounts(
        samples if compared is None else compared,
        unequal if mismatched is None else mismatched,
        samples,
        unequal,
    )
    return stratum_parity(Stratum(route, served, "2xx"), counts, GATE.confidence_bp)


def of_strata(*strata: StratumParity) -> DomainEvidence:
    """Evidence whose whole is the sum of its strata."""
    compared, mismatched = (
        sum(getattr(one, name) for one in strata) for name in ("compared", "mismatched")
    )
    whole = replace(
        parity(compared - mismatched, mismatched),
        samples=sum(one.samples for one in strata),
        unequal=sum(one.unequal for one in strata),
    )
    return replace(evidence(whole), strata=strata)


def test_the_worst_stratum_counts_and_not_the_average() -> None:
    good, poor = stratum(90_000), stratum(2_000, 20, route=DETAIL, served=Served.CORE)

    answer = judged(of_strata(good, poor))

    assert judged(of_strata(good)).verdict is Verdict.PASS
    assert answer.verdict is Verdict.FAIL
    assert answer.sentences[0].startswith(f"{DETAIL}, served by the core, 2xx: at most 99.")
    assert answer.sentences[0].endswith("99.9 % asked (20 of 2,000 samples unequal)")


def test_a_stratum_with_weight_and_too_few_samples_holds_the_gate_and_says_what_it_needs() -> None:
    answer = judged(of_strata(stratum(90_000), stratum(2_000, served=Served.CORE)))

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.sentences == (
        (
            f"{LIST}, served by the core, 2xx: at least 99.8101 % equal, 99.9 % asked;"
            " needs 2,104 more samples, all equal"
        ),
    )


def test_a_light_stratum_need_not_show_parity_but_may_not_be_shown_unequal() -> None:
    good = stratum(90_000)

    light = judged(of_strata(good, stratum(200, served=Served.CORE)))
    wrong = judged(of_strata(good, stratum(200, 30, served=Served.CORE)))

    assert (light.verdict, wrong.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert "30 of 200 samples unequal" in wrong.sentences[0]


def test_light_strata_are_bounded_together() -> None:
    routes = [f"GET /r{n}" for n in range(20)]
    wide = replace(CATALOG, routes=tuple(replace(CATALOG.routes[0], path=r[4:]) for r in routes))
    crowd = [stratum(100, route=route) for route in routes[1:]]
    found = of_strata(stratum(90_000, route=routes[0]), *crowd)

    answer = judge((GATE,), wide, Findings(found))

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.sentences[0].startswith("19 strata under 1 % each, together 2.0674 %: at least")


def test_a_crawler_without_a_key_cannot_make_the_strata_of_shoppers_light() -> None:
    flood = stratum(900_000, served=Served.NOBODY)

    answer = judged(of_strata(flood, stratum(500)))

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.sentences[0].startswith(f"{LIST}, served by legacy, 2xx: ")


def test_repeats_buy_nothing_but_count_against() -> None:
    one_page = stratum(1, 1, route=DETAIL, compared=50_000, mismatched=50_000)

    answer = judged(of_strata(stratum(90_000), one_page))

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.sentences[0].startswith("50,000 of 140,000 comparisons were unequal, allowed")


def test_a_route_that_the_file_does_not_have_any_more_does_not_count() -> None:
    gone = stratum(2_000, 2_000, route="GET /gone", compared=0, mismatched=0)
    found = replace(of_strata(stratum(90_000)), strata=(stratum(90_000), gone))

    assert judged(found).verdict is Verdict.PASS


@given(
    st.lists(
        st.tuples(
            st.integers(0, 20_000),
            st.integers(0, 30),
            st.sampled_from(Served),
            st.sampled_from([LIST, DETAIL]),
        ),
        max_size=8,
        unique_by=lambda one: one[2:],
    )
)
def test_a_pass_means_that_every_stratum_with_weight_shows_the_parity(
    told: list[tuple[int, int, Served, str]],
) -> None:
    strata = [
        stratum(equal + unequal, unequal, served=served, route=route)
        for equal, unequal, served, route in told
    ]
    whole = sum(one.samples for one in strata)

    answer = judged(of_strata(*strata))

    for one in strata:
        if answer.verdict is Verdict.PASS and one.samples * 100 > whole:
            assert one.lower_ppm >= GATE.min_ppm
        if one.upper_ppm < GATE.min_ppm:
            assert answer.verdict is Verdict.FAIL
    assert not whole or answer.verdict is not Verdict.PASS or answer.lower_ppm >= GATE.min_ppm


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
