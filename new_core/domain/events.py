"""What other modules and other systems are told, and what the audit keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

SOURCE = "/banyan/core"
"""Who tells, in every event."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one aggregate.

    Attributes:
        type: `<domain>.<entity>.<past_tense>.v1`, e.g. "orders.order.placed.v1".
        aggregate_type: e.g. "order"; events of one aggregate are delivered in order.
        data: JSON; money as decimal strings, no personal data beyond ids.
        caused_by: the event that this one answers to, if any.
    """

    type: str
    aggregate_type: str
    aggregate_id: UUID
    data: Mapping[str, object]
    caused_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it was written down.

    Attributes:
        seq: its number among all, without gaps and in the order in which they can be read;
            None until it has one, shortly after its commit.
        event_id: the same in every copy of it: who gets it twice can tell.
        aggregate_seq: its number among those of its aggregate, from 1, without gaps.
        actor: kind and id, e.g. "staff:clerk".
        correlation_id: of the request in which it happened; may be empty.
    """

    seq: int | None
    event_id: UUID
    event: Event
    aggregate_seq: int
    actor: str
    correlation_id: str
    at: datetime


def envelope(told: Told) -> dict[str, object]:
    """The event for the outside: CloudEvents 1.0 in JSON, with what keeps it in order."""
    event = told.event
    whole: dict[str, object] = {
        "specversion": "1.0",
        "id": str(told.event_id),
        "type": event.type,
        "source": SOURCE,
        "subject": f"{event.aggregate_type}/{event.aggregate_id}",
        "time": told.at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "aggregatetype": event.aggregate_type,
        "aggregateid": str(event.aggregate_id),
        "aggregateseq": told.aggregate_seq,
        "actor": told.actor,
    }
    # An attribute of CloudEvents is there or it is not; none is empty or null.
    if told.correlation_id:
        whole["correlationid"] = told.correlation_id
    if event.caused_by is not None:
        whole["causationid"] = str(event.caused_by)
    return {**whole, "data": dict(event.data)}


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change, for whoever asks later who did it.

    Attributes:
        action: e.g. "order.cancelled".
        before, after: what changed, as JSON; None where there was or is nothing.
        reason: why, in the words of who did it.
    """

    action: str
    entity: str
    entity_id: str
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    reason: str = ""
