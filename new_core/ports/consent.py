"""What the use cases of consent need."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.consent import (
    ConsentRecord,
    DataAccess,
    DataRequest,
    DataRequestState,
    Purpose,
)


class ConsentStore(Protocol):
    """Purposes, decisions, who read whose data, and what people asked for."""

    async def purposes(self) -> tuple[Purpose, ...]:
        """All versions of all purposes, by code and version."""
        ...

    async def add_purpose(self, purpose: Purpose) -> bool:
        """Add a version; False when somebody else added the one of that number."""
        ...

    async def records(self, customer_id: UUID) -> tuple[ConsentRecord, ...]:
        """All decisions of a customer, in the order in which they were made."""
        ...

    async def add_records(self, records: Sequence[ConsentRecord]) -> None: ...
    async def forget_evidence(self, customer_id: UUID) -> None:
        """Take out of the evidence what leads to a person."""
        ...

    async def forget_reasons(self, customer_id: UUID) -> None:
        """Take out of the access log and of requests what people wrote about a customer."""
        ...

    async def ended(self, purpose: Purpose, before: datetime, limit: int) -> tuple[UUID, ...]:
        """Customers whose last decision on a purpose is a grant of this version of before then."""
        ...

    async def add_accesses(self, accesses: Sequence[DataAccess]) -> None: ...
    async def accesses(
        self, customer_id: UUID, after: UUID | None, limit: int
    ) -> tuple[DataAccess, ...]:
        """Who read a customer's data, ascending by id."""
        ...

    async def put_request(self, request: DataRequest, now: datetime) -> Stored[DataRequest]: ...
    async def request(self, request_id: UUID) -> Stored[DataRequest] | None: ...
    async def locked_request(self, request_id: UUID) -> Stored[DataRequest] | None:
        """The same; nobody else changes it until this transaction ends."""
        ...

    async def requests(
        self,
        after: UUID | None,
        limit: int,
        *,
        state: DataRequestState | None = None,
        customer_id: UUID | None = None,
    ) -> tuple[Stored[DataRequest], ...]:
        """Requests, ascending by id."""
        ...
