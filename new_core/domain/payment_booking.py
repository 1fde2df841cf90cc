"""What is learned of an attempt, and what follows from it. Pure.

Amounts are booked as the difference between the gateway's totals and ours, so that the same
news twice, or old news late, books nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from new_core.domain.gateway import (
    Book,
    BookedMove,
    BookState,
    Charged,
    MoveKind,
    MoveState,
    Reach,
)
from new_core.domain.payment import Attempt, AttemptState, EventKind, IntentState
from new_core.domain.payment_move import OPEN_MOVES, Payment, PaymentMove
from new_core.domain.payment_states import LOST, UNDER_WAY, Told, after

_LONGEST_PAUSE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait before looking, in seconds.

    Attributes:
        look_s: an attempt that was sent so long ago, or lost its answer, is looked up.
        quiet_s: only after so long does "not found" mean that it never will be: before, the
            request may still be on its way.
        late_s: after so long an attempt that was given up is looked up once more.
        confirm_s: how long a shopper has to confirm a payment at the gateway.
    """

    look_s: float = 15.0
    quiet_s: float = 60.0
    late_s: float = 900.0
    confirm_s: float = 3600.0

    def again(self, looks: int, now: datetime) -> datetime:
        """When to look after so many looks: ever less often."""
        pause_s = min(self.look_s * 2 ** min(looks, 20), _LONGEST_PAUSE_S)
        return now + timedelta(seconds=pause_s)


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
        attempt: as it is now, but for what is claimed for refunds.
        is_final: the payment came to its end by this: whoever opened it is told.
        owed: money that nobody wants any more has to go back this way.
        moves: those that changed.
        claim_minor: how much more is claimed for refunds now; negative for less.
    """

    attempt: Attempt
    state: IntentState
    news: tuple[News, ...] = ()
    is_final: bool = False
    owed: MoveKind | None = None
    redirect_url: str = ""
    moves: tuple[PaymentMove, ...] = ()
    claim_minor: int = 0


def sent(attempt: Attempt, gateway: str, now: datetime, pace: Pace) -> Attempt:
    """The attempt, about to be sent."""
    return replace(
        attempt,
        gateway=gateway,
        state=AttemptState.SENDING,
        sent_at=now,
        look_at=pace.again(0, now),
    )


def learn(
    payment: Payment, attempt: Attempt, charged: Charged, now: datetime, pace: Pace
) -> Learned:
    """What follows from what a gateway answered, or did not."""
    if charged.reach is Reach.ANSWERED and charged.book is not None:
        return learn_book(payment, attempt, charged.book, now, pace)
    was = payment.intent.state
    not_sent = charged.reach is Reach.NOT_SENT
    state = after(attempt.state, Told.NOT_SENT if not_sent else Told.NO_ANSWER)
    if state is None:
        return Learned(attempt, was)
    changed = replace(attempt, state=state, reason=charged.reason)
    if not_sent:
        changed = replace(changed, resolved_at=now, look_at=None)
        return Learned(changed, was, (News(EventKind.NOT_SENT),))
    changed = replace(changed, look_at=pace.again(0, now))
    return Learned(changed, was, (News(EventKind.UNKNOWN),))


def learn_missing(payment: Payment, attempt: Attempt, now: datetime, pace: Pace) -> Learned:
    """What follows from the gateway's books not having an attempt.

    1. A request hangs on its way, 2. we look it up and do not find it, 3. it arrives and
    charges. So it counts as missing only after the quiet time, and is looked up once more
    much later.
    """
    was = payment.intent.state
    if attempt.state not in UNDER_WAY:
        return Learned(replace(attempt, look_at=None), was)
    looks = attempt.looks + 1
    quiet_until = (attempt.sent_at or now) + timedelta(seconds=pace.quiet_s)
    if now < quiet_until:
        first = attempt.state is AttemptState.SENDING
        waiting = replace(attempt, state=AttemptState.UNKNOWN, look_at=quiet_until, looks=looks)
        return Learned(waiting, was, (News(EventKind.UNKNOWN),) if first else ())
    missing = replace(
        attempt,
        state=AttemptState.NOT_FOUND,
        reason="not_found",
        resolved_at=now,
        look_at=now + timedelta(seconds=pace.late_s),
        looks=looks,
    )
    return Learned(missing, was, (News(EventKind.MISSED),))


def learn_book(
    payment: Payment, attempt: Attempt, book: Book, now: datetime, pace: Pace
) -> Learned:
    """What follows from what the gateway's books say."""
    known = replace(attempt, gateway_ref=book.ref or attempt.gateway_ref)
    if book.state is BookState.PENDING:
        return _pending(payment, known, book, now, pace)
    if book.state in (BookState.AUTHORISED, BookState.CAPTURED):
        return _success(payment, known, book, now)
    return _end(payment, known, book, now)


def _pending(payment: Payment, attempt: Attempt, book: Book, now: datetime, pace: Pace) -> Learned:
    was = payment.intent.state
    if attempt.state not in UNDER_WAY:
        return Learned(replace(attempt, look_at=None), was)
    waiting = replace(
        attempt,
        state=AttemptState.UNKNOWN,
        reason="waits for the shopper",
        looks=attempt.looks + 1,
        look_at=pace.again(attempt.looks, now),
    )
    confirm_until = (attempt.sent_at or now) + timedelta(seconds=pace.confirm_s)
    # Nobody waits for the shopper any more, and a confirmation must not come through.
    is_over = was is not IntentState.OPEN or now >= confirm_until
    owed = MoveKind.VOID if is_over else None
    first = attempt.state is AttemptState.SENDING
    news = (News(EventKind.UNKNOWN, raw=book.raw),) if first else ()
    return Learned(waiting, was, news, owed=owed, redirect_url=book.redirect_url)


def _success(payment: Payment, attempt: Attempt, book: Book, now: datetime) -> Learned:
    intent = payment.intent
    told = Told.CAPTURED if book.state is BookState.CAPTURED else Told.AUTHORISED
    news = tuple(_grown(attempt, book))
    changed = replace(
        attempt,
        state=after(attempt.state, told) or attempt.state,
        authorised_minor=max(attempt.authorised_minor, book.authorised_minor),
        captured_minor=max(attempt.captured_minor, book.captured_minor),
        refunded_minor=max(attempt.refunded_minor, book.refunded_minor),
        resolved_at=attempt.resolved_at or now,
        look_at=None,
    )
    if changed.state is not attempt.state:
        changed = replace(changed, reason="")
    moves = _moves_in(payment, attempt, book)
    changed, disputed = _disputed(_refunds_seen(payment, changed, moves), book)
    wins = intent.state is IntentState.OPEN and attempt.state in UNDER_WAY
    unwanted = (
        attempt.state in LOST
        or intent.state in (IntentState.CANCELLED, IntentState.FAILED)
        or _was_to_be_let_go(payment, attempt)
    )
    claim = _claimed(payment, changed, moves) - attempt.claimed_minor
    return Learned(
        changed,
        IntentState.WON if wins else intent.state,
        (*news, *disputed),
        is_final=wins,
        owed=_owed(changed, claim) if unwanted else None,
        moves=moves,
        claim_minor=claim,
    )


def _was_to_be_let_go(payment: Payment, attempt: Attempt) -> bool:
    """1. An order is cancelled and its promise to be let go, 2. somebody captures it at the
    gateway's own desk, 3. the void is refused: what was captured goes back.
    """
    mine = (one for one in payment.moves if one.attempt_id == attempt.id)
    return any(one.is_owed and one.kind is MoveKind.VOID for one in mine)


def _grown(attempt: Attempt, book: Book) -> list[News]:
    """An event for every total that grew."""
    grown = (
        (EventKind.AUTHORISED, book.authorised_minor - attempt.authorised_minor),
        (EventKind.CAPTURED, book.captured_minor - attempt.captured_minor),
        (EventKind.REFUNDED, book.refunded_minor - attempt.refunded_minor),
    )
    return [News(kind, minor, book.raw) for kind, minor in grown if minor > 0]


def _moves_in(payment: Payment, attempt: Attempt, book: Book) -> tuple[PaymentMove, ...]:
    """Our open moves that the books know the end of."""
    refunds = {one.id: one for one in book.refunds}
    changed = []
    for move in payment.open_moves(attempt.id):
        if move.state is MoveState.ASKED:
            continue
        found = _end_of(move, attempt, book, refunds.get(move.id))
        if found is not None:
            changed.append(found)
    return tuple(changed)


def _end_of(
    move: PaymentMove, attempt: Attempt, book: Book, refund: BookedMove | None
) -> PaymentMove | None:
    done = replace(move, state=MoveState.DONE, look_at=None, problem="")
    if move.kind is MoveKind.CAPTURE:
        return done if book.captured_minor >= attempt.captured_minor + move.minor else None
    if move.kind is MoveKind.VOID:
        return _end_of_void(done, book.state)
    if refund is None or refund.state not in (MoveState.DONE, MoveState.REFUSED):
        return None
    return replace(done, state=refund.state, gateway_ref=refund.ref, problem=refund.reason)


def _end_of_void(done: PaymentMove, state: BookState) -> PaymentMove | None:
    if state is BookState.CAPTURED:
        return replace(done, state=MoveState.REFUSED, problem="captured")
    # A charge that never came to be needs no void.
    over = (BookState.VOIDED, BookState.EXPIRED, BookState.DECLINED)
    return done if state in over else None


def refunds_settled(attempt: Attempt, has_open: bool) -> Attempt:
    """An attempt in the state that its refunds put it in."""
    state = attempt.state
    is_back = 0 < attempt.captured_minor <= attempt.refunded_minor
    if state in LOST:
        return replace(attempt, state=AttemptState.REFUNDED) if is_back else attempt
    if state is AttemptState.CAPTURED and (has_open or is_back):
        state = after(state, Told.REFUND_BEGUN) or state
    if state is AttemptState.REFUNDING and not has_open:
        state = after(state, Told.ALL_REFUNDED if is_back else Told.REFUND_ENDED) or state
    return replace(attempt, state=state)


def _refunds_seen(payment: Payment, attempt: Attempt, changed: tuple[PaymentMove, ...]) -> Attempt:
    return refunds_settled(attempt, bool(open_refunds(payment, attempt, changed)))


def open_refunds(
    payment: Payment, attempt: Attempt, changed: tuple[PaymentMove, ...] = ()
) -> tuple[PaymentMove, ...]:
    """Refunds of an attempt that are not over, once `changed` is written."""
    now = {one.id: one for one in changed}
    refunds = (one for one in payment.moves if one.kind is MoveKind.REFUND)
    mine = (now.get(one.id, one) for one in refunds if one.attempt_id == attempt.id)
    return tuple(one for one in mine if one.state in OPEN_MOVES)


def _claimed(payment: Payment, attempt: Attempt, changed: tuple[PaymentMove, ...]) -> int:
    """What is refunded, by us or at the gateway's own desk, and what is about to be."""
    under_way = sum(one.minor for one in open_refunds(payment, attempt, changed))
    return min(attempt.captured_minor, attempt.refunded_minor + under_way)


def _disputed(attempt: Attempt, book: Book) -> tuple[Attempt, tuple[News, ...]]:
    state = after(attempt.state, Told.DISPUTED) if book.is_disputed else None
    if state is None:
        return attempt, ()
    return replace(attempt, state=state), (News(EventKind.DISPUTED, raw=book.raw),)


def _owed(attempt: Attempt, claim_minor: int) -> MoveKind | None:
    if attempt.captured_minor > attempt.claimed_minor + claim_minor:
        return MoveKind.REFUND
    if attempt.authorised_minor and not attempt.captured_minor:
        return MoveKind.VOID
    return None


_ENDS = {
    BookState.DECLINED: (Told.DECLINED, EventKind.DECLINED),
    BookState.VOIDED: (Told.VOIDED, EventKind.VOIDED),
    BookState.EXPIRED: (Told.EXPIRED, EventKind.EXPIRED),
}


def _end(payment: Payment, attempt: Attempt, book: Book, now: datetime) -> Learned:
    was = payment.intent.state
    told, kind = _ENDS[book.state]
    if attempt.state in UNDER_WAY:
        # Let go of before it was ours is the same as declined.
        told, kind = Told.DECLINED, EventKind.DECLINED
    moves = _moves_in(payment, attempt, book)
    state = after(attempt.state, told)
    if state is None:
        return Learned(replace(attempt, look_at=None), was, moves=moves)
    changed = replace(
        attempt,
        state=state,
        reason=book.reason or book.state.value,
        is_retryable=book.is_retryable,
        resolved_at=now,
        look_at=None,
    )
    return Learned(changed, was, (News(kind, raw=book.raw),), moves=moves)
