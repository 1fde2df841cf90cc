"""The gates that ask others: both databases, the comparer's clock, another system."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cutover.core.plan import GateAnswer
from cutover.core.strata import Verdict
from proxy.routing import DataGate, GateName, LatencyGate
from proxy.routing.values import spelled
from shadow_compare.core.evidence import Latency

_PASS, _FAIL, _WAITS = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What was seen of one part of the data behind a domain.

    Attributes:
        name: as it flips, e.g. "orders".
        drift: differences that nobody mended or accepted; None where it is not known.
        pass_age_s: since the last comparison of everything without a difference; None
            without one.
        lag_s: of the last canary from the owner to the other side; None without one.
        blocks: what stands against the way to the other side, a sentence each.
    """

    name: str
    drift: int | None
    pass_age_s: float | None
    lag_s: float | None
    blocks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """What another system said of a step."""

    verdict: Verdict
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outside:
    """What others say of one domain's step.

    Attributes:
        data: of everything behind the domain; empty where nothing is kept in step for it.
        data_problem: why that could not be found out; "" when it could.
        webhooks: what each system said that was asked.
    """

    data: tuple[DataFacts, ...] = ()
    data_problem: str = ""
    webhooks: tuple[Said, ...] = ()


@dataclass(slots=True)
class _Told:
    """What was found, by how much it weighs."""

    found: dict[Verdict, list[str]] = field(
        default_factory=lambda: {verdict: [] for verdict in (_FAIL, _WAITS, _PASS)}
    )

    def say(self, verdict: Verdict, sentence: str) -> None:
        self.found[verdict].append(sentence)

    def answer(self, gate: GateName, inputs: dict[str, int]) -> GateAnswer:
        for verdict, sentences in self.found.items():
            if sentences:
                # What also waits is told with what fails.
                more = self.found[_WAITS] if verdict is _FAIL else []
                return GateAnswer(gate.value, verdict, (*sentences, *more), inputs)
        raise ValueError("nothing was judged")


def judge_data(gate: DataGate, domain: str, outside: Outside) -> GateAnswer:
    """Judge the data behind a domain. What is not known lets nobody through."""
    told, inputs = _Told(), {"drift_allowed": gate.drift}
    if outside.data_problem:
        told.say(_WAITS, f"the databases do not say how they stand: {outside.data_problem}")
    elif not outside.data:
        told.say(_WAITS, f"no data of {domain} is kept in step; banyan sync install, or no gate")
    for one in outside.data:
        _judge_drift(gate, one, told)
        _judge_pass(gate, one, told)
        _judge_lag(gate, one, told)
        if gate.ready and one.blocks:
            told.say(_FAIL, f"{one.name} could not go to the other side: {'; '.join(one.blocks)}")
        elif gate.ready:
            told.say(_PASS, f"the way of {one.name} to the other side is open")
        inputs[f"{one.name}_drift"] = -1 if one.drift is None else one.drift
        inputs[f"{one.name}_lag_ms"] = -1 if one.lag_s is None else round(one.lag_s * 1_000)
    return told.answer(GateName.DATA, inputs)


def _judge_drift(gate: DataGate, seen: DataFacts, told: _Told) -> None:
    if seen.drift is None:
        told.say(_WAITS, f"{seen.name} was never compared; run: banyan reconcile {seen.name}")
    elif seen.drift > gate.drift:
        told.say(
            _FAIL,
            f"{seen.drift:,} differences of {seen.name} stand, {gate.drift:,} are allowed;"
            f" look at: banyan drift list, and mend them by: banyan repair {seen.name}",
        )
    else:
        told.say(_PASS, f"{seen.drift:,} differences of {seen.name}, {gate.drift:,} are allowed")


def _judge_pass(gate: DataGate, seen: DataFacts, told: _Told) -> None:
    if gate.pass_s is None:
        return
    asked = f"not older than {spelled(gate.pass_s)} is asked for; run: banyan reconcile {seen.name}"
    if seen.pass_age_s is None:
        told.say(_WAITS, f"no comparison of all of {seen.name} was clean yet, and one {asked}")
    elif seen.pass_age_s > gate.pass_s:
        age = spelled(round(seen.pass_age_s))
        told.say(_WAITS, f"{seen.name} was last clean {age} ago, and {asked}")
    else:
        told.say(_PASS, f"{seen.name} was clean {spelled(round(seen.pass_age_s))} ago")


def _judge_lag(gate: DataGate, seen: DataFacts, told: _Told) -> None:
    if gate.lag_s is None:
        return
    if seen.lag_s is None:
        told.say(_WAITS, f"no canary of {seen.name} came across yet; run: banyan sync run")
    elif seen.lag_s > gate.lag_s:
        told.say(
            _FAIL,
            f"a change of {seen.name} takes {spelled(seen.lag_s)} to the other side,"
            f" {spelled(gate.lag_s)} is allowed",
        )
    else:
        told.say(_PASS, f"a change of {seen.name} takes {spelled(seen.lag_s)} to the other side")


def judge_latency(gate: LatencyGate, latencies: Sequence[Latency]) -> GateAnswer:
    """Judge how long both sides took lately, where each answered enough."""
    told = _Told()
    legacy, core = (_most(latencies, side) for side in ("legacy", "core"))
    inputs = {
        f"{side}_{name}_us": round(getattr(one, f"{name}_ms") * 1_000)
        for side, one in (("legacy", legacy), ("core", core))
        if one is not None
        for name in ("p50", "p95", "p99")
    }
    inputs |= {
        f"{side}_answers": 0 if one is None else one.count
        for side, one in (("legacy", legacy), ("core", core))
    }
    if legacy is None or core is None or min(legacy.count, core.count) < gate.requests:
        seen = f"{inputs['legacy_answers']:,} of legacy and {inputs['core_answers']:,} of the core"
        told.say(_WAITS, f"needs {gate.requests:,} timed answers of each side, has {seen}")
        return told.answer(GateName.LATENCY, inputs)
    for name, allowed in _bounds(gate):
        theirs, ours = (getattr(one, f"{name}_ms") for one in (legacy, core))
        text = (
            f"{name} is {ours:g} ms on the core and {theirs:g} ms on legacy,"
            f" {allowed / 1_000:g}x is allowed"
        )
        told.say(_PASS if ours * 1_000 <= theirs * allowed else _FAIL, text)
    return told.answer(GateName.LATENCY, inputs)


def _bounds(gate: LatencyGate) -> Iterable[tuple[str, int]]:
    for name, allowed in (("p50", gate.p50), ("p95", gate.p95), ("p99", gate.p99)):
        if allowed is not None:
            yield name, allowed


def _most(latencies: Sequence[Latency], side: str) -> Latency | None:
    """Of what a side answered shoppers and the comparer, that which is more."""
    of_side = [one for one in latencies if one.side == side]
    return max(of_side, key=lambda one: one.count, default=None)


def judge_webhooks(outside: Outside) -> tuple[GateAnswer, ...]:
    """What other systems said, as a gate's answers; silence is inconclusive."""
    silence = Said(_WAITS, ("it was not asked",))
    return tuple(
        GateAnswer(GateName.WEBHOOK.value, one.verdict, one.sentences)
        for one in outside.webhooks or (silence,)
    )
