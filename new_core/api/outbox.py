"""Routes and workers of the outbox: events to read, to publish and to forget."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from new_core.api.answers import answer
from new_core.api.auth import needs
from new_core.api.house import House, Worker
from new_core.api.outbox_bus import NatsBus
from new_core.api.parameters import Limit
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.domain.actor import Actor
from new_core.domain.events import Told, envelope
from new_core.ports import EventQuery
from new_core.service.outbox import AT_A_TIME, Relay, number_events

_NUMBER_EVERY_S = 0.25
_PUBLISH_EVERY_S = 0.25
_FORGET_EVERY_S = 600.0

EventType = Annotated[
    str | None,
    Query(
        min_length=1, max_length=120, pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?$",
        description="whole, or its beginning and a star, e.g. orders.*",
    ),
]  # fmt: skip
AfterSeq = Annotated[
    int, Query(ge=0, le=2**62, description="`seq` of the last event that you have")
]


class EventOut(BaseModel):
    """One event: CloudEvents 1.0, with its number."""

    model_config = ConfigDict(extra="allow")

    seq: int = Field(description="its number in this feed; grows, without gaps")
    specversion: str
    id: UUID
    type: str
    source: str
    subject: str
    time: datetime
    datacontenttype: str
    aggregatetype: str
    aggregateid: UUID
    aggregateseq: int = Field(description="its number among those of its aggregate, without gaps")
    actor: str
    correlationid: str | None = None
    causationid: UUID | None = None
    data: dict[str, Any]

    @classmethod
    def of(cls, told: Told) -> EventOut:
        return cls.model_validate({"seq": told.seq, **envelope(told)})


class EventsOut(BaseModel):
    """Events, ascending by seq."""

    data: list[EventOut]
    page: Page


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", tags=["events"])

    @router.get("/events", response_model=EventsOut, responses=described(422))
    async def list_events(
        request: Request,
        _actor: Annotated[Actor, needs("events:read")],
        limit: Limit = 50,
        after: AfterSeq = 0,
        type: EventType = None,  # noqa: A002 - the parameter's name
        aggregate_id: UUID | None = None,
    ) -> Response:
        """What happened, in an order that never changes: who has read up to a number has missed
        nothing below it.
        """
        query = EventQuery(after, limit + 1, type, aggregate_id)
        async with house.database.reading() as uow:
            found = await uow.outbox.page(query)
        shown = found[:limit]
        following = str(shown[-1].seq) if len(found) > limit else None
        page = Page(next=following, has_more=following is not None)
        body = EventsOut(data=[EventOut.of(one) for one in shown], page=page)
        return answer(request, body, next_page=following)

    return router


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""
    made = [
        Worker("event-numbers", lambda: number_events(house.database), _NUMBER_EVERY_S),
        Worker("event-sweeper", _forgetting(house), _FORGET_EVERY_S),
    ]
    settings = house.settings
    if settings.core_bus:
        bus = NatsBus(settings.core_bus, settings.core_bus_stream, settings.core_bus_credentials)
        relay = Relay(house.database, bus, house.now, house.new_id())
        made.append(Worker("event-relay", relay.round, _PUBLISH_EVERY_S, bus.close))
    return tuple(made)


def _forgetting(house: House) -> Any:
    async def forget() -> int:
        before = house.now() - timedelta(days=house.settings.core_events_days)
        async with house.database.writing() as uow:
            gone = await uow.outbox.forget(before, AT_A_TIME, bus=bool(house.settings.core_bus))
            await uow.commit()
        return gone

    return forget
