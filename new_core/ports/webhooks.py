"""What telling others over HTTP needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.webhooks import Delivery, DeliveryState, Endpoint


@dataclass(frozen=True, slots=True)
class DeliveryQuery:
    """Which deliveries of an endpoint a page holds, the newest first.

    Attributes:
        before: the place below which the page begins; None is the newest.
    """

    endpoint_id: UUID
    limit: int
    before: int | None = None
    state: DeliveryState | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one attempt.

    Attributes:
        state: pending when it is tried again at `due_at`.
        status: of the answer; None when there was none.
    """

    state: DeliveryState
    at: datetime
    due_at: datetime
    status: int | None
    error: str


class WebhookStore(Protocol):
    """Endpoints and deliveries."""

    async def endpoint(self, endpoint_id: UUID) -> Endpoint | None: ...
    async def locked_endpoint(self, endpoint_id: UUID) -> Endpoint | None:
        """An endpoint that nobody else changes until this transaction ends. Whoever changes
        its deliveries too takes it first.
        """
        ...

    async def endpoints(self, after: UUID | None, limit: int) -> tuple[Endpoint, ...]:
        """Ascending by id."""
        ...

    async def enabled(self) -> tuple[Endpoint, ...]:
        """All that are told."""
        ...

    async def put_endpoint(self, endpoint: Endpoint, now: datetime) -> None:
        """Write what an owner sets; not its failures."""
        ...

    async def remove_endpoint(self, endpoint_id: UUID) -> None:
        """Delete it with its deliveries."""
        ...

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        """Put deliveries at the end of their endpoints' lines; their `n` is given here."""
        ...

    async def has_due(self, now: datetime) -> bool:
        """Whether something may be there to claim; waits for nobody."""
        ...

    async def claim(self, now: datetime, until: datetime, limit: int) -> tuple[Delivery, ...]:
        """Deliveries that are due, of enabled endpoints that are tried now, each the first
        pending one of its aggregate in its endpoint's line. Nobody else has them until `until`.
        Of one endpoint at most a few, and one of an endpoint that is tried after a rest.
        """
        ...

    async def settle(self, delivery_id: UUID, tried: Tried) -> None:
        """Put down an attempt, and let go of the delivery."""
        ...

    async def succeeded(self, endpoint_id: UUID) -> None:
        """Forget an endpoint's failures."""
        ...

    async def failed(self, endpoint_id: UUID) -> int:
        """Count a failure; gives how many there are in a row now."""
        ...

    async def rest_until(self, endpoint_id: UUID, until: datetime) -> None:
        """Leave an endpoint alone; a rest never becomes shorter."""
        ...

    async def drop_pending(self, endpoint_id: UUID, now: datetime) -> int:
        """Give up what waits for an endpoint; gives how many."""
        ...

    async def delivery(self, delivery_id: UUID) -> Delivery | None: ...
    async def deliveries(self, query: DeliveryQuery) -> tuple[Delivery, ...]: ...
    async def waiting(self, endpoint_ids: Sequence[UUID]) -> Mapping[UUID, tuple[int, datetime]]:
        """How many deliveries wait, and since when the first does; absent where none do."""
        ...

    async def forget(self, before: datetime, limit: int) -> int:
        """Delete deliveries that were settled before a time; gives how many."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back for something that was sent.

    Attributes:
        status: None when there was no answer.
        error: why not, in words; what the answer means otherwise, when it is no success.
        retry_after_s: what it asks for.
        is_late: it was over its deadline.
    """

    status: int | None
    error: str = ""
    retry_after_s: int | None = None
    is_late: bool = False


class Sender(Protocol):
    """Sends to endpoints."""

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Heard:
        """POST once, without following redirects; never raises for what the other side does."""
        ...
