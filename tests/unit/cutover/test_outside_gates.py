"""Gates that ask databases, clocks and other systems: only what is known and good lets through."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from cutover.core.governing import judge_checkpoints, judge_risks, register
from cutover.core.outside_gates import (
    DataFacts,
    Outside,
    judge_data,
    judge_latency,
    judge_webhooks,
)
from cutover.core.strata import Verdict
from cutover.edge.asking import read_answer
from proxy.routing import (
    Checkpoint,
    Compliance,
    DataClass,
    DataGate,
    LatencyGate,
    Level,
    Risk,
    RiskState,
    WebhookGate,
)
from proxy.storage.tables import parse_routing
from shadow_compare.core.evidence import Latency

GOOD = DataFacts("orders", 0, 60.0, 0.05)
STRICT = DataGate(0, 1.0, 3_600, ready=True)
HOOK = WebhookGate("http://x/")


def of(*data: DataFacts, problem: str = "") -> Outside:
    return Outside(data, problem)


def test_data_that_is_in_step_passes_and_says_so() -> None:
    answer = judge_data(STRICT, "orders", of(GOOD))

    assert answer.verdict is Verdict.PASS
    assert len(answer.sentences) == 4
    assert answer.inputs == {"drift_allowed": 0, "orders_drift": 0, "orders_lag_ms": 50}


def test_each_thing_that_is_wrong_is_told_with_the_way_out() -> None:
    bad = DataFacts("orders", 12, 7_300.0, 3.0, ("stream: it stands", "parked: 2"))
    answer = judge_data(STRICT, "orders", of(GOOD, bad))

    assert answer.verdict is Verdict.FAIL
    told = " ".join(answer.sentences)
    assert "12 differences of orders stand, 0 are allowed" in told
    assert "banyan repair orders" in told
    assert "takes 3s to the other side, 1s is allowed" in told
    assert "stream: it stands; parked: 2" in told
    assert "run: banyan reconcile orders" in told


def test_nothing_known_is_no_pass() -> None:
    unknown = DataFacts("orders", None, None, None)

    for outside in (of(), of(problem="no answer"), of(unknown)):
        assert judge_data(STRICT, "orders", outside).verdict is Verdict.INCONCLUSIVE


@given(
    st.builds(
        DataGate,
        st.integers(0, 5),
        st.none() | st.floats(0.1, 5),
        st.none() | st.floats(60, 9_000),
        st.booleans(),
    ),
    st.lists(
        st.builds(
            DataFacts,
            st.sampled_from(["orders", "catalog"]),
            st.none() | st.integers(0, 9),
            st.none() | st.floats(0, 10_000),
            st.none() | st.floats(0, 9),
            st.sampled_from([(), ("it stands",)]),
        ),
        max_size=3,
    ),
    st.sampled_from(["", "no answer"]),
)
def test_a_pass_means_that_all_of_it_is_known_and_within(
    gate: DataGate, seen: list[DataFacts], problem: str
) -> None:
    answer = judge_data(gate, "orders", Outside(tuple(seen), problem))

    is_good = (
        not problem
        and bool(seen)
        and all(
            one.drift is not None
            and one.drift <= gate.drift
            and (gate.lag_s is None or (one.lag_s is not None and one.lag_s <= gate.lag_s))
            and (
                gate.pass_s is None
                or (one.pass_age_s is not None and one.pass_age_s <= gate.pass_s)
            )
            and not (gate.ready and one.blocks)
            for one in seen
        )
    )
    assert (answer.verdict is Verdict.PASS) == is_good
    assert answer.sentences


def timed(side: str, p99: float, count: int = 1_000, role: str = "live") -> Latency:
    return Latency(side, role, count, p99 / 4, p99 / 2, p99)


def test_the_core_may_be_a_fifth_slower_and_no_more() -> None:
    gate = LatencyGate(p99=1_200)

    assert judge_latency(gate, [timed("legacy", 100), timed("core", 120)]).verdict is Verdict.PASS
    slow = judge_latency(gate, [timed("legacy", 100), timed("core", 121)])
    assert slow.verdict is Verdict.FAIL
    assert slow.sentences == ("p99 is 121 ms on the core and 100 ms on legacy, 1.2x is allowed",)
    assert slow.inputs["core_p99_us"] == 121_000


def test_few_times_are_inconclusive_and_the_role_asked_more_counts() -> None:
    gate = LatencyGate(p99=1_200)

    few = judge_latency(gate, [timed("legacy", 100), timed("core", 90, 499)])
    assert few.verdict is Verdict.INCONCLUSIVE
    assert judge_latency(gate, []).verdict is Verdict.INCONCLUSIVE
    both = [timed("legacy", 100), timed("core", 500, 3), timed("core", 90, 900, "shadow")]
    assert judge_latency(gate, both).verdict is Verdict.PASS


def test_another_system_says_pass_and_everything_else_is_no_pass() -> None:
    good = read_answer(HOOK, b'{"verdict": "pass", "reason": "CHG-1 is\\n approved"}')
    assert (good.verdict, good.sentences) == (Verdict.PASS, ("CHG-1 is approved",))
    bad = read_answer(HOOK, b'{"verdict": "fail", "reason": ["a", "", 3, "b"]}')
    assert (bad.verdict, bad.sentences) == (Verdict.FAIL, ("a", "b"))
    assert read_answer(HOOK, b'{"verdict": "pass"}').sentences == (
        "http://x/ says pass and no reason",
    )
    assert judge_webhooks(Outside())[0].verdict is Verdict.INCONCLUSIVE


@given(st.binary(max_size=200) | st.sampled_from([b"[]", b"null", b'"pass"', b'{"verdict": 1}']))
def test_an_answer_that_is_none_is_inconclusive(body: bytes) -> None:
    assert read_answer(HOOK, body).verdict is Verdict.INCONCLUSIVE


def a_risk(name: str, likelihood: Level, impact: Level, state: RiskState) -> Risk:
    return Risk(name, "it breaks", likelihood, impact, "shop", state, "done")


def test_only_a_severe_open_risk_holds_a_step_back() -> None:
    severe = a_risk("R1", Level.HIGH, Level.MEDIUM, RiskState.OPEN)
    held = judge_risks([severe])

    assert held is not None
    assert held.verdict is Verdict.FAIL
    assert held.sentences[0].startswith("R1 is open, likelihood high, impact medium: it breaks")
    for other in (
        a_risk("R1", Level.HIGH, Level.HIGH, RiskState.ACCEPTED),
        a_risk("R1", Level.HIGH, Level.HIGH, RiskState.MITIGATED),
        a_risk("R1", Level.HIGH, Level.LOW, RiskState.OPEN),
        a_risk("R1", Level.MEDIUM, Level.MEDIUM, RiskState.OPEN),
    ):
        answer = judge_risks([other])
        assert answer is not None
        assert answer.verdict is Verdict.PASS
    assert judge_risks([]) is None


def test_a_checkpoint_counts_when_its_day_has_come() -> None:
    def judged(done: date | None) -> Verdict:
        rules = Compliance(DataClass.HEALTH, ("ca",), (Checkpoint("audit", done, "office"),))
        answer = judge_checkpoints(rules, date(2027, 3, 1))
        assert answer is not None
        return answer.verdict

    assert judged(date(2027, 3, 1)) is Verdict.PASS
    assert judged(date(2027, 3, 2)) is Verdict.FAIL
    assert judged(None) is Verdict.FAIL
    assert judge_checkpoints(Compliance(), date(2027, 3, 1)) is None
    assert judge_checkpoints(None, date(2027, 3, 1)) is None


def test_the_register_begins_with_what_holds_a_domain_back() -> None:
    table = parse_routing(
        b"""\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
domains:
  a:
    owner: o
    stage: legacy
    routes: [{path: /a}]
    risks:
      - {id: R1, what: x, likelihood: high, impact: high, owner: o, state: accepted,
         mitigation: so be it, review: 2027-02-28}
  b:
    owner: o
    stage: legacy
    routes: [{path: /b}]
    risks: [{id: R1, what: y, likelihood: medium, impact: high, owner: o}]
""",
        "f",
    )

    found = register(table.domains, date(2027, 3, 1))

    assert [(one.domain, one.score, one.holds, one.is_overdue) for one in found] == [
        ("b", 6, True, False),
        ("a", 9, False, True),
    ]
