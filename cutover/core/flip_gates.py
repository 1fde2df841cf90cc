"""What must be so before a domain may flip: small judgements over what was seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from legacy_adapters.mapping.versions import Side

T = TypeVar("T")

LONGEST_LAG_MS = 1_000.0
OLDEST_CANARY_S = 30.0
OLDEST_PASS_S = 24 * 3_600.0
OLDEST_REHEARSAL_S = 24 * 3_600.0
LONGEST_TRANSACTION_S = 5.0


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that could not be found out, and why. It never counts as good."""

    why: str


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a domain.

    Attributes:
        problem: why it does not go on; "" while it does.
        lag_ms: of the last canary from one store to the other.
        canary_age_s: how long ago that one arrived.
        dirty, parked: aggregates that wait, and that cannot be taken across.
    """

    problem: str
    lag_ms: float | None
    canary_age_s: float | None
    dirty: int
    parked: int


@dataclass(frozen=True, slots=True)
class Drift:
    """What the comparison of both sides says.

    Attributes:
        unresolved: differences that nobody accepted or mended.
        pass_age_s: since the last pass over everything that found none; None without one.
    """

    unresolved: int
    pass_age_s: float | None


@dataclass(frozen=True, slots=True)
class Freeze:
    """How long writes waited when a direction was last tried, and how long ago."""

    freeze_ms: float
    age_s: float


@dataclass(frozen=True, slots=True)
class Router:
    """The proxy.

    Attributes:
        problem: why it cannot be used; "" when it can.
        missing: routing domains that it does not have.
        known: those that it has.
    """

    problem: str
    known: tuple[str, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen of a domain, all at about one moment.

    Attributes:
        gates: "owner term" of the owner's fence and of the control row; they must be equal.
        there, back: the stream that the flip rests on, and the one that a way back does.
        rogues: writes of the side that does not own.
        numbers: what stands against its counters.
        transaction_s: age of the oldest open transaction of the owner's database.
        log: what is wrong with what the source keeps of its log.
        schema: tables whose definition is not the one that was staged.
        rehearsed: in this direction, by a rehearsal or a flip; None where it never was.
    """

    domain: str
    target: Side
    budget_ms: float
    gates: tuple[str, str] | Unknown
    backfilled: bool | Unknown
    there: Stream | Unknown
    back: Stream | Unknown
    rogues: int | Unknown
    drift: Drift | Unknown
    numbers: tuple[str, ...] | Unknown
    transaction_s: float | Unknown
    log: str | Unknown
    schema: tuple[str, ...] | Unknown
    router: Router | Unknown
    rehearsed: Freeze | Unknown | None


@dataclass(frozen=True, slots=True)
class Gate:
    """A judgement.

    Attributes:
        told: what was seen.
        fix: what makes it green; "" where it is.
    """

    name: str
    is_green: bool
    told: str
    fix: str = ""


_Seen = tuple[bool, str, str]


def gates(facts: Facts, *, is_rehearsal: bool = False) -> tuple[Gate, ...]:
    """Every gate, in the order in which they are read. A rehearsal needs none before it."""
    asked = [
        _gate("ownership", facts.gates, _ownership),
        _gate("backfill", facts.backfilled, lambda done: _backfill(facts.domain, done)),
        _gate("stream", facts.there, _stream),
        _gate("way back", facts.back, _stream),
        _gate("lag", facts.there, _lag),
        _gate("parked", _both(facts), _parked),
        _gate("rogue writes", facts.rogues, _rogues),
        _gate("drift", facts.drift, _drift),
        _gate("last clean pass", facts.drift, _pass),
        _gate("numbers", facts.numbers, _numbers),
        _gate("open transactions", facts.transaction_s, _transactions),
        _gate("log", facts.log, _log),
        _gate("definitions", facts.schema, _schema),
        _gate("proxy", facts.router, _router),
    ]
    if not is_rehearsal:
        command = f"banyan flip {facts.domain} --to {facts.target} --rehearse"
        asked.append(
            _gate("rehearsal", facts.rehearsed, lambda f: _rehearsal(f, facts.budget_ms, command))
        )
    return tuple(asked)


def reds(found: Sequence[Gate]) -> tuple[str, ...]:
    """What stands against it, a sentence each."""
    return tuple(f"{gate.name}: {gate.told}" for gate in found if not gate.is_green)


def _gate(name: str, seen: T | Unknown, judge: Callable[[T], _Seen]) -> Gate:
    if isinstance(seen, Unknown):
        return Gate(name, is_green=False, told=f"not known: {seen.why}", fix="make it known")
    is_green, told, fix = judge(seen)
    return Gate(name, is_green, told, "" if is_green else fix)


def _ownership(seen: tuple[str, str]) -> _Seen:
    fence, control = seen
    told = f"the owner's gate says {fence}, the control row {control}"
    return fence == control, told, "banyan flip --resume ends what was not ended"


def _backfill(domain: str, done: bool) -> _Seen:
    told = "every row was copied" if done else "not every row was copied yet"
    return done, told, f"banyan sync backfill {domain}"


def _stream(seen: Stream) -> _Seen:
    if seen.problem:
        return False, f"it stands: {seen.problem}", "mend what it says; it goes on by itself"
    if seen.canary_age_s is None:
        return False, "no canary ever came across", "run banyan sync run"
    told = f"a canary came across {seen.canary_age_s:.0f} s ago"
    return seen.canary_age_s < OLDEST_CANARY_S, told, "run banyan sync run, and look at its log"


def _lag(seen: Stream) -> _Seen:
    if seen.lag_ms is None:
        return False, "no canary ever came across", "run banyan sync run"
    told = f"{seen.lag_ms:.0f} ms, {seen.dirty} aggregates wait"
    return seen.lag_ms < LONGEST_LAG_MS, told, "wait until it has caught up, or slow down writers"


def _both(facts: Facts) -> int | Unknown:
    if isinstance(facts.there, Unknown):
        return facts.there
    if isinstance(facts.back, Unknown):
        return facts.back
    return facts.there.parked + facts.back.parked


def _parked(seen: int) -> _Seen:
    return seen == 0, f"{seen} aggregates cannot be taken across", "banyan sync status names them"


def _rogues(seen: int) -> _Seen:
    told = f"{seen} writes of the side that does not own"
    return seen == 0, told, "find the writer, then banyan sync settle"


def _drift(seen: Drift) -> _Seen:
    told = f"{seen.unresolved} differences"
    return seen.unresolved == 0, told, "banyan reconcile shows, repairs or accepts them"


def _pass(seen: Drift) -> _Seen:
    if seen.pass_age_s is None:
        return False, "there was none", "banyan reconcile"
    told = f"{seen.pass_age_s / 3_600:.1f} h ago"
    return seen.pass_age_s < OLDEST_PASS_S, told, "banyan reconcile"


def _numbers(seen: tuple[str, ...]) -> _Seen:
    if seen:
        return False, "; ".join(seen), "banyan sync install moves counters apart"
    return True, "both sides draw from ranges that do not meet", ""


def _transactions(seen: float) -> _Seen:
    told = f"the oldest has been open for {seen:.1f} s"
    return seen < LONGEST_TRANSACTION_S, told, "wait for it, or end it"


def _log(seen: str) -> _Seen:
    return not seen, seen or "the source keeps what is not read yet", "make room, see above"


def _schema(seen: tuple[str, ...]) -> _Seen:
    if seen:
        return False, f"changed: {', '.join(seen)}", "update the mapping, then restart the stream"
    return True, "tables are as they were staged", ""


def _router(seen: Router) -> _Seen:
    if seen.problem:
        return False, seen.problem, "start the proxy, or look at /readyz of its side door"
    if seen.missing or not seen.known:
        return False, f"it has no {', '.join(seen.missing)}", "banyan apply with these domains"
    return True, f"every worker follows the table, with {', '.join(seen.known)}", ""


def _rehearsal(seen: Freeze | None, budget_ms: float, command: str) -> _Seen:
    if seen is None:
        return False, "there was none", command
    told = f"{seen.freeze_ms:.0f} ms, {seen.age_s / 3_600:.1f} h ago; the budget is {budget_ms:.0f}"
    is_green = seen.age_s < OLDEST_REHEARSAL_S and seen.freeze_ms < budget_ms / 2
    return is_green, told, command
