"""Money that was asked for, and what became of it.

A payment (intent) of an order is tried in attempts, one after the other; at most one of them
is on its way or done at a time. What an attempt moved is the sum of its events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class CaptureMode(StrEnum):
    """When the money is taken."""

    NOW = "now"
    LATER = "later"


class AttemptState(StrEnum):
    """Where an attempt stands. `UNKNOWN`: it was sent, and nobody knows what became of it."""

    CREATED = "created"
    SENDING = "sending"
    UNKNOWN = "unknown"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    FAILED_BEFORE_SEND = "failed_before_send"
    NOT_FOUND = "not_found"
    VOIDED = "voided"
    EXPIRED = "expired"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


class IntentState(StrEnum):
    """Where all payment of an order stands.

    `OPEN`: an attempt may yet succeed. `WON`: one did. `FAILED`: none did. `CANCELLED`: nobody
    wants it any more. What succeeds after one of the last three is undone.
    """

    OPEN = "open"
    WON = "won"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PaymentOutcome(StrEnum):
    """What a shopper is told of a payment."""

    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    PENDING = "pending"


class EventKind(StrEnum):
    """What a gateway did with money. `NOTED`: it wrote to us, and its books were looked at."""

    SENT = "sent"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    MISSED = "missed"
    VOIDED = "voided"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """How somebody wants to pay.

    Attributes:
        gateway: the code of the gateway to try first; empty lets the core choose.
        token: what the gateway gave the shopper's browser for a card; never a card number.
        tokens: the same card at other gateways, as (gateway, token); without one of these a
            gateway that needs a token is no way out when the first one fails.
    """

    kind: str = "manual"
    gateway: str = ""
    token: str = ""
    tokens: tuple[tuple[str, str], ...] = ()

    def token_at(self, gateway: str) -> str:
        """The token to send to a gateway; empty when there is none for it."""
        if self.gateway in ("", gateway) and self.token:
            return self.token
        return dict(self.tokens).get(gateway, "")


@dataclass(frozen=True, slots=True)
class PaymentIntent:
    """All payment of one order.

    Attributes:
        reference: the order's number, for whoever looks at the gateway's own books.
        redirect_url: where the shopper confirms the payment; empty when they need not.
        won_by: the attempt that succeeded.
    """

    id: UUID
    order_id: UUID
    minor: int
    currency: str
    capture: CaptureMode
    method: PaymentMethod
    created_at: datetime
    state: IntentState = IntentState.OPEN
    reference: str = ""
    redirect_url: str = ""
    won_by: UUID | None = None

    def ended(self, state: IntentState, won_by: UUID | None = None) -> PaymentIntent:
        """The payment in a state in which no attempt will follow: tokens are not needed and
        not kept.
        """
        method = replace(self.method, token="", tokens=())
        return replace(self, state=state, method=method, won_by=won_by or self.won_by)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one gateway.

    Amounts are sums of this attempt's events, in minor units.

    Attributes:
        id: also the idempotency key at the gateway, and what it is looked up by there.
        gateway: its code; empty until a gateway was chosen, which is when it is sent.
        gateway_ref: the gateway's own name for it; empty while that is not known.
        is_retryable: whether another gateway may take what this one declined.
        claimed_minor: refunded or about to be; never more than was captured.
    """

    id: UUID
    intent_id: UUID
    number: int
    state: AttemptState
    created_at: datetime
    gateway: str = ""
    gateway_ref: str = ""
    reason: str = ""
    is_retryable: bool = False
    authorised_minor: int = 0
    captured_minor: int = 0
    claimed_minor: int = 0
    refunded_minor: int = 0
    sent_at: datetime | None = None
    resolved_at: datetime | None = None
    look_at: datetime | None = None
    looks: int = 0


@dataclass(frozen=True, slots=True)
class MoneyEvent:
    """What happened at a gateway, once.

    Attributes:
        minor: what moved; 0 for what only tells.
        gateway_event_id: the gateway's id of its message; None for what it answered to us.
        raw: what it said, without what is secret or personal.
    """

    id: UUID
    attempt_id: UUID
    kind: EventKind
    minor: int
    at: datetime
    gateway: str
    gateway_event_id: str | None = None
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a payment came to, told to who placed the order, in the same transaction.

    Attributes:
        redirect_url: with a pending outcome, where the shopper goes to confirm the payment.
    """

    intent: PaymentIntent
    outcome: PaymentOutcome
    attempt_id: UUID
    reason: str = ""
    redirect_url: str = ""
