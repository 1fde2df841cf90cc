"""What becomes of an order's money when less of it is owed, or none."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from new_core.domain.gateway import MoveKind, MoveState
from new_core.domain.payment import Attempt, AttemptState, IntentState
from new_core.domain.payment_move import Payment, PaymentMove
from new_core.errors import Conflict
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.payment_books import owe


async def locked_payments(uow: UnitOfWork, order_id: UUID) -> tuple[Payment, ...]:
    """The payments of an order, that nobody else changes until this transaction ends; oldest
    first. Lock them before the order: whoever books a gateway's answer does.
    """
    found = (await uow.payments.of_orders([order_id])).get(order_id, ())
    ids = sorted(one.intent.id for one in found)
    locked = [await uow.payments.locked(ident) for ident in ids]
    return tuple(
        sorted((one for one in locked if one is not None), key=lambda one: one.intent.created_at)
    )


async def give_money_back(
    uow: UnitOfWork, payments: tuple[Payment, ...], keep_minor: int, reason: str, doing: Doing
) -> None:
    """Ask for everything beyond `keep_minor` to go back, within this transaction; the recovery
    of payments does it after the commit and goes on until it is done.

    What was only promised is let go when nothing is kept; of a smaller order less is captured.

    Raises:
        Conflict: `payment_in_progress`: nobody knows yet whether there is money.
    """
    for payment in payments:
        winner = payment.winner
        if winner is not None:
            await _give_back(uow, payment, winner, keep_minor, reason, doing)
        elif payment.intent.state is IntentState.OPEN:
            await _call_off(uow, payment, keep_minor, doing)


async def _give_back(
    uow: UnitOfWork,
    payment: Payment,
    winner: Attempt,
    keep_minor: int,
    reason: str,
    doing: Doing,
) -> None:
    if winner.state is AttemptState.AUTHORISED and keep_minor == 0:
        await owe(uow, payment, winner, MoveKind.VOID, reason, doing)
        return
    minor = winner.captured_minor - winner.claimed_minor - keep_minor
    # Claimed by a condition: two who give back at once never give back more than there is.
    if minor <= 0 or not await uow.payments.claim_refund(winner.id, minor, doing.at):
        return
    move = PaymentMove(
        id=doing.new_id(),
        attempt_id=winner.id,
        kind=MoveKind.REFUND,
        minor=minor,
        state=MoveState.ASKED,
        created_at=doing.at,
        reason=reason,
        is_owed=True,
        look_at=doing.at,
    )
    await uow.payments.put_move(move, doing.at)


async def _call_off(uow: UnitOfWork, payment: Payment, keep_minor: int, doing: Doing) -> None:
    if keep_minor:
        return
    last = payment.attempts[-1]
    if last.state in (AttemptState.SENDING, AttemptState.UNKNOWN):
        raise Conflict("payment_in_progress", "nobody knows yet whether the money was taken")
    await uow.payments.put_intent(replace(payment.intent, state=IntentState.CANCELLED), doing.at)
    if last.state is AttemptState.CREATED:
        await uow.payments.put_attempt(replace(last, look_at=None), last.state, doing.at)
