"""Use cases of consent: what for, who agreed, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from new_core.domain.consent import (
    ConsentRecord,
    CurrentConsent,
    Decision,
    Evidence,
    Purpose,
    current_consents,
)
from new_core.domain.customer import CustomerStatus
from new_core.domain.events import AuditEntry, Event
from new_core.errors import Conflict, NotFound
from new_core.ports import UnitOfWork
from new_core.service.customers import find_customer
from new_core.service.doing import Doing

_EXPIRED_AT_A_TIME = 200


@dataclass(frozen=True, slots=True)
class Decided:
    """What somebody decided.

    Attributes:
        version: that they were shown.
        evidence: its text's digest may be empty; the core knows the text.
    """

    purpose: str
    version: int
    decision: Decision
    channel: str
    evidence: Evidence


async def add_purpose(uow: UnitOfWork, asked: Purpose, doing: Doing) -> Purpose:
    """A new purpose, or the next version of one.

    Raises:
        Conflict: somebody else added one meanwhile.
    """
    before = [one.version for one in await uow.consent.purposes() if one.code == asked.code]
    purpose = replace(asked, version=max(before, default=0) + 1, created_at=doing.at)
    if not await uow.consent.add_purpose(purpose):
        raise Conflict("purpose_changed", "somebody added a version meanwhile; look at it first")
    said: dict[str, object] = {"version": purpose.version, "required": purpose.required}
    entry = AuditEntry("consent_purpose.added", "consent_purpose", purpose.code, after=said)
    await uow.audit.add([entry], doing.actor, doing.at)
    event = Event(
        "consent.purpose.added.v1", "consent_purpose", doing.new_id(),
        {"code": purpose.code, "version": purpose.version},
    )  # fmt: skip
    await uow.outbox.add([event], doing.actor, doing.at)
    return purpose


async def decide(
    uow: UnitOfWork, customer_id: UUID, decided: Decided, doing: Doing
) -> ConsentRecord:
    """Put a decision down.

    Raises:
        NotFound: no such customer, purpose, version, or text in that language.
        Conflict: another text was shown than the version has, the version is not the newest, or
            what is required is to be withdrawn.
    """
    customer = (await find_customer(uow, customer_id)).value
    if customer.status is CustomerStatus.ERASED:
        raise Conflict("customer_erased", "this customer was erased")
    purpose = await _purpose(uow, decided)
    text = purpose.text_sha256(decided.evidence.locale)
    if text is None:
        raise NotFound("consent text", f"{purpose.code} in {decided.evidence.locale or 'no'}")
    if decided.evidence.text_sha256 not in {"", text}:
        raise Conflict("consent_text_differs", "this is not the text of that version")
    if purpose.required and decided.decision is Decision.WITHDRAWN:
        raise Conflict("consent_required", "without it there is no account; ask for erasure")
    record = ConsentRecord(
        id=doing.new_id(),
        customer_id=customer_id,
        purpose=purpose.code,
        purpose_version=purpose.version,
        decision=decided.decision,
        channel=decided.channel,
        actor_kind=doing.actor.kind.value,
        actor_id=doing.actor.id,
        at=doing.at,
        evidence=replace(decided.evidence, text_sha256=text),
    )
    await _add(uow, [record], doing)
    return record


async def current_consents_of(
    uow: UnitOfWork, customer_id: UUID, at: datetime
) -> tuple[CurrentConsent, ...]:
    """What holds, or held at a time, for each purpose.

    Raises:
        NotFound: there is no such customer.
    """
    await find_customer(uow, customer_id)
    purposes = await uow.consent.purposes()
    return current_consents(purposes, await uow.consent.records(customer_id), at)


async def expire(uow: UnitOfWork, doing: Doing) -> int:
    """Put down grants whose time is over; gives how many. Two who do so at once put some down
    twice, which changes nothing that holds.
    """
    records: list[ConsentRecord] = []
    for purpose in await uow.consent.purposes():
        if purpose.valid_days is None:
            continue
        before = doing.at - timedelta(days=purpose.valid_days)
        for customer_id in await uow.consent.ended(purpose, before, _EXPIRED_AT_A_TIME):
            record = ConsentRecord(
                id=doing.new_id(),
                customer_id=customer_id,
                purpose=purpose.code,
                purpose_version=purpose.version,
                decision=Decision.EXPIRED,
                channel="core",
                actor_kind=doing.actor.kind.value,
                actor_id=doing.actor.id,
                at=doing.at,
            )
            records.append(record)
    await _add(uow, records, doing)
    return len(records)


async def _purpose(uow: UnitOfWork, decided: Decided) -> Purpose:
    known = [one for one in await uow.consent.purposes() if one.code == decided.purpose]
    found = next((one for one in known if one.version == decided.version), None)
    if found is None:
        raise NotFound("consent purpose", f"{decided.purpose} version {decided.version}")
    newest = max(one.version for one in known)
    if decided.decision is Decision.GRANTED and found.version < newest:
        raise Conflict("consent_outdated", f"the newest version is {newest}; show that one")
    return found


async def _add(uow: UnitOfWork, records: Sequence[ConsentRecord], doing: Doing) -> None:
    await uow.consent.add_records(records)
    events, entries = [], []
    for one in records:
        said: dict[str, object] = {
            "customer_id": str(one.customer_id),
            "purpose": one.purpose,
            "version": one.purpose_version,
        }
        kind = f"customers.consent.{one.decision.value}.v1"
        events.append(Event(kind, "customer", one.customer_id, said))
        action, whose = f"consent.{one.decision.value}", str(one.customer_id)
        entries.append(AuditEntry(action, "customer", whose, after=said))
    await uow.outbox.add(events, doing.actor, doing.at)
    await uow.audit.add(entries, doing.actor, doing.at)
