"""What became of payments that nobody knows the end of: found out, and finished.

Several workers do this at a time: each takes payments in hand for a while, and whatever two
of them do to the same payment is booked once, since totals are compared and rows locked.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from new_core.domain.actor import Actor, system
from new_core.domain.gateway import Book, GatewayNote, MoveState
from new_core.domain.payment import Attempt, AttemptState, EventKind, IntentState, MoneyEvent
from new_core.domain.payment_booking import Learned, learn_book, learn_missing
from new_core.domain.payment_move import Payment, PaymentMove
from new_core.domain.payment_moving import learn_not_there, still_unknown
from new_core.errors import GatewayUnavailable, NotFound
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.paying import Till, book_learned, locked_payment, pay, question
from new_core.service.payment_moves import carry_out

RECOVERY = system("payment-recovery")

_LEASE_S = 60.0
_AT_A_TIME = 20

log = logging.getLogger(__name__)


async def recover(till: Till) -> int:
    """One round: gives how many payments were looked after."""
    now = till.now()
    async with till.database.writing() as uow:
        taken = await uow.payments.due(now, now + timedelta(seconds=_LEASE_S), _AT_A_TIME)
        if taken:
            await uow.commit()
    for intent_id in taken:
        try:
            await look_after(till, intent_id, RECOVERY)
        except (GatewayUnavailable, NotFound) as exc:
            # Left for when the lease is over; the others are not kept waiting.
            log.warning("payment %s: %s", intent_id, exc)
    return len(taken)


async def look_after(
    till: Till, intent_id: UUID, actor: Actor, note: tuple[UUID, GatewayNote] | None = None
) -> None:
    """Find out how a payment stands at its gateways, and do what follows: book it, settle it,
    try again, send what has not been sent.

    Args:
        till: what payments are made with.
        intent_id: of the payment.
        actor: who wants to know.
        note: an attempt, and its gateway's message that led here; written down once, with
            what is booked because of it.

    Raises:
        NotFound: there is no such payment, or its gateway is not used any more.
        GatewayUnavailable: a gateway did not answer; what it knows is still unknown.
    """
    payment = await _read(till, intent_id)
    for attempt in payment.attempts:
        said = note[1] if note is not None and note[0] == attempt.id else None
        if _wants_look(payment, attempt) or said is not None:
            await _look_up(till, payment, attempt, actor, said)
    payment = await _read(till, intent_id)
    if payment.intent.state is IntentState.OPEN:
        await pay(till, intent_id, actor)
        payment = await _read(till, intent_id)
    for move in payment.moves:
        if move.state is MoveState.ASKED and move.look_at is not None:
            await carry_out(till, intent_id, move.id, actor)


def _wants_look(payment: Payment, attempt: Attempt) -> bool:
    if attempt.state is AttemptState.CREATED:
        return False
    waiting = (MoveState.SENDING, MoveState.UNKNOWN)
    has_move = any(one.state in waiting for one in payment.open_moves(attempt.id))
    return attempt.look_at is not None or has_move


async def _read(till: Till, intent_id: UUID) -> Payment:
    async with till.database.reading() as uow:
        payment = await uow.payments.get(intent_id)
    if payment is None:
        raise NotFound("payment", str(intent_id))
    return payment


async def _look_up(
    till: Till,
    payment: Payment,
    attempt: Attempt,
    actor: Actor,
    said: GatewayNote | None,
) -> None:
    """Ask the gateway, outside of any transaction, and book what it says in one."""
    found = await till.gateways.lookup(attempt.gateway, question(payment, attempt))
    doing = till.doing(actor)
    pace = till.rules.pace
    async with till.database.writing() as uow:
        payment = await locked_payment(uow, payment.intent.id)
        attempt = payment.attempt(attempt.id)
        if said is not None:
            await _note(uow, attempt, said, doing)
        if found is None:
            learned = learn_missing(payment, attempt, doing.at, pace)
        else:
            learned = learn_book(payment, attempt, found, doing.at, pace)
        await book_learned(till, uow, payment, learned, doing)
        payment = await locked_payment(uow, payment.intent.id)
        for move in payment.open_moves(attempt.id):
            after = _unfound(till, payment, move, found)
            if after is not None:
                await book_learned(till, uow, payment, after, doing)
                payment = await locked_payment(uow, payment.intent.id)
        await uow.commit()


async def _note(uow: UnitOfWork, attempt: Attempt, said: GatewayNote, doing: Doing) -> None:
    event = MoneyEvent(
        id=doing.new_id(),
        attempt_id=attempt.id,
        kind=EventKind.NOTED,
        minor=0,
        at=doing.at,
        gateway=attempt.gateway,
        gateway_event_id=said.event_id,
        raw=said.raw,
    )
    await uow.payments.add_events([event])


def _unfound(till: Till, payment: Payment, move: PaymentMove, book: Book | None) -> Learned | None:
    """What follows for a move whose end the books did not tell; None for one not sent yet."""
    if move.state is MoveState.ASKED:
        return None
    refunds = book.refunds if book is not None else ()
    if any(one.id == move.id for one in refunds):
        return still_unknown(payment, move, till.now(), till.rules.pace)
    return learn_not_there(payment, move, till.now(), till.rules.pace)
