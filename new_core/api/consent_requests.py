"""Routes of what people ask of us: to be told, and to be forgotten."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.encoders import jsonable_encoder
from starlette.responses import JSONResponse

from new_core.api.answers import answer, id_cursor, read_id_cursor
from new_core.api.auth import needs, needs_customer
from new_core.api.consent_schemas import (
    DataRequestIn,
    DataRequestList,
    DataRequestOut,
    RefusedIn,
    VerifiedIn,
)
from new_core.api.customers_me import own_id
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.identity_desk import doing
from new_core.api.parameters import After, Limit
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.domain.actor import Actor
from new_core.domain.consent import DataRequestState
from new_core.errors import NotFound
from new_core.ports import UnitOfWork
from new_core.service.consent_holders import (
    Holders,
    carts_holder,
    consent_holder,
    customers_holder,
    orders_holder,
)
from new_core.service.consent_requests import ask, export, find_request, fulfil, refuse, verify

_Reads = Annotated[Actor, needs("consent:read")]
_Writes = Annotated[Actor, needs("consent:write")]
_Exports = Annotated[Actor, needs("consent:write", "customers:read")]
_Self = Annotated[Actor, needs_customer()]
_WHOLE: dict[int | str, dict[str, Any]] = {
    200: {"description": "All that is held, by module", "content": {
        "application/json": {"schema": {"type": "object"}},
    }},
}  # fmt: skip


def all_holders() -> Holders:
    """Every module that holds personal data, in the order in which they let go: the customer,
    by whom the others find theirs, last.
    """
    return {
        "orders": orders_holder(),
        "carts": carts_holder(),
        "consent": consent_holder(),
        "customer": customers_holder(),
    }


def add_requests(router: APIRouter, house: House) -> None:
    """Add the routes."""
    holders = all_holders()
    _add_own(router, house, holders)
    _add_reads(router, house, holders)
    _add_decisions(router, house, holders)


def _add_own(router: APIRouter, house: House, holders: Holders) -> None:
    @router.post(
        "/me/data-requests", response_model=DataRequestOut, status_code=201,
        responses=described(404, 409), openapi_extra=TAKES_BACK, tags=["consent"],
    )  # fmt: skip
    async def ask_oneself(asked: DataRequestIn, actor: _Self) -> DataRequestOut:
        """Ask what is known of oneself, or to be forgotten; answered within 30 days."""
        async with house.database.writing() as uow:
            stored = await ask(uow, own_id(actor), asked.kind, "login", doing(house, actor))
            await uow.commit()
        return DataRequestOut.of(stored)

    @router.get("/me/data-requests", response_model=DataRequestList, tags=["consent"])
    async def list_own(
        request: Request, actor: _Self, limit: Limit = 50, after: After = None
    ) -> Response:
        """What one has asked for."""
        return await _list(request, house, limit, after, customer_id=own_id(actor))

    @router.get(
        "/me/data-requests/{request_id}/export", responses=_WHOLE | described(404, 409),
        tags=["consent"],
    )  # fmt: skip
    async def fetch_own(actor: _Self, request_id: UUID) -> JSONResponse:
        """All that is held of oneself, for an access request."""
        return await _exported(house, holders, request_id, actor, own_id(actor))


def _add_reads(router: APIRouter, house: House, holders: Holders) -> None:
    @router.get("/data-requests", response_model=DataRequestList, tags=["consent"])
    async def list_requests(
        request: Request,
        _actor: _Reads,
        limit: Limit = 50,
        after: After = None,
        state: DataRequestState | None = None,
    ) -> Response:
        """What people asked for."""
        return await _list(request, house, limit, after, state=state)

    @router.get(
        "/data-requests/{request_id}", response_model=DataRequestOut, responses=described(404),
        tags=["consent"],
    )  # fmt: skip
    async def get_request(request: Request, actor: _Reads, request_id: UUID) -> Response:
        """One request."""
        del actor
        async with house.database.reading() as uow:
            found = await find_request(uow, request_id)
        return answer(request, DataRequestOut.of(found))

    @router.get(
        "/data-requests/{request_id}/export", responses=_WHOLE | described(404, 409),
        tags=["consent"],
    )  # fmt: skip
    async def fetch(actor: _Exports, request_id: UUID) -> JSONResponse:
        """All that is held of the one who asked, to hand it over."""
        return await _exported(house, holders, request_id, actor, None)


def _add_decisions(router: APIRouter, house: House, holders: Holders) -> None:
    @router.post(
        "/customers/{customer_id}/data-requests", response_model=DataRequestOut,
        status_code=201, responses=described(404, 409), openapi_extra=TAKES_BACK,
        tags=["consent"],
    )  # fmt: skip
    async def ask_for(asked: DataRequestIn, actor: _Writes, customer_id: UUID) -> DataRequestOut:
        """Take down what somebody asked by letter: who they are is yet to be seen."""
        async with house.database.writing() as uow:
            stored = await ask(uow, customer_id, asked.kind, "", doing(house, actor))
            await uow.commit()
        return DataRequestOut.of(stored)

    @router.post(
        "/data-requests/{request_id}/verify", response_model=DataRequestOut,
        responses=described(404, 409), openapi_extra=TAKES_BACK, tags=["consent"],
    )  # fmt: skip
    async def verify_it(asked: VerifiedIn, actor: _Writes, request_id: UUID) -> DataRequestOut:
        """Say how it is known who asks."""
        async with house.database.writing() as uow:
            stored = await verify(uow, request_id, asked.verified_by, doing(house, actor))
            await uow.commit()
        return DataRequestOut.of(stored)

    @router.post(
        "/data-requests/{request_id}/fulfil", response_model=DataRequestOut,
        responses=described(404, 409), openapi_extra=TAKES_BACK, tags=["consent"],
    )  # fmt: skip
    async def fulfil_it(actor: _Writes, request_id: UUID) -> DataRequestOut:
        """Do it: an erasure is done here and now, and cannot be taken back."""
        async with house.database.writing() as uow:
            stored = await fulfil(uow, request_id, holders, doing(house, actor))
            await uow.commit()
        return DataRequestOut.of(stored)

    @router.post(
        "/data-requests/{request_id}/refuse", response_model=DataRequestOut,
        responses=described(404, 409), openapi_extra=TAKES_BACK, tags=["consent"],
    )  # fmt: skip
    async def refuse_it(asked: RefusedIn, actor: _Writes, request_id: UUID) -> DataRequestOut:
        """Say no, and why."""
        async with house.database.writing() as uow:
            stored = await refuse(uow, request_id, asked.reason, doing(house, actor))
            await uow.commit()
        return DataRequestOut.of(stored)


async def _list(
    request: Request,
    house: House,
    limit: int,
    after: str | None,
    state: DataRequestState | None = None,
    customer_id: UUID | None = None,
) -> Response:
    place = read_id_cursor(after) if after is not None else None
    async with house.database.reading() as uow:
        found = await uow.consent.requests(place, limit + 1, state=state, customer_id=customer_id)
    shown, more = found[:limit], len(found) > limit
    cursor = id_cursor(shown[-1].value.id) if more else None
    data = [DataRequestOut.of(one) for one in shown]
    body = DataRequestList(data=data, page=Page(next=cursor, has_more=more))
    return answer(request, body, next_page=cursor)


async def _exported(
    house: House, holders: Holders, request_id: UUID, actor: Actor, of: UUID | None
) -> JSONResponse:
    async with house.database.writing() as uow:
        await _belongs(uow, request_id, of)
        found = await export(uow, request_id, holders, doing(house, actor))
        await uow.commit()
    return JSONResponse(jsonable_encoder(found), headers={"cache-control": "no-store"})


async def _belongs(uow: UnitOfWork, request_id: UUID, of: UUID | None) -> None:
    """That a request is somebody's own; another one's is not there for them."""
    request = (await find_request(uow, request_id)).value
    if of is not None and request.customer_id != of:
        raise NotFound("data request", str(request_id))
