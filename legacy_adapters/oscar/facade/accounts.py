"""Who somebody is: login, logout, registration."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta

from legacy_adapters.oscar.facade import carts
from legacy_adapters.oscar.facade.visit import (
    CSRF_COOKIE,
    SESSION_COOKIE,
    Refused,
    Reply,
    Visit,
    missing,
    refused,
    refused_form,
)
from legacy_adapters.oscar.mapping.fields import Field, InvalidForm, email, read_form, text, whole
from legacy_adapters.oscar.storage import Session, SqlNumbers, SqlSessions
from new_core.domain.customer import Customer, normal_email
from new_core.domain.identity_logins import Person
from new_core.errors import Conflict, InvalidValue, NotFound, TooManyTries, Unauthenticated
from new_core.ports import UnitOfWork
from new_core.service.cart_merging import take_over
from new_core.service.customers import Registration
from new_core.service.customers import register as register_customer
from new_core.service.customers_logins import customer_door
from new_core.service.identity_logins import Tried

_CSRF_LIFE = timedelta(days=364)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PASSWORD = Field(text(longest=128))


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


async def log_in(visit: Visit) -> Reply:
    """Log somebody in. What the guest had in their basket is theirs from then on."""
    form = {"username": Field(text(longest=150)), "password": _PASSWORD}
    try:
        values = read_form(form, visit.sent())
    except InvalidForm as invalid:
        raise refused_form(401, invalid) from invalid
    tried = Tried(_normal(values["username"]), values["password"], visit.address)
    guest = visit.session

    async def begin(uow: UnitOfWork, person: Person) -> None:
        if guest.customer_id is not None:
            raise Refused(405, {"detail": "Session is in use, log out first"})
        await _begin_session(uow, visit, person)

    try:
        await visit.terms.logins.enter(customer_door(), tried, begin, visit.at)
    except Unauthenticated as no:
        raise Refused(401, {"non_field_errors": ["invalid login"]}) from no
    except TooManyTries as many:
        later = Refused(429, {"detail": f"Request was throttled. {many}"})
        later.reply = replace(later.reply, headers=(("retry-after", str(many.retry_after_s)),))
        raise later from many
    if visit.name is None:
        token = "".join(secrets.choice(_LETTERS) for _ in range(32))
        visit.set_cookie(CSRF_COOKIE, token, _CSRF_LIFE)
    return Reply(200, "")


async def _begin_session(uow: UnitOfWork, visit: Visit, person: Person) -> None:
    """The guest's session ends and the customer's begins, under another name: nobody who knew
    the first one knows the second.
    """
    guest, cart_id = visit.session, visit.session.cart_id
    found = await carts.find(uow, visit)
    if guest.key_sha256:
        await SqlSessions(uow).end(guest.key_sha256)
    if found is not None:
        stored = await uow.customers.get(person.id)
        assert stored is not None  # noqa: S101 - who logged in is there
        try:
            taken = await take_over(uow, carts.opening_of(found.value), stored.value, visit.doing)
            cart_id = taken.value.id
        except (Conflict, NotFound):
            # Nobody is kept out because their baskets do not fit together.
            cart_id = None
    new = visit.terms.named(visit.name.logged_in()) if visit.name is not None else Session("")
    await visit.remember(uow, replace(new, customer_id=person.id, cart_id=cart_id))
    await SqlNumbers(uow).give(carts.USER, [person.id], visit.at)


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


async def register(visit: Visit) -> Reply:
    """Make a customer, who is not logged in by it."""
    form = {"email": Field(email(longest=254)), "password1": _PASSWORD, "password2": _PASSWORD}
    try:
        values = read_form(form, visit.sent())
        async with visit.house.database.reading() as uow:
            if await uow.customers.by_email(_normal(values["email"])) is not None:
                raise whole("A user with this email already exists")
        if values["password1"] != values["password2"]:
            raise whole("Passwords do not match")
    except InvalidForm as invalid:
        raise refused_form(400, invalid) from invalid
    hashed = await visit.terms.logins.hasher.hash(values["password1"])
    async with visit.house.database.writing() as uow:
        try:
            asked = Registration(_normal(values["email"]), hashed)
            await register_customer(uow, asked, visit.doing)
        except Conflict as taken:
            message = "A user with this email already exists"
            raise Refused(400, {"non_field_errors": [message]}) from taken
        await uow.commit()
    return Reply(201, values["email"])


def _normal(name: str) -> str:
    """An e-mail address as it is kept; a name of the shop before as it is."""
    try:
        return normal_email(name)
    except InvalidValue:
        return name
