"""Use cases of whoever keeps the price lists: lists, whom they are for, and contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.pricing import (
    Assignment,
    PriceContract,
    PriceList,
    PriceListKind,
)
from new_core.errors import Conflict, InvalidValue, NotFound
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.pricing_told import Change, tell

T = TypeVar("T")
Expected = Callable[[Stored[T]], None]
"""Raises when a thing is not what the caller saw."""


async def list_of(uow: UnitOfWork, list_id: UUID) -> Stored[PriceList]:
    """A price list.

    Raises:
        NotFound: there is none.
    """
    found = await uow.pricing.price_list(list_id)
    if found is None:
        raise NotFound("price list", str(list_id))
    return found


async def create_list(uow: UnitOfWork, new: PriceList, doing: Doing) -> Stored[PriceList]:
    """Write a new list, and commit.

    Raises:
        Conflict: its code is taken.
        InvalidValue, NotFound: its parent does not fit, or is not there.
    """
    if any(one.code == new.code for one in await uow.pricing.price_lists()):
        raise Conflict("price_list_code_taken", f"there is a price list {new.code}")
    await _check_parent(uow, new)
    return await _save(uow, None, new, doing)


async def change_list(
    uow: UnitOfWork, new: PriceList, expected: Expected[PriceList], doing: Doing
) -> Stored[PriceList]:
    """Write a list anew, and commit. Its currency stays: prices stand in it.

    Raises:
        NotFound: there is none, or no such parent.
        ChangedMeanwhile: it is not as expected.
        Conflict: what hangs on it does not fit the change.
    """
    before = await uow.pricing.locked_list(new.id)
    if before is None:
        raise NotFound("price list", str(new.id))
    expected(before)
    old = before.value
    same = (old.currency, old.code, old.kind) == (new.currency, new.code, new.kind)
    if not same:
        raise Conflict("price_list_fixed", "code, kind and currency of a price list stay")
    if new.parent_id is not None or new.tax_included != old.tax_included:
        children = await uow.pricing.children(new.id)
        if children:
            codes = ", ".join(one.code for one in children)
            raise Conflict("price_list_has_children", f"{codes} takes over its prices")
    await _check_parent(uow, new)
    return before if new == old else await _save(uow, old, new, doing)


async def _check_parent(uow: UnitOfWork, new: PriceList) -> None:
    if new.valid_from and new.valid_to and new.valid_from >= new.valid_to:
        raise InvalidValue("valid_to", "must be after valid_from")
    if new.parent_id is None:
        return
    parent = (await list_of(uow, new.parent_id)).value
    if parent.id == new.id or parent.parent_id is not None:
        raise InvalidValue("parent_id", "must be another list, without a parent of its own")
    if (parent.currency, parent.tax_included) != (new.currency, new.tax_included):
        raise InvalidValue("parent_id", "must be a list in the same currency, taxed alike")


async def _save(
    uow: UnitOfWork, old: PriceList | None, new: PriceList, doing: Doing
) -> Stored[PriceList]:
    await uow.pricing.put_price_lists([new], doing.at)
    word = "created" if old is None else "changed"
    change = Change(
        "price_list", new.id, f"price_list.{word}", f"pricing.price_list.{word}.v1", old, new
    )
    await tell(uow, change, doing, {"code": new.code, "status": new.status.value})
    stored = await list_of(uow, new.id)
    await uow.commit()
    return stored


async def assign(uow: UnitOfWork, new: Assignment, doing: Doing) -> Assignment:
    """Let a list hold for somebody, and commit. Twice is once.

    Raises:
        NotFound: there is no such list.
        Conflict: it is of a kind that is not assigned.
    """
    found = await uow.pricing.locked_list(new.price_list_id)
    if found is None:
        raise NotFound("price list", str(new.price_list_id))
    if found.value.kind is not PriceListKind.LIST:
        raise Conflict("price_list_not_assignable", f"a {found.value.kind} list is not assigned")
    for one in await uow.pricing.assignments(new.price_list_id):
        if (one.scope, one.key) == (new.scope, new.key):
            return one
    await uow.pricing.put_assignments([new], doing.at)
    change = Change(
        "price_list", new.price_list_id, "price_list.assigned", "pricing.price_list.assigned.v1",
        after=new,
    )  # fmt: skip
    await tell(uow, change, doing, {"scope": new.scope.value, "key": new.key})
    await uow.commit()
    return new


async def unassign(uow: UnitOfWork, list_id: UUID, assignment_id: UUID, doing: Doing) -> None:
    """A list does not hold for somebody any more; commits.

    Raises:
        NotFound: there is no such assignment of the list.
    """
    some = {one.id: one for one in await uow.pricing.assignments(list_id)}
    gone = await uow.pricing.delete_assignment(list_id, assignment_id)
    if not gone or assignment_id not in some:
        raise NotFound("price assignment", str(assignment_id))
    old = some[assignment_id]
    change = Change(
        "price_list", list_id, "price_list.unassigned", "pricing.price_list.unassigned.v1", old
    )
    await tell(uow, change, doing, {"scope": old.scope.value, "key": old.key})
    await uow.commit()


async def save_contract(
    uow: UnitOfWork,
    new: PriceContract,
    expected: Expected[PriceContract] | None,
    doing: Doing,
) -> Stored[PriceContract]:
    """Write a contract, and commit; `expected` is None for a new one.

    Raises:
        NotFound: there is no such list, or no such contract to change.
        InvalidValue: its list is of another kind, its number is taken, or it ends first.
    """
    before: Stored[PriceContract] | None = None
    if expected is not None:
        before = await uow.pricing.contract(new.id, lock=True)
        if before is None:
            raise NotFound("price contract", str(new.id))
        expected(before)
    if (await list_of(uow, new.price_list_id)).value.kind is not PriceListKind.CONTRACT:
        raise InvalidValue("price_list_id", "must name a list of the kind contract")
    if new.valid_from and new.valid_to and new.valid_from >= new.valid_to:
        raise InvalidValue("valid_to", "must be after valid_from")
    await uow.pricing.put_contract(new, doing.at)
    word = "changed" if before else "created"
    change = Change(
        "contract", new.id, f"price_contract.{word}", f"pricing.contract.{word}.v1",
        before.value if before else None, new,
    )  # fmt: skip
    await tell(uow, change, doing, {"number": new.number, "account_id": str(new.account_id)})
    stored = await uow.pricing.contract(new.id)
    if stored is None:
        raise NotFound("price contract", str(new.id))
    await uow.commit()
    return stored


async def delete_contract(
    uow: UnitOfWork, contract_id: UUID, expected: Expected[PriceContract], doing: Doing
) -> None:
    """Delete a contract, and commit.

    Raises:
        NotFound: there is none.
        ChangedMeanwhile: it is not as expected.
    """
    before = await uow.pricing.contract(contract_id, lock=True)
    if before is None:
        raise NotFound("price contract", str(contract_id))
    expected(before)
    await uow.pricing.delete_contract(contract_id)
    change = Change(
        "contract", contract_id, "price_contract.deleted", "pricing.contract.deleted.v1",
        before.value,
    )  # fmt: skip
    await tell(uow, change, doing, {"number": before.value.number})
    await uow.commit()


async def tell_of_beginnings(uow: UnitOfWork, doing: Doing, limit: int) -> int:
    """Tell of lists that came into force since somebody looked, and commit."""
    begun = await uow.pricing.beginning(doing.at, limit)
    for one in begun:
        change = Change(
            "price_list", one.id, "price_list.activated", "pricing.price_list.activated.v1",
            after=one,
        )  # fmt: skip
        await tell(uow, change, doing, {"code": one.code, "currency": one.currency})
    if begun:
        await uow.commit()
    return len(begun)
