"""Whether a domain's legacy slice may be given up, judged by what was seen for days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

LONGEST_GAP_S = 900.0
OLDEST_BEAT_S = 120.0
DAY_S = 86_400.0


class State(StrEnum):
    """shown: the proof has it. not shown: nothing can tell, with the reason. refused: the
    contrary was seen.
    """

    SHOWN = "shown"
    NOT_SHOWN = "not shown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen of a domain at one moment.

    Attributes:
        at_s: seconds since the epoch.
        owner: side that the control row names; `term` likewise.
        legacy_requests: answers of the domain's routes by the legacy since the proxy began;
            None where the proxy did not answer. `unmatched`: of no route, so by the legacy.
        position: of the stream that reads the legacy's log; None where it never ran.
        problem: why that stream stands; "" while it goes.
        beat_s: when its last heartbeat was sent.
        reads: rows read by table, as the legacy's database counts; None where it does not.
        unread: why not.
        writes: what the replicator has written there for the domain; None where unknown.
    """

    at_s: float
    owner: str
    term: int
    legacy_requests: int | None
    unmatched: int | None
    position: int | None
    problem: str
    beat_s: float | None
    reads: Mapping[str, int] | None
    unread: str
    writes: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """All that a retirement is judged by.

    Attributes:
        samples: of the window or more, oldest first.
        rogues: writes of others than the replicator in the legacy's log, in the window.
        owned_since_s: when the core last became the owner; None where it never did.
        is_quiet: no flip is under way.
    """

    domain: str
    days: float
    now_s: float
    owner: str
    is_quiet: bool
    owned_since_s: float | None
    samples: Sequence[Sample]
    rogues: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement."""

    name: str
    state: State
    told: str


def judge(case: Case) -> tuple[Finding, ...]:
    """Every judgement, in the order in which they are read."""
    since_s = case.now_s - case.days * DAY_S
    window = [one for one in case.samples if since_s - LONGEST_GAP_S <= one.at_s <= case.now_s]
    return (
        _ownership(case, since_s, window),
        _gaps(case, since_s, window),
        _requests(window),
        _unmatched(window),
        _log(case, window),
        _reads(window),
    )


def stands_against(found: Sequence[Finding], accepted: str) -> tuple[str, ...]:
    """Why it may not be, a sentence each. What is not shown stands unless a reason accepts it."""
    against = [one for one in found if one.state is State.REFUSED]
    if not accepted.strip():
        against += [one for one in found if one.state is State.NOT_SHOWN]
    return tuple(f"{one.name}: {one.told}" for one in against)


def grown(values: Sequence[int]) -> tuple[int, int]:
    """How much a counter grew, and how often it began anew.

    1. A counter stands at 10, 2. five more are counted, 3. it begins anew, 4. it is read as 3:
    3 are known, and what was counted between 1 and 3 is not.
    """
    more, resets = 0, 0
    for before, after in pairwise(values):
        resets += after < before
        more += after - before if after >= before else after
    return more, resets


def _ownership(case: Case, since_s: float, window: Sequence[Sample]) -> Finding:
    name = "ownership"
    if case.owner != "core" or not case.is_quiet:
        told = f"{case.owner} owns it" if case.is_quiet else "a flip is under way"
        return Finding(name, State.REFUSED, told)
    if case.owned_since_s is None or case.owned_since_s > since_s:
        told = f"the core has not owned it for {case.days:g} days"
        return Finding(name, State.REFUSED, told)
    others = sum(one.owner != "core" for one in window)
    if others:
        return Finding(name, State.REFUSED, f"{others} samples saw another owner")
    return Finding(name, State.SHOWN, f"the core has owned it for {case.days:g} days and longer")


def _gaps(case: Case, since_s: float, window: Sequence[Sample]) -> Finding:
    """Samples of all sources: where the proxy or the stream said nothing is a gap as well."""
    whole = [one.at_s for one in window if one.legacy_requests is not None and _is_read(one)]
    ends = [since_s, *(at for at in whole if at > since_s), case.now_s]
    if whole and whole[0] <= since_s:
        ends[0] = max(at for at in whole if at <= since_s)
    start, longest = max(
        ((before, after - before) for before, after in pairwise(ends)), key=lambda one: one[1]
    )
    if longest > LONGEST_GAP_S:
        ago_h = (case.now_s - start) / 3_600
        told = (
            f"nothing whole was seen for {longest / 60:.0f} min, {ago_h:.1f} h ago;"
            f" {LONGEST_GAP_S / 60:.0f} min are allowed"
        )
        return Finding("samples", State.REFUSED, told)
    told = f"{len(whole)} samples, never more than {longest / 60:.1f} min apart"
    return Finding("samples", State.SHOWN, told)


def _is_read(one: Sample) -> bool:
    is_fresh = one.beat_s is not None and one.at_s - one.beat_s <= OLDEST_BEAT_S
    return one.position is not None and not one.problem and is_fresh


def _requests(window: Sequence[Sample]) -> Finding:
    name = "requests"
    known = [one.legacy_requests for one in window if one.legacy_requests is not None]
    more, resets = grown(known)
    if more:
        return Finding(name, State.REFUSED, f"the legacy answered {more} requests of its routes")
    if resets:
        told = f"the proxy began anew {resets} times; what it counted just before is not known"
        return Finding(name, State.NOT_SHOWN, told)
    if len(known) < 2:
        return Finding(name, State.NOT_SHOWN, "the proxy was seen less than twice")
    return Finding(name, State.SHOWN, "the legacy answered no request of its routes")


def _unmatched(window: Sequence[Sample]) -> Finding:
    more, _ = grown([one.unmatched for one in window if one.unmatched is not None])
    if more:
        told = f"{more} requests matched no route; the legacy answered them, whatever they asked"
        return Finding("other requests", State.NOT_SHOWN, told)
    return Finding("other requests", State.SHOWN, "every request matched a route")


def _log(case: Case, window: Sequence[Sample]) -> Finding:
    name = "the legacy's log"
    if case.rogues:
        told = f"{case.rogues} writes were not the replicator's"
        return Finding(name, State.REFUSED, told)
    places = [one.position for one in window if one.position is not None]
    if any(after < before for before, after in pairwise(places)):
        return Finding(name, State.REFUSED, "the stream was begun anew: what lies between is lost")
    if not places:
        return Finding(name, State.REFUSED, "no stream has read it")
    told = "every write was the replicator's; tables without a fence are not judged"
    return Finding(name, State.SHOWN, told)


def _reads(window: Sequence[Sample]) -> Finding:
    """The replicator reads what it writes: growth beside its own writes tells nothing."""
    name = "reads"
    counted = [one for one in window if one.reads is not None]
    if len(counted) < 2:
        why = next((one.unread for one in reversed(window) if one.unread), "it was never asked")
        return Finding(name, State.NOT_SHOWN, why)
    foreign: set[str] = set()
    ours: set[str] = set()
    for before, after in pairwise(counted):
        tables = _grew(before, after)
        is_still = before.writes == after.writes and before.writes is not None
        (foreign if is_still else ours).update(tables)
    if foreign:
        told = f"somebody read {', '.join(sorted(foreign))} while the replicator wrote nothing"
        return Finding(name, State.REFUSED, told)
    if ours:
        told = f"the replicator's own writes read {', '.join(sorted(ours))} too"
        return Finding(name, State.NOT_SHOWN, told)
    if len(counted) < len(window):
        return Finding(name, State.NOT_SHOWN, "some samples could not count reads")
    return Finding(name, State.SHOWN, "nobody read its tables")


def _grew(before: Sample, after: Sample) -> set[str]:
    then, now = before.reads or {}, after.reads or {}
    return {table for table, rows in now.items() if rows != then.get(table, 0) and rows > 0}
