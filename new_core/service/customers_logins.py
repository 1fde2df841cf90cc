"""Where customers come in."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from new_core.domain.catalog import Stored
from new_core.domain.customer import Customer, CustomerStatus
from new_core.domain.identity_logins import Person
from new_core.domain.identity_tokens import SubjectKind
from new_core.ports import UnitOfWork
from new_core.service.identity_logins import Door


def customer_door() -> Door:
    """Where customers come in: by their e-mail address, or the name that the shop before gave
    them. An old hash becomes a new one on the way.
    """

    async def find(uow: UnitOfWork, name: str) -> Person | None:
        found = await uow.customers.by_email(name)
        return _person(found or (await uow.customers.by_username(name) if name else None))

    async def locked(uow: UnitOfWork, person: Person) -> Person | None:
        return _person(await uow.customers.locked(person.id))

    async def rehash(uow: UnitOfWork, person: Person, hashed: str, at: datetime) -> None:
        stored = await uow.customers.get(person.id)
        if stored is not None:
            await uow.customers.put(replace(stored.value, password_hash=hashed), at)

    async def old_hash(uow: UnitOfWork) -> str:
        return await uow.customers.old_hash()

    return Door(SubjectKind.CUSTOMER, find, locked, rehash, old_hash)


def _person(found: Stored[Customer] | None) -> Person | None:
    if found is None:
        return None
    one = found.value
    return Person(one.id, one.password_hash, one.status is CustomerStatus.ACTIVE)
