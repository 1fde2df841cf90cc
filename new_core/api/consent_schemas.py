"""What the routes of consent take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from new_core.api.customers_schemas import Locale
from new_core.api.identity_schemas import Asked, Name, Text
from new_core.api.schemas import Answer, Page
from new_core.domain.catalog import Stored
from new_core.domain.consent import (
    ConsentRecord,
    CurrentConsent,
    DataAccess,
    DataRequest,
    DataRequestKind,
    DataRequestState,
    Decision,
    Purpose,
)

_Prose = Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=r"^[^\x00]*$")]
_Sha256 = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]
_Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]


class PurposeIn(Asked):
    """A purpose, or the next version of one."""

    code: Name
    texts: dict[Annotated[Locale, StringConstraints(min_length=2)], _Prose] = Field(
        min_length=1, max_length=50, description="what people read, by locale"
    )
    required: bool = Field(default=False, description="without it there is no account")
    data_categories: list[Name] = Field(default=[], max_length=50)
    retention_days: int | None = Field(default=None, ge=1, le=36_500)
    valid_days: int | None = Field(default=None, ge=1, le=36_500)


class PurposeOut(Answer):
    """A version of a purpose."""

    code: str
    version: int
    texts: dict[str, str]
    required: bool
    data_categories: list[str]
    retention_days: int | None
    valid_days: int | None
    created_at: datetime

    @classmethod
    def of(cls, one: Purpose) -> PurposeOut:
        """A version as it is."""
        return cls(
            code=one.code, version=one.version, texts=dict(one.texts), required=one.required,
            data_categories=list(one.data_categories), retention_days=one.retention_days,
            valid_days=one.valid_days, created_at=one.created_at,
        )  # fmt: skip


class PurposeList(Answer):
    """All versions of all purposes, by code and version."""

    data: list[PurposeOut]


class DecisionIn(Asked):
    """A decision."""

    purpose: Name
    version: int = Field(ge=1, le=2**31 - 1, description="that was shown")
    decision: Literal["granted", "withdrawn"]
    locale: Locale = Field(description="in which it was read")
    text_sha256: _Sha256 = Field(default="", description="of what was read; has to fit")
    channel: Name = "web"
    form: Text = Field(default="", description="where it was asked, e.g. the form's id")


class RecordOut(Answer):
    """A decision that was put down."""

    id: UUID
    purpose: str
    version: int
    decision: Decision
    channel: str
    locale: str
    text_sha256: str
    at: datetime

    @classmethod
    def of(cls, one: ConsentRecord) -> RecordOut:
        """A record as it is."""
        return cls(
            id=one.id, purpose=one.purpose, version=one.purpose_version, decision=one.decision,
            channel=one.channel, locale=one.evidence.locale,
            text_sha256=one.evidence.text_sha256, at=one.at,
        )  # fmt: skip


class CurrentConsentOut(Answer):
    """What holds for a purpose."""

    purpose: str
    version: int = Field(description="the newest")
    required: bool
    decision: Decision | None = Field(description="null while nobody decided")
    outdated: bool = Field(description="an older version was decided on")
    record: RecordOut | None

    @classmethod
    def of(cls, one: CurrentConsent) -> CurrentConsentOut:
        """What holds, as it is."""
        return cls(
            purpose=one.purpose.code, version=one.purpose.version,
            required=one.purpose.required, decision=one.decision, outdated=one.outdated,
            record=None if one.record is None else RecordOut.of(one.record),
        )  # fmt: skip


class CurrentConsentList(Answer):
    """What holds for each purpose, by code."""

    data: list[CurrentConsentOut]


class AccessOut(Answer):
    """Somebody read what is known of a customer."""

    id: UUID
    actor_kind: str
    actor_id: str
    fields: list[str]
    purpose: str
    request_id: str
    at: datetime

    @classmethod
    def of(cls, one: DataAccess) -> AccessOut:
        """An access as it is."""
        return cls(
            id=one.id, actor_kind=one.actor_kind, actor_id=one.actor_id,
            fields=list(one.fields), purpose=one.purpose, request_id=one.request_id, at=one.at,
        )  # fmt: skip


class AccessList(Answer):
    """Who read, oldest first."""

    data: list[AccessOut]
    page: Page


class DataRequestIn(Asked):
    """What somebody asks of us."""

    kind: DataRequestKind


class VerifiedIn(Asked):
    """How it is known who asks."""

    verified_by: Annotated[Text, StringConstraints(min_length=1)]


class RefusedIn(Asked):
    """Why not."""

    reason: _Reason


class DataRequestOut(Answer):
    """What somebody asked of us."""

    id: UUID
    customer_id: UUID
    kind: DataRequestKind
    state: DataRequestState
    received_at: datetime
    due_at: datetime
    verified_by: str
    finished_at: datetime | None
    reason: str
    version: int

    @classmethod
    def of(cls, stored: Stored[DataRequest]) -> DataRequestOut:
        """A request as it is."""
        one = stored.value
        return cls(
            id=one.id, customer_id=one.customer_id, kind=one.kind, state=one.state,
            received_at=one.received_at, due_at=one.due_at, verified_by=one.verified_by,
            finished_at=one.finished_at, reason=one.reason, version=stored.version,
        )  # fmt: skip


class DataRequestList(Answer):
    """Requests, oldest first."""

    data: list[DataRequestOut]
    page: Page
