"""Money that was asked for, and what became of it.

A payment (intent) of an order is tried in attempts, one after the other; at most one of them
is on its way or done at a time. What an attempt moved is the sum of its events.
"""

from __future__ import annotations

from dataclasses import dataclass
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


class PaymentOutcome(StrEnum):
    """What a shopper is told of a payment."""

    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """How somebody wants to pay.

    Attributes:
        gateway: the code of the gateway to try first; empty lets the core choose.
        token: what the gateway gave the shopper's browser for a card; never a card number.
    """

    kind: str = "manual"
    gateway: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class PaymentIntent:
    """All payment of one order."""

    id: UUID
    order_id: UUID
    minor: int
    currency: str
    capture: CaptureMode
    method: PaymentMethod
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """What a payment came to, told to who placed the order, in the same transaction."""

    intent: PaymentIntent
    outcome: PaymentOutcome
    attempt_id: UUID
    reason: str = ""
