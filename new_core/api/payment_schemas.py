"""What /v1 takes and answers of payments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from new_core.api.schemas import Amount, Answer, Page
from new_core.domain.currency import decimals
from new_core.domain.gateway import MoveKind, MoveState
from new_core.domain.gateway_health import Breaker, Health
from new_core.domain.money import Money
from new_core.domain.payment import (
    Attempt,
    AttemptState,
    CaptureMode,
    EventKind,
    IntentState,
    MoneyEvent,
)
from new_core.domain.payment_move import Payment, PaymentMove
from new_core.errors import InvalidValue

Decimal = Annotated[
    str, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$", max_length=20, examples=["19.99"])
]
Why = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]


class MoveIn(BaseModel):
    """What is to be done with money."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    amount: Decimal | None = Field(
        default=None, description="in the payment's currency; null for all that there is"
    )
    reason: Why = ""


class AttemptOut(Answer):
    """One try at one gateway."""

    id: UUID
    number: int
    gateway: str = Field(description="empty until it is sent")
    gateway_ref: str = Field(description="the gateway's own name for it")
    state: AttemptState
    reason: str
    authorised: Amount
    captured: Amount
    refunded: Amount
    sent_at: datetime | None
    resolved_at: datetime | None

    @classmethod
    def of(cls, one: Attempt, currency: str) -> AttemptOut:
        """An attempt with its sums."""
        return cls(
            id=one.id, number=one.number, gateway=one.gateway, gateway_ref=one.gateway_ref,
            state=one.state, reason=one.reason, authorised=_amount(one.authorised_minor, currency),
            captured=_amount(one.captured_minor, currency),
            refunded=_amount(one.refunded_minor, currency),
            sent_at=one.sent_at, resolved_at=one.resolved_at,
        )  # fmt: skip


class MoveOut(Answer):
    """A capture, a void or a refund."""

    id: UUID
    attempt_id: UUID
    kind: MoveKind
    amount: Amount
    state: MoveState = Field(
        description="unknown: the gateway did not answer, and is asked until it does"
    )
    reason: str
    problem: str = Field(description="why the gateway said no")
    created_at: datetime

    @classmethod
    def of(cls, one: PaymentMove, currency: str) -> MoveOut:
        """A move."""
        return cls(
            id=one.id, attempt_id=one.attempt_id, kind=one.kind,
            amount=_amount(one.minor, currency), state=one.state, reason=one.reason,
            problem=one.problem, created_at=one.created_at,
        )  # fmt: skip


class PaymentOut(Answer):
    """All payment of an order."""

    id: UUID
    order_id: UUID
    amount: Amount
    state: IntentState
    capture: CaptureMode
    method: str = Field(examples=["card", "manual"])
    redirect_url: str = Field(description="where the shopper confirms; empty when they need not")
    attempts: list[AttemptOut]
    moves: list[MoveOut]
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, payment: Payment) -> PaymentOut:
        """A payment with all that was tried and done."""
        intent, currency = payment.intent, payment.intent.currency
        return cls(
            id=intent.id, order_id=intent.order_id, amount=_amount(intent.minor, currency),
            state=intent.state, capture=intent.capture, method=intent.method.kind,
            redirect_url=intent.redirect_url,
            attempts=[AttemptOut.of(one, currency) for one in payment.attempts],
            moves=[MoveOut.of(one, currency) for one in payment.moves],
            created_at=intent.created_at, updated_at=payment.updated_at, version=payment.version,
        )  # fmt: skip


class PaymentList(Answer):
    """A page of payments, ascending by (updated_at, id)."""

    data: list[PaymentOut]
    page: Page


class OrderPayments(Answer):
    """The payments of an order, oldest first."""

    data: list[PaymentOut]


class MoneyEventOut(Answer):
    """What happened at a gateway."""

    id: UUID
    attempt_id: UUID
    kind: EventKind
    amount: Amount
    gateway: str
    gateway_event_id: str | None
    at: datetime

    @classmethod
    def of(cls, one: MoneyEvent, currency: str) -> MoneyEventOut:
        """An event."""
        return cls(
            id=one.id, attempt_id=one.attempt_id, kind=one.kind,
            amount=_amount(one.minor, currency), gateway=one.gateway,
            gateway_event_id=one.gateway_event_id, at=one.at,
        )  # fmt: skip


class MoneyEvents(Answer):
    """All that happened to a payment, oldest first."""

    data: list[MoneyEventOut]


class GatewayOut(Answer):
    """A gateway, and how it is."""

    code: str
    breaker: Breaker
    failures: int = Field(description="calls in a row without an answer")
    open_until: datetime | None

    @classmethod
    def of(cls, health: Health, now: datetime) -> GatewayOut:
        """A gateway's health now."""
        return cls(
            code=health.gateway, breaker=health.breaker(now), failures=health.failures,
            open_until=health.open_until,
        )  # fmt: skip


class GatewayList(Answer):
    """The gateways in use, best first."""

    data: list[GatewayOut]


class WebhookTaken(Answer):
    """What became of a gateway's message."""

    outcome: str = Field(examples=["booked", "known", "not_ours"])


def minor_of(text: str | None, currency: str) -> int | None:
    """A decimal amount in minor units; None stays None.

    Raises:
        InvalidValue: it has more decimals than the currency.
    """
    if text is None:
        return None
    whole, _, rest = text.partition(".")
    shown = decimals(currency)
    if len(rest) > shown:
        raise InvalidValue("amount", f"has more decimals than {currency}")
    minor = int(whole + rest.ljust(shown, "0"))
    if minor < 1:
        raise InvalidValue("amount", "is nothing")
    return minor


def _amount(minor: int, currency: str) -> Amount:
    money = Money(minor, currency)
    return Amount(amount=money.text, currency=currency)
