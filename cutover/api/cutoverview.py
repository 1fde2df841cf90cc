"""A domain's cutover: where it stands, the way it came, what shoppers meet, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cutover.api.card import Card, card_of
from cutover.api.courses import is_steered
from cutover.api.figures import lasting, share_of_bp
from cutover.api.judgement import Light
from cutover.api.met import Met, met_of
from cutover.api.readings import CourseLine, Facts, History, Reading
from cutover.core.delivery import moves_of
from cutover.core.revision import Told
from cutover.core.stages import READS_ALONE, ROLLBACK, Direction, Position, position
from proxy.routing import Domain, Stage

#: Further back the ledger's own page is better.
SHOWN_LEGS = 12
_SHOPPERS = {
    Stage.LEGACY: "legacy answers every shopper, and the new core is not asked",
    Stage.SHADOW: "legacy answers every shopper, and the new core is still asked for comparison",
}


@dataclass(frozen=True, slots=True)
class Leg:
    """A place on a domain's way.

    Attributes:
        words: "canary 10 %".
        began_s: None where it is still to come, or the ledger does not say.
        stood: how long it stood there; "" while it does, or before.
        n: the revision that brought it there; 0 for none.
        waits: what it waits for, of the next place alone.
    """

    words: str
    light: Light
    word: str
    began_s: float | None = None
    stood: str = ""
    n: int = 0
    actor: str = ""
    reason: str = ""
    waits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FlipLine:
    """How a domain of data stands that flips with this one. `number` is an open flip's, or 0."""

    name: str
    words: str
    number: int


@dataclass(frozen=True, slots=True)
class CutoverPage:
    """The whole page.

    Attributes:
        flips: None where the room knows no core's database.
        back_to: the stage that a rollback leads to, and `back_words` what shoppers meet there.
        is_back: it is there already.
        more: places before those that are shown.
    """

    card: Card
    now_s: float
    legs: tuple[Leg, ...]
    more: int
    history_problem: str
    met: Met
    flips: tuple[FlipLine, ...] | None
    flips_problem: str
    back_to: str
    back_words: str
    is_back: bool


def cutover_page(
    domain: Domain,
    facts: Facts,
    history: Reading[History],
    flips: tuple[FlipLine, ...] | None = None,
    flips_problem: str = "",
) -> CutoverPage:
    """Decide what a domain's cutover page says."""
    card = card_of(domain, facts)
    course = facts.courses.get(domain.name)
    been = legs_of(domain, history.value.told if history.value else ())
    shown = been[-SHOWN_LEGS:]
    waits = _waits(card, domain, course, facts.now_s)
    to = ROLLBACK[domain.stage]
    return CutoverPage(
        card=card,
        now_s=facts.now_s,
        legs=(*shown, *_coming(domain, waits)),
        more=len(been) - len(shown),
        history_problem=history.problem or "",
        met=met_of(domain, course, facts),
        flips=flips,
        flips_problem=flips_problem,
        back_to=to.value,
        back_words=_SHOPPERS[to],
        is_back=domain.stage is Stage.LEGACY,
    )


def legs_of(domain: Domain, told: Sequence[Told]) -> tuple[Leg, ...]:
    """The places where a domain stood, oldest first, and where it stands last."""
    entered = [
        (one, move.after, move.direction)
        for one in told
        for move in moves_of(one)
        if move.domain == domain.name and move.after is not None and move.after != move.before
    ]
    found: list[Leg] = []
    for place, (one, after, _) in enumerate(entered):
        following = entered[place + 1] if place + 1 < len(entered) else None
        if following is None:
            break
        left_back = following[2] is Direction.BACKWARD
        stood_s = max(0.0, (following[0].at - one.at).total_seconds())
        found.append(
            _leg(one, after, Light.FAIL if left_back else Light.PASS,
                 "Taken back" if left_back else "Passed", f"stood {lasting(stood_s)}")
        )  # fmt: skip
    here = position(domain)
    if entered and entered[-1][1] == here:
        found.append(_leg(entered[-1][0], here, Light.INCONCLUSIVE, "Stands here", ""))
    else:
        # A hand's edit of the applied file, or a ledger that does not reach so far back.
        found.append(Leg(_words(here), Light.INCONCLUSIVE, "Stands here"))
    return tuple(found)


def _leg(one: Told, at: Position, light: Light, word: str, stood: str) -> Leg:
    return Leg(
        _words(at), light, word, one.at.timestamp(), stood, one.n, one.actor, one.reason
    )  # fmt: skip


def _words(at: Position) -> str:
    share = share_of_bp(at.core_share_bp)
    words = f"{at.stage.value} {share}" if at.stage is Stage.CANARY else at.stage.value
    return f"{words}{READS_ALONE}" if at.writes_stay else words


def _coming(domain: Domain, waits: tuple[str, ...]) -> tuple[Leg, ...]:
    """The places ahead, the ramp's shares among them."""
    steps = domain.ramp.steps_bp if domain.ramp is not None else ()
    shares = [f"canary {share_of_bp(one)}" for one in steps if one > domain.core_share_bp]
    ahead = {
        Stage.LEGACY: ["shadow", *(shares or ["canary"]), "core"],
        Stage.SHADOW: [*(shares or ["canary"]), "core"],
        Stage.CANARY: [*shares, "core"],
        Stage.CORE: ["retired"],
        Stage.RETIRED: [],
    }[domain.stage]
    return tuple(
        Leg(words, Light.OFF, "Next" if not place else "To come", waits=() if place else waits)
        for place, words in enumerate(ahead)
    )


def _waits(card: Card, domain: Domain, course: CourseLine | None, now_s: float) -> tuple[str, ...]:
    """What the next place waits for; where a ramp runs, that is its business."""
    in_ramp = domain.ramp is not None and domain.stage is Stage.CANARY
    is_led = in_ramp and is_steered(course, now_s)
    if is_led and course is not None and course.next_share_bp is not None:
        seen = {f"{one[:1].upper()}{one[1:]}." for one in course.findings}
        return tuple(one for one in card.by_itself if one not in seen or one == card.by_itself[0])
    return (card.next_step, *card.gate_aside)
