"""What tests of payments are made with: a till on a real database, and a gateway that plays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from new_core.domain.actor import Actor, ActorKind
from new_core.domain.gateway import (
    Book,
    BookedMove,
    BookState,
    Charge,
    Charged,
    GatewayNote,
    Move,
    Moved,
    MoveKind,
    MoveState,
    Question,
    Reach,
)
from new_core.domain.gateway_health import Breaker
from new_core.domain.money import Money
from new_core.domain.order import Paid
from new_core.domain.payment import CaptureMode, PaymentIntent, PaymentMethod, Settled
from new_core.domain.payment_move import Payment, PaymentMove
from new_core.errors import GatewayUnavailable, WebhookRefused
from new_core.ports import Database, UnitOfWork
from new_core.service.doing import Doing
from new_core.service.gateway_calls import Gateways, Offered
from new_core.service.paying import Rules, Till, open_payment
from new_core.service.payment_moves import MoveAsked, ask_move, carry_out
from new_core.storage.ids import new_id
from tests.support.core import SetClock

SOMEBODY = Actor(ActorKind.STAFF, "someone")
CARD = PaymentMethod("card", token="tok_card")
TOTAL = Money(2599, "CAD")


@dataclass
class Heard:
    """Who opened a payment, writing down what it is told."""

    settled: list[Settled] = field(default_factory=list)
    moved: list[tuple[UUID, Paid]] = field(default_factory=list)

    async def settle(self, uow: UnitOfWork, settled: Settled) -> None:
        self.settled.append(settled)

    async def money_moved(self, uow: UnitOfWork, order_id: UUID, paid: Paid) -> None:
        self.moved.append((order_id, paid))


class QuietMeter:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []

    def called(self, gateway: str, operation: str, outcome: str, elapsed_s: float) -> None:
        self.calls.append((gateway, operation, outcome))

    def stands(self, gateway: str, breaker: Breaker) -> None:
        return


class PlayedGateway:
    """A gateway with books of its own, which does with each call what it is told to.

    Attributes:
        plays: how the next calls end, by name: "lost" books and loses the answer, "never"
            loses the request, "refused" does not let it in, "declined" and "retry" decline,
            "pending" waits for the shopper. Without a play it says yes.
    """

    needs_token = True
    is_outside = True

    def __init__(self, code: str = "played", *plays: str) -> None:
        self.code = code
        self.plays = list(plays)
        self.books: dict[UUID, Book] = {}
        self.is_silent = False

    @property
    def charges(self) -> int:
        """How many attempts have money of the shopper, taken or promised, not given back."""
        held = (BookState.AUTHORISED, BookState.CAPTURED)
        return sum(
            one.state in held and one.refunded_minor < max(one.authorised_minor, 1)
            for one in self.books.values()
        )

    async def authorise(self, charge: Charge) -> Charged:
        play = self.plays.pop(0) if self.plays else "yes"
        if play == "refused":
            return Charged(Reach.NOT_SENT, reason="refused")
        if play == "never":
            return Charged(Reach.NO_ANSWER, reason="no_answer")
        self.books[charge.attempt_id] = book = self._booked(charge, play)
        if play == "lost":
            return Charged(Reach.NO_ANSWER, reason="no_answer")
        return Charged(Reach.ANSWERED, book)

    def _booked(self, charge: Charge, play: str) -> Book:
        ref = f"{self.code}-{charge.attempt_id}"
        if play in ("declined", "retry"):
            return Book(ref, BookState.DECLINED, reason=play, is_retryable=play == "retry")
        if play == "pending":
            return Book(ref, BookState.PENDING, redirect_url="https://gateway.test/confirm")
        if charge.capture is CaptureMode.NOW:
            return Book(ref, BookState.CAPTURED, charge.minor, charge.minor)
        return Book(ref, BookState.AUTHORISED, charge.minor)

    def confirm(self, attempt_id: UUID, minor: int) -> None:
        """The shopper confirms."""
        book = self.books[attempt_id]
        self.books[attempt_id] = replace(
            book, state=BookState.AUTHORISED, authorised_minor=minor, redirect_url=""
        )

    async def capture(self, move: Move) -> Moved:
        book = self.books[move.attempt_id]
        return self._moved(
            move,
            replace(
                book, state=BookState.CAPTURED, captured_minor=book.captured_minor + move.minor
            ),
        )

    async def void(self, move: Move) -> Moved:
        book = self.books[move.attempt_id]
        if book.state is BookState.CAPTURED:
            return Moved(Reach.ANSWERED, MoveState.REFUSED, reason="captured")
        return self._moved(move, replace(book, state=BookState.VOIDED))

    async def refund(self, move: Move) -> Moved:
        book = self.books[move.attempt_id]
        if book.refunded_minor + move.minor > book.captured_minor:
            return Moved(Reach.ANSWERED, MoveState.REFUSED, reason="too much")
        done = BookedMove(move.move_id, MoveState.DONE, move.minor)
        return self._moved(
            move,
            replace(
                book,
                refunded_minor=book.refunded_minor + move.minor,
                refunds=(*book.refunds, done),
            ),
        )

    def _moved(self, move: Move, book: Book) -> Moved:
        play = self.plays.pop(0) if self.plays else "yes"
        if play == "refused":
            return Moved(Reach.NOT_SENT, reason="refused")
        if play == "never":
            return Moved(Reach.NO_ANSWER, reason="no_answer")
        if play == "declined":
            return Moved(Reach.ANSWERED, MoveState.REFUSED, reason="declined")
        self.books[move.attempt_id] = book
        if play == "lost":
            return Moved(Reach.NO_ANSWER, reason="no_answer")
        return Moved(Reach.ANSWERED, MoveState.DONE, f"move-{move.move_id}")

    async def lookup(self, question: Question) -> Book | None:
        if self.is_silent:
            raise GatewayUnavailable(self.code, "silent")
        return self.books.get(question.attempt_id)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> GatewayNote:
        if headers.get("signature") != "right":
            raise WebhookRefused("the signature does not hold")
        event_id, attempt_id = body.decode().split()
        return GatewayNote(event_id, "payment.changed", "", UUID(attempt_id))

    async def close(self) -> None:
        return


def till_on(
    database: Database,
    *gateways: PlayedGateway,
    clock: SetClock | None = None,
    heard: Heard | None = None,
    rules: Rules | None = None,
) -> Till:
    """A till with these gateways, best first."""
    clock, heard = clock or SetClock(), heard or Heard()
    offered = [Offered(one, frozenset({"card"})) for one in gateways]
    return Till(
        database,
        Gateways(offered, deadline_s=5.0, meter=QuietMeter()),
        heard.settle,
        heard.money_moved,
        clock,
        new_id,
        rules or Rules(),
    )


async def opened(
    till: Till,
    method: PaymentMethod = CARD,
    capture: CaptureMode = CaptureMode.LATER,
    order_id: UUID | None = None,
) -> PaymentIntent:
    """A payment, committed, of an order of its own unless it is said whose."""
    async with till.database.writing() as uow:
        doing = Doing(SOMEBODY, till.now(), till.new_id)
        intent = await open_payment(
            uow, order_id or till.new_id(), TOTAL, method, capture, doing, reference="A-100"
        )
        await uow.commit()
    return intent


async def read(till: Till, intent_id: UUID) -> Payment:
    """A payment as it is written down."""
    async with till.database.reading() as uow:
        payment = await uow.payments.get(intent_id)
    assert payment is not None
    return payment


async def booked(till: Till, intent_id: UUID) -> list[tuple[str, int]]:
    """All events of a payment, as kind and amount."""
    async with till.database.reading() as uow:
        events = await uow.payments.events(intent_id)
    return [(one.kind.value, one.minor) for one in events]


async def move(
    till: Till, intent_id: UUID, kind: MoveKind, minor: int | None = None, key: str = ""
) -> PaymentMove:
    """Ask for a move and carry it out."""
    asked = MoveAsked(kind, minor, "because", key or str(new_id()))
    async with till.database.writing() as uow:
        found = await ask_move(uow, intent_id, asked, till.doing(SOMEBODY))
        await uow.commit()
    return await carry_out(till, intent_id, found.id, SOMEBODY)
