"""Who may what: scopes, roles, rows, and what a request without a token is."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from new_core.api import problems
from new_core.api.auth import Gate, needs, needs_somebody, without_token
from new_core.domain.actor import Actor, ActorKind
from new_core.domain.buyer import Buyer
from new_core.domain.identity_roles import BUILT_IN, OF_BUYERS, OPEN, SCOPES, allowed
from new_core.errors import Unauthenticated
from tests.support.asgi import send_to

A, B = UUID(int=1), UUID(int=2)
ACTORS = {
    "desk": Actor(ActorKind.STAFF, "desk", BUILT_IN["order-desk"].scopes),
    "viewer": Actor(ActorKind.STAFF, "viewer", BUILT_IN["viewer"].scopes),
    "partner": Actor(ActorKind.PARTNER, "p", BUILT_IN["partner"].scopes, account_ids=(A,)),
    "customer": Actor(ActorKind.CUSTOMER, str(A), customer_id=A),
}


async def identify(token: str) -> Actor:
    if token not in ACTORS:
        raise Unauthenticated("the token does not hold")
    return ACTORS[token]


def app(core_auth: str = "required") -> FastAPI:
    made = FastAPI()
    problems.install(made)
    made.state.gate = Gate(identify, without_token(core_auth))

    @made.get("/public")
    async def public(actor: Annotated[Actor, needs()]) -> str:
        return actor.kind

    @made.get("/orders")
    async def orders(actor: Annotated[Actor, needs("orders:read", "orders:write")]) -> str:
        return actor.kind

    @made.get("/own")
    async def own(actor: Annotated[Actor, needs("orders:read", own_rows=True)]) -> str:
        return actor.kind

    @made.get("/stock")
    async def stock(actor: Annotated[Actor, needs("stock:read")]) -> str:
        return actor.kind

    @made.get("/me")
    async def me(actor: Annotated[Actor, needs_somebody()]) -> str:
        return actor.kind

    return made


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/public", "", 200), ("/public", "viewer", 200), ("/public", "forged", 401),
        ("/orders", "", 401), ("/orders", "viewer", 403), ("/orders", "desk", 200),
        ("/orders", "customer", 403), ("/orders", "partner", 403),
        ("/own", "partner", 200), ("/own", "customer", 403), ("/own", "viewer", 200),
        ("/stock", "", 401), ("/stock", "partner", 200),
        ("/me", "", 401), ("/me", "customer", 200), ("/me", "viewer", 200),
    ],
)  # fmt: skip
async def test_a_route_answers_those_who_have_what_it_needs(
    path: str, token: str, status: int
) -> None:
    headers = {"authorization": f"Bearer {token}"} if token else {}

    answer = await send_to(app(), "GET", path, headers=headers)

    assert answer.status == status
    if status in {401, 403}:
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("core_auth", "path", "status"),
    [
        ("open", "/stock", 200), ("open", "/orders", 401), ("open", "/me", 401),
        ("required", "/stock", 401), ("required", "/public", 200),
        ("off", "/orders", 200), ("off", "/me", 200),
    ],
)  # fmt: skip
async def test_the_setting_says_what_a_request_without_a_token_may(
    core_auth: str, path: str, status: int
) -> None:
    assert (await send_to(app(core_auth), "GET", path)).status == status


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer ", "Basic desk", "desk", "bearer\tdesk"])
async def test_an_authorization_that_is_no_token_is_not_taken_for_none(sent: str) -> None:
    answer = await send_to(app("off"), "GET", "/public", headers={"authorization": sent})

    assert answer.status == 401


def test_a_need_that_no_role_can_have_is_refused_when_it_is_written() -> None:
    with pytest.raises(ValueError, match="orders:raed"):
        needs("orders:raed")


def test_built_in_roles_allow_scopes_that_exist_and_only_admins_change_who_may() -> None:
    assert all(role.scopes <= SCOPES.keys() for role in BUILT_IN.values())
    assert allowed(tuple(BUILT_IN.values())) == SCOPES.keys()
    assert [r.code for r in BUILT_IN.values() if "identity:write" in r.scopes] == ["admin"]
    assert OPEN.isdisjoint(OF_BUYERS)


ids = st.sampled_from([A, B])


@given(
    customer=st.none() | ids,
    accounts=st.lists(ids, unique=True),
    mine=st.lists(ids, unique=True),
    scopes=st.frozensets(st.sampled_from(sorted(SCOPES))),
)
def test_rows_of_buyers_are_reached_by_who_owns_them_or_has_the_scope(
    customer: UUID | None, accounts: list[UUID], mine: list[UUID], scopes: frozenset[str]
) -> None:
    buyer = Buyer("CAD", customer_id=customer, account_ids=tuple(accounts))
    partner = Actor(ActorKind.PARTNER, "p", scopes, account_ids=tuple(mine))
    staff = Actor(ActorKind.STAFF, "s", scopes)
    shopper = Actor(ActorKind.CUSTOMER, str(A), scopes, customer_id=A)

    assert staff.reaches("orders:read", buyer) == ("orders:read" in scopes)
    assert shopper.reaches("orders:read", buyer) == (customer == A)
    assert partner.reaches("orders:read", buyer) == (
        "orders:read" in scopes and bool(set(mine) & set(accounts))
    )
    assert not partner.may("orders:read")
