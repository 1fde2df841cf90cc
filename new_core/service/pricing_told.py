"""How changes of prices, promotions and taxes are told and put down: one event and one entry
of the audit each, in the transaction of the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from new_core.domain.events import AuditEntry, Event
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one thing.

    Attributes:
        entity: of whom is told, e.g. "price_list".
        action: as the audit names it, e.g. "price_list.changed".
        event: e.g. "pricing.price_list.changed.v1"; its domain may differ from the entity.
        before, after: the thing itself; None where there was or is none.
    """

    entity: str
    entity_id: UUID
    action: str
    event: str
    before: Any = None
    after: Any = None


async def tell(
    uow: UnitOfWork, change: Change, doing: Doing, data: Mapping[str, object] | None = None
) -> None:
    """Tell of a change; the event has the thing's id, its code where it has one, and `data`."""
    told = {f"{change.entity}_id": str(change.entity_id), **(data or {})}
    event = Event(change.event, change.entity, change.entity_id, told)
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry(
        change.action,
        change.entity,
        str(change.entity_id),
        before=plain(change.before) if change.before is not None else None,
        after=plain(change.after) if change.after is not None else None,
    )
    await uow.audit.add([entry], doing.actor, doing.at)


def plain(value: Any) -> dict[str, object]:
    """A dataclass as JSON for the audit: times in ISO 8601, ids as text, sets sorted."""
    found = _plain(asdict(value))
    return found if isinstance(found, dict) else {}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, frozenset):
        return sorted(str(_plain(one)) for one in value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    return str(value) if isinstance(value, UUID) else value
