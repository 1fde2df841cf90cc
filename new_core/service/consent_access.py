"""Use case: put down who read whose data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from new_core.domain.actor import ActorKind
from new_core.domain.consent import DataAccess
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing


async def log_access(
    uow: UnitOfWork,
    customer_ids: Collection[UUID],
    fields: Sequence[str],
    purpose: str,
    doing: Doing,
) -> None:
    """Somebody reads these fields of these customers, in the transaction that reads them: who
    reads and is not put down has read nothing. Customers who read of themselves are not.
    """
    actor = doing.actor
    accesses = [
        DataAccess(
            id=doing.new_id(),
            customer_id=one,
            actor_kind=actor.kind.value,
            actor_id=actor.id,
            fields=tuple(fields),
            purpose=purpose,
            request_id=actor.request_id,
            at=doing.at,
        )
        for one in customer_ids
        if actor.kind is not ActorKind.CUSTOMER or actor.customer_id != one
    ]
    await uow.consent.add_accesses(accesses)
