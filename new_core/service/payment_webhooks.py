"""What gateways write to us: a reason to look at their books, and nothing more.

The message itself moves no money in our books. So it may come twice, late, out of order, or
be made up by somebody who knows the secret: what is booked is what the gateway says when we
ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

from new_core.domain.actor import Actor
from new_core.domain.gateway import GatewayNote
from new_core.errors import InvalidValue
from new_core.ports import UnitOfWork
from new_core.service.paying import Till
from new_core.service.paying_recovery import look_after


class Heard(StrEnum):
    """What became of a message. `LOST`: it names an attempt as ours that nobody here knows,
    as after a restore; the gateway should write again. `NOT_OURS`: somebody else shares the
    account; it should not.
    """

    BOOKED = "booked"
    KNOWN = "known"
    LOST = "lost"
    NOT_OURS = "not_ours"


async def hear(
    till: Till, gateway: str, headers: Mapping[str, str], body: bytes, actor: Actor
) -> Heard:
    """Take a gateway's message, and look at its books.

    Raises:
        NotFound: there is no such gateway.
        WebhookRefused: it is not the gateway's.
        GatewayUnavailable: its books cannot be looked at now; it should write again later.
    """
    note = till.gateways.named(gateway).read_webhook(headers, body)
    async with till.database.reading() as uow:
        if await uow.payments.has_event(gateway, note.event_id):
            return Heard.KNOWN
        owner = await _owner(uow, gateway, note)
    if owner is None:
        return Heard.NOT_OURS if note.attempt_id is None else Heard.LOST
    intent_id, attempt_id = owner
    try:
        await look_after(till, intent_id, actor, (attempt_id, note))
    except InvalidValue:
        # 1. The same message comes in twice at once, 2. both look, 3. one has booked it.
        async with till.database.reading() as uow:
            if await uow.payments.has_event(gateway, note.event_id):
                return Heard.KNOWN
        raise
    return Heard.BOOKED


async def _owner(uow: UnitOfWork, gateway: str, note: GatewayNote) -> tuple[UUID, UUID] | None:
    """The payment and the attempt that a message is about."""
    if note.attempt_id is not None:
        intent_id = await uow.payments.owner_of(note.attempt_id)
        if intent_id is not None:
            return intent_id, note.attempt_id
    if note.gateway_ref:
        return await uow.payments.owner_at(gateway, note.gateway_ref)
    return None
