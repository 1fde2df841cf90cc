"""What is said to a gateway, and what it says.

A gateway is whoever moves money for the shop. What it answers is written down as what its own
books say (totals), so that an answer that comes twice or late adds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.domain.payment import CaptureMode


class Reach(StrEnum):
    """How far a call came. `NO_ANSWER`: it may have been done, and nobody knows."""

    ANSWERED = "answered"
    NOT_SENT = "not_sent"
    NO_ANSWER = "no_answer"


class BookState(StrEnum):
    """What the gateway's books say of one attempt. `PENDING`: the shopper has to confirm it."""

    PENDING = "pending"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDED = "voided"
    EXPIRED = "expired"


class MoveKind(StrEnum):
    """What is done with money that was promised or taken."""

    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class MoveState(StrEnum):
    """Where a move stands. `REFUSED`: the gateway said no, or never heard of it."""

    ASKED = "asked"
    SENDING = "sending"
    UNKNOWN = "unknown"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class BookedMove:
    """A refund in the gateway's books.

    Attributes:
        id: ours, that it was asked for with.
        state: `UNKNOWN` while the gateway itself does not know the end.
    """

    id: UUID
    state: MoveState
    minor: int
    ref: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """What the gateway's books say of one attempt; amounts are totals, in minor units.

    Attributes:
        ref: the gateway's name for it.
        raw: what it said, without what is secret or personal.
    """

    ref: str
    state: BookState
    authorised_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    reason: str = ""
    is_retryable: bool = False
    is_disputed: bool = False
    redirect_url: str = ""
    refunds: tuple[BookedMove, ...] = ()
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Charge:
    """Ask for money.

    Attributes:
        attempt_id: the idempotency key, and what the gateway keeps to be looked up by.
        reference: the order's number.
        return_url: where the gateway sends a shopper who had to confirm; may be empty.
    """

    attempt_id: UUID
    minor: int
    currency: str
    capture: CaptureMode
    token: str
    reference: str
    return_url: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """Do something with an attempt's money.

    Attributes:
        move_id: the idempotency key, and what the gateway keeps of a refund.
        minor: how much; what there is, for a void.
        is_whole: whether it takes, or gives back, all that was promised or taken.
    """

    move_id: UUID
    attempt_id: UUID
    gateway_ref: str
    minor: int
    currency: str
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """Ask what became of an attempt.

    Attributes:
        gateway_ref: empty when the answer that named it was lost.
        sent_at: when it was sent; the gateway's books are searched from a little before.
    """

    attempt_id: UUID
    gateway_ref: str
    minor: int
    currency: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Charged:
    """What came of asking for money; `book` is there when the gateway answered."""

    reach: Reach
    book: Book | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of a move. `state` is DONE, REFUSED or UNKNOWN when the gateway answered."""

    reach: Reach
    state: MoveState = MoveState.UNKNOWN
    ref: str = ""
    reason: str = ""
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GatewayNote:
    """A gateway's message to us: something happened, look.

    Attributes:
        event_id: the gateway's id of the message; the same when it is sent again.
        attempt_id: None when the message is about nothing of ours.
    """

    event_id: str
    type: str
    gateway_ref: str
    attempt_id: UUID | None
    raw: Mapping[str, object] = field(default_factory=dict)
