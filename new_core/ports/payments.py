"""What the use cases of payments need."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.gateway import (
    Book,
    Charge,
    Charged,
    GatewayNote,
    Move,
    Moved,
    Question,
)
from new_core.domain.gateway_health import Health
from new_core.domain.payment import Attempt, AttemptState, MoneyEvent, PaymentIntent
from new_core.domain.payment_move import Payment, PaymentMove


@dataclass(frozen=True, slots=True)
class PaymentQuery:
    """Which payments to list: ascending by (updated_at, id)."""

    limit: int
    after: tuple[datetime, UUID] | None = None
    states: tuple[str, ...] = ()
    updated_since: datetime | None = None


class PaymentStore(Protocol):
    """Payments, their attempts, moves and events."""

    async def add(self, intent: PaymentIntent, first: Attempt) -> None:
        """Write down a new payment with its first attempt.

        Raises:
            Conflict: the order has a payment that is open or won.
        """
        ...

    async def get(self, intent_id: UUID) -> Payment | None:
        """A payment; None when there is none."""
        ...

    async def locked(self, intent_id: UUID) -> Payment | None:
        """A payment that nobody else changes until this transaction ends."""
        ...

    async def of_orders(self, order_ids: Collection[UUID]) -> Mapping[UUID, tuple[Payment, ...]]:
        """The payments of orders, oldest first; an order without any is absent."""
        ...

    async def page(self, query: PaymentQuery) -> tuple[Payment, ...]:
        """Payments, ascending by (updated_at, id)."""
        ...

    async def events(self, intent_id: UUID) -> tuple[MoneyEvent, ...]:
        """All that happened to a payment, in the order in which it was written down."""
        ...

    async def owner_of(self, attempt_id: UUID) -> UUID | None:
        """The payment that an attempt belongs to."""
        ...

    async def owner_at(self, gateway: str, gateway_ref: str) -> tuple[UUID, UUID] | None:
        """The payment and the attempt that a gateway calls by this name."""
        ...

    async def put_intent(self, intent: PaymentIntent, now: datetime) -> None:
        """Write a payment's row; called whenever any part of it changes."""
        ...

    async def add_attempt(self, attempt: Attempt, now: datetime) -> None:
        """Write down a new attempt."""
        ...

    async def put_attempt(self, attempt: Attempt, was: AttemptState, now: datetime) -> bool:
        """Write an attempt that is in state `was`; False when it is not any more.

        Refunds' claims are not written: see `claim_refund`.
        """
        ...

    async def claim_refund(self, attempt_id: UUID, minor: int, now: datetime) -> bool:
        """Set aside what is to be refunded; a negative amount gives back. False when that
        would be more than was captured.
        """
        ...

    async def add_events(self, events: Sequence[MoneyEvent]) -> None:
        """Write down what happened to one attempt, whose payment is locked.

        Raises:
            InvalidValue: a gateway's message is there already.
        """
        ...

    async def has_event(self, gateway: str, gateway_event_id: str) -> bool:
        """Whether a gateway's message is written down."""
        ...

    async def put_move(self, move: PaymentMove, now: datetime) -> None:
        """Write a move, new or changed; the payment is locked.

        Raises:
            InvalidValue: another move has its request key.
        """
        ...

    async def due(self, now: datetime, until: datetime, most: int) -> tuple[UUID, ...]:
        """Take payments in hand that have something to be looked up or sent by now: nobody
        else gets them before `until`. Gives their ids.
        """
        ...

    async def healths(self) -> Mapping[str, Health]:
        """How gateways have been; one that never failed is absent."""
        ...

    async def put_health(self, health: Health, now: datetime) -> None:
        """Write down how a gateway is."""
        ...


class Gateway(Protocol):
    """Moves money. Calls have deadlines, are made once, and raise nothing of the network's:
    how far they came is in the answer.

    Attributes:
        code: its name in settings, rows and metrics.
        needs_token: whether it charges only what a shopper's browser gave a token for.
        is_outside: whether calls leave the process; a dry run does not make those.
    """

    @property
    def code(self) -> str: ...
    @property
    def needs_token(self) -> bool: ...
    @property
    def is_outside(self) -> bool: ...

    async def authorise(self, charge: Charge) -> Charged:
        """Ask for money, and take it at once where the charge says so."""
        ...

    async def capture(self, move: Move) -> Moved:
        """Take promised money, all or a part; what is left over is let go."""
        ...

    async def void(self, move: Move) -> Moved:
        """Let go of promised money. What is let go already is done."""
        ...

    async def refund(self, move: Move) -> Moved:
        """Give back captured money, all or a part."""
        ...

    async def lookup(self, question: Question) -> Book | None:
        """What its books say of an attempt; None when they do not have it.

        Raises:
            GatewayUnavailable: it did not answer; nothing is known.
        """
        ...

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> GatewayNote:
        """Read its message. Header names are lower case.

        Raises:
            WebhookRefused: the signature does not hold, or this is no message of it.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
