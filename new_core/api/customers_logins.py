"""Routes by which customers come in and go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Request, Response

from new_core.api.auth import needs_customer, needs_its_own_proof
from new_core.api.customers_me import own_id
from new_core.api.customers_schemas import (
    CustomerOut,
    EmailIn,
    LoginIn,
    LogoutIn,
    PasswordIn,
    RegistrationIn,
    ResetDoneIn,
    ResetIn,
)
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.identity_desk import address_of, doing, make_logins, make_tokens
from new_core.api.identity_schemas import TokensOut
from new_core.api.problems import described
from new_core.domain.actor import Actor
from new_core.domain.catalog import Stored
from new_core.domain.customer import Customer, normal_email
from new_core.domain.identity_logins import WINDOW, Person, address_key
from new_core.domain.identity_tokens import SHOP_CLIENT, Grant, SubjectKind
from new_core.errors import InvalidValue, TooManyTries
from new_core.ports import UnitOfWork
from new_core.service.customers import (
    Registration,
    ask_reset,
    complete_reset,
    find_customer,
    register,
    save_customer,
    set_password,
)
from new_core.service.customers_logins import customer_door
from new_core.service.doing import Doing
from new_core.service.identity_logins import Logins, Tried
from new_core.service.identity_tokens import Issued, Tokens

_RESETS = 100
"""Most resets and registrations from one address in a window: each sends mail, or costs a hash."""

_Anybody = Annotated[Actor, needs_its_own_proof()]


def add_logins(router: APIRouter, house: House) -> None:
    """Add the routes."""
    tokens, logins = make_tokens(house), make_logins(house)
    _add_registration(router, house, logins)
    _add_sessions(router, house, tokens, logins)
    _add_email(router, house, logins)
    _add_resets(router, house, tokens, logins)


def _add_registration(router: APIRouter, house: House, logins: Logins) -> None:
    @router.post(
        "/customers", response_model=CustomerOut, status_code=201, responses=described(409, 429),
        tags=["customers"],
    )  # fmt: skip
    async def register_customer(
        request: Request, asked: RegistrationIn, actor: _Anybody
    ) -> CustomerOut:
        """Register; then log in."""
        act, email = doing(house, actor), normal_email(asked.email)
        await _bound(house, f"register {address_of(request)}", act)
        parts = asked.model_dump(exclude={"email", "password"})
        hashed = await logins.hasher.hash(asked.password)
        async with house.database.writing() as uow:
            stored = await register(uow, Registration(email, hashed, **parts), act)
            await uow.commit()
        return CustomerOut.of(stored)


def _add_sessions(router: APIRouter, house: House, tokens: Tokens, logins: Logins) -> None:
    @router.post(
        "/logins", response_model=TokensOut, status_code=201, responses=described(401, 429),
        tags=["customers"],
    )  # fmt: skip
    async def log_in(
        request: Request, response: Response, asked: LoginIn, actor: _Anybody
    ) -> TokensOut:
        """Log in with a password; refresh at /v1/oauth/token as the client "shop"."""
        response.headers["cache-control"] = "no-store"
        try:
            name = normal_email(asked.email)
        except InvalidValue:
            name = asked.email
        tried = Tried(name, asked.password, address_of(request))
        return TokensOut.of(await _enter(tokens, logins, tried, doing(house, actor)))

    @router.post(
        "/logouts", status_code=204, response_class=Response, tags=["customers"]
    )  # fmt: skip
    async def log_out(asked: LogoutIn, actor: _Anybody) -> Response:
        """End the login that a refresh token came of; an unknown one has ended already."""
        async with house.database.reading() as uow:
            shop = await tokens.known_client(uow, SHOP_CLIENT, "")
        await tokens.revoke(shop, asked.refresh_token, doing(house, actor))
        return Response(status_code=204)

    @router.put(
        "/me/password", response_model=TokensOut, responses=described(404, 429), tags=["customers"]
    )  # fmt: skip
    async def change_password(
        request: Request,
        response: Response,
        asked: PasswordIn,
        actor: Annotated[Actor, needs_customer()],
    ) -> TokensOut:
        """Change one's password; all logins end, and this is the first new one."""
        response.headers["cache-control"] = "no-store"
        act, mine = doing(house, actor), own_id(actor)
        async with house.database.reading() as uow:
            name = (await find_customer(uow, mine)).value.email
        hashed = await logins.hasher.hash(asked.password)

        async def write(uow: UnitOfWork, person: Person) -> None:
            await set_password(uow, (await find_customer(uow, person.id)).value, hashed, act)

        tried = Tried(name, asked.current, address_of(request))
        return TokensOut.of(await _enter(tokens, logins, tried, act, write))


def _add_email(router: APIRouter, house: House, logins: Logins) -> None:
    @router.put(
        "/me/email", response_model=CustomerOut, responses=described(404, 409, 429),
        tags=["customers"],
    )  # fmt: skip
    async def change_email(
        request: Request, asked: EmailIn, actor: Annotated[Actor, needs_customer()]
    ) -> CustomerOut:
        """Change the address of mail by which one logs in. A token alone does not: whoever has
        stolen one could have the password reset.
        """
        act, mine, saved = doing(house, actor), own_id(actor), list[Stored[Customer]]()
        async with house.database.reading() as uow:
            name = (await find_customer(uow, mine)).value.email

        async def write(uow: UnitOfWork, person: Person) -> None:
            before = (await find_customer(uow, person.id)).value
            after = replace(before, email=normal_email(asked.email))
            saved.append(await save_customer(uow, before, after, act))

        tried = Tried(name, asked.current, address_of(request))
        await logins.enter(customer_door(), tried, write, act.at)
        return CustomerOut.of(saved[0])


def _add_resets(router: APIRouter, house: House, tokens: Tokens, logins: Logins) -> None:
    @router.post(
        "/password-resets", status_code=202, response_class=Response, responses=described(429),
        tags=["customers"],
    )  # fmt: skip
    async def forget_password(request: Request, asked: ResetIn, actor: _Anybody) -> Response:
        """Have a secret sent to a customer; the answer is the same when there is none."""
        act = doing(house, actor)
        await _bound(house, f"reset {address_of(request)}", act)
        async with house.database.writing() as uow:
            await ask_reset(uow, normal_email(asked.email), tokens.new_secret(), act)
            await uow.commit()
        return Response(status_code=202)

    @router.post(
        "/password-resets/complete", status_code=204, response_class=Response,
        responses=described(409), openapi_extra=TAKES_BACK, tags=["customers"],
    )  # fmt: skip
    async def reset_password(asked: ResetDoneIn, actor: _Anybody) -> Response:
        """Set a new password with the secret that was sent; all logins end."""
        hashed = await logins.hasher.hash(asked.password)
        async with house.database.writing() as uow:
            await complete_reset(uow, asked.token, hashed, doing(house, actor))
            await uow.commit()
        return Response(status_code=204)


async def _enter(
    tokens: Tokens,
    logins: Logins,
    tried: Tried,
    act: Doing,
    first: Callable[[UnitOfWork, Person], Awaitable[None]] | None = None,
) -> Issued:
    opened: list[tuple[Grant, str]] = []

    async def write(uow: UnitOfWork, person: Person) -> None:
        if first is not None:
            await first(uow, person)
        whose = (SubjectKind.CUSTOMER, person.id)
        grant = await tokens.open_grant(uow, SHOP_CLIENT, whose, frozenset(), act)
        opened.append((grant, await tokens.begin(uow, grant, act)))

    await logins.enter(customer_door(), tried, write, act.at)
    grant, refresh = opened[0]
    return await tokens.hand_out(grant, refresh, act)


async def _bound(house: House, what: str, act: Doing) -> None:
    async with house.database.writing() as uow:
        until = await uow.identity.take_try(address_key(what), _RESETS, WINDOW, act.at)
        await uow.commit()
    if until is not None:
        raise TooManyTries(max(1, int((until - act.at).total_seconds())))
