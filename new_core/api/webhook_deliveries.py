"""Routes of deliveries: what was sent, and sending it again."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from new_core.api.answers import answer
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.parameters import Limit
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.api.webhooks_schemas import DeliveriesOut, DeliveryOut, ReplayOut
from new_core.domain.actor import Actor
from new_core.domain.webhooks import DeliveryState
from new_core.errors import NotFound
from new_core.ports.webhooks import DeliveryQuery
from new_core.service.doing import Doing
from new_core.service.webhook_endpoints import stored_endpoint
from new_core.service.webhooks import replay_delivery, replay_endpoint

_Writer = Annotated[Actor, needs("webhooks:write")]
_Before = Annotated[
    int | None, Query(alias="after", ge=1, le=2**62, description="`page.next` of the page before")
]


def add_deliveries(router: APIRouter, house: House) -> None:
    """Add the routes of deliveries."""
    _add_reading(router, house)
    _add_replays(router, house)


def _add_reading(router: APIRouter, house: House) -> None:
    @router.get(
        "/webhook-endpoints/{endpoint_id}/deliveries", response_model=DeliveriesOut,
        responses=described(404, 422),
    )  # fmt: skip
    async def list_deliveries(
        request: Request,
        endpoint_id: UUID,
        _actor: _Writer,
        limit: Limit = 50,
        before: _Before = None,
        state: DeliveryState | None = None,
    ) -> Response:
        """What an endpoint was told, the newest first."""
        query = DeliveryQuery(endpoint_id, limit + 1, before, state)
        async with house.database.reading() as uow:
            await stored_endpoint(uow, endpoint_id)
            found = await uow.webhooks.deliveries(query)
        shown = found[:limit]
        following = str(shown[-1].n) if len(found) > limit else None
        page = Page(next=following, has_more=following is not None)
        body = DeliveriesOut(data=[DeliveryOut.of(one) for one in shown], page=page)
        return answer(request, body, next_page=following)

    @router.get(
        "/webhook-deliveries/{delivery_id}", response_model=DeliveryOut,
        responses=described(404, 422),
    )  # fmt: skip
    async def get_delivery(request: Request, delivery_id: UUID, _actor: _Writer) -> Response:
        """One delivery."""
        async with house.database.reading() as uow:
            found = await uow.webhooks.delivery(delivery_id)
        if found is None:
            raise NotFound("webhook delivery", str(delivery_id))
        return answer(request, DeliveryOut.of(found))


def _add_replays(router: APIRouter, house: House) -> None:
    @router.post(
        "/webhook-deliveries/{delivery_id}/replay", status_code=202, response_model=DeliveryOut,
        responses=described(404, 409, 422), openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def replay_one(delivery_id: UUID, actor: _Writer) -> DeliveryOut:
        """Send one delivery again, with the same `webhook-id`."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            fresh = await replay_delivery(uow, delivery_id, doing)
            await uow.commit()
        return DeliveryOut.of(fresh)

    @router.post(
        "/webhook-endpoints/{endpoint_id}/replay", status_code=202, response_model=ReplayOut,
        responses=described(404, 409, 422), openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def replay_all(
        endpoint_id: UUID, actor: _Writer, from_seq: Annotated[int, Query(ge=1, le=2**62)]
    ) -> ReplayOut:
        """Send all that an endpoint wants, from this number on, once more; 10,000 events are
        looked at in one call.
        """
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            made, following = await replay_endpoint(uow, endpoint_id, from_seq, doing)
            await uow.commit()
        return ReplayOut(deliveries=made, next_seq=following)
