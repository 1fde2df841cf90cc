"""What the routes of webhooks take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from new_core.api.schemas import Page
from new_core.domain.webhooks import Delivery, Endpoint
from new_core.service.webhook_endpoints import Wanted

Url = Annotated[
    str,
    StringConstraints(min_length=8, max_length=2_000, pattern=r"^[!-~]+$"),
    Field(examples=["https://erp.example.com/banyan"]),
]
Description = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
TypePattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=120, pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?$"),
    Field(examples=["orders.*"]),
]


class EndpointIn(BaseModel):
    """Somebody who is to be told."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    description: Description = ""
    types: list[TypePattern] = Field(
        default=[], max_length=100, description="of events; a star ends a beginning; empty is all"
    )
    enabled: StrictBool = True

    def wanted(self) -> Wanted:
        return Wanted(self.url, self.description, tuple(self.types), self.enabled)


class EndpointPatch(BaseModel):
    """What changes; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = None
    description: Description | None = None
    types: list[TypePattern] | None = Field(default=None, max_length=100)
    enabled: StrictBool | None = None

    def wanted(self) -> Wanted:
        types = None if self.types is None else tuple(self.types)
        return Wanted(self.url, self.description, types, self.enabled)


class EndpointOut(BaseModel):
    """Somebody who is told."""

    id: UUID
    url: str
    description: str
    types: list[str]
    enabled: StrictBool
    disabled_because: str
    created_by: str
    created_at: datetime
    old_secret_until: datetime | None = Field(description="two secrets sign until then")
    version: int

    @classmethod
    def of(cls, one: Endpoint) -> EndpointOut:
        return cls(
            id=one.id, url=one.url, description=one.description, types=list(one.types),
            enabled=one.enabled, disabled_because=one.disabled_because, created_by=one.created_by,
            created_at=one.created_at, old_secret_until=one.old_secret_until, version=one.version,
        )  # fmt: skip


class EndpointWithSecret(BaseModel):
    """An endpoint with the secret that signs what it gets; it is shown this once."""

    endpoint: EndpointOut
    secret: str


class EndpointsOut(BaseModel):
    """Endpoints, ascending by id."""

    data: list[EndpointOut]
    page: Page


class EndpointHealth(BaseModel):
    """How an endpoint does."""

    breaker: str = Field(description="closed; open: nothing is sent; half_open: one at a time")
    failures_in_a_row: int
    open_until: datetime | None
    pending: int
    oldest_pending: datetime | None


class DeliveryOut(BaseModel):
    """One event on its way to one endpoint."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    event_type: str
    event_seq: int
    aggregate_type: str
    aggregate_id: UUID
    state: str = Field(description="pending, delivered, failed or dropped")
    attempts: int
    created_at: datetime
    due_at: datetime
    tried_at: datetime | None
    settled_at: datetime | None
    last_status: int | None
    last_error: str
    replay_of: UUID | None

    @classmethod
    def of(cls, one: Delivery) -> DeliveryOut:
        return cls(
            id=one.id, endpoint_id=one.endpoint_id, event_id=one.event_id,
            event_type=one.event_type, event_seq=one.event_seq,
            aggregate_type=one.aggregate_type, aggregate_id=one.aggregate_id, state=one.state,
            attempts=one.attempts, created_at=one.created_at, due_at=one.due_at,
            tried_at=one.tried_at, settled_at=one.settled_at, last_status=one.last_status,
            last_error=one.last_error, replay_of=one.replay_of,
        )  # fmt: skip


class DeliveriesOut(BaseModel):
    """Deliveries, the newest first."""

    data: list[DeliveryOut]
    page: Page


class ReplayOut(BaseModel):
    """What is sent again."""

    deliveries: int
    next_seq: int | None = Field(description="`from_seq` of the next call, if there is more")
