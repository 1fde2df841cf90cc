"""What is learned of an attempt, and what follows from it. Pure.

Amounts are booked as the difference between the gateway's totals and ours, so that the same
news twice, or old news late, books nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from new_core.domain.gateway import Book, BookState, Charged, MoveKind, Reach
from new_core.domain.payment import Attempt, AttemptState, EventKind, IntentState, PaymentIntent
from new_core.domain.payment_states import UNDER_WAY, Told, after

_LOST = frozenset(
    {
        AttemptState.DECLINED,
        AttemptState.FAILED_BEFORE_SEND,
        AttemptState.NOT_FOUND,
        AttemptState.EXPIRED,
    }
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait before looking, in seconds.

    Attributes:
        look_s: an attempt that was sent so long ago, or lost its answer, is looked up.
        quiet_s: only after so long does "not found" mean that it never will be: before, the
            request may still be on its way.
        late_s: after so long an attempt that was given up is looked up once more.
    """

    look_s: float = 5.0
    quiet_s: float = 60.0
    late_s: float = 900.0


@dataclass(frozen=True, slots=True)
class News:
    """An event that is to be written down."""

    kind: EventKind
    minor: int = 0
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Learned:
    """What an attempt and its payment are after something was learned.

    Attributes:
        is_final: the payment came to its end by this: whoever opened it is told.
        owed: money that nobody wants any more has to go back this way.
        told: what it was; None when it was nothing new.
    """

    attempt: Attempt
    state: IntentState
    news: tuple[News, ...] = ()
    is_final: bool = False
    owed: MoveKind | None = None
    redirect_url: str = ""
    told: Told | None = None


def sent(attempt: Attempt, gateway: str, now: datetime, pace: Pace) -> Attempt:
    """The attempt, about to be sent."""
    return replace(
        attempt,
        gateway=gateway,
        state=AttemptState.SENDING,
        sent_at=now,
        look_at=now + timedelta(seconds=pace.look_s),
    )


def learn(
    intent: PaymentIntent, attempt: Attempt, charged: Charged, now: datetime, pace: Pace
) -> Learned:
    """What follows from what a gateway answered, or did not."""
    if charged.reach is Reach.ANSWERED and charged.book is not None:
        return learn_book(intent, attempt, charged.book, now, pace)
    not_sent = charged.reach is Reach.NOT_SENT
    told = Told.NOT_SENT if not_sent else Told.NO_ANSWER
    state = after(attempt.state, told)
    if state is None:
        return Learned(attempt, intent.state)
    changed = replace(attempt, state=state, reason=charged.reason)
    if not_sent:
        changed = replace(changed, resolved_at=now, look_at=None)
        return Learned(changed, intent.state, (News(EventKind.NOT_SENT),), told=told)
    changed = replace(changed, look_at=now + timedelta(seconds=pace.look_s))
    return Learned(changed, intent.state, (News(EventKind.UNKNOWN),), told=told)


def learn_missing(intent: PaymentIntent, attempt: Attempt, now: datetime, pace: Pace) -> Learned:
    """What follows from the gateway's books not having an attempt.

    1. A request hangs on its way, 2. we look it up and do not find it, 3. it arrives and
    charges. So it counts as missing only after the quiet time, and is looked up once more
    much later.
    """
    if attempt.state not in UNDER_WAY:
        return Learned(replace(attempt, look_at=None), intent.state)
    quiet_until = (attempt.sent_at or now) + timedelta(seconds=pace.quiet_s)
    if now < quiet_until:
        waiting = replace(
            attempt, state=AttemptState.UNKNOWN, look_at=quiet_until, looks=attempt.looks + 1
        )
        return Learned(waiting, intent.state)
    missing = replace(
        attempt,
        state=AttemptState.NOT_FOUND,
        reason="not_found",
        resolved_at=now,
        look_at=now + timedelta(seconds=pace.late_s),
        looks=attempt.looks + 1,
    )
    return Learned(missing, intent.state, (News(EventKind.MISSED),), told=Told.NOT_FOUND)


def learn_book(
    intent: PaymentIntent, attempt: Attempt, book: Book, now: datetime, pace: Pace
) -> Learned:
    """What follows from what the gateway's books say."""
    known = replace(attempt, gateway_ref=book.ref or attempt.gateway_ref)
    if book.state is BookState.PENDING:
        return _pending(intent, known, book, now, pace)
    if book.state in (BookState.AUTHORISED, BookState.CAPTURED):
        return _success(intent, known, book, now)
    return _end(intent, known, book, now)


def _pending(
    intent: PaymentIntent, attempt: Attempt, book: Book, now: datetime, pace: Pace
) -> Learned:
    if attempt.state not in UNDER_WAY:
        return Learned(replace(attempt, look_at=None), intent.state)
    looks = attempt.looks + 1
    pause_s = pace.look_s * min(looks, 60)
    waiting = replace(
        attempt,
        state=AttemptState.UNKNOWN,
        reason="waits for the shopper",
        looks=looks,
        look_at=now + timedelta(seconds=pause_s),
    )
    first = attempt.state is AttemptState.SENDING
    news = (News(EventKind.UNKNOWN, raw=book.raw),) if first else ()
    told = Told.NO_ANSWER if first else None
    return Learned(waiting, intent.state, news, redirect_url=book.redirect_url, told=told)


def _success(intent: PaymentIntent, attempt: Attempt, book: Book, now: datetime) -> Learned:
    took = book.state is BookState.CAPTURED
    told = Told.CAPTURED if took else Told.AUTHORISED
    state = after(attempt.state, told) or attempt.state
    news = tuple(_moved(attempt, book))
    changed = replace(
        attempt,
        state=state,
        reason="" if state is not attempt.state else attempt.reason,
        authorised_minor=max(attempt.authorised_minor, book.authorised_minor),
        captured_minor=max(attempt.captured_minor, book.captured_minor),
        refunded_minor=max(attempt.refunded_minor, book.refunded_minor),
        resolved_at=attempt.resolved_at or now,
        look_at=None,
    )
    wins = intent.state is IntentState.OPEN and attempt.state in UNDER_WAY
    lost = attempt.state in _LOST or intent.state in (IntentState.CANCELLED, IntentState.FAILED)
    return Learned(
        changed,
        IntentState.WON if wins else intent.state,
        news,
        is_final=wins,
        owed=_owed(changed) if lost else None,
        told=told if news or state is not attempt.state else None,
    )


def _moved(attempt: Attempt, book: Book) -> list[News]:
    """An event for every total that grew."""
    grown = (
        (EventKind.AUTHORISED, book.authorised_minor - attempt.authorised_minor),
        (EventKind.CAPTURED, book.captured_minor - attempt.captured_minor),
        (EventKind.REFUNDED, book.refunded_minor - attempt.refunded_minor),
    )
    return [News(kind, minor, book.raw) for kind, minor in grown if minor > 0]


def _owed(attempt: Attempt) -> MoveKind | None:
    if attempt.captured_minor > attempt.claimed_minor:
        return MoveKind.REFUND
    if attempt.authorised_minor and not attempt.captured_minor:
        return MoveKind.VOID
    return None


_ENDS = {
    BookState.DECLINED: (Told.DECLINED, EventKind.DECLINED),
    BookState.VOIDED: (Told.VOIDED, EventKind.VOIDED),
    BookState.EXPIRED: (Told.EXPIRED, EventKind.EXPIRED),
}


def _end(intent: PaymentIntent, attempt: Attempt, book: Book, now: datetime) -> Learned:
    told, kind = _ENDS[book.state]
    if attempt.state in UNDER_WAY:
        # Let go of before it was ours is the same as declined.
        told, kind = Told.DECLINED, EventKind.DECLINED
    state = after(attempt.state, told)
    if state is None:
        return Learned(replace(attempt, look_at=None), intent.state)
    changed = replace(
        attempt,
        state=state,
        reason=book.reason or book.state.value,
        is_retryable=book.is_retryable,
        resolved_at=now,
        look_at=None,
    )
    return Learned(changed, intent.state, (News(kind, raw=book.raw),), told=told)
