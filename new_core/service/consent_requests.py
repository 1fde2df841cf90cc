"""Use cases of what people ask of us: to be told, and to be forgotten."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.consent import (
    ANSWERED_WITHIN,
    NEXT,
    DataRequest,
    DataRequestEvent,
    DataRequestKind,
    DataRequestState,
)
from new_core.domain.customer import CustomerStatus
from new_core.domain.events import AuditEntry, Event
from new_core.errors import Conflict, NotFound
from new_core.ports import UnitOfWork
from new_core.service.consent_access import log_access
from new_core.service.consent_holders import Holders
from new_core.service.customers import find_customer, locked_customer
from new_core.service.doing import Doing

_READABLE = frozenset({
    DataRequestState.IDENTITY_VERIFIED, DataRequestState.IN_PROGRESS, DataRequestState.FULFILLED,
})  # fmt: skip


async def find_request(uow: UnitOfWork, request_id: UUID) -> Stored[DataRequest]:
    """A request.

    Raises:
        NotFound: there is none of that id.
    """
    found = await uow.consent.request(request_id)
    if found is None:
        raise NotFound("data request", str(request_id))
    return found


async def ask(
    uow: UnitOfWork, customer_id: UUID, kind: DataRequestKind, verified_by: str, doing: Doing
) -> Stored[DataRequest]:
    """Take a request down; `verified_by` is empty while it may be from anybody.

    Raises:
        NotFound: there is no such customer.
        Conflict: they are erased already.
    """
    customer = (await find_customer(uow, customer_id)).value
    if customer.status is CustomerStatus.ERASED:
        raise Conflict("customer_erased", "this customer was erased")
    state = DataRequestState.IDENTITY_VERIFIED if verified_by else DataRequestState.RECEIVED
    request = DataRequest(
        id=doing.new_id(),
        customer_id=customer_id,
        kind=kind,
        state=state,
        received_at=doing.at,
        due_at=doing.at + ANSWERED_WITHIN,
        verified_by=verified_by,
    )
    stored = await uow.consent.put_request(request, doing.at)
    await _tell(uow, request, "received", doing)
    return stored


async def verify(
    uow: UnitOfWork, request_id: UUID, verified_by: str, doing: Doing
) -> Stored[DataRequest]:
    """Somebody knows that the person is who they say.

    Raises:
        NotFound, Conflict: see `find_request`, and where the request stands.
    """
    request = await _moved(uow, request_id, DataRequestEvent.VERIFY)
    return await _save(uow, replace(request, verified_by=verified_by), "verified", doing)


async def refuse(
    uow: UnitOfWork, request_id: UUID, reason: str, doing: Doing
) -> Stored[DataRequest]:
    """Say no, and why.

    Raises:
        NotFound, Conflict: see `find_request`, and where the request stands.
    """
    request = await _moved(uow, request_id, DataRequestEvent.REFUSE)
    done = replace(request, finished_at=doing.at, reason=reason)
    return await _save(uow, done, "refused", doing)


async def fulfil(
    uow: UnitOfWork, request_id: UUID, holders: Holders, doing: Doing
) -> Stored[DataRequest]:
    """Do what was asked for, whole, in this transaction: an access can be fetched from now on,
    an erasure is done.

    Raises:
        NotFound: there is no such request.
        Conflict: `data_request_state`, or `erasure_too_early` with all that a module still
            needs the person for.
    """
    request = await _moved(uow, request_id, DataRequestEvent.FULFIL)
    if request.kind is DataRequestKind.ERASURE:
        await _erase(uow, request.customer_id, holders, doing)
    return await _save(uow, replace(request, finished_at=doing.at), "fulfilled", doing)


async def export(
    uow: UnitOfWork, request_id: UUID, holders: Holders, doing: Doing
) -> dict[str, object]:
    """All that the core holds of the person who asked; made anew each time, kept nowhere.

    Raises:
        NotFound: there is no such request.
        Conflict: it asks for something else, or nobody knows yet who asks.
    """
    request = (await find_request(uow, request_id)).value
    if request.kind is not DataRequestKind.ACCESS or request.state not in _READABLE:
        raise Conflict("data_request_state", f"this {request.kind} request is {request.state}")
    customer = (await find_customer(uow, request.customer_id)).value
    found = {name: await one.export(uow, customer) for name, one in holders.items()}
    await log_access(uow, [customer.id], tuple(holders), f"data request {request.id}", doing)
    return {"customer_id": customer.id, "exported_at": doing.at, **found}


async def _erase(uow: UnitOfWork, customer_id: UUID, holders: Holders, doing: Doing) -> None:
    customer = (await locked_customer(uow, customer_id)).value
    if customer.status is CustomerStatus.ERASED:
        return
    against = [one for holder in holders.values() for one in await holder.objects(uow, customer)]
    if against:
        raise Conflict("erasure_too_early", "their data are still needed", tuple(against))
    for holder in holders.values():
        await holder.erase(uow, customer, doing)
    said: dict[str, object] = {"customer_id": str(customer_id)}
    event = Event("customers.customer.erased.v1", "customer", customer_id, said)
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry("customer.erased", "customer", str(customer_id), after=said)
    await uow.audit.add([entry], doing.actor, doing.at)


async def _moved(uow: UnitOfWork, request_id: UUID, event: DataRequestEvent) -> DataRequest:
    found = await uow.consent.locked_request(request_id)
    if found is None:
        raise NotFound("data request", str(request_id))
    request = found.value
    to = NEXT[request.state].get(event)
    if to is None:
        raise Conflict("data_request_state", f"this request is {request.state}: no {event} now")
    return replace(request, state=to)


async def _save(
    uow: UnitOfWork, request: DataRequest, what: str, doing: Doing
) -> Stored[DataRequest]:
    stored = await uow.consent.put_request(request, doing.at)
    await _tell(uow, request, what, doing)
    return stored


async def _tell(uow: UnitOfWork, request: DataRequest, what: str, doing: Doing) -> None:
    said: dict[str, object] = {
        "request_id": str(request.id),
        "customer_id": str(request.customer_id),
        "kind": request.kind.value,
    }
    event = Event(f"customers.data_request.{what}.v1", "data_request", request.id, said)
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry(f"data_request.{what}", "data_request", str(request.id), after=said)
    await uow.audit.add([entry], doing.actor, doing.at)
