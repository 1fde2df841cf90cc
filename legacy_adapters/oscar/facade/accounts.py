"""Who somebody is: login, logout, registration."""

from __future__ import annotations

from legacy_adapters.oscar.facade import carts
from legacy_adapters.oscar.facade.visit import (
    SESSION_COOKIE,
    Reply,
    Visit,
    missing,
    refused,
)
from legacy_adapters.oscar.storage import Session, SqlNumbers, SqlSessions
from new_core.domain.customer import Customer
from new_core.ports import UnitOfWork


async def who(visit: Visit) -> Reply:
    """Who has logged in."""
    if visit.customer_id is None:
        raise refused(405, 'Method "GET" not allowed.')
    async with visit.house.database.reading() as uow:
        return Reply(200, await _person(uow, visit))


async def user(visit: Visit) -> Reply:
    """The same, by the customer's own number; nobody else's is there."""
    async with visit.house.database.reading() as uow:
        customer_id = await SqlNumbers(uow).who(carts.USER, visit.argument())
        if customer_id is None or customer_id != visit.customer_id:
            raise missing("User")
        return Reply(200, await _person(uow, visit))


async def _person(uow: UnitOfWork, visit: Visit) -> dict[str, object]:
    customer = await mine(uow, visit)
    return {
        "username": customer.username or customer.email,
        "email": customer.email,
        "date_joined": visit.shop({}).moment(customer.created_at),
    }


async def mine(uow: UnitOfWork, visit: Visit) -> Customer:
    """The customer who has logged in."""
    found = await uow.customers.get(visit.customer_id) if visit.customer_id else None
    if found is None:
        raise missing("User")
    return found.value


async def log_out(visit: Visit) -> Reply:
    """End the session. A guest's basket cannot be reached after it."""
    if visit.session.key_sha256:
        async with visit.house.database.writing() as uow:
            await SqlSessions(uow).end(visit.session.key_sha256)
            await uow.commit()
        if visit.name is None:
            visit.drop_cookie(SESSION_COOKIE)
    visit.session, visit.ended = Session(""), True
    return Reply(200, "")
