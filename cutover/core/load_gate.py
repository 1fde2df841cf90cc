"""The gate of load tests: does the core bear what a domain's shoppers ask, as legacy does?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cutover.core.gate import Verdict, percent
from cutover.core.load_run import Figures, LoadRun, SideRun, State
from cutover.core.plan import GateAnswer
from proxy.routing import LoadGate, Side, Store
from proxy.routing.values import spelled

GATE = "loadtest"
_WHOLE = 1_000
_CLOCKS_DIFFER_S = 60.0
_NEARLY = 0.9  # arrivals are drawn, so a short test asks for a little less or more


@dataclass(frozen=True, slots=True)
class Loads:
    """The load tests that are kept.

    Attributes:
        runs: newest first.
        problems: what could not be read, a sentence each.
        stores: that are in force; a test of others says nothing.
    """

    runs: Sequence[LoadRun] = ()
    problems: tuple[str, ...] = ()
    stores: Mapping[Side, Store] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Found:
    verdict: Verdict
    sentences: tuple[str, ...]
    inputs: Mapping[str, int] = field(default_factory=dict)


def judge_load(gate: LoadGate, domain: str, loads: Loads, at: datetime) -> GateAnswer:
    """What the newest finished test of both sides at the gate's profile says."""
    run = next(
        (
            one
            for one in loads.runs
            if one.domain == domain
            and one.profile == gate.profile
            and one.state is State.DONE
            and one.side("core")
            and one.side("legacy")
        ),
        None,
    )
    if run is None:
        what = f"no finished load test of both sides of {domain} at {gate.profile} is kept"
        found = _Found(Verdict.INCONCLUSIVE, (*loads.problems, f"{what}; {_again(gate, domain)}"))
    else:
        found = _judge(gate, run, loads.stores, at)
    return GateAnswer(GATE, found.verdict, found.sentences, found.inputs)


def _judge(gate: LoadGate, run: LoadRun, stores: Mapping[Side, Store], at: datetime) -> _Found:
    core, legacy = run.side("core"), run.side("legacy")
    assert core is not None  # noqa: S101 - whoever calls has looked
    assert legacy is not None  # noqa: S101 - likewise
    inputs = _inputs(gate, run, core, legacy, at)
    again = _again(gate, run.domain)
    doubts = (*_stale(gate, run, stores, at), *_doubts(gate, legacy), *_doubts(gate, core))
    if doubts:
        return _Found(Verdict.INCONCLUSIVE, tuple(f"{one}; {again}" for one in doubts), inputs)
    faults = tuple(_faults(gate, core, legacy))
    if faults:
        way_out = f"see it with: banyan loadtest --show {run.id}; mend the core, and {again}"
        return _Found(Verdict.FAIL, (*faults, way_out), inputs)
    return _Found(Verdict.PASS, (_passed(run, core, legacy),), inputs)


def _stale(
    gate: LoadGate, run: LoadRun, stores: Mapping[Side, Store], at: datetime
) -> Iterable[str]:
    """Why a run is not about what is in force now, a sentence each."""
    age_s = at.timestamp() - run.ended_s
    if age_s > gate.max_age_s:
        yield f"load test {run.id} of {_day(run)} is older than {spelled(gate.max_age_s)}"
    if age_s < -_CLOCKS_DIFFER_S:
        yield f"load test {run.id} ended in the future, so a clock is wrong"
    for side, store in stores.items():
        was, now = run.releases.get(side, ""), store.release or ""
        if was != now:
            yield (
                f"load test {run.id} was of {side} release {was or 'without a name'}, and in"
                f" force is {now or 'one without a name'}"
            )
        elif run.stores.get(side) != store.url:
            yield f"load test {run.id} was of another {side} store than the one in force"


def _doubts(gate: LoadGate, run: SideRun) -> Iterable[str]:
    """Why a side's figures cannot be judged, a sentence each."""
    yield from (f"on {run.side} {doubt}" for doubt in run.doubts)
    if run.total.requests < gate.requests and run.reached:
        yield (
            f"{run.side} was asked {run.total.requests:,} times, and the gate asks for"
            f" {gate.requests:,}: run it longer (--duration), or at a higher --rate"
        )
    if gate.rate_per_s is not None and run.rate_asked < _NEARLY * gate.rate_per_s:
        yield (
            f"{run.side} was asked {run.rate_asked:.1f} times a second, and the gate asks for"
            f" {gate.rate_per_s:,}"
        )
    if run.side == Side.LEGACY and not run.reached:
        yield (
            f"legacy itself took {run.rate_reached:.1f} of {run.rate_asked:.1f} requests a"
            " second, so there is nothing to compare with at this rate"
        )


def _faults(gate: LoadGate, core: SideRun, legacy: SideRun) -> Iterable[str]:
    if not core.reached:
        yield (
            f"the core took {core.rate_reached:.1f} of {core.rate_asked:.1f} requests a second,"
            f" and legacy {legacy.rate_reached:.1f}"
        )
    yield from _compared(gate, "", core.total, legacy.total)
    for name in sorted(core.routes.keys() & legacy.routes.keys()):
        here, there = core.routes[name], legacy.routes[name]
        if min(here.requests, there.requests) >= gate.requests:
            yield from _compared(gate, name, here, there)


def _compared(gate: LoadGate, route: str, core: Figures, legacy: Figures) -> Iterable[str]:
    where = f" on {route}" if route else ""
    most_ms = legacy.times_ms["p99"] * gate.p99 / _WHOLE
    if core.times_ms["p99"] > most_ms:
        yield (
            f"p99 of the core{where} is {core.times_ms['p99']:.1f} ms, legacy's is"
            f" {legacy.times_ms['p99']:.1f} ms, and {gate.p99 / _WHOLE:g} times that is"
            " asked for"
        )
    more_ppm = core.failed_ppm() - legacy.failed_ppm()
    if more_ppm > gate.errors_ppm:
        yield (
            f"{percent(core.failed_ppm())} of the core's answers{where} are errors or refusals,"
            f" {percent(legacy.failed_ppm())} of legacy's, and {percent(gate.errors_ppm)} more"
            " is allowed"
        )


def _passed(run: LoadRun, core: SideRun, legacy: SideRun) -> str:
    return (
        f"load test {run.id} of {_day(run)} at {run.profile}: {core.total.requests:,} requests,"
        f" p99 {core.total.times_ms['p99']:.1f} ms, legacy's {legacy.total.times_ms['p99']:.1f} ms,"
        f" {percent(core.total.failed_ppm())} failed, legacy's"
        f" {percent(legacy.total.failed_ppm())}"
    )


def _inputs(
    gate: LoadGate, run: LoadRun, core: SideRun, legacy: SideRun, at: datetime
) -> Mapping[str, int]:
    told = {"age_s": round(at.timestamp() - run.ended_s), "p99_asked_thousandths": gate.p99}
    for side in (core, legacy):
        told |= {
            f"{side.side}_requests": side.total.requests,
            f"{side.side}_asked": side.asked,
            f"{side.side}_p99_us": round(side.total.times_ms["p99"] * 1_000),
            f"{side.side}_failed_ppm": side.total.failed_ppm(),
        }
    return told


def _again(gate: LoadGate, domain: str) -> str:
    return f"run: banyan loadtest {domain} --profile {gate.profile}"


def _day(run: LoadRun) -> str:
    return f"{datetime.fromtimestamp(0, UTC) + timedelta(seconds=run.ended_s):%Y-%m-%d}"
