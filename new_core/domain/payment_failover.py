"""Whether to try a payment again, and where: a pure decision.

A timeout is never a reason: the first gateway may have charged. Another one is tried only
after a decline that another may take, after a call that did not leave, and after the gateway's
own books were found not to have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from new_core.domain.gateway_health import Breaker
from new_core.domain.payment import Attempt, AttemptState
from new_core.domain.payment_states import HOLDING, UNDER_WAY


@dataclass(frozen=True, slots=True)
class Budget:
    """What one payment may cost in time and tries.

    Attributes:
        spent_s: an attempt begins only before this, counted from the first of this call.
    """

    attempts: int = 3
    spent_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A gateway that takes this payment's method and currency, best first."""

    code: str
    breaker: Breaker = Breaker.CLOSED


@dataclass(frozen=True, slots=True)
class TryAt:
    """Send the next attempt to this gateway."""

    gateway: str


@dataclass(frozen=True, slots=True)
class StandStill:
    """Nothing may be sent: an attempt is under way, or has the money."""

    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The payment failed, and nothing was charged."""

    reason: str


Step = TryAt | StandStill | GiveUp

_TRY_AGAIN = frozenset({AttemptState.FAILED_BEFORE_SEND, AttemptState.NOT_FOUND})


def next_step(
    attempts: Sequence[Attempt], candidates: Sequence[Candidate], spent_s: float, budget: Budget
) -> Step:
    """What to do now, knowing all attempts of a payment in their order.

    A gateway that never heard of an attempt is asked once more only where no other one is
    left; one that declined is not asked again.
    """
    made = [one for one in attempts if one.state is not AttemptState.CREATED]
    standing = next((one for one in made if one.state in UNDER_WAY | HOLDING), None)
    if standing is not None:
        return StandStill(f"attempt {standing.number} is {standing.state}")
    if made and not _may_follow(made[-1]):
        return GiveUp(made[-1].reason or made[-1].state.value)
    if len(made) >= budget.attempts:
        return GiveUp("every attempt that may be made was made")
    if made and spent_s >= budget.spent_s:
        return GiveUp("there was no time for another attempt")
    gateway = _choose(made, candidates)
    if gateway is None:
        return GiveUp(made[-1].reason if made else "no gateway takes this payment now")
    return TryAt(gateway)


def _may_follow(last: Attempt) -> bool:
    if last.state is AttemptState.DECLINED:
        return last.is_retryable
    return last.state in _TRY_AGAIN


def _choose(made: Sequence[Attempt], candidates: Sequence[Candidate]) -> str | None:
    well = [one.code for one in candidates if one.breaker is not Breaker.OPEN]
    tried = {one.gateway for one in made}
    declined = {one.gateway for one in made if one.state not in _TRY_AGAIN}
    fresh = (code for code in well if code not in tried)
    again = (code for code in well if code not in declined)
    return next(fresh, None) or next(again, None)
