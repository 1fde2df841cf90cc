"""Use cases of money that was promised or taken: capture it, let it go, give it back.

A move is written down and committed, then sent, then booked, like an attempt. Its id is the
idempotency key at the gateway, and the client's own key keeps it from being asked for twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from new_core.domain.actor import Actor
from new_core.domain.events import AuditEntry
from new_core.domain.gateway import Move, Moved, MoveKind, MoveState
from new_core.domain.payment import Attempt, AttemptState, IntentState
from new_core.domain.payment_move import Payment, PaymentMove
from new_core.domain.payment_moving import learn_moved, may_move, to_send, too_much
from new_core.domain.payment_states import HOLDING
from new_core.errors import NotFound
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.paying import Till, book_learned, locked_payment
from new_core.service.payment_books import begin_refund, note_health, owe


@dataclass(frozen=True, slots=True)
class MoveAsked:
    """What a client wants done with a payment's money.

    Attributes:
        minor: None for all that there is.
        request_key: the client's key, unique to its intent; the same key is the same move.
    """

    kind: MoveKind
    minor: int | None
    reason: str
    request_key: str


async def ask_move(uow: UnitOfWork, intent_id: UUID, asked: MoveAsked, doing: Doing) -> PaymentMove:
    """Write down that money is to be moved; `carry_out` does it, after the commit, or the
    recovery. Asking again with the same key gives the move of the first time.

    Does not commit.

    Raises:
        NotFound: there is no such payment.
        Conflict: the payment has no such money now.
        InvalidValue: no such amount can be moved.
    """
    payment = await locked_payment(uow, intent_id)
    for one in payment.moves:
        if one.request_key == asked.request_key and one.kind is asked.kind:
            return one
    attempt, minor = may_move(payment, asked.kind, asked.minor)
    is_refund = asked.kind is MoveKind.REFUND
    if is_refund and not await uow.payments.claim_refund(attempt.id, minor, doing.at):
        raise too_much(asked.kind, minor, attempt.captured_minor - attempt.claimed_minor)
    move = PaymentMove(
        id=doing.new_id(),
        attempt_id=attempt.id,
        kind=asked.kind,
        minor=minor,
        state=MoveState.ASKED,
        created_at=doing.at,
        reason=asked.reason,
        request_key=asked.request_key,
        look_at=doing.at,
    )
    await uow.payments.put_move(move, doing.at)
    await uow.payments.put_intent(payment.intent, doing.at)
    await begin_refund(uow, payment, move, doing)
    entry = AuditEntry(
        f"payment.{asked.kind.value}_asked",
        "payment",
        str(intent_id),
        after={"move_id": str(move.id), "amount_minor": minor},
        reason=asked.reason,
    )
    await uow.audit.add([entry], doing.actor, doing.at)
    return move


async def carry_out(till: Till, intent_id: UUID, move_id: UUID, actor: Actor) -> PaymentMove:
    """Send a move that was asked for, and book what came of it; gives it as it is then.

    Opens and commits its own transactions. A move that somebody else is sending, or that is
    over, is left alone.

    Raises:
        NotFound: there is no such payment or move.
    """
    doing = till.doing(actor)
    async with till.database.writing() as uow:
        payment = await locked_payment(uow, intent_id)
        move = _move(payment, move_id)
        if move.state is not MoveState.ASKED:
            return move
        attempt = payment.attempt(move.attempt_id)
        till.gateways.named(attempt.gateway)
        move = to_send(move, doing.at, till.rules.pace)
        await uow.payments.put_move(move, doing.at)
        await uow.payments.put_intent(payment.intent, doing.at)
        await uow.commit()
    moved = await till.gateways.move(attempt.gateway, move.kind, _sent(payment, attempt, move))
    return await _book(till, intent_id, move_id, moved, actor)


async def cancel_payment(uow: UnitOfWork, order_id: UUID, reason: str, doing: Doing) -> None:
    """Nobody wants an order's payment any more: what is promised is let go, what was taken
    goes back, and what is on its way is undone when it arrives. Nothing to pay: nothing to do.

    Does not commit, and calls no gateway: the recovery does, right after the commit.
    """
    found = await uow.payments.of_orders([order_id])
    for one in found.get(order_id, ()):
        payment = await locked_payment(uow, one.intent.id)
        if payment.intent.state not in (IntentState.OPEN, IntentState.WON):
            continue
        intent = payment.intent.ended(IntentState.CANCELLED)
        await uow.payments.put_intent(intent, doing.at)
        entry = AuditEntry(
            "payment.cancelled",
            "payment",
            str(intent.id),
            before={"state": payment.intent.state.value},
            after={"state": intent.state.value},
            reason=reason,
        )
        await uow.audit.add([entry], doing.actor, doing.at)
        payment = replace(payment, intent=intent)
        for attempt in payment.attempts:
            payment = await _undo(uow, payment, attempt, reason, doing)


async def _undo(
    uow: UnitOfWork, payment: Payment, attempt: Attempt, reason: str, doing: Doing
) -> Payment:
    if attempt.state is AttemptState.CREATED:
        await uow.payments.put_attempt(replace(attempt, look_at=None), attempt.state, doing.at)
    if attempt.state not in HOLDING:
        return payment
    taken = attempt.state is not AttemptState.AUTHORISED
    kind = MoveKind.REFUND if taken else MoveKind.VOID
    return await owe(uow, payment, attempt, kind, reason, doing)


async def _book(
    till: Till, intent_id: UUID, move_id: UUID, moved: Moved, actor: Actor
) -> PaymentMove:
    doing = till.doing(actor)
    async with till.database.writing() as uow:
        payment = await locked_payment(uow, intent_id)
        move = _move(payment, move_id)
        # 1. The move is sent, 2. the gateway's message of it comes in first and is booked,
        # 3. its answer arrives: there is nothing left to book.
        if move.state in (MoveState.SENDING, MoveState.UNKNOWN):
            learned = learn_moved(payment, move, moved, doing.at, till.rules.pace)
            await book_learned(till, uow, payment, learned, doing)
            gateway = payment.attempt(move.attempt_id).gateway
            await note_health(uow, till.gateways, gateway, moved.reach, till.rules.patience, doing)
            await uow.commit()
            move = next(one for one in learned.moves if one.id == move_id)
    return move


def _move(payment: Payment, move_id: UUID) -> PaymentMove:
    found = next((one for one in payment.moves if one.id == move_id), None)
    if found is None:
        raise NotFound("payment move", str(move_id))
    return found


def _sent(payment: Payment, attempt: Attempt, move: PaymentMove) -> Move:
    whole = attempt.authorised_minor
    if move.kind is MoveKind.REFUND:
        whole = attempt.captured_minor
    return Move(
        move_id=move.id,
        attempt_id=attempt.id,
        gateway_ref=attempt.gateway_ref,
        minor=move.minor,
        currency=payment.intent.currency,
        is_whole=move.minor == whole,
    )
