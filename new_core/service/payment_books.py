"""Writing down what was learned of payments: rows, events, audit, and what is owed back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID, uuid5

from new_core.domain.events import AuditEntry, Event
from new_core.domain.gateway import MoveKind, MoveState, Reach
from new_core.domain.gateway_health import Breaker, Health, Patience
from new_core.domain.money import Money
from new_core.domain.payment import (
    Attempt,
    AttemptState,
    EventKind,
    MoneyEvent,
    PaymentIntent,
)
from new_core.domain.payment_booking import Learned, News, refunds_settled
from new_core.domain.payment_move import Payment, PaymentMove
from new_core.errors import ChangedMeanwhile
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.gateway_calls import Gateways

_GATEWAYS = UUID("6f0d6c1e-0f4e-5d0e-9a52-3f0a5a1c7b11")
"""Names gateways as aggregates of events."""

_TYPES: Mapping[EventKind, str] = {
    EventKind.SENT: "attempted",
    EventKind.AUTHORISED: "authorised",
    EventKind.CAPTURED: "captured",
    EventKind.DECLINED: "declined",
    EventKind.NOT_SENT: "not_sent",
    EventKind.UNKNOWN: "unknown",
    EventKind.MISSED: "not_found",
    EventKind.VOIDED: "voided",
    EventKind.EXPIRED: "expired",
    EventKind.REFUNDED: "refunded",
    EventKind.DISPUTED: "disputed",
}


async def book(uow: UnitOfWork, payment: Payment, learned: Learned, doing: Doing) -> Payment:
    """Write an attempt as it is now, what happened to it, and what has to go back.

    The payment is locked. Gives it as it is now; does not commit.

    Raises:
        ChangedMeanwhile: the attempt is not what it was read as.
    """
    before, attempt = payment.attempt(learned.attempt.id), learned.attempt
    if learned == Learned(before, payment.intent.state):
        return payment
    if not await uow.payments.put_attempt(attempt, before.state, doing.at):
        raise ChangedMeanwhile("the attempt is not what it was")
    await uow.payments.add_events([_event(attempt, one, doing) for one in learned.news])
    for move in learned.moves:
        await uow.payments.put_move(move, doing.at)
    # After the attempt: what was captured just now can be claimed.
    if learned.claim_minor and await uow.payments.claim_refund(
        attempt.id, learned.claim_minor, doing.at
    ):
        attempt = replace(attempt, claimed_minor=attempt.claimed_minor + learned.claim_minor)
    intent = payment.intent
    if learned.is_final:
        intent = intent.ended(learned.state, attempt.id)
    elif learned.redirect_url:
        intent = replace(intent, redirect_url=learned.redirect_url)
    await uow.payments.put_intent(intent, doing.at)
    payment = _with(payment, intent, attempt, learned.moves)
    await _publish(uow, payment, before, attempt, learned.news, doing)
    await _tell_moves(uow, payment, learned.moves, doing)
    if learned.owed is not None:
        payment = await owe(uow, payment, attempt, learned.owed, "nobody waits for it", doing)
    return payment


def _with(
    payment: Payment, intent: PaymentIntent, attempt: Attempt, moves: Sequence[PaymentMove]
) -> Payment:
    now = {one.id: one for one in moves}
    known = {one.id for one in payment.moves}
    return replace(
        payment,
        intent=intent,
        attempts=tuple(attempt if one.id == attempt.id else one for one in payment.attempts),
        moves=(
            *(now.get(one.id, one) for one in payment.moves),
            *(one for one in moves if one.id not in known),
        ),
    )


async def _tell_moves(
    uow: UnitOfWork, payment: Payment, moves: Sequence[PaymentMove], doing: Doing
) -> None:
    """Tell of moves that the gateway refused; those that are done, the money tells of."""
    for move in moves:
        if move.state is MoveState.REFUSED:
            about = {"move_id": str(move.id), "reason": move.problem}
            kind = f"payments.payment.{move.kind.value}_refused.v1"
            await tell(uow, payment, kind, about, doing)


async def owe(
    uow: UnitOfWork, payment: Payment, attempt: Attempt, kind: MoveKind, reason: str, doing: Doing
) -> Payment:
    """Ask for money to go back on the core's own account, all that is left of it, at once.

    Nothing is asked for when that is under way already.
    """
    if any(one.kind is kind and one.is_owed for one in payment.open_moves(attempt.id)):
        return payment
    minor = attempt.authorised_minor
    if kind is MoveKind.REFUND:
        minor = attempt.captured_minor - attempt.claimed_minor
        if minor <= 0 or not await uow.payments.claim_refund(attempt.id, minor, doing.at):
            return payment
        attempt = replace(attempt, claimed_minor=attempt.claimed_minor + minor)
    move = PaymentMove(
        id=doing.new_id(),
        attempt_id=attempt.id,
        kind=kind,
        minor=minor,
        state=MoveState.ASKED,
        created_at=doing.at,
        reason=reason,
        is_owed=True,
        look_at=doing.at,
    )
    await uow.payments.put_move(move, doing.at)
    return await begin_refund(uow, _with(payment, payment.intent, attempt, (move,)), move, doing)


async def begin_refund(
    uow: UnitOfWork, payment: Payment, move: PaymentMove, doing: Doing
) -> Payment:
    """Put the attempt of a refund that was asked for in the state of being refunded."""
    if move.kind is not MoveKind.REFUND:
        return payment
    before = payment.attempt(move.attempt_id)
    attempt = refunds_settled(before, has_open=True)
    if attempt.state is not before.state:
        await uow.payments.put_attempt(attempt, before.state, doing.at)
    return _with(payment, payment.intent, attempt, ())


async def note_health(
    uow: UnitOfWork,
    gateways: Gateways,
    gateway: str,
    reach: Reach,
    patience: Patience,
    doing: Doing,
) -> None:
    """Write down how a gateway is after a call, when that changed.

    Two processes that count a failure at a time may count one: the breaker opens one call
    later, and no money depends on it. Last thing of a transaction: others wait for this row.
    """
    before = (await uow.payments.healths()).get(gateway, Health(gateway))
    now = before.after(reach, doing.at, patience)
    gateways.seen(now, doing.at)
    if now == before:
        return
    await uow.payments.put_health(now, doing.at)
    was_closed = before.breaker(doing.at) is Breaker.CLOSED
    is_closed = now.breaker(doing.at) is Breaker.CLOSED
    if was_closed == is_closed:
        return
    word = "recovered" if is_closed else "degraded"
    event = Event(
        f"payments.gateway.{word}.v1",
        "gateway",
        uuid5(_GATEWAYS, gateway),
        {"gateway": gateway, "failures": now.failures},
    )
    await uow.outbox.add([event], doing.actor, doing.at)


async def tell(
    uow: UnitOfWork, payment: Payment, kind: str, data: Mapping[str, object], doing: Doing
) -> None:
    """Add an event of a payment."""
    intent = payment.intent
    about = {"payment_id": str(intent.id), "order_id": str(intent.order_id)}
    event = Event(kind, "payment", intent.id, {**about, **data})
    await uow.outbox.add([event], doing.actor, doing.at)


def _event(attempt: Attempt, news: News, doing: Doing) -> MoneyEvent:
    return MoneyEvent(
        id=doing.new_id(),
        attempt_id=attempt.id,
        kind=news.kind,
        minor=news.minor,
        at=doing.at,
        gateway=attempt.gateway,
        raw=news.raw,
    )


async def _publish(
    uow: UnitOfWork,
    payment: Payment,
    before: Attempt,
    attempt: Attempt,
    news: tuple[News, ...],
    doing: Doing,
) -> None:
    intent = payment.intent
    about: dict[str, object] = {
        "payment_id": str(intent.id),
        "order_id": str(intent.order_id),
        "attempt_id": str(attempt.id),
        "gateway": attempt.gateway,
        "state": attempt.state.value,
    }
    if attempt.reason:
        about["reason"] = attempt.reason
    events = []
    for one in news:
        amount = {"amount": Money(one.minor, intent.currency).text, "currency": intent.currency}
        data = about | (amount if one.minor else {})
        kind = f"payments.payment.{_TYPES[one.kind]}.v1"
        events.append(Event(kind, "payment", intent.id, data))
    if before.state is AttemptState.UNKNOWN and attempt.state is not AttemptState.UNKNOWN:
        events.append(Event("payments.payment.resolved.v1", "payment", intent.id, about))
    await uow.outbox.add(events, doing.actor, doing.at)
    if before.state is attempt.state and not news:
        return
    entry = AuditEntry(
        f"payment.{_TYPES[news[0].kind] if news else 'changed'}",
        "payment",
        str(intent.id),
        before=_shown(before),
        after=_shown(attempt),
    )
    await uow.audit.add([entry], doing.actor, doing.at)


def _shown(attempt: Attempt) -> dict[str, object]:
    return {
        "attempt": attempt.number,
        "gateway": attempt.gateway,
        "state": attempt.state.value,
        "authorised_minor": attempt.authorised_minor,
        "captured_minor": attempt.captured_minor,
        "refunded_minor": attempt.refunded_minor,
    }
