"""Use cases of business accounts: the tree, and who acts for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.customer import Customer
from new_core.domain.customer_accounts import (
    NEXT,
    AccountKind,
    AccountStatus,
    BusinessAccount,
    Membership,
)
from new_core.domain.events import AuditEntry, Event
from new_core.errors import Conflict, InvalidValue, NotFound
from new_core.ports import UnitOfWork
from new_core.service.customers import find_customer
from new_core.service.doing import Doing

_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class AccountAsked:
    """A business account to be."""

    legal_name: str
    currency: str
    parent_id: UUID | None
    tax_ids: tuple[tuple[str, str], ...]


async def find_account(uow: UnitOfWork, account_id: UUID) -> Stored[BusinessAccount]:
    """A business account.

    Raises:
        NotFound: there is none of that id.
    """
    found = await uow.customers.account(account_id)
    if found is None:
        raise NotFound("account", str(account_id))
    return found


async def open_account(
    uow: UnitOfWork, asked: AccountAsked, doing: Doing
) -> Stored[BusinessAccount]:
    """A new account, a division where one stands above it.

    Raises:
        NotFound: there is nothing above it.
        InvalidValue: it would stand too deep.
    """
    if asked.parent_id is not None:
        line = await uow.customers.lineage(asked.parent_id)
        if not line:
            raise NotFound("account", str(asked.parent_id))
        if len(line) >= _DEEPEST:
            raise InvalidValue("parent_id", f"has {_DEEPEST - 1} accounts above it; no deeper")
    account = BusinessAccount(
        id=doing.new_id(),
        kind=AccountKind.DIVISION if asked.parent_id else AccountKind.COMPANY,
        status=AccountStatus.PROSPECT,
        legal_name=asked.legal_name,
        currency=asked.currency,
        created_at=doing.at,
        parent_id=asked.parent_id,
        tax_ids=asked.tax_ids,
    )
    stored = await uow.customers.put_account(account, doing.at)
    await _tell(uow, account.id, "opened", {"status": account.status.value}, doing)
    return stored


async def move_account(
    uow: UnitOfWork, account_id: UUID, to: AccountStatus, doing: Doing
) -> Stored[BusinessAccount]:
    """Move an account to another status.

    Raises:
        NotFound: there is none of that id.
        Conflict: it does not go there from where it stands.
    """
    account = (await find_account(uow, account_id)).value
    if to not in NEXT[account.status]:
        allowed = ", ".join(sorted(NEXT[account.status])) or "nowhere"
        raise Conflict("account_status", f"from {account.status} it goes to: {allowed}")
    stored = await uow.customers.put_account(replace(account, status=to), doing.at)
    await _tell(uow, account_id, "moved", {"status": to.value}, doing)
    return stored


async def put_member(uow: UnitOfWork, member: Membership, doing: Doing) -> None:
    """Let a customer act for an account, or change how.

    Raises:
        NotFound: no such account, or customer.
    """
    await find_account(uow, member.account_id)
    await find_customer(uow, member.customer_id)
    await uow.customers.put_member(member)
    said: dict[str, object] = {"customer_id": str(member.customer_id), "role": member.role}
    await _tell(uow, member.account_id, "member_saved", said, doing)


async def remove_member(uow: UnitOfWork, account_id: UUID, customer_id: UUID, doing: Doing) -> None:
    """A customer acts for an account no more; tokens say so within minutes.

    Raises:
        NotFound: they did not.
    """
    if not await uow.customers.remove_member(account_id, customer_id):
        raise NotFound("member", str(customer_id))
    await _tell(uow, account_id, "member_removed", {"customer_id": str(customer_id)}, doing)


async def accounts_above(uow: UnitOfWork, customer: Customer) -> Sequence[UUID]:
    """The accounts that prices and rights of a customer look at: the one that they act for and
    those above it, nearest first; empty for who acts for none. Who acts for several says which
    elsewhere; here the first one opened counts.
    """
    mine = await uow.customers.accounts_of(customer.id)
    return await uow.customers.lineage(mine[0]) if mine else ()


async def _tell(
    uow: UnitOfWork, account_id: UUID, what: str, said: dict[str, object], doing: Doing
) -> None:
    event = Event(
        f"accounts.account.{what}.v1", "account", account_id,
        {"account_id": str(account_id), **said},
    )  # fmt: skip
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry(f"account.{what}", "account", str(account_id), after=said)
    await uow.audit.add([entry], doing.actor, doing.at)
