"""What other modules and other systems are told, and what the audit keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID


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
