"""Use cases of promised units: reserve, commit, release."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from new_core.domain.reservation import Owner, Reservation, Want
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing


@dataclass(frozen=True, slots=True)
class CanBeHad:
    """How many units of a variant can be promised now.

    Attributes:
        units: None when it never runs out.
        purchasable: whether one unit can be bought.
    """

    units: int | None
    purchasable: bool


async def can_be_had(uow: UnitOfWork, variant_ids: Collection[UUID]) -> Mapping[UUID, CanBeHad]:
    """Availability in bulk, bundles by their components; unknown ids are absent."""
    raise NotImplementedError


async def reserve(
    uow: UnitOfWork,
    owner: Owner,
    wants: Sequence[Want],
    doing: Doing,
    *,
    expires_at: datetime | None,
) -> tuple[Reservation, ...]:
    """Promise all of it or nothing: wants of one variant are added up, bundles taken apart,
    places chosen, and each level changed by a condition, in sorted order.

    Raises:
        InsufficientStock: with every variant that there is too little of.
    """
    raise NotImplementedError


async def commit_reservations(uow: UnitOfWork, owner: Owner, doing: Doing) -> None:
    """What was held is an order's now, and does not expire. Nothing held: nothing to do."""
    raise NotImplementedError


async def release_reservations(uow: UnitOfWork, owner: Owner, reason: str, doing: Doing) -> None:
    """Give back all that an owner still has. Twice is once."""
    raise NotImplementedError
