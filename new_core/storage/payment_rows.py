"""Rows of payments as values, and back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from new_core.domain.gateway import MoveKind, MoveState
from new_core.domain.payment import (
    Attempt,
    AttemptState,
    CaptureMode,
    EventKind,
    IntentState,
    MoneyEvent,
    PaymentIntent,
    PaymentMethod,
)
from new_core.domain.payment_move import PaymentMove
from new_core.storage.statements import Row


def intent_of(row: Row) -> PaymentIntent:
    """A payment's own row."""
    kept = row["method"]
    method = PaymentMethod(
        kept["kind"], kept["gateway"], kept["token"], tuple((g, k) for g, k in kept["tokens"])
    )
    return PaymentIntent(
        id=row["id"],
        order_id=row["order_id"],
        minor=row["amount_minor"],
        currency=row["currency"],
        capture=CaptureMode(row["capture"]),
        method=method,
        created_at=row["created_at"],
        state=IntentState(row["state"]),
        reference=row["reference"],
        redirect_url=row["redirect_url"],
        won_by=row["won_by"],
    )


def intent_values(intent: PaymentIntent, now: datetime) -> dict[str, Any]:
    """What to write of a payment, without its version."""
    return {
        "id": intent.id,
        "order_id": intent.order_id,
        "reference": intent.reference,
        "amount_minor": intent.minor,
        "currency": intent.currency,
        "state": intent.state.value,
        "capture": intent.capture.value,
        "method": asdict(intent.method),
        "redirect_url": intent.redirect_url,
        "won_by": intent.won_by,
        "created_at": intent.created_at,
        "updated_at": now,
    }


def attempt_of(row: Row) -> Attempt:
    """An attempt."""
    return Attempt(
        id=row["id"],
        intent_id=row["intent_id"],
        number=row["number"],
        state=AttemptState(row["state"]),
        created_at=row["created_at"],
        gateway=row["gateway"],
        gateway_ref=row["gateway_ref"],
        reason=row["reason"],
        is_retryable=row["is_retryable"],
        authorised_minor=row["authorised_minor"],
        captured_minor=row["captured_minor"],
        claimed_minor=row["claimed_minor"],
        refunded_minor=row["refunded_minor"],
        sent_at=row["sent_at"],
        resolved_at=row["resolved_at"],
        look_at=row["look_at"],
        looks=row["looks"],
    )


def attempt_values(attempt: Attempt, now: datetime) -> dict[str, Any]:
    """What to write of an attempt, without its version and its refunds' claims."""
    row = asdict(attempt) | {"state": attempt.state.value, "updated_at": now}
    del row["claimed_minor"]
    return row


def event_of(row: Row) -> MoneyEvent:
    """An event."""
    return MoneyEvent(
        id=row["id"],
        attempt_id=row["attempt_id"],
        kind=EventKind(row["kind"]),
        minor=row["amount_minor"],
        at=row["at"],
        gateway=row["gateway"],
        gateway_event_id=row["gateway_event_id"],
        raw=row["raw"],
    )


def event_values(event: MoneyEvent) -> dict[str, Any]:
    """What to write of an event."""
    return {
        "id": event.id,
        "attempt_id": event.attempt_id,
        "kind": event.kind.value,
        "amount_minor": event.minor,
        "gateway": event.gateway,
        "gateway_event_id": event.gateway_event_id,
        "raw": dict(event.raw),
        "at": event.at,
    }


def move_of(row: Row) -> PaymentMove:
    """A move."""
    return PaymentMove(
        id=row["id"],
        attempt_id=row["attempt_id"],
        kind=MoveKind(row["kind"]),
        minor=row["amount_minor"],
        state=MoveState(row["state"]),
        created_at=row["created_at"],
        reason=row["reason"],
        problem=row["problem"],
        is_owed=row["is_owed"],
        request_key=row["request_key"],
        gateway_ref=row["gateway_ref"],
        sent_at=row["sent_at"],
        look_at=row["look_at"],
        looks=row["looks"],
    )


def move_values(move: PaymentMove) -> dict[str, Any]:
    """What to write of a move, without its version."""
    row = asdict(move) | {"kind": move.kind.value, "state": move.state.value}
    row["amount_minor"] = row.pop("minor")
    return row
