"""What a load test asks for: how much, by which way, and whether it may."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cutover.core.load_run import Way
from proxy.routing import BASIS_POINTS, Domain, LoadProfile, RoutingTable, Side, Stage

#: Seconds, and requests per second in them.
Phases = tuple[tuple[float, float], ...]

_TIMES: Mapping[LoadProfile, tuple[float, ...]] = {
    LoadProfile.ONE: (1,),
    LoadProfile.THREE: (3,),
    LoadProfile.TEN: (10,),
    LoadProfile.SPIKE: (1, 10, 1),
}
#: Of a side's shoppers: who loads a side that answers more of them has to say so.
_MOST_SHARE_BP = 1_000
_FEW, _MOST_VISITORS = 4, 1_000
_LIVE_ENOUGH, _LIVE_MORE_PPM = 20, 10_000


def phases(profile: LoadProfile, base_per_s: float, duration_s: float) -> Phases:
    """What a profile makes of a base rate."""
    times = _TIMES[profile]
    return tuple((duration_s / len(times), base_per_s * one) for one in times)


def visitors(asked: Phases, think_s: float | None) -> int:
    """How many the load generator plays: at the peak each pauses as recorded shoppers do.

    Without a recording each asks once a second. There are never so few that one slow answer
    keeps others from being asked.
    """
    pause_s = min(max(think_s or 1.0, 1.0), 10.0)
    peak = max(rate for _, rate in asked)
    return min(max(math.ceil(peak * pause_s), _FEW), _MOST_VISITORS)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a side's requests go.

    Attributes:
        through: the proxy; else straight at the store.
        headers: that make the proxy choose the side.
    """

    way: Way
    through: bool
    headers: tuple[tuple[str, str], ...] = ()


def routes(sides: Sequence[str], domain: Domain, *, proxy: bool) -> tuple[Route, ...]:
    """By which way each side is asked.

    The proxy is gone through where it can be told which side to take: in canary a request
    without a shopper gets legacy, and a pilot's header the core. Two sides are asked by the
    same way, or their times could not be compared.

    `proxy` says whether it answers, and may be gone through.
    """
    by_proxy = {side: _through(side, domain) for side in sides}
    if proxy and all(by_proxy.values()):
        return tuple(found for found in by_proxy.values() if found is not None)
    return tuple(
        found
        if side == "proxy" and (found := by_proxy[side]) is not None
        else Route(Way(side, "straight at the store"), through=False)
        for side in sides
    )


def _through(side: str, domain: Domain) -> Route | None:
    if side == "proxy":
        return Route(Way(side, "through the proxy, by whichever side it chooses"), through=True)
    pinned: tuple[tuple[str, str], ...] = ()
    words = "through the proxy"
    match domain.stage, side:
        case (Stage.LEGACY | Stage.SHADOW, "legacy") | (Stage.CORE | Stage.RETIRED, "core"):
            pass
        case Stage.CANARY, "legacy":
            words = "through the proxy, without a shopper's key"
        case Stage.CANARY, "core" if domain.pilots:
            pinned, words = domain.pilots[0].headers, "through the proxy, as a pilot"
        case _:
            return None
    return Route(Way(side, words, must_be=side), through=True, headers=pinned)


def shoppers_of(side: str, in_force: RoutingTable | None) -> tuple[int, str]:
    """The largest share of a domain's shoppers that a side answers, in basis points, and whose."""
    found = (0, "")
    for domain in () if in_force is None else in_force.domains:
        core = {Stage.CANARY: domain.core_share_bp, Stage.CORE: BASIS_POINTS}.get(domain.stage, 0)
        core = BASIS_POINTS if domain.stage is Stage.RETIRED else core
        share = {Side.CORE: core, Side.LEGACY: BASIS_POINTS - core}.get(Side(side), 0)
        found = max(found, (share, domain.name))
    return found


def refused_because(sides: Sequence[str], in_force: RoutingTable | None) -> str:
    """Why a load has to be asked for with --yes; "" where it has not."""
    for side in sides:
        of = Side.LEGACY if side == "proxy" else Side(side)
        share, domain = shoppers_of(of, in_force)
        if side == "proxy" and in_force is not None:
            share, domain = BASIS_POINTS, in_force.domains[0].name
        if share > _MOST_SHARE_BP:
            return (
                f"{'the proxy' if side == 'proxy' else side} answers {share / 100:g} % of the"
                f" shoppers of {domain}, and a load test may slow them; say --yes to load it all"
                " the same, or give a table of stores that serve nobody with --config and"
                " another BANYAN_VAR"
            )
    return ""


@dataclass(frozen=True, slots=True)
class Live:
    """What shoppers were answered, all domains and sides together."""

    answers: int = 0
    errors: int = 0


def hurt_because(before: Live, now: Live) -> str:
    """Why a load has to end: shoppers meet clearly more errors than before; "" for no reason.

    Args:
        before: all that was counted at the start of the load.
        now: the same counts.
    """
    answers, errors = now.answers - before.answers, now.errors - before.errors
    if answers < _LIVE_ENOUGH or errors <= 0:
        return ""
    usual = before.errors * 1_000_000 // max(before.answers, 1)
    if errors * 1_000_000 // answers <= usual + _LIVE_MORE_PPM:
        return ""
    return (
        f"shoppers met errors: {errors:,} of {answers:,} answers of the proxy since the start,"
        f" {usual / 10_000:g} % before"
    )
