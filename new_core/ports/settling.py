"""How a payment's outcome reaches who placed the order."""

from __future__ import annotations

from typing import Protocol

from new_core.domain.payment import Settled
from new_core.ports.database import UnitOfWork


class Settle(Protocol):
    """What whoever opened a payment does with its outcome, in the transaction that books it.

    Called at most once with a final outcome per payment, by the request or by a worker that
    found out later.
    """

    async def __call__(self, uow: UnitOfWork, settled: Settled) -> None: ...
