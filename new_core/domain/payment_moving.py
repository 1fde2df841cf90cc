"""Captures, voids and refunds: what may be asked for, and what follows from its end. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from new_core.domain.gateway import Moved, MoveKind, MoveState, Reach
from new_core.domain.order import Paid
from new_core.domain.payment import Attempt, AttemptState, EventKind
from new_core.domain.payment_booking import Learned, News, Pace, open_refunds, refunds_settled
from new_core.domain.payment_move import MOVES, Payment, PaymentMove
from new_core.domain.payment_states import HOLDING, LOST, UNDER_WAY, Told, after
from new_core.errors import Conflict, Detail, InvalidValue


def may_move(payment: Payment, kind: MoveKind, minor: int | None) -> tuple[Attempt, int]:
    """The attempt whose money can be moved so, and how much it will be: all that there is
    when `minor` is None.

    Raises:
        Conflict: there is no such money now.
        InvalidValue: no such amount can be moved.
    """
    attempt = payment.winner
    if attempt is None or attempt.state not in HOLDING:
        stands = payment.intent.state.value if attempt is None else attempt.state.value
        raise Conflict("payment_not_held", f"nothing is held: the payment is {stands}")
    there = _there(payment, attempt, kind)
    if kind is MoveKind.VOID and minor is not None and minor != there:
        raise InvalidValue("amount", "of a void is all that was promised")
    wanted = there if minor is None else minor
    if wanted < 1:
        raise Conflict(f"nothing_to_{kind.value}", f"there is nothing left to {kind.value}")
    if wanted > there:
        raise too_much(kind, wanted, there)
    return attempt, wanted


def too_much(kind: MoveKind, wanted: int, there: int) -> Conflict:
    """More is asked for than there is."""
    detail = f"more is asked for than there is to {kind.value}"
    meta: dict[str, object] = {"wanted_minor": wanted, "there_minor": there}
    reason = Detail("/amount", f"{kind.value}_too_large", detail, meta)
    return Conflict(f"{kind.value}_too_large", detail, (reason,))


def _there(payment: Payment, attempt: Attempt, kind: MoveKind) -> int:
    if kind is MoveKind.REFUND:
        return attempt.captured_minor - attempt.claimed_minor
    if attempt.state is not AttemptState.AUTHORISED:
        raise Conflict("payment_captured", "the money was taken already")
    if payment.open_moves(attempt.id):
        raise Conflict("move_in_progress", "another capture or void is under way")
    return attempt.authorised_minor


def to_send(move: PaymentMove, now: datetime, pace: Pace) -> PaymentMove:
    """The move, about to be sent."""
    return replace(move, state=MoveState.SENDING, sent_at=now, look_at=pace.again(0, now))


def learn_moved(
    payment: Payment, move: PaymentMove, moved: Moved, now: datetime, pace: Pace
) -> Learned:
    """What follows from what a gateway answered to a move, or did not."""
    if moved.reach is Reach.NOT_SENT:
        return _not_done(payment, move, "not_sent", now, pace)
    if moved.reach is Reach.NO_ANSWER or moved.state is MoveState.UNKNOWN:
        waits = replace(
            move,
            state=MoveState.UNKNOWN,
            gateway_ref=moved.ref,
            problem=moved.reason,
            look_at=pace.again(move.looks, now),
        )
        return _only(payment, waits)
    if moved.state is MoveState.REFUSED:
        return _refused(payment, move, moved.reason, now, pace)
    return _done(payment, move, moved, now)


def learn_not_there(payment: Payment, move: PaymentMove, now: datetime, pace: Pace) -> Learned:
    """What follows from the gateway's books not having a move, or not knowing its end.

    As with attempts, that means something only after the quiet time.
    """
    quiet_until = (move.sent_at or now) + timedelta(seconds=pace.quiet_s)
    if now >= quiet_until:
        return _not_done(payment, move, "not_found", now, pace)
    waits = replace(
        move, state=_legal(move, MoveState.UNKNOWN), look_at=quiet_until, looks=move.looks + 1
    )
    return _only(payment, waits)


def still_unknown(payment: Payment, move: PaymentMove, now: datetime, pace: Pace) -> Learned:
    """The gateway itself does not know the end yet."""
    waits = replace(
        move,
        state=_legal(move, MoveState.UNKNOWN),
        looks=move.looks + 1,
        look_at=pace.again(move.looks, now),
    )
    return _only(payment, waits)


def _legal(move: PaymentMove, state: MoveState) -> MoveState:
    return state if state in MOVES[move.state] else move.state


def _only(payment: Payment, move: PaymentMove) -> Learned:
    return Learned(payment.attempt(move.attempt_id), payment.intent.state, moves=(move,))


def _not_done(
    payment: Payment, move: PaymentMove, problem: str, now: datetime, pace: Pace
) -> Learned:
    """It was certainly not done. What the core owes is sent again; others ask again if they
    still want it.
    """
    if not move.is_owed:
        return _refused(payment, move, problem, now, pace)
    again = replace(
        move,
        state=MoveState.ASKED,
        problem=problem,
        looks=move.looks + 1,
        look_at=pace.again(move.looks, now),
    )
    return _only(payment, again)


def _refused(
    payment: Payment, move: PaymentMove, problem: str, now: datetime, pace: Pace
) -> Learned:
    """The gateway said no. What the core owes is looked up, and asked for as it stands then."""
    refused = replace(move, state=MoveState.REFUSED, problem=problem, look_at=None)
    attempt = payment.attempt(move.attempt_id)
    claim = -move.minor if move.kind is MoveKind.REFUND else 0
    settled = refunds_settled(attempt, bool(open_refunds(payment, attempt, (refused,))))
    if move.is_owed:
        settled = replace(settled, look_at=now + timedelta(seconds=pace.late_s))
    return Learned(settled, payment.intent.state, moves=(refused,), claim_minor=claim)


def _done(payment: Payment, move: PaymentMove, moved: Moved, now: datetime) -> Learned:
    done = replace(move, state=MoveState.DONE, gateway_ref=moved.ref, problem="", look_at=None)
    before = payment.attempt(move.attempt_id)
    if move.kind is MoveKind.CAPTURE:
        captured = before.captured_minor + move.minor
        state = after(before.state, Told.CAPTURED) or before.state
        attempt = replace(before, captured_minor=captured, state=state)
        news = News(EventKind.CAPTURED, move.minor, moved.raw)
    elif move.kind is MoveKind.VOID:
        attempt = _voided(before, now)
        news = News(EventKind.VOIDED, before.authorised_minor, moved.raw)
    else:
        refunded = before.refunded_minor + move.minor
        attempt = replace(before, refunded_minor=refunded)
        attempt = refunds_settled(attempt, bool(open_refunds(payment, attempt, (done,))))
        news = News(EventKind.REFUNDED, move.minor, moved.raw)
    return Learned(attempt, payment.intent.state, (news,), moves=(done,))


def _voided(attempt: Attempt, now: datetime) -> Attempt:
    told = Told.DECLINED if attempt.state in UNDER_WAY else Told.VOIDED
    state = after(attempt.state, told) or attempt.state
    reason = attempt.reason if attempt.state in LOST else "voided"
    return replace(attempt, state=state, reason=reason, resolved_at=now, look_at=None)


def paid(payment: Payment) -> Paid:
    """What of the order's money moved. What was charged by mistake and goes back is not it."""
    attempt = payment.winner
    if attempt is None:
        return Paid()
    return Paid(
        authorised_minor=attempt.authorised_minor,
        captured_minor=attempt.captured_minor,
        refunded_minor=attempt.refunded_minor,
        is_voided=attempt.state in (AttemptState.VOIDED, AttemptState.EXPIRED),
        is_disputed=attempt.state is AttemptState.DISPUTED,
    )
