"""Use cases of payments: open, try, find out, give back."""

from __future__ import annotations

from uuid import UUID

from new_core.domain.money import Money
from new_core.domain.payment import CaptureMode, PaymentIntent, PaymentMethod
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing


async def open_payment(
    uow: UnitOfWork,
    order_id: UUID,
    amount: Money,
    method: PaymentMethod,
    capture: CaptureMode,
    doing: Doing,
) -> PaymentIntent:
    """Write down that an order is to be paid, with its first attempt; nothing is sent yet."""
    raise NotImplementedError
