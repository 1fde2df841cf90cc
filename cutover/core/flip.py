"""The protocol of a flip: which step follows which, and what a coordinator may still do.

A domain goes from its owner to the other side. The reverse flip is this table with the sides
swapped. `tests/models` visits every state of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import Control, Phase, Verdict
from proxy.routing import Stage


class Kind(StrEnum):
    """A rehearsal goes as far as the check of frozen data, and takes it all back."""

    FLIP = "flip"
    REHEARSAL = "rehearsal"


class Step(StrEnum):
    """What a coordinator does, in this order. Each can be done twice."""

    PREFLIGHT = "preflight"
    LEASE = "lease"
    HOLD = "hold"
    FENCE = "fence"
    CATCH_UP = "catch_up"
    VERIFY = "verify"
    NUMBERS = "numbers"
    COMMIT = "commit"
    GRANT = "grant"
    RELEASE = "release"
    WATCH = "watch"
    ABORT = "abort"
    REOPEN = "reopen"
    LET_GO = "let_go"


class Event(StrEnum):
    """What came of a step.

    failed: it did not happen, did not happen in time, or nobody knows. lost: the control row
    is not as this coordinator believes, so another one has decided or works on it.
    """

    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


class Ending(StrEnum):
    """What a flip comes to.

    look: what the control row says now decides how to go on; see `resume`. lost: another
    coordinator works on it; nothing may be touched.
    """

    NOTHING = "nothing"
    COMMITTED = "committed"
    ABORTED = "aborted"
    LOOK = "look"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the protocol.

    Attributes:
        phase: of the control row while the step is done.
        does: what happens, for people.
        done, failed, lost: what follows. A step that follows itself is tried for ever.
    """

    phase: Phase
    does: str
    done: Step | Ending
    failed: Step | Ending
    lost: Step | Ending = Ending.LOOK


_S = Step

FLIP: Mapping[Step, Rule] = {
    _S.PREFLIGHT: Rule(Phase.OWNED, "look at every gate", _S.LEASE, Ending.NOTHING, Ending.NOTHING),
    # Whether a lease that got no answer was taken is not known: the abort finds out.
    _S.LEASE: Rule(Phase.OWNED, "take the lease", _S.HOLD, _S.ABORT, Ending.NOTHING),
    _S.HOLD: Rule(Phase.FLIPPING, "let writes wait in the proxy", _S.FENCE, _S.ABORT),
    _S.FENCE: Rule(Phase.FLIPPING, "close the owner's gate", _S.CATCH_UP, _S.ABORT),
    _S.CATCH_UP: Rule(Phase.FLIPPING, "wait until all is across", _S.VERIFY, _S.ABORT),
    _S.VERIFY: Rule(Phase.FLIPPING, "compare what was touched", _S.NUMBERS, _S.ABORT),
    _S.NUMBERS: Rule(Phase.FLIPPING, "move counters on", _S.COMMIT, _S.ABORT),
    _S.COMMIT: Rule(Phase.FLIPPING, "decide: the other side owns", _S.GRANT, _S.ABORT),
    _S.GRANT: Rule(Phase.COMMITTED, "open the new owner's gate", _S.RELEASE, _S.GRANT),
    _S.RELEASE: Rule(Phase.COMMITTED, "route there, and let writes go on", _S.WATCH, _S.RELEASE),
    # Nothing of the flip is left to do: whatever becomes of the watch, the flip stays.
    _S.WATCH: Rule(
        Phase.OWNED, "look after it", Ending.COMMITTED, Ending.COMMITTED, Ending.COMMITTED
    ),
    _S.ABORT: Rule(Phase.FLIPPING, "decide: all stays", _S.REOPEN, _S.ABORT),
    _S.REOPEN: Rule(Phase.ABORTED, "open the owner's gate again", _S.LET_GO, _S.REOPEN),
    _S.LET_GO: Rule(Phase.ABORTED, "let writes go on", Ending.ABORTED, _S.LET_GO),
}

REHEARSAL: Mapping[Step, Rule] = {
    step: Rule(rule.phase, rule.does, _S.ABORT if step is _S.VERIFY else rule.done, rule.failed)
    if rule.lost is Ending.LOOK
    else rule
    for step, rule in FLIP.items()
    if step not in (_S.NUMBERS, _S.COMMIT, _S.GRANT, _S.RELEASE, _S.WATCH)
}

PROTOCOL: Mapping[Kind, Mapping[Step, Rule]] = {Kind.FLIP: FLIP, Kind.REHEARSAL: REHEARSAL}


def next_step(kind: Kind, step: Step, event: Event) -> Step | Ending:
    """What follows a step that ended so."""
    rule = PROTOCOL[kind][step]
    match event:
        case Event.DONE:
            return rule.done
        case Event.FAILED:
            return rule.failed
        case Event.LOST:
            return rule.lost


def resume(control: Control, holder: str) -> Step | Ending:
    """How the holder goes on with a domain whose row says this.

    1. A coordinator dies between hold and commit, 2. another one sees its beat stand still for
    seconds and takes over, 3. by then the hold is over and shoppers get errors. So what is
    undecided is given up, and what is decided is finished, whatever the journal's last line.
    """
    if control.phase is Phase.OWNED:
        return Ending.NOTHING
    if control.holder != holder:
        return Ending.LOST
    match control.phase:
        case Phase.FLIPPING:
            return Step.ABORT
        case Phase.COMMITTED:
            return Step.GRANT
        case Phase.ABORTED:
            return Step.REOPEN


def fence_term(term: int) -> int:
    """The term of the fence of a flip that begins at `term`; the target's barrier reaches it."""
    return term + 1


def committed(owner: Side, term: int) -> Verdict:
    """A flip that began with this owner and term, done."""
    return Verdict(Phase.COMMITTED, owner.other, term + 2)


def aborted(owner: Side, term: int) -> Verdict:
    """The same given up. Its term is burnt, so a coordinator that sleeps finds none of it."""
    return Verdict(Phase.ABORTED, owner, term + 2)


def routed_stage(stage: Stage, owner: Side) -> Stage:
    """The stage of a routing domain whose writes go to an owner; kept where it does already."""
    to_core = stage in (Stage.CORE, Stage.RETIRED)
    if owner is Side.CORE:
        return stage if to_core else Stage.CORE
    return Stage.LEGACY if to_core or stage is Stage.CANARY else stage
