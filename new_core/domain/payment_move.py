"""What is done with money after it was promised: captured, let go, given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from new_core.domain.gateway import MoveKind, MoveState
from new_core.domain.payment import Attempt, PaymentIntent

MOVES: Mapping[MoveState, frozenset[MoveState]] = {
    MoveState.ASKED: frozenset({MoveState.SENDING, MoveState.REFUSED}),
    MoveState.SENDING: frozenset(
        {MoveState.DONE, MoveState.REFUSED, MoveState.UNKNOWN, MoveState.ASKED}
    ),
    MoveState.UNKNOWN: frozenset({MoveState.DONE, MoveState.REFUSED, MoveState.ASKED}),
    MoveState.DONE: frozenset(),
    MoveState.REFUSED: frozenset(),
}
"""Back to ASKED goes a move that did not leave, or that the gateway never heard of."""

OPEN_MOVES = frozenset({MoveState.ASKED, MoveState.SENDING, MoveState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class PaymentMove:
    """One capture, void or refund.

    Attributes:
        id: also the idempotency key at the gateway.
        minor: how much; a void's is what was promised.
        reason: why, in the words of who asked.
        problem: why the gateway said no.
        is_owed: the core itself wants it and goes on until it is done: money that came in
            although nobody wants it any more.
        request_key: the client's key of the request; the same key is the same move.
    """

    id: UUID
    attempt_id: UUID
    kind: MoveKind
    minor: int
    state: MoveState
    created_at: datetime
    reason: str = ""
    problem: str = ""
    is_owed: bool = False
    request_key: str | None = None
    gateway_ref: str = ""
    sent_at: datetime | None = None
    look_at: datetime | None = None
    looks: int = 0


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment with all that was tried and done.

    Attributes:
        attempts: by number.
        moves: oldest first.
        version: counts every change of any part.
    """

    intent: PaymentIntent
    attempts: tuple[Attempt, ...]
    moves: tuple[PaymentMove, ...]
    version: int
    updated_at: datetime

    def attempt(self, attempt_id: UUID) -> Attempt:
        """One of its attempts."""
        return next(one for one in self.attempts if one.id == attempt_id)

    @property
    def winner(self) -> Attempt | None:
        """The attempt that has the money, or had it; None while there is none."""
        won_by = self.intent.won_by
        return None if won_by is None else self.attempt(won_by)

    def open_moves(self, attempt_id: UUID) -> tuple[PaymentMove, ...]:
        """Moves of an attempt that are not over."""
        return tuple(
            one for one in self.moves if one.attempt_id == attempt_id and one.state in OPEN_MOVES
        )
