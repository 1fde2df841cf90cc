"""What each stratum of a domain's traffic shows, and which of them must show it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from proxy.routing import PPM, ParityGate
from shadow_compare.core.anytime import Bounds, anytime_bounds_ppm
from shadow_compare.core.evidence import Parity, StratumParity
from shadow_compare.core.sampling import Served
from shadow_compare.core.words import stratum_words


class Verdict(StrEnum):
    """Inconclusive is not pass: it holds a step back as fail does."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Weighed:
    """A stratum before a gate.

    Attributes:
        weight_ppm: its share of the domain's samples; of a stratum of shoppers, its share
            of the samples of shoppers.
        bounds: on its share of equal samples, at the gate's confidence.
        verdict: None for one that is too light to be asked, and not shown to be unequal.
    """

    parity: StratumParity
    weight_ppm: int
    bounds: Bounds
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Rest:
    """The strata too light to be asked each, taken together."""

    strata: int
    samples: int
    unequal: int
    weight_ppm: int
    bounds: Bounds
    verdict: Verdict | None


def weigh(
    gate: ParityGate, routes: Collection[str], strata: Sequence[StratumParity]
) -> tuple[Weighed, ...]:
    """Every stratum of these routes, the worst first.

    A crawler that keeps no cookies can make as many samples as there are addresses, and so
    make every stratum of shoppers light. Shoppers are therefore weighed among themselves.
    """
    known = [one for one in strata if one.stratum.route in routes]
    everyone = sum(one.samples for one in known)
    shoppers = sum(one.samples for one in known if one.stratum.served is not Served.NOBODY)
    found = []
    for one in known:
        whole = everyone if one.stratum.served is Served.NOBODY else shoppers
        weight_ppm = one.samples * PPM // whole if whole else 0
        bounds = anytime_bounds_ppm(one.samples - one.unequal, one.samples, gate.confidence_bp)
        verdict: Verdict | None = verdict_of(bounds, gate)
        # That it is equal needs no showing where it is light; that it is not, counts anywhere.
        if weight_ppm < gate.min_weight_ppm and verdict is not Verdict.FAIL:
            verdict = None
        found.append(Weighed(one, weight_ppm, bounds, verdict))
    return tuple(sorted(found, key=_worst_first))


def rest_of(gate: ParityGate, weighed: Sequence[Weighed]) -> Rest | None:
    """The light strata as one; None when there are none. Enough of them are asked again."""
    light = [one.parity for one in weighed if one.weight_ppm < gate.min_weight_ppm]
    if not light:
        return None
    samples = sum(one.samples for one in light)
    unequal = sum(one.unequal for one in light)
    everyone = sum(one.parity.samples for one in weighed)
    weight_ppm = samples * PPM // everyone if everyone else 0
    bounds = anytime_bounds_ppm(samples - unequal, samples, gate.confidence_bp)
    verdict = verdict_of(bounds, gate) if weight_ppm >= gate.min_weight_ppm else None
    return Rest(len(light), samples, unequal, weight_ppm, bounds, verdict)


@dataclass(frozen=True, slots=True)
class Worst:
    """What a gate goes by: the worst of the whole domain and the strata that are asked.

    Attributes:
        place: its name, as people read it.
        asked: how many there were to choose from, the whole domain among them.
    """

    place: str
    samples: int
    unequal: int
    bounds: Bounds
    verdict: Verdict
    asked: int


def worst_asked(
    gate: ParityGate, routes: Collection[str], overall: Parity, strata: Sequence[StratumParity]
) -> Worst:
    """The one with the hardest verdict, and of these the lowest bound."""
    bounds = anytime_bounds_ppm(
        overall.samples - overall.unequal, overall.samples, gate.confidence_bp
    )
    found = [("the whole domain", overall.samples, overall.unequal, bounds)]
    weighed = weigh(gate, routes, strata)
    found += [
        (stratum_words(one.parity.stratum), one.parity.samples, one.parity.unequal, one.bounds)
        for one in weighed
        if one.verdict
    ]
    rest = rest_of(gate, weighed)
    if rest is not None and rest.verdict:
        found.append(("all light strata together", rest.samples, rest.unequal, rest.bounds))
    every = [Worst(*one, verdict_of(one[3], gate), len(found)) for one in found]
    return min(every, key=lambda one: (_ORDER[one.verdict], one.bounds.lower_ppm))


def verdict_of(bounds: Bounds, gate: ParityGate) -> Verdict:
    """Pass and fail are shown by a bound; whatever neither of them shows is inconclusive."""
    if bounds.upper_ppm < gate.min_ppm:
        return Verdict.FAIL
    return Verdict.PASS if bounds.lower_ppm >= gate.min_ppm else Verdict.INCONCLUSIVE


_ORDER = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2, None: 3}


def _worst_first(one: Weighed) -> tuple[int, int, int, tuple[str, ...]]:
    return _ORDER[one.verdict], one.bounds.lower_ppm, -one.weight_ppm, one.parity.stratum
