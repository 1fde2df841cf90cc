"""Payment outside of any gateway: an invoice, a bank transfer, cash.

The order is placed on the promise. Somebody who saw the money captures it.
"""

from __future__ import annotations

from collections.abc import Mapping

from new_core.domain.gateway import (
    Book,
    BookState,
    Charge,
    Charged,
    GatewayNote,
    Move,
    Moved,
    MoveState,
    Question,
    Reach,
)
from new_core.errors import WebhookRefused


class ManualGateway:
    """Says yes to everything: its books are in somebody's drawer. Calls nobody."""

    code = "manual"
    needs_token = False
    is_outside = False

    async def authorise(self, charge: Charge) -> Charged:
        book = Book(
            f"manual-{charge.attempt_id}", BookState.AUTHORISED, authorised_minor=charge.minor
        )
        return Charged(Reach.ANSWERED, book)

    async def capture(self, move: Move) -> Moved:
        return Moved(Reach.ANSWERED, MoveState.DONE, f"manual-{move.move_id}")

    async def void(self, move: Move) -> Moved:
        return Moved(Reach.ANSWERED, MoveState.DONE, f"manual-{move.move_id}")

    async def refund(self, move: Move) -> Moved:
        return Moved(Reach.ANSWERED, MoveState.DONE, f"manual-{move.move_id}")

    async def lookup(self, question: Question) -> Book | None:
        """A promise that was given holds."""
        return Book(
            f"manual-{question.attempt_id}", BookState.AUTHORISED, authorised_minor=question.minor
        )

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> GatewayNote:
        del headers, body
        raise WebhookRefused("nobody writes for the manual gateway")

    async def close(self) -> None:
        return
