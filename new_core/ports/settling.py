"""How a payment's outcome reaches who placed the order."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from new_core.domain.order import Paid
from new_core.domain.payment import Settled
from new_core.ports.database import UnitOfWork


class Settle(Protocol):
    """What whoever opened a payment does with its outcome, in the transaction that books it.

    Called at most once with a final outcome per payment, by the request or by a worker that
    found out later.
    """

    async def __call__(self, uow: UnitOfWork, settled: Settled) -> None: ...


class MoneyMoved(Protocol):
    """What an order does when its money moved after it was placed: a capture, a refund, a
    void, a dispute. Called in the transaction that books it; telling it twice changes nothing.
    """

    async def __call__(self, uow: UnitOfWork, order_id: UUID, paid: Paid) -> None: ...
