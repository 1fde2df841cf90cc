"""What becomes of an order's money when less of it is owed."""

from __future__ import annotations

from uuid import UUID

from new_core.domain.gateway import MoveKind
from new_core.domain.payment_move import Payment
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.payment_moves import MoveAsked, ask_move

_REASON = "the order got smaller"


async def locked_payments(uow: UnitOfWork, order_id: UUID) -> tuple[Payment, ...]:
    """The payments of an order, that nobody else changes until this transaction ends. Lock
    them before the order: whoever books a gateway's answer does.
    """
    found = (await uow.payments.of_orders([order_id])).get(order_id, ())
    locked = [await uow.payments.locked(one.intent.id) for one in found]
    return tuple(one for one in locked if one is not None)


async def give_back_beyond(
    uow: UnitOfWork, payments: tuple[Payment, ...], keep_minor: int, key: str, doing: Doing
) -> None:
    """Ask for what was taken beyond `keep_minor` to go back; the recovery of payments does it
    after the commit. Of what was only promised, less is captured later.

    Args:
        uow: holds the payments.
        payments: of one order.
        keep_minor: what the order costs now.
        key: of this refund; asked twice with it, it is made once.
        doing: who edits.
    """
    for payment in payments:
        winner = payment.winner
        if winner is None:
            continue
        minor = winner.captured_minor - winner.claimed_minor - keep_minor
        if minor > 0:
            asked = MoveAsked(MoveKind.REFUND, minor, _REASON, key)
            await ask_move(uow, payment.intent.id, asked, doing)
