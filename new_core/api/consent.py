"""Routes and workers of consent."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from new_core.api.answers import answer, id_cursor, read_id_cursor
from new_core.api.auth import needs, needs_customer
from new_core.api.consent_requests import add_requests
from new_core.api.consent_schemas import (
    AccessList,
    AccessOut,
    CurrentConsentList,
    CurrentConsentOut,
    DecisionIn,
    PurposeIn,
    PurposeList,
    PurposeOut,
    RecordOut,
)
from new_core.api.customers_me import own_id
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House, Worker
from new_core.api.identity_desk import address_of, doing
from new_core.api.parameters import After, Limit, Moment
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.domain.actor import Actor, system
from new_core.domain.consent import Decision, Evidence, Purpose
from new_core.service.consent import Decided, add_purpose, current_consents_of, decide, expire
from new_core.service.consent_access import log_access
from new_core.service.customers import find_customer

_LONGEST_AGENT = 300
_Reads = Annotated[Actor, needs("consent:read")]
_Writes = Annotated[Actor, needs("consent:write")]
_Self = Annotated[Actor, needs_customer()]


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    _add_purposes(router, house)
    _add_own(router, house)
    _add_others(router, house)
    add_requests(router, house)
    return router


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""

    async def end_grants() -> int:
        async with house.database.writing() as uow:
            done = await expire(uow, doing(house, system("consent-expiry")))
            await uow.commit()
        return done

    return (Worker("consent-expiry", end_grants, 3600.0),)


def _add_purposes(router: APIRouter, house: House) -> None:
    @router.get("/consent-purposes", response_model=PurposeList, tags=["consent"])
    async def list_purposes(request: Request, _actor: Annotated[Actor, needs()]) -> Response:
        """What personal data is used for, with the texts that people read."""
        async with house.database.reading() as uow:
            found = await uow.consent.purposes()
        return answer(request, PurposeList(data=[PurposeOut.of(one) for one in found]))

    @router.post(
        "/consent-purposes", response_model=PurposeOut, status_code=201,
        responses=described(409), openapi_extra=TAKES_BACK, tags=["consent"],
    )  # fmt: skip
    async def make_purpose(asked: PurposeIn, actor: _Writes) -> PurposeOut:
        """A purpose, or the next version of one: versions never change."""
        act = doing(house, actor)
        wish = Purpose(
            asked.code, 0, tuple(sorted(asked.texts.items())), asked.required,
            tuple(asked.data_categories), act.at, asked.retention_days, asked.valid_days,
        )  # fmt: skip
        async with house.database.writing() as uow:
            made = await add_purpose(uow, wish, act)
            await uow.commit()
        return PurposeOut.of(made)


def _add_own(router: APIRouter, house: House) -> None:
    @router.get(
        "/me/consents", response_model=CurrentConsentList, responses=described(404),
        tags=["consent"],
    )  # fmt: skip
    async def get_own(request: Request, actor: _Self, at: Moment | None = None) -> Response:
        """What one has agreed to, now or at a time."""
        return await current(request, own_id(actor), actor, at)

    @router.post(
        "/me/consents", response_model=RecordOut, status_code=201,
        responses=described(404, 409), openapi_extra=TAKES_BACK, tags=["consent"],
    )  # fmt: skip
    async def decide_oneself(request: Request, asked: DecisionIn, actor: _Self) -> RecordOut:
        """Agree, or agree no more."""
        return await put_down(request, asked, own_id(actor), actor)

    @router.get(
        "/customers/{customer_id}/consents", response_model=CurrentConsentList,
        responses=described(404), tags=["consent"],
    )  # fmt: skip
    async def get_consents(
        request: Request, actor: _Reads, customer_id: UUID, at: Moment | None = None
    ) -> Response:
        """What a customer has agreed to, now or at a time."""
        return await current(request, customer_id, actor, at)

    @router.post(
        "/customers/{customer_id}/consents", response_model=RecordOut, status_code=201,
        responses=described(404, 409), openapi_extra=TAKES_BACK, tags=["consent"],
    )  # fmt: skip
    async def decide_for(
        request: Request, asked: DecisionIn, actor: _Writes, customer_id: UUID
    ) -> RecordOut:
        """Put down what a customer said, e.g. on the telephone."""
        return await put_down(request, asked, customer_id, actor)

    async def current(
        request: Request, customer_id: UUID, actor: Actor, at: Moment | None
    ) -> Response:
        act = doing(house, actor)
        async with house.database.writing() as uow:
            found = await current_consents_of(uow, customer_id, at or act.at)
            await log_access(uow, [customer_id], ["consents"], "", act)
            await uow.commit()
        return answer(
            request, CurrentConsentList(data=[CurrentConsentOut.of(one) for one in found])
        )

    async def put_down(
        request: Request, asked: DecisionIn, customer_id: UUID, actor: Actor
    ) -> RecordOut:
        agent = request.headers.get("user-agent", "")[:_LONGEST_AGENT]
        evidence = Evidence(asked.locale, asked.text_sha256, asked.form, address_of(request), agent)
        decision = Decision(asked.decision)
        decided = Decided(asked.purpose, asked.version, decision, asked.channel, evidence)
        async with house.database.writing() as uow:
            record = await decide(uow, customer_id, decided, doing(house, actor))
            await uow.commit()
        return RecordOut.of(record)


def _add_others(router: APIRouter, house: House) -> None:
    @router.get(
        "/customers/{customer_id}/data-accesses", response_model=AccessList,
        responses=described(404), tags=["consent"],
    )  # fmt: skip
    async def list_accesses(
        request: Request, actor: _Reads, customer_id: UUID, limit: Limit = 50, after: After = None
    ) -> Response:
        """Who read a customer's data."""
        del actor
        return await accesses(request, customer_id, limit, after)

    @router.get(
        "/me/data-accesses", response_model=AccessList, responses=described(404),
        tags=["consent"],
    )  # fmt: skip
    async def list_own_accesses(
        request: Request, actor: _Self, limit: Limit = 50, after: After = None
    ) -> Response:
        """Who read one's own data."""
        return await accesses(request, own_id(actor), limit, after)

    async def accesses(
        request: Request, customer_id: UUID, limit: int, after: str | None
    ) -> Response:
        place = read_id_cursor(after) if after is not None else None
        async with house.database.reading() as uow:
            await find_customer(uow, customer_id)
            found = await uow.consent.accesses(customer_id, place, limit + 1)
        shown, more = found[:limit], len(found) > limit
        cursor = id_cursor(shown[-1].id) if more else None
        data = [AccessOut.of(one) for one in shown]
        body = AccessList(data=data, page=Page(next=cursor, has_more=more))
        return answer(request, body, next_page=cursor)
