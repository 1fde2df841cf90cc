"""Use cases of whoever keeps the promotions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.promotions import Promotion, PromotionStatus
from new_core.errors import Conflict, NotFound
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.pricing_told import Change, tell

Expected = Callable[[Stored[Promotion]], None]
"""Raises when a promotion is not what the caller saw."""


async def promotion_of(uow: UnitOfWork, promotion_id: UUID) -> Stored[Promotion]:
    """A promotion.

    Raises:
        NotFound: there is none.
    """
    found = await uow.promotions.get(promotion_id)
    if found is None:
        raise NotFound("promotion", str(promotion_id))
    return found


async def create_promotion(uow: UnitOfWork, new: Promotion, doing: Doing) -> Stored[Promotion]:
    """Write a new promotion, and commit.

    Raises:
        Conflict: its code is taken.
    """
    await _check_code(uow, new, doing)
    return await _save(uow, None, new, "created", doing)


async def change_promotion(
    uow: UnitOfWork,
    promotion_id: UUID,
    change: Callable[[Promotion], Promotion],
    expected: Expected,
    doing: Doing,
) -> Stored[Promotion]:
    """Write a promotion anew, and commit. Its uses stay, and count against its new limits.

    Raises:
        NotFound: there is none.
        ChangedMeanwhile: it is not as expected.
        Conflict: its new code is taken.
    """
    before = await uow.promotions.locked(promotion_id)
    if before is None:
        raise NotFound("promotion", str(promotion_id))
    expected(before)
    new = change(before.value)
    if new == before.value:
        return before
    if new.code != before.value.code:
        await _check_code(uow, new, doing)
    return await _save(uow, before.value, new, "changed", doing)


async def _check_code(uow: UnitOfWork, new: Promotion, doing: Doing) -> None:
    if not new.code:
        return
    same = await uow.promotions.running([new.code], None, doing.at)
    if any(one.promotion.code == new.code and one.promotion.id != new.id for one in same):
        raise Conflict("promotion_code_taken", f"another promotion has the code {new.code}")


async def _save(
    uow: UnitOfWork, old: Promotion | None, new: Promotion, word: str, doing: Doing
) -> Stored[Promotion]:
    await uow.promotions.put(new, doing.at)
    change = Change(
        "promotion", new.id, f"promotion.{word}", f"pricing.promotion.{word}.v1", old, new
    )
    await tell(uow, change, doing, {"status": new.status.value})
    stored = await promotion_of(uow, new.id)
    await uow.commit()
    return stored


def started(one: Promotion) -> Promotion:
    """The promotion, to be had from its start on."""
    return replace(one, status=PromotionStatus.ACTIVE)


def ended(one: Promotion) -> Promotion:
    """The promotion, not to be had any more."""
    return replace(one, status=PromotionStatus.ENDED)


async def delete_promotion(
    uow: UnitOfWork, promotion_id: UUID, expected: Expected, doing: Doing
) -> None:
    """Delete a promotion that nobody used, and commit.

    Raises:
        NotFound: there is none.
        ChangedMeanwhile: it is not as expected.
        Conflict: orders used it; end it instead.
    """
    before = await uow.promotions.locked(promotion_id)
    if before is None:
        raise NotFound("promotion", str(promotion_id))
    expected(before)
    if (await uow.promotions.use_of(promotion_id)).used:
        raise Conflict("promotion_used", "orders used this promotion: end it instead")
    await uow.promotions.delete(promotion_id)
    change = Change(
        "promotion", promotion_id, "promotion.deleted", "pricing.promotion.deleted.v1",
        before.value,
    )  # fmt: skip
    await tell(uow, change, doing)
    await uow.commit()


async def tell_of_times(uow: UnitOfWork, doing: Doing, limit: int) -> int:
    """Tell of promotions that started or ended since somebody looked, and commit."""
    due = await uow.promotions.to_tell(doing.at, limit)
    for one, word in due:
        change = Change(
            "promotion", one.id, f"promotion.{word}", f"pricing.promotion.{word}.v1", after=one
        )
        await tell(uow, change, doing)
    if due:
        await uow.commit()
    return len(due)
