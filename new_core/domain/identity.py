"""Who a thing is in the core, and who it is elsewhere."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from uuid import UUID

_NAMESPACE = UUID("5f6c0a52-6a0b-5c1e-9d3f-2b7a44c1e0aa")


def core_id(system: str, entity_type: str, external_id: str | int) -> UUID:
    """The core's id of a thing that another system had first.

    The same on every machine and at every replay, so an import needs no look-up to know
    where a reference points, and importing twice makes one row.
    """
    return uuid.uuid5(_NAMESPACE, f"{system}:{entity_type}:{external_id}")


@dataclass(frozen=True, slots=True)
class ExternalRef:
    """One thing's name in another system.

    Attributes:
        external_id: its id there, as text.
        checksum: digest of what was imported last, or "" for parts of a larger thing.
    """

    system: str
    entity_type: str
    external_id: str
    internal_id: UUID
    checksum: str
