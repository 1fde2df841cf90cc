"""What a domain does by itself: go back when shoppers fare worse, take the next share when
they do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cutover.core.calendar import closed_because
from cutover.core.live import Both, Finding, Tally, judge_live
from cutover.core.stages import SERVING
from cutover.core.strata import Verdict
from proxy.routing import Domain, Ramp, RollbackRule, Side, Stage
from proxy.routing.values import spelled


class Move(StrEnum):
    """What is to be done with a domain now."""

    STAY = "stay"
    BACK = "back"
    NEXT_SHARE = "next_share"


@dataclass(frozen=True, slots=True)
class Course:
    """What a domain does, and why.

    Attributes:
        because: one sentence.
        finding: what was seen of both sides; None where nothing judges.
        share_bp: the share that comes next on the ramp, also while it is waited for; None
            where there is none.
        waits_s: for how long the ramp waits yet, as far as it can be told.
    """

    move: Move
    because: str
    finding: Finding | None = None
    share_bp: int | None = None
    waits_s: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a domain when its course is set.

    Attributes:
        since_step: what both sides answered since the domain stands as it does.
        lately: the same within the rule's window.
        known: what legacy was like when it last answered many.
        stood_s: how long the domain stands as it does; None where the ledger does not say.
    """

    since_step: Both = field(default_factory=dict)
    lately: Both = field(default_factory=dict)
    known: Tally = field(default_factory=Tally)
    stood_s: float | None = None


def course(domain: Domain, seen: Seen, at: datetime) -> Course:
    """Set a domain's course. Going back comes first, and waits for nothing."""
    finding = None
    if domain.rollback is not None and domain.stage in SERVING:
        finding = judge_live(domain.rollback, _spans(domain.rollback, seen), seen.known)
        if finding.verdict is Verdict.FAIL:
            return Course(Move.BACK, finding.sentences[0], finding)
    if domain.ramp is not None and domain.stage is Stage.CANARY:
        return _ramp(domain, domain.ramp, seen, at, finding)
    if finding is None:
        return Course(Move.STAY, _idle(domain))
    return Course(Move.STAY, finding.sentences[0], finding)


def _idle(domain: Domain) -> str:
    if domain.rollback is None:
        return "nothing takes it back by itself: it has no rollback"
    return f"in stage {domain.stage} no shopper meets the core"


def _spans(rule: RollbackRule, seen: Seen) -> Sequence[tuple[str, Both]]:
    return (
        (f"in the last {spelled(rule.window_s)}", seen.lately),
        ("since the last step", seen.since_step),
    )


def _ramp(domain: Domain, ramp: Ramp, seen: Seen, at: datetime, finding: Finding | None) -> Course:
    share = ramp.after(domain.core_share_bp)
    if share is None:
        return Course(Move.STAY, "its ramp is at its end", finding)
    answers = seen.since_step.get(Side.CORE, Tally()).answers
    waits = _waits(domain, ramp, seen, at, finding)
    if waits is not None:
        because, left_s = waits
        return Course(Move.STAY, because, finding, share, left_s)
    soaked = f"{spelled(ramp.soak_s)} and {answers:,} answers of the core at this share"
    return Course(Move.NEXT_SHARE, soaked, finding, share)


def _waits(
    domain: Domain, ramp: Ramp, seen: Seen, at: datetime, finding: Finding | None
) -> tuple[str, float | None] | None:
    """What a ramp waits for, and for how long where that is known; None for nothing."""
    if seen.stood_s is None:
        return "since when it stands here is not known", None
    if seen.stood_s < ramp.soak_s:
        return f"it has {spelled(ramp.soak_s)} to soak", ramp.soak_s - seen.stood_s
    answers = seen.since_step.get(Side.CORE, Tally()).answers
    if answers < ramp.requests:
        few = f"{answers:,} of {ramp.requests:,} answers of the core that a share has to see"
        return few, None
    if domain.calendar is not None and (closed := closed_because(domain.calendar, at)):
        return closed, None
    if finding is not None and finding.verdict is not Verdict.PASS:
        return finding.sentences[0], None
    return None
