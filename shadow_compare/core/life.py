"""The life of a mismatch group: its states, who may move it between them, and when it is over.

A state is what people and the comparer think of a group. It decides nothing about parity:
only a rule in routing.yaml makes a difference an accepted one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum

#: A group is closed when its rate is shown to have fallen to less than one in this many.
FALL = 10
#: How sure that is, in basis points.
CLOSING_CONFIDENCE_BP = 9_500


class State(StrEnum):
    """new: nobody looked yet. triaged: somebody owns it. accepted: known and left alone
    until a day. fixed: it should not come again. regressed: it was fixed and came again.
    """

    NEW = "new"
    TRIAGED = "triaged"
    ACCEPTED = "accepted"
    FIXED = "fixed"
    REGRESSED = "regressed"


class Act(StrEnum):
    """What moves a group. The first three are a person's, the others the comparer's.

    hit: it was seen. quiet: it was not seen for so long that its rate must have fallen.
    expire: the last day of an acceptance is over.
    """

    TRIAGE = "triage"
    ACCEPT = "accept"
    FIX = "fix"
    HIT = "hit"
    QUIET = "quiet"
    EXPIRE = "expire"


BY_PEOPLE = (Act.TRIAGE, Act.ACCEPT, Act.FIX)

#: What is not in here is not allowed. An accepted group is never closed for being quiet:
#: a person has said how long it is to be left alone.
TRANSITIONS: Mapping[State, Mapping[Act, State]] = {
    State.NEW: {
        Act.TRIAGE: State.TRIAGED,
        Act.ACCEPT: State.ACCEPTED,
        Act.FIX: State.FIXED,
        Act.HIT: State.NEW,
        Act.QUIET: State.FIXED,
    },
    State.TRIAGED: {
        Act.TRIAGE: State.TRIAGED,
        Act.ACCEPT: State.ACCEPTED,
        Act.FIX: State.FIXED,
        Act.HIT: State.TRIAGED,
        Act.QUIET: State.FIXED,
    },
    State.ACCEPTED: {
        Act.TRIAGE: State.TRIAGED,
        Act.ACCEPT: State.ACCEPTED,
        Act.FIX: State.FIXED,
        Act.HIT: State.ACCEPTED,
        Act.EXPIRE: State.TRIAGED,
    },
    State.FIXED: {
        Act.TRIAGE: State.TRIAGED,
        Act.HIT: State.REGRESSED,
    },
    State.REGRESSED: {
        Act.TRIAGE: State.TRIAGED,
        Act.ACCEPT: State.ACCEPTED,
        Act.FIX: State.FIXED,
        Act.HIT: State.REGRESSED,
        Act.QUIET: State.FIXED,
    },
}


@dataclass(frozen=True, slots=True)
class Life:
    """Where a group stands.

    Attributes:
        since_s: when it came into this state, seconds since 1970; 0 when never moved.
        by: who moved it there; "" for the comparer.
        expires: last day of an acceptance, None in every other state.
        note: why the comparer moved it, or the reason that a person gave.
    """

    state: State = State.NEW
    since_s: float = 0.0
    by: str = ""
    owner: str = ""
    note: str = ""
    ticket: str = ""
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants done with a group.

    Attributes:
        owner: who answers for it; "" keeps the present one.
        reason: why; an acceptance must have one.
        expires: last day of an acceptance.
    """

    act: Act
    by: str
    owner: str = ""
    reason: str = ""
    ticket: str = ""
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a group's journal: who moved it, when, from where to where, and why."""

    at_s: float
    by: str
    act: Act
    before: State
    after: State
    owner: str = ""
    note: str = ""
    ticket: str = ""
    expires: date | None = None


MAX_DAYS = 730
TEXT_LIMIT = 500


def problem_with(life: Life, wish: Wish, today: date) -> str | None:
    """Why a wish cannot be granted, with the way out; None when it can."""
    if wish.act not in BY_PEOPLE:
        return f"{wish.act.value} is the comparer's to say"
    if wish.act not in TRANSITIONS[life.state]:
        return f"a group that is {life.state.value} cannot be moved by {wish.act.value}"
    return _unfit_words(wish) or _unfit_terms(life, wish, today)


def _unfit_words(wish: Wish) -> str | None:
    texts = {"name": wish.by, "owner": wish.owner, "reason": wish.reason, "ticket": wish.ticket}
    long = next((name for name, text in texts.items() if len(text) > TEXT_LIMIT), None)
    if long is not None:
        return f"the {long} is longer than {TEXT_LIMIT} characters"
    return None if wish.by.strip() else "it must say who does it"


def _unfit_terms(life: Life, wish: Wish, today: date) -> str | None:
    match wish.act:
        case Act.ACCEPT:
            return _unfit_acceptance(life, wish, today)
        case Act.TRIAGE if not (wish.owner or life.owner):
            return "triage names an owner: who looks into it"
        case _ if wish.expires is not None:
            return "only an acceptance expires"
        case _:
            return None


def _unfit_acceptance(life: Life, wish: Wish, today: date) -> str | None:
    if not (wish.owner or life.owner):
        return "an acceptance names an owner: who answers for it"
    if not wish.reason.strip():
        return "an acceptance says why: give a reason"
    if wish.expires is None:
        return "an acceptance ends: give its last day"
    if wish.expires < today:
        return f"{wish.expires} is over; give a last day that is to come"
    if (wish.expires - today).days > MAX_DAYS:
        return f"{wish.expires} is more than {MAX_DAYS} days away; accept it for less and renew"
    return None


def granted(life: Life, wish: Wish, now_s: float) -> Life:
    """The group after a wish that `problem_with` found nothing against."""
    return Life(
        state=TRANSITIONS[life.state][wish.act],
        since_s=now_s,
        by=wish.by,
        owner=wish.owner or life.owner,
        note=wish.reason,
        ticket=wish.ticket or life.ticket,
        expires=wish.expires if wish.act is Act.ACCEPT else None,
    )


def moved(life: Life, act: Act, note: str, now_s: float) -> Life:
    """The group after something that the comparer saw; owner and ticket stay."""
    after = TRANSITIONS[life.state].get(act, life.state)
    if after is life.state:
        return life
    return replace(life, state=after, since_s=now_s, by="", note=note, expires=None)


def entry_of(before: Life, after: Life, act: Act) -> Entry:
    """What the journal says of a move."""
    return Entry(
        after.since_s,
        after.by,
        act,
        before.state,
        after.state,
        after.owner,
        after.note,
        after.ticket,
        after.expires,
    )


def as_of(life: Life, now_s: float) -> Life:
    """The group as it stands now: an acceptance whose last day is over has expired.

    Readers need not wait for the comparer to say so.
    """
    if life.state is not State.ACCEPTED or life.expires is None:
        return life
    if datetime.fromtimestamp(now_s, UTC).date() <= life.expires:
        return life
    return moved(life, Act.EXPIRE, expiry_note(life), end_of(life.expires))


def expiry_note(life: Life) -> str:
    """Why an acceptance is over."""
    return f"the acceptance until {life.expires} is over; its reason was: {life.note}"


def end_of(day: date) -> float:
    """The first moment after a UTC day, seconds since 1970."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start.timestamp() + 24 * 3_600


def quiet_after(
    hits: int, compared: int, *, fall: int = FALL, confidence_bp: int = CLOSING_CONFIDENCE_BP
) -> int:
    """Comparisons without a hit that show that a group's rate fell.

    A group was seen `hits` times in `compared` comparisons of its route. When its rate were
    still a `fall`-th of that or more, this many comparisons would pass without a hit in at
    most 1 - confidence of the cases. The rate itself is known from few hits only, and that
    is accounted for: given hits + 0 hits altogether, each fell into the later stretch with
    a chance of at least (later/fall) / (compared + later/fall), so none did with at most
    (compared / (compared + later/fall)) ** hits. With many hits this tends to
    3.0 x fall / rate; one single hit takes 19 x fall x compared.

    Raises:
        ValueError: a group was seen at least once, in at least as many comparisons.
    """
    if not 1 <= hits <= compared:
        raise ValueError(f"{hits} hits of {compared} comparisons cannot be")
    doubt = (10_000 - confidence_bp) / 10_000
    return math.ceil(compared * fall * math.expm1(-math.log(doubt) / hits))
