"""Routes and workers of webhooks."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response

from new_core.api.answers import answer, changed, expect, id_cursor, read_id_cursor
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House, Worker
from new_core.api.parameters import After, Limit
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.api.webhook_deliveries import add_deliveries
from new_core.api.webhook_workers import webhook_workers
from new_core.api.webhooks_schemas import (
    EndpointHealth,
    EndpointIn,
    EndpointOut,
    EndpointPatch,
    EndpointsOut,
    EndpointWithSecret,
)
from new_core.domain.actor import Actor
from new_core.domain.webhooks import Endpoint, breaker, check_url, make_secret, read_networks
from new_core.service.doing import Doing
from new_core.service.webhook_endpoints import (
    change_endpoint,
    make_endpoint,
    remove_endpoint,
    rotate_secret,
    stored_endpoint,
)

_SECRET_BYTES = 32
_Writer = Annotated[Actor, needs("webhooks:write")]
_IfMatch = Annotated[str | None, Header(description="the tag of a GET; required")]


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", tags=["webhooks"])
    check = _check(house)
    _add_making(router, house, check)
    _add_reading(router, house)
    _add_changing(router, house, check)
    add_deliveries(router, house)
    return router


def _check(house: House) -> Callable[[str | None], None]:
    allowed = read_networks(house.settings.core_webhook_networks)

    def check(url: str | None) -> None:
        if url is not None:
            check_url(url, allowed)

    return check


def _doing(house: House, actor: Actor) -> Doing:
    return Doing(actor, house.now(), house.new_id)


def _add_making(router: APIRouter, house: House, check: Callable[[str | None], None]) -> None:
    @router.post(
        "/webhook-endpoints", status_code=201, response_model=EndpointWithSecret,
        responses=described(422), openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def add_endpoint(actor: _Writer, body: EndpointIn) -> EndpointWithSecret:
        """Begin to tell somebody of what happens from now on. The secret is shown this once."""
        check(body.url)
        secret = make_secret(secrets.token_bytes(_SECRET_BYTES))
        async with house.database.writing() as uow:
            made = await make_endpoint(uow, body.wanted(), secret, _doing(house, actor))
            await uow.commit()
        return EndpointWithSecret(endpoint=EndpointOut.of(made), secret=secret)

    @router.post(
        "/webhook-endpoints/{endpoint_id}/rotate-secret", response_model=EndpointWithSecret,
        responses=described(404, 422), openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def rotate(endpoint_id: UUID, actor: _Writer) -> EndpointWithSecret:
        """Give an endpoint a new secret; the one before it signs too for 24 hours."""
        secret = make_secret(secrets.token_bytes(_SECRET_BYTES))
        async with house.database.writing() as uow:
            made = await rotate_secret(uow, endpoint_id, secret, _doing(house, actor))
            await uow.commit()
        return EndpointWithSecret(endpoint=EndpointOut.of(made), secret=secret)


def _add_reading(router: APIRouter, house: House) -> None:
    @router.get("/webhook-endpoints", response_model=EndpointsOut, responses=described(422))
    async def list_endpoints(
        request: Request, _actor: _Writer, limit: Limit = 50, after: After = None
    ) -> Response:
        """Who is told."""
        place = None if after is None else read_id_cursor(after)
        async with house.database.reading() as uow:
            found = await uow.webhooks.endpoints(place, limit + 1)
        shown = found[:limit]
        following = id_cursor(shown[-1].id) if len(found) > limit else None
        page = Page(next=following, has_more=following is not None)
        body = EndpointsOut(data=[EndpointOut.of(one) for one in shown], page=page)
        return answer(request, body, next_page=following)

    @router.get(
        "/webhook-endpoints/{endpoint_id}", response_model=EndpointOut,
        responses=described(404, 422),
    )  # fmt: skip
    async def get_endpoint(request: Request, endpoint_id: UUID, _actor: _Writer) -> Response:
        """One who is told."""
        async with house.database.reading() as uow:
            found = await stored_endpoint(uow, endpoint_id)
        return answer(request, EndpointOut.of(found))

    @router.get(
        "/webhook-endpoints/{endpoint_id}/health", response_model=EndpointHealth,
        responses=described(404, 422),
    )  # fmt: skip
    async def get_health(request: Request, endpoint_id: UUID, _actor: _Writer) -> Response:
        """How an endpoint does: its breaker, and what waits for it."""
        async with house.database.reading() as uow:
            found = await stored_endpoint(uow, endpoint_id)
            waiting = (await uow.webhooks.waiting([endpoint_id])).get(endpoint_id)
        many, since = waiting or (0, None)
        health = EndpointHealth(
            breaker=breaker(found.failures_in_a_row, found.open_until, house.now()),
            failures_in_a_row=found.failures_in_a_row,
            open_until=found.open_until,
            pending=many,
            oldest_pending=since,
        )
        return answer(request, health)


def _add_changing(router: APIRouter, house: House, check: Callable[[str | None], None]) -> None:
    @router.patch(
        "/webhook-endpoints/{endpoint_id}", response_model=EndpointOut,
        responses=described(404, 412, 422, 428), openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def patch_endpoint(
        endpoint_id: UUID, actor: _Writer, body: EndpointPatch, if_match: _IfMatch = None
    ) -> Response:
        """Change what an owner sets. Disabling drops what waits; enabling begins anew, and a
        replay brings what was missed.
        """
        check(body.url)
        async with house.database.writing() as uow:
            made = await change_endpoint(
                uow, endpoint_id, body.wanted(), _expected(if_match), _doing(house, actor)
            )
            await uow.commit()
        return changed(EndpointOut.of(made))

    @router.delete(
        "/webhook-endpoints/{endpoint_id}", status_code=204,
        responses=described(404, 412, 422, 428), openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def delete_endpoint(
        endpoint_id: UUID, actor: _Writer, if_match: _IfMatch = None
    ) -> Response:
        """Tell somebody no more, and delete the record of what they were told."""
        async with house.database.writing() as uow:
            await remove_endpoint(uow, endpoint_id, _expected(if_match), _doing(house, actor))
            await uow.commit()
        return Response(status_code=204)


def _expected(if_match: str | None) -> Callable[[Endpoint], None]:
    return lambda endpoint: expect(if_match, EndpointOut.of(endpoint))


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""
    return webhook_workers(house)
