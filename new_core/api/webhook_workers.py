"""What webhooks do beside the requests."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import timedelta

from new_core.api.house import House, Worker
from new_core.api.observe import CallOutcome
from new_core.api.webhooks_sender import HttpSender
from new_core.domain.webhooks import read_networks
from new_core.ports.webhooks import Heard
from new_core.service.webhooks import Courier, Outgoing, put_in_line

ADAPTER = "webhooks"

_LINE_EVERY_S = 0.25
_SEND_EVERY_S = 0.5
_FORGET_EVERY_S = 600.0
_COURIERS = 4
"""A slow endpoint holds up one of them at most for its deadline."""
_FORGOTTEN_AT_A_TIME = 500


def webhook_workers(house: House) -> tuple[Worker, ...]:
    """One that puts events in line, some that send, one that forgets."""
    settings = house.settings
    sender = HttpSender(
        read_networks(settings.core_webhook_networks), settings.core_webhook_deadline_s
    )
    courier = Courier(house.database, sender, house.now, random.SystemRandom().random)

    async def line() -> int:
        return await put_in_line(house.database, house.now, house.new_id)

    async def send() -> int:
        return await sent_round(house, courier)

    async def forget() -> int:
        before = house.now() - timedelta(days=settings.core_events_days)
        async with house.database.writing() as uow:
            gone = await uow.webhooks.forget(before, _FORGOTTEN_AT_A_TIME)
            await uow.commit()
        return gone

    return (
        Worker("webhook-line", line, _LINE_EVERY_S),
        *(
            Worker(f"webhook-courier-{n}", send, _SEND_EVERY_S, sender.close)
            for n in range(1, _COURIERS + 1)
        ),
        Worker("webhook-sweeper", forget, _FORGET_EVERY_S),
    )


async def sent_round(house: House, courier: Courier) -> int:
    """Send what is due, at most ten at once; gives how many."""
    taken = await courier.take()

    async def one(outgoing: Outgoing) -> None:
        started = time.perf_counter()
        heard = await courier.send(outgoing)
        house.metrics.called(ADAPTER, _outcome(heard), time.perf_counter() - started)

    async with asyncio.TaskGroup() as group:
        for outgoing in taken:
            group.create_task(one(outgoing))
    return len(taken)


def _outcome(heard: Heard) -> CallOutcome:
    if heard.is_late:
        return "late"
    if heard.status is None or heard.status >= 500:
        return "failed"
    return "ok" if heard.status < 300 else "refused"
