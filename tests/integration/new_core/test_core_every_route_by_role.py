"""Every route by every role: the answer is the one that the route's declared need says.

New routes are found by themselves. One that declares no need fails here, and so does one that
decides by something else than it declares.
"""

from __future__ import annotations

import asyncio
import re
from uuid import UUID

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from new_core.api.auth import Gate, Need, need_of
from new_core.app import build_core
from new_core.domain.actor import ANONYMOUS, Actor, ActorKind
from new_core.domain.identity_roles import BUILT_IN, OF_BUYERS, SCOPES
from new_core.errors import Unauthenticated
from new_core.settings import CoreSettings
from tests.support.asgi import Answered, send_to

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

SOMEBODY = UUID(int=7)
ROLES = {
    **{
        code: Actor(ActorKind.STAFF, code, role.scopes)
        for code, role in BUILT_IN.items()
        if code not in {"partner", "service"}
    },
    "service": Actor(ActorKind.SERVICE, "erp", BUILT_IN["service"].scopes),
    "partner": Actor(ActorKind.PARTNER, "p", BUILT_IN["partner"].scopes, account_ids=(SOMEBODY,)),
    "partner with everything": Actor(
        ActorKind.PARTNER, "q", frozenset(SCOPES), account_ids=(SOMEBODY,)
    ),
    "customer": Actor(ActorKind.CUSTOMER, str(SOMEBODY), customer_id=SOMEBODY),
    "nobody": ANONYMOUS,
}
PROVEN_BY_THEMSELVES = {
    "/v1/oauth/token", "/v1/oauth/revoke", "/v1/oauth/authorize", "/v1/oauth/jwks.json",
    "/.well-known/oauth-authorization-server", "/v1/customers", "/v1/logins", "/v1/logouts",
    "/v1/password-resets", "/v1/password-resets/complete",
}  # fmt: skip
"""Routes that take no token of ours. Whoever adds one says here why nobody needs to be known:
those of OAuth and of logging in are shown a secret; the others tell what everybody may know.
"""


async def identify(token: str) -> Actor:
    if token not in ROLES:
        raise Unauthenticated("the token does not hold")
    return ROLES[token]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    url = f"sqlite:///{tmp_path_factory.mktemp('matrix') / 'core.sqlite3'}"
    return build_core(CoreSettings(core_database=url, core_auth="required"))


def routes_of(app: FastAPI) -> list[APIRoute]:
    found = [one for one in app.state.routes if isinstance(one, APIRoute)]
    return [one for one in found if one.include_in_schema]


def methods_of(route: APIRoute) -> list[str]:
    return sorted((route.methods or set()) - {"HEAD", "OPTIONS"})


def expected(need: Need, actor: Actor) -> set[int] | None:
    """The refusals that a need has for an actor; empty for none, None where the rows decide."""
    if actor.kind is ActorKind.ANONYMOUS and (need.scopes or need.known or need.customer):
        return {401}
    if need.customer:
        return set() if actor.kind is ActorKind.CUSTOMER else {403}
    if any(not has(actor, scope, need) for scope in need.scopes):
        return {403}
    if need.own_rows or need.known:
        return None
    return set()


def has(actor: Actor, scope: str, need: Need) -> bool:
    """Told once more, in other words than the code's."""
    if actor.kind is ActorKind.PARTNER and scope in OF_BUYERS:
        return scope in actor.scopes and need.own_rows
    return scope in actor.scopes


async def ask(app: FastAPI, route: APIRoute, method: str, role: str) -> Answered:
    path = re.sub(r"{[^}]*}", str(UUID(int=1)), route.path)
    headers = {
        "idempotency-key": "k" * 32, "if-match": '"x"', "content-type": "application/json",
    }  # fmt: skip
    if role != "nobody":
        headers["authorization"] = f"Bearer {role}"
    return await send_to(app, method, path, b"" if method == "GET" else b"{}", headers)


def test_every_route_says_what_it_needs(app: FastAPI) -> None:
    silent = [f"{methods_of(one)} {one.path}" for one in routes_of(app) if need_of(one) is None]

    assert len(routes_of(app)) > 60
    assert silent == []


def test_only_these_routes_take_no_token(app: FastAPI) -> None:
    found = {one.path for one in routes_of(app) if (need_of(one) or Need()).by_itself}

    assert found == PROVEN_BY_THEMSELVES


def test_the_document_says_what_the_routes_need(app: FastAPI) -> None:
    document = app.openapi()
    for route in routes_of(app):
        need = need_of(route)
        assert need is not None
        for method in methods_of(route):
            operation = document["paths"][route.path][method.lower()]
            told = operation.get("security", [])
            named = {scope for one in told for scopes in one.values() for scope in scopes}
            assert named == set(need.scopes), route.path
            assert ({} in told) == (
                not (need.scopes or need.known or need.customer or need.by_itself)
            ), route.path


async def test_every_role_gets_from_every_route_what_its_need_says(app: FastAPI) -> None:
    wrong: list[str] = []
    async with app.router.lifespan_context(app):
        app.state.gate = Gate(identify)
        for route in routes_of(app):
            need = need_of(route)
            if need is None or need.by_itself:
                continue
            for method in methods_of(route):
                for role, actor in ROLES.items():
                    async with asyncio.timeout(20):
                        answer = await ask(app, route, method, role)
                    refusals = expected(need, actor)
                    got = {answer.status} & {401, 403}
                    if answer.status >= 500 or (refusals is not None and got != refusals):
                        said = f"{role}: {method} {route.path} gave {answer.status}"
                        wrong.append(f"{said}, not {refusals or 'another'}: {answer.text[:200]}")

    assert wrong == []


async def test_a_token_that_does_not_hold_is_refused_everywhere(app: FastAPI) -> None:
    app.state.gate = Gate(identify)
    for route in routes_of(app):
        need = need_of(route)
        if need is not None and not need.by_itself:
            method = methods_of(route)[0]
            assert (await ask(app, route, method, "forged")).status == 401, route.path
