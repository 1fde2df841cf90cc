"""A domain's strata as the reader of its page meets them, the worst first."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.api.figures import count, counted, percent_of_ppm, plain_percent
from cutover.api.judgement import Light
from cutover.core.strata import Rest, Verdict, Weighed, rest_of, weigh
from proxy.routing import Domain, ParityGate
from shadow_compare.core.evidence import DomainEvidence, Parity
from shadow_compare.core.words import SERVED_WORDS

SHOWN = 30
_WORDS = {
    Verdict.PASS: "Shown to be equal",
    Verdict.FAIL: "Shown to be unequal",
    Verdict.INCONCLUSIVE: "Inconclusive",
}


@dataclass(frozen=True, slots=True)
class StratumRow:
    """One stratum, or the light ones together.

    Attributes:
        word: the verdict's word; `light` its sign.
        sentence: the bounds and what they are over.
        aside: what was counted besides.
    """

    name: str
    whom: str
    light: Light
    word: str
    sentence: str
    aside: str


@dataclass(frozen=True, slots=True)
class StrataView:
    """The strata of a domain; `more` are not listed. `asides` stand beside parity."""

    rows: tuple[StratumRow, ...]
    rest: StratumRow | None
    more: int
    asides: tuple[str, ...]


def strata_view(domain: Domain, evidence: DomainEvidence | None) -> StrataView:
    """Decide what a domain's page says of its strata."""
    if evidence is None:
        return StrataView((), None, 0, ())
    asides = _asides(evidence)
    gate = domain.parity_gate
    if gate is None:
        return StrataView((), None, 0, asides)
    weighed = weigh(gate, {route.name for route in domain.routes}, evidence.strata)
    rest = rest_of(gate, weighed)
    return StrataView(
        rows=tuple(_row(one, evidence.overall) for one in weighed[:SHOWN]),
        rest=None if rest is None else _rest(rest, gate),
        more=max(0, len(weighed) - SHOWN),
        asides=asides,
    )


def _row(one: Weighed, whole: Parity) -> StratumRow:
    parity = one.parity
    share_ppm = parity.compared * 1_000_000 // whole.compared if whole.compared else 0
    return StratumRow(
        name=parity.stratum.route,
        whom=f"{SERVED_WORDS[parity.stratum.served]}, {parity.stratum.status_class}",
        light=_light(one.verdict),
        word="Too light to be asked" if one.verdict is None else _WORDS[one.verdict],
        sentence=(
            f"at least {percent_of_ppm(one.bounds.lower_ppm)}, at most"
            f" {percent_of_ppm(one.bounds.upper_ppm)} equal"
            f" ({counted(parity.samples, 'sample')}, {count(parity.unequal)} unequal)"
        ),
        aside=(
            f"{plain_percent(one.weight_ppm // 100 * 100)} of the samples it is weighed among,"
            f" {plain_percent(share_ppm // 100 * 100)} of {counted(whole.compared, 'comparison')};"
            f" for a number of samples fixed beforehand: at least"
            f" {percent_of_ppm(parity.exact_ppm)}"
        ),
    )


def _rest(rest: Rest, gate: ParityGate) -> StratumRow:
    asked = "asked as one" if rest.verdict else "too light to be asked even as one"
    return StratumRow(
        name=f"All under {plain_percent(gate.min_weight_ppm)} together",
        whom=counted(rest.strata, "stratum", "strata"),
        light=_light(rest.verdict),
        word="Too light to be asked" if rest.verdict is None else _WORDS[rest.verdict],
        sentence=(
            f"at least {percent_of_ppm(rest.bounds.lower_ppm)}, at most"
            f" {percent_of_ppm(rest.bounds.upper_ppm)} equal"
            f" ({counted(rest.samples, 'sample')}, {count(rest.unequal)} unequal)"
        ),
        aside=f"{plain_percent(rest.weight_ppm // 100 * 100)} of all samples, {asked}",
    )


def _light(verdict: Verdict | None) -> Light:
    return Light.OFF if verdict is None else Light(verdict.value)


def _asides(evidence: DomainEvidence) -> tuple[str, ...]:
    told, overall = [], evidence.overall
    if overall.samples:
        told.append(
            f"Counted in {counted(overall.samples, 'distinct pair')} of shopper and request, from"
            f" {counted(overall.compared, 'comparison')}. For a number of samples fixed"
            f" beforehand: at least {percent_of_ppm(overall.exact_ppm)}."
        )
    if evidence.carried:
        fresh = max(0, overall.samples - evidence.carried)
        told.append(f"{count(evidence.carried)} of them carried from before, {count(fresh)} fresh.")
    if overall.hidden_at_most is not None:
        hidden = counted(overall.hidden_at_most, "mismatch", "mismatches")
        told.append(f"Noise could hide at most {hidden}.")
    return tuple(told)
