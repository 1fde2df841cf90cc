"""A plan before somebody confirms it: what changes, what the gates say, what stands against it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cutover.api.acting import Tried
from cutover.api.figures import share_of_bp
from cutover.api.judgement import Light
from cutover.core.plan import DomainChange
from cutover.core.stages import Position
from cutover.core.strata import Verdict
from cutover.service.applying import Prepared
from proxy.routing import BASIS_POINTS, Domain, Stage

_LIGHTS = {
    Verdict.PASS: Light.PASS,
    Verdict.FAIL: Light.FAIL,
    Verdict.INCONCLUSIVE: Light.INCONCLUSIVE,
}
#: Offered where a domain has no ramp.
_SHARES_BP = (100, 500, 1_000, 2_500, 5_000, BASIS_POINTS)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one gate says."""

    domain: str
    gate: str
    light: Light
    word: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan.

    Attributes:
        mark: names what it was made from and what it does; another plan has another one.
        is_empty: nothing would change.
    """

    mark: str
    lines: tuple[str, ...]
    answers: tuple[Answer, ...]
    refusals: tuple[str, ...]
    notes: tuple[str, ...]
    is_empty: bool

    def is_what(self, mark: str) -> bool:
        """Whether it is the plan of that mark, and may be confirmed still."""
        return self.mark == mark and self.may_go

    @property
    def may_go(self) -> bool:
        """Whether it can be confirmed."""
        return not self.refusals and not self.is_empty


@dataclass(frozen=True, slots=True)
class Preview:
    """A page that shows a plan and asks for a yes.

    Attributes:
        does: the button's words.
        action: where the form goes; `hidden` are its fields that nobody fills.
        back: where a change of mind leads: address and words.
        tried: what was sent in vain before.
        aside: what else is to be known.
    """

    now_s: float
    title: str
    does: str
    action: str
    hidden: Mapping[str, str]
    plan: PlanView
    back: tuple[str, str]
    tried: Tried
    aside: tuple[str, ...] = ()


def plan_view(prepared: Prepared) -> PlanView:
    """Decide what a page says of a plan."""
    plan = prepared.plan
    answers = [answer for change in plan.changes for answer in _answers(change)]
    refusals = tuple(
        f"{change.domain}: {refusal}." for change in plan.refused for refusal in change.refusals
    )
    return PlanView(
        mark=mark_of(prepared),
        lines=plan.sentences(),
        answers=tuple(answers),
        refusals=refusals,
        notes=tuple(f"{note[:1].upper()}{note[1:]}." for note in prepared.notes),
        is_empty=plan.is_empty,
    )


def mark_of(prepared: Prepared) -> str:
    """A plan's name: the bytes in force, the bytes that are to be, and what is said of them."""
    parts = (
        prepared.in_force.on_disk or b"",
        prepared.desired,
        "\n".join(prepared.plan.sentences()).encode(),
    )
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:24]


def _answers(change: DomainChange) -> tuple[Answer, ...]:
    found = []
    if change.judgement is not None:
        said = change.judgement
        found.append(_answer(change.domain, "parity", said.verdict, said.sentences))
    found += [
        _answer(change.domain, one.gate, one.verdict, one.sentences) for one in change.answers
    ]
    return tuple(found)


def _answer(domain: str, gate: str, verdict: Verdict, sentences: tuple[str, ...]) -> Answer:
    return Answer(domain, gate, _LIGHTS[verdict], verdict.value, sentences)


def targets(domain: Domain) -> tuple[tuple[str, str], ...]:
    """The steps that may be taken from here: how an address names each, and its words."""
    if domain.stage is Stage.LEGACY:
        return (("shadow", "shadow"),)
    if domain.stage not in (Stage.SHADOW, Stage.CANARY):
        return ()
    steps = domain.ramp.steps_bp if domain.ramp is not None else _SHARES_BP
    share_bp = domain.core_share_bp if domain.stage is Stage.CANARY else 0
    found = [(f"canary-{one}", f"canary {share_of_bp(one)}") for one in steps if one > share_bp]
    if domain.stage is Stage.CANARY:
        found.append(("core", "core"))
    return tuple(found)


def target_of(domain: Domain, text: str) -> Position | None:
    """The place that an address names; None where no step leads there from here."""
    if text not in dict(targets(domain)):
        return None
    stage, _, share = text.partition("-")
    return Position(Stage(stage), int(share) if share else 0)
