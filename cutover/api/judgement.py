"""Parity and its gate as a reader meets them: a figure, a light, a sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from cutover.api.figures import count, counted, percent_of_ppm, plain_percent
from cutover.core.gate import Findings, judge
from cutover.core.stages import next_steps, position
from cutover.core.strata import Verdict, Worst
from proxy.routing import BASIS_POINTS, Domain, ParityGate, Stage
from shadow_compare.core.anytime import anytime_samples_needed
from shadow_compare.core.evidence import DomainEvidence, MismatchGroup, Parity


class Light(StrEnum):
    """The four lights. Each has its own shape and word on the page, never colour alone."""

    PASS = "pass"  # noqa: S105 - a light, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    OFF = "off"


_WORDS = {
    Light.PASS: "Gate passes",
    Light.FAIL: "Gate fails",
    Light.INCONCLUSIVE: "Not decided yet",
}


@dataclass(frozen=True, slots=True)
class ParityLine:
    """Parity in words: `lead`, `figure` and `tail` read as one sentence.

    Attributes:
        known: False while there is too little to say how equal the sides are.
        so_far: what is seen besides the bound, "" when there is nothing to add.
        samples: distinct ones so far; `needed` are asked for before the bound counts.
        place: whose bound the figure is, where a gate goes by it; "" elsewhere.
        light: the verdict on that bound.
    """

    known: bool
    lead: str
    figure: str
    tail: str
    so_far: str
    samples: int
    needed: int
    place: str = ""
    light: Light = Light.OFF

    @property
    def word(self) -> str:
        """The verdict in a word."""
        return self.light.value

    @property
    def sentence(self) -> str:
        """The whole sentence."""
        return self.lead + self.figure + self.tail


@dataclass(frozen=True, slots=True)
class GateLine:
    """A gate's light, its word, and what would turn it, most pressing first."""

    light: Light
    word: str
    sentences: tuple[str, ...]


@lru_cache(maxsize=256)
def needed_for(gate: ParityGate) -> int:
    """Samples until a spotless record passes: the count asked for, or what proof takes."""
    return max(gate.samples, anytime_samples_needed(gate.min_ppm, gate.confidence_bp) or 0)


def parity_line(parity: Parity, gate: ParityGate | None, worst: Worst | None = None) -> ParityLine:
    """Say how equal the sides are, or how much is missing before that can be said.

    With `worst`, the figure is the bound that the gate goes by and not the whole domain's.
    """
    line = _whole_line(parity, gate)
    if worst is None or not parity.samples:
        return line
    figure, sure = percent_of_ppm(worst.bounds.lower_ppm), gate.confidence_bp if gate else 0
    tail = f" equal ({plain_percent(sure * 100)} sure, {counted(worst.samples, 'sample')})"
    place, seen = worst.place, line.so_far
    if worst.asked > 1:
        place = f"{place}, the worst of {count(worst.asked)} that are asked"
        overall = f"the whole domain at least {percent_of_ppm(parity.lower_ppm)}"
        seen = ", ".join(part for part in (overall, _seen(parity)) if part)
    judged = replace(line, place=place, light=Light(worst.verdict.value))
    if line.known or worst.verdict is Verdict.FAIL:
        return replace(judged, known=True, lead="at least ", figure=figure, tail=tail, so_far=seen)
    return replace(judged, so_far=f"so far at least {figure}{tail}")


def _whole_line(parity: Parity, gate: ParityGate | None) -> ParityLine:
    figure = percent_of_ppm(parity.lower_ppm)
    tail = (
        f" equal ({plain_percent(parity.confidence_bp * 100)} sure, "
        f"{counted(parity.samples, 'sample')})"
    )
    samples, needed = parity.samples, needed_for(gate) if gate else 1
    if samples >= needed:
        return ParityLine(
            known=True, lead="at least ", figure=figure, tail=tail, so_far=_seen(parity),
            samples=samples, needed=needed,
        )  # fmt: skip
    unknown = ParityLine(
        known=False,
        lead="",
        figure="not enough data yet",
        tail=f" ({count(samples)} of about {count(needed)})",
        so_far=f"so far at least {figure}{tail}" if samples else "",
        samples=samples,
        needed=needed,
    )
    if needed > 1:
        return unknown
    return replace(unknown, figure="nothing compared yet", tail="")


def _seen(parity: Parity) -> str:
    ratio = parity.ratio_ppm
    seen = f"{percent_of_ppm(ratio)} seen" if ratio is not None else ""
    unread = parity.incomparable + parity.broken
    more = f"{counted(unread, 'answer')} could not be compared" if unread else ""
    return ", ".join(part for part in (seen, more) if part)


def gate_line(
    domain: Domain, evidence: DomainEvidence | None, groups: Sequence[MismatchGroup], problem: str
) -> GateLine:
    """The parity gate's light. Whatever is not shown to pass is not green.

    Args:
        domain: as the table in force has it.
        evidence: None when there is none, or none that is known to be true now.
        groups: current mismatch groups, greatest first.
        problem: why there is no evidence.
    """
    if domain.stage is Stage.RETIRED:
        return _off("Done", "the legacy slice is retired")
    if domain.stage is Stage.LEGACY:
        return _off("Not started", "nothing is compared in stage legacy")
    if domain.ungated:
        return _off("No gate", "gates: {} lets it step without proof")
    if domain.parity_gate is None:
        return _off("No gate", "no parity gate is set; add gates.parity to routing.yaml")
    judged = judge([domain.parity_gate], domain, Findings(evidence, groups, problem))
    light = Light(judged.verdict.value)
    sentences = judged.sentences
    if light is Light.PASS:
        asked = plain_percent(domain.parity_gate.min_ppm)
        sentences = (f"{asked} asked; turns when the bound falls below that",)
    word = "Unknown" if evidence is None else _WORDS[light]
    return GateLine(light, word, sentences)


def _off(word: str, sentence: str) -> GateLine:
    return GateLine(Light.OFF, word, (sentence,))


def next_step(domain: Domain, gate: GateLine, approvals: str = "") -> str:
    """One sentence: what the next step is and what it waits for.

    `approvals` is what its next stage waits for of people's yes, a clause; "" for nothing.
    """
    if domain.stage is Stage.RETIRED:
        return "Nothing is left to do."
    step = {
        Stage.LEGACY: "Start to shadow",
        Stage.SHADOW: "Open the canary",
        Stage.CANARY: f"Advance to {next_steps(position(domain))}",
        Stage.CORE: "Retire the legacy slice",
    }[domain.stage]
    if domain.stage is Stage.CORE and domain.writes_stay:
        step = f"Advance to {next_steps(position(domain))}"
    is_free = domain.stage is Stage.LEGACY or domain.ungated
    if is_free or gate.light is Light.PASS:
        if not approvals:
            return f"{step}: may go ahead."
        if domain.stage is Stage.CANARY and domain.core_share_bp < BASIS_POINTS:
            return f"{step}: may go ahead (core: {approvals})."  # a larger share asks nobody
        return f"{step}: {approvals}."
    waits = gate.sentences[0]
    return f"{step}: {waits}" if waits.endswith("?") else f"{step}: {waits}."
