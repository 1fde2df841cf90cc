"""What people agreed to, and what they may ask of us."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

ANSWERED_WITHIN = timedelta(days=30)


class Decision(StrEnum):
    """What was decided about a purpose."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What personal data is used for. A version never changes; a new text is a new version.

    Attributes:
        texts: (locale, what people read), sorted.
        required: without it there is no customer; it ends by erasure, not by withdrawal.
        data_categories: e.g. "email".
        retention_days: how long data of this purpose is kept; None for as long as needed.
        valid_days: how long a grant holds; None for ever.
    """

    code: str
    version: int
    texts: tuple[tuple[str, str], ...]
    required: bool
    data_categories: tuple[str, ...]
    created_at: datetime
    retention_days: int | None = None
    valid_days: int | None = None

    def text_sha256(self, locale: str) -> str | None:
        """The digest of what people read in a locale; None when there is no such text."""
        text = dict(self.texts).get(locale)
        return None if text is None else hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Evidence:
    """How somebody could know that it was so.

    Attributes:
        text_sha256: of what was read, by which the version's text can be proven.
        address, user_agent: personal; an erasure takes them out.
    """

    locale: str = ""
    text_sha256: str = ""
    form: str = ""
    address: str = ""
    user_agent: str = ""

    def anonymised(self) -> Evidence:
        """Without what leads to a person."""
        return Evidence(self.locale, self.text_sha256)


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One decision. Records are added, never changed.

    Attributes:
        channel: where it was made, e.g. "web".
    """

    id: UUID
    customer_id: UUID
    purpose: str
    purpose_version: int
    decision: Decision
    channel: str
    actor_kind: str
    actor_id: str
    at: datetime
    evidence: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True, slots=True)
class CurrentConsent:
    """What holds for a purpose at a time.

    Attributes:
        record: the last decision; None while nobody decided.
        decision: what it has come to: a grant may have expired since.
        outdated: there is a newer version than the one that was decided on.
    """

    purpose: Purpose
    record: ConsentRecord | None
    decision: Decision | None
    outdated: bool


def current_consents(
    purposes: Iterable[Purpose], records: Iterable[ConsentRecord], at: datetime
) -> tuple[CurrentConsent, ...]:
    """What holds for each purpose, by code. Only what was there and was decided by then
    counts, so that one can ask what held at any time before.
    """
    versions = {(one.code, one.version): one for one in purposes if one.created_at <= at}
    newest: dict[str, Purpose] = {}
    for one in versions.values():
        if one.code not in newest or one.version > newest[one.code].version:
            newest[one.code] = one
    last: dict[str, ConsentRecord] = {}
    for record in sorted(records, key=lambda one: (one.at, one.id)):
        if record.at <= at:
            last[record.purpose] = record
    return tuple(_current(newest[code], last.get(code), versions, at) for code in sorted(newest))


def ends_at(record: ConsentRecord, purpose: Purpose | None) -> datetime | None:
    """When a grant stops by itself; None when it does not."""
    if record.decision is not Decision.GRANTED or purpose is None or purpose.valid_days is None:
        return None
    return record.at + timedelta(days=purpose.valid_days)


def _current(
    newest: Purpose,
    record: ConsentRecord | None,
    versions: Mapping[tuple[str, int], Purpose],
    at: datetime,
) -> CurrentConsent:
    if record is None:
        return CurrentConsent(newest, None, None, outdated=False)
    ends = ends_at(record, versions.get((record.purpose, record.purpose_version)))
    expired = ends is not None and ends <= at
    decision = Decision.EXPIRED if expired else record.decision
    return CurrentConsent(newest, record, decision, record.purpose_version < newest.version)


@dataclass(frozen=True, slots=True)
class DataAccess:
    """Somebody read what is known of a customer.

    Attributes:
        fields: which, e.g. ("email", "addresses").
        purpose: why, in the words of who read.
    """

    id: UUID
    customer_id: UUID
    actor_kind: str
    actor_id: str
    fields: tuple[str, ...]
    purpose: str
    request_id: str
    at: datetime


class DataRequestKind(StrEnum):
    """What a customer asks for."""

    ACCESS = "access"
    ERASURE = "erasure"


class DataRequestState(StrEnum):
    """Where a request stands."""

    RECEIVED = "received"
    IDENTITY_VERIFIED = "identity_verified"
    IN_PROGRESS = "in_progress"
    FULFILLED = "fulfilled"
    REFUSED = "refused"


class DataRequestEvent(StrEnum):
    """What moves a request."""

    VERIFY = "verify"
    BEGIN = "begin"
    FULFIL = "fulfil"
    REFUSE = "refuse"


_S, _E = DataRequestState, DataRequestEvent
NEXT: Mapping[DataRequestState, Mapping[DataRequestEvent, DataRequestState]] = {
    _S.RECEIVED: {_E.VERIFY: _S.IDENTITY_VERIFIED, _E.REFUSE: _S.REFUSED},
    _S.IDENTITY_VERIFIED: {
        _E.BEGIN: _S.IN_PROGRESS, _E.FULFIL: _S.FULFILLED, _E.REFUSE: _S.REFUSED,
    },
    _S.IN_PROGRESS: {_E.FULFIL: _S.FULFILLED, _E.REFUSE: _S.REFUSED},
    _S.FULFILLED: {},
    _S.REFUSED: {},
}  # fmt: skip
"""Where a request goes: nothing is handed out or erased for somebody who may be anybody."""


@dataclass(frozen=True, slots=True)
class DataRequest:
    """Somebody asks what is known of them, or to be forgotten.

    Attributes:
        verified_by: how it is known that they are who they say, e.g. "login".
        reason: why it was refused.
    """

    id: UUID
    customer_id: UUID
    kind: DataRequestKind
    state: DataRequestState
    received_at: datetime
    due_at: datetime
    verified_by: str = ""
    finished_at: datetime | None = None
    reason: str = ""
