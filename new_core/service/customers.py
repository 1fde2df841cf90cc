"""Use cases of customers. What the audit and the events tell of them are ids and the names of
fields, never what stands in them: neither can be taken back when a customer is erased.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.customer import (
    RESET_LIVES,
    Customer,
    CustomerStatus,
    SavedAddress,
    with_address,
)
from new_core.domain.customer_accounts import CustomerGroup
from new_core.domain.events import AuditEntry, Event
from new_core.domain.identity_secrets import digest_of
from new_core.domain.identity_tokens import SubjectKind
from new_core.errors import Conflict, InvalidValue, NotFound
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing

_RESET = "password_reset"


@dataclass(frozen=True, slots=True)
class Registration:
    """Somebody new.

    Attributes:
        email: normalised.
        password_hash: empty for one who is written down by staff, and resets it first.
    """

    email: str
    password_hash: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    locale: str = ""


async def find_customer(uow: UnitOfWork, customer_id: UUID) -> Stored[Customer]:
    """A customer.

    Raises:
        NotFound: there is none of that id.
    """
    return _there(await uow.customers.get(customer_id), customer_id)


async def locked_customer(uow: UnitOfWork, customer_id: UUID) -> Stored[Customer]:
    """The same; nobody else changes it until the transaction ends.

    Raises:
        NotFound: there is none of that id.
    """
    return _there(await uow.customers.locked(customer_id), customer_id)


async def register(uow: UnitOfWork, asked: Registration, doing: Doing) -> Stored[Customer]:
    """A new customer.

    Raises:
        Conflict: the address is a customer's already.
    """
    taken = Conflict("email_taken", "a customer has this e-mail address; log in, or reset")
    if await uow.customers.by_email(asked.email) is not None:
        raise taken
    customer = Customer(
        id=doing.new_id(),
        status=CustomerStatus.ACTIVE,
        created_at=doing.at,
        **{one.name: getattr(asked, one.name) for one in fields(asked)},
    )
    try:
        # 1. Two registrations find nobody, 2. both insert, 3. the second one meets the rule.
        stored = await uow.customers.put(customer, doing.at)
    except InvalidValue as exc:
        raise taken from exc
    await _tell(uow, customer.id, "registered", (), doing)
    return stored


async def save_customer(
    uow: UnitOfWork, before: Customer, after: Customer, doing: Doing
) -> Stored[Customer]:
    """Change a customer; one who may not log in any more is logged out everywhere.

    Raises:
        Conflict: they are erased, or the new address is another customer's.
        NotFound: a group that is not there.
    """
    if before.status is CustomerStatus.ERASED:
        raise Conflict("customer_erased", "this customer was erased")
    changed = tuple(one.name for one in fields(after) if _differs(before, after, one.name))
    if not changed:
        return await find_customer(uow, before.id)
    known = {one.id for one in await uow.customers.groups(after.group_ids)}
    for missing in sorted(after.group_ids - known):
        raise NotFound("customer group", str(missing))
    if before.email != after.email:
        other = await uow.customers.by_email(after.email)
        if other is not None:
            raise Conflict("email_taken", "another customer has this e-mail address")
    stored = await uow.customers.put(after, doing.at)
    if after.status is not CustomerStatus.ACTIVE:
        await uow.identity.revoke_of(SubjectKind.CUSTOMER, after.id, "disabled", doing.at)
    await _tell(uow, after.id, "updated", changed, doing)
    return stored


async def put_address(
    uow: UnitOfWork, customer: Customer, saved: SavedAddress, doing: Doing
) -> Stored[Customer]:
    """Add an address to a customer's book, or change it.

    Raises:
        InvalidValue: the book is full.
    """
    book = with_address(customer.addresses, saved)
    return await save_customer(uow, customer, replace(customer, addresses=book), doing)


async def remove_address(
    uow: UnitOfWork, customer: Customer, address_id: UUID, doing: Doing
) -> Stored[Customer]:
    """Take an address out of a customer's book.

    Raises:
        NotFound: it is not in there.
    """
    book = tuple(one for one in customer.addresses if one.id != address_id)
    if len(book) == len(customer.addresses):
        raise NotFound("address", str(address_id))
    return await save_customer(uow, customer, replace(customer, addresses=book), doing)


async def set_password(
    uow: UnitOfWork, customer: Customer, password_hash: str, doing: Doing
) -> None:
    """Another password; every login of before ends, whoever began it."""
    after = replace(customer, password_hash=password_hash)
    await uow.customers.put(after, doing.at)
    await uow.identity.revoke_of(SubjectKind.CUSTOMER, customer.id, "password", doing.at)
    await _tell(uow, customer.id, "password_changed", ("password_hash",), doing)


async def ask_reset(uow: UnitOfWork, email: str, secret: str, doing: Doing) -> None:
    """Have a secret sent that sets a new password once. It leaves by the event alone: whoever
    sends mail gets it there. For an unknown address nothing happens, and nobody can tell.
    """
    stored = await uow.customers.by_email(email)
    if stored is None or stored.value.status is not CustomerStatus.ACTIVE:
        return
    ends = doing.at + RESET_LIVES
    customer_id = stored.value.id
    await uow.customers.add_token(digest_of(secret), customer_id, _RESET, doing.at, ends)
    said = {"customer_id": str(customer_id), "token": secret, "expires_at": ends.isoformat()}
    event = "customers.customer.password_reset_requested.v1"
    await uow.outbox.add([Event(event, "customer", customer_id, said)], doing.actor, doing.at)
    entry = AuditEntry("customer.password_reset_requested", "customer", str(customer_id))
    await uow.audit.add([entry], doing.actor, doing.at)


async def complete_reset(uow: UnitOfWork, secret: str, password_hash: str, doing: Doing) -> None:
    """Set a new password with the secret that was sent.

    Raises:
        Conflict: it is none, was used, or is too old.
    """
    customer_id = await uow.customers.take_token(digest_of(secret), _RESET, doing.at)
    found = None if customer_id is None else await uow.customers.locked(customer_id)
    if found is None or found.value.status is not CustomerStatus.ACTIVE:
        raise Conflict("reset_token_spent", "this link was used or is too old; ask for another")
    await set_password(uow, found.value, password_hash, doing)


async def save_group(uow: UnitOfWork, group: CustomerGroup, doing: Doing) -> None:
    """Make a group, or change its name.

    Raises:
        InvalidValue: another one has the code.
    """
    await uow.customers.put_group(group, doing.at)
    after = {"code": group.code, "name": group.name}
    entry = AuditEntry("customer_group.saved", "customer_group", str(group.id), after=after)
    await uow.audit.add([entry], doing.actor, doing.at)
    event = Event("customers.group.saved.v1", "customer_group", group.id, {"code": group.code})
    await uow.outbox.add([event], doing.actor, doing.at)


def _there(found: Stored[Customer] | None, customer_id: UUID) -> Stored[Customer]:
    if found is None:
        raise NotFound("customer", str(customer_id))
    return found


def _differs(before: Customer, after: Customer, name: str) -> bool:
    return bool(getattr(before, name) != getattr(after, name))


async def _tell(
    uow: UnitOfWork, customer_id: UUID, what: str, changed: Iterable[str], doing: Doing
) -> None:
    said = {"fields": sorted(changed)}
    event = Event(
        f"customers.customer.{what}.v1", "customer", customer_id,
        {"customer_id": str(customer_id), **said},
    )  # fmt: skip
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry(f"customer.{what}", "customer", str(customer_id), after=said)
    await uow.audit.add([entry], doing.actor, doing.at)
