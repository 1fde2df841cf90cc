"""Routes and workers of identity."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter

from new_core.api.auth import Identify
from new_core.api.house import House, Worker
from new_core.api.identity_desk import make_keyring, make_logins, make_tokens
from new_core.api.identity_login import add_login_page
from new_core.api.identity_oauth import add_metadata, add_oauth
from new_core.api.identity_staff import add_clients, add_roles, add_staff
from new_core.api.problems import described
from new_core.domain.actor import Actor

_KEPT = timedelta(days=7)
"""How long one can still see how a login ended."""


def identify(house: House) -> Identify:
    """Tells whose token a request carries."""
    keyring = make_keyring(house)

    async def whose(token: str) -> Actor:
        return (await keyring.claims(token, house.now())).actor

    return whose


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(responses=described(422, 503))
    tokens, logins = make_tokens(house), make_logins(house)
    add_oauth(router, house, tokens)
    add_metadata(router, house, tokens)
    add_login_page(router, house, tokens, logins)
    add_clients(router, house, tokens.new_secret)
    add_roles(router, house)
    add_staff(router, house, logins.hasher)
    return router


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""
    keyring = make_keyring(house)

    async def rotate() -> int:
        return await keyring.rotate(house.now())

    async def forget() -> int:
        async with house.database.writing() as uow:
            gone = await uow.identity.forget_ended(house.now() - _KEPT)
            await uow.commit()
        # Those that are left are looked at again in the next round, not at once.
        del gone
        return 0

    return (Worker("key-rotation", rotate, 3600.0), Worker("login-sweeper", forget, 3600.0))
