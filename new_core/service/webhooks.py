"""Use cases of telling others over HTTP: who is told of what, sending, and sending again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from new_core.domain.actor import Actor, system
from new_core.domain.events import AuditEntry, Event, Told, envelope
from new_core.domain.webhooks import (
    Delivery,
    DeliveryState,
    Endpoint,
    rest,
    retry_wait,
    signature,
)
from new_core.errors import Conflict, NotFound
from new_core.ports import Clock, Database, EventQuery, NewId, UnitOfWork
from new_core.ports.webhooks import Heard, Sender, Tried
from new_core.service.doing import Doing

READER = "webhooks"
LEASE = timedelta(seconds=60)
"""Longer than a delivery may take: what a dead process had in hand is sent again after it."""

_READ_AT_A_TIME = 200
_SENT_AT_A_TIME = 10
_REPLAYED_AT_A_TIME = 1_000
MOST_REPLAYED = 10_000
_SENDER = system("webhook-sender")
_DETAIL_CHARS = 500


async def put_in_line(database: Database, now: Clock, new_id: NewId) -> int:
    """Put numbered events into the lines of the endpoints that want them; gives how many
    events. One process at a time, so that lines are in the events' order.
    """
    async with database.reading() as uow:
        if not await uow.outbox.has_unread(READER):
            return 0
    async with database.writing() as uow:
        events = await uow.outbox.unread(READER, _READ_AT_A_TIME)
        if not events:
            return 0
        at, endpoints = now(), await uow.webhooks.enabled()
        await uow.webhooks.add(
            [
                _delivery(endpoint, told, at, new_id)
                for told in events
                for endpoint in endpoints
                if endpoint.wants(told.event.type) and told.at >= endpoint.created_at
            ]
        )
        await uow.outbox.passed(READER, events[-1].seq or 0)
        await uow.commit()
    return len(events)


def _delivery(
    endpoint: Endpoint, told: Told, at: datetime, new_id: NewId, replay_of: UUID | None = None
) -> Delivery:
    return Delivery(
        n=0, id=new_id(), endpoint_id=endpoint.id, event_id=told.event_id,
        event_type=told.event.type, event_seq=told.seq or 0,
        aggregate_type=told.event.aggregate_type, aggregate_id=told.event.aggregate_id,
        state=DeliveryState.PENDING, attempts=0, created_at=at, due_at=at, replay_of=replay_of,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One delivery that is due, ready to be sent."""

    delivery: Delivery
    endpoint: Endpoint
    told: Told | None


@dataclass(frozen=True, slots=True)
class Courier:
    """Sends what is due. Several processes run several each.

    Attributes:
        dice: a number in [0, 1), drawn for each wait.
    """

    database: Database
    sender: Sender
    now: Clock
    dice: Callable[[], float]

    async def take(self) -> tuple[Outgoing, ...]:
        """Deliveries that are due, which nobody else sends meanwhile."""
        now = self.now()
        async with self.database.reading() as uow:
            if not await uow.webhooks.has_due(now):
                return ()
        async with self.database.writing() as uow:
            claimed = await uow.webhooks.claim(now, now + LEASE, _SENT_AT_A_TIME)
            if not claimed:
                return ()
            events = await uow.outbox.by_id({one.event_id for one in claimed})
            endpoints = {one.id: one for one in await uow.webhooks.enabled()}
            await uow.commit()
        return tuple(
            Outgoing(one, endpoints[one.endpoint_id], events.get(one.event_id)) for one in claimed
        )

    async def send(self, outgoing: Outgoing) -> Heard:
        """Send one and put down what became of it."""
        heard = await self._sent(outgoing)
        now = self.now()
        tried = self._judged(outgoing, heard, now)
        async with self.database.writing() as uow:
            # 1. Two deliveries are told 410, 2. each puts down its own, 3. each wants to drop
            # the other. So the endpoint's row comes first, always.
            endpoint = await uow.webhooks.locked_endpoint(outgoing.endpoint.id)
            if endpoint is None:
                return heard
            await uow.webhooks.settle(outgoing.delivery.id, tried)
            if tried.state is DeliveryState.DELIVERED:
                await _succeeded(uow, endpoint, now)
            elif outgoing.told is not None:
                await _failed(uow, endpoint, heard, now)
            await uow.commit()
        return heard

    async def _sent(self, outgoing: Outgoing) -> Heard:
        told = outgoing.told
        if told is None:
            return Heard(None, "the event is not kept any more")
        body = json.dumps(envelope(told), separators=(",", ":")).encode()
        at, message_id = self.now(), str(told.event_id)
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature(outgoing.endpoint.signing(at), message_id, at, body),
        }
        return await self.sender.send(outgoing.endpoint.url, headers, body)

    def _judged(self, outgoing: Outgoing, heard: Heard, now: datetime) -> Tried:
        """Only 2xx is success. 410 and an event that is gone are the end of it."""
        status, error = heard.status, heard.error[:_DETAIL_CHARS]
        if status is not None and 200 <= status < 300:
            return Tried(DeliveryState.DELIVERED, now, now, status, "")
        wait = retry_wait(outgoing.delivery.attempts + 1, self.dice(), heard.retry_after_s)
        if wait is None or status == 410 or outgoing.told is None:
            return Tried(DeliveryState.FAILED, now, now, status, error)
        return Tried(DeliveryState.PENDING, now, now + wait, status, error)


async def _succeeded(uow: UnitOfWork, endpoint: Endpoint, now: datetime) -> None:
    if endpoint.failures_in_a_row:
        await uow.webhooks.succeeded(endpoint.id)
    if rest(endpoint.failures_in_a_row) is not None:
        await uow.outbox.add([_about(endpoint, "recovered", {})], _SENDER, now)


async def _failed(uow: UnitOfWork, endpoint: Endpoint, heard: Heard, now: datetime) -> None:
    if heard.status == 410:
        if endpoint.enabled:
            await disable(uow, endpoint, "it answered 410 Gone", _SENDER, now)
        return
    failures = await uow.webhooks.failed(endpoint.id)
    pause = rest(failures)
    if pause is None:
        return
    await uow.webhooks.rest_until(endpoint.id, now + pause)
    if rest(failures - 1) is None:
        # Told once, when it begins: its owner reads events, or others who watch them do.
        data = {"failures_in_a_row": failures, "reason": heard.error[:_DETAIL_CHARS]}
        await uow.outbox.add([_about(endpoint, "degraded", data)], _SENDER, now)


async def disable(
    uow: UnitOfWork, endpoint: Endpoint, because: str, actor: Actor, now: datetime
) -> None:
    """Tell an endpoint no more; what waits for it is dropped, and can be replayed later."""
    await uow.webhooks.put_endpoint(replace(endpoint, enabled=False, disabled_because=because), now)
    dropped = await uow.webhooks.drop_pending(endpoint.id, now)
    data = {"reason": because, "dropped": dropped}
    await uow.outbox.add([_about(endpoint, "disabled", data)], actor, now)
    entry = AuditEntry(
        "webhook_endpoint.disabled", "webhook_endpoint", str(endpoint.id), {"enabled": True},
        {"enabled": False, "dropped": dropped}, because,
    )  # fmt: skip
    await uow.audit.add([entry], actor, now)


async def replay_delivery(uow: UnitOfWork, delivery_id: UUID, doing: Doing) -> Delivery:
    """Put one delivery at the end of its endpoint's line once more.

    Raises:
        NotFound: there is no such delivery.
        Conflict: its event is not kept any more, or its endpoint is disabled.
    """
    old = await uow.webhooks.delivery(delivery_id)
    if old is None:
        raise NotFound("webhook delivery", str(delivery_id))
    endpoint = await _told(uow, old.endpoint_id)
    told = (await uow.outbox.by_id([old.event_id])).get(old.event_id)
    if told is None:
        raise Conflict("event_not_kept", "the event of this delivery is not kept any more")
    fresh = _delivery(endpoint, told, doing.at, doing.new_id, replay_of=old.id)
    await uow.webhooks.add([fresh])
    await _note_replay(uow, endpoint, {"delivery": str(old.id)}, doing)
    return await _written(uow, fresh)


async def _written(uow: UnitOfWork, fresh: Delivery) -> Delivery:
    found = await uow.webhooks.delivery(fresh.id)
    return fresh if found is None else found


async def replay_endpoint(
    uow: UnitOfWork, endpoint_id: UUID, from_seq: int, doing: Doing
) -> tuple[int, int | None]:
    """Put what an endpoint wants, from a number on, at the end of its line once more; gives how
    many, and the number from which the next call goes on, if there is more: one call looks at
    MOST_REPLAYED events.

    Raises:
        NotFound: there is no such endpoint.
        Conflict: it is disabled.
    """
    endpoint = await _told(uow, endpoint_id)
    after, made = from_seq - 1, 0
    following: int | None = None
    for _ in range(MOST_REPLAYED // _REPLAYED_AT_A_TIME):
        page = await uow.outbox.page(EventQuery(after, _REPLAYED_AT_A_TIME))
        fresh = [
            _delivery(endpoint, told, doing.at, doing.new_id)
            for told in page
            if endpoint.wants(told.event.type)
        ]
        await uow.webhooks.add(fresh)
        made += len(fresh)
        if len(page) < _REPLAYED_AT_A_TIME:
            following = None
            break
        after = page[-1].seq or after
        following = after + 1
    await _note_replay(uow, endpoint, {"from_seq": from_seq, "deliveries": made}, doing)
    return made, following


async def _note_replay(
    uow: UnitOfWork, endpoint: Endpoint, what: dict[str, object], doing: Doing
) -> None:
    entry = AuditEntry(
        "webhook_endpoint.replayed", "webhook_endpoint", str(endpoint.id), None, what
    )
    await uow.audit.add([entry], doing.actor, doing.at)


async def _told(uow: UnitOfWork, endpoint_id: UUID) -> Endpoint:
    endpoint = await uow.webhooks.endpoint(endpoint_id)
    if endpoint is None:
        raise NotFound("webhook endpoint", str(endpoint_id))
    if not endpoint.enabled:
        raise Conflict("endpoint_disabled", "the endpoint is disabled; enable it first")
    return endpoint


def _about(endpoint: Endpoint, what: str, data: dict[str, object]) -> Event:
    whole = {"endpoint_id": str(endpoint.id), **data}
    return Event(f"webhooks.endpoint.{what}.v1", "webhook_endpoint", endpoint.id, whole)
