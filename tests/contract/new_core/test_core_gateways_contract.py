"""What every gateway does for its caller: one suite for all adapters of the port.

Stripe runs against localstripe, a process of its own; Square against books of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import stripe
from aiohttp import web

from loadtests.ports import free_port
from new_core.domain.gateway import (
    Book,
    BookState,
    Charge,
    Charged,
    Move,
    MoveState,
    Question,
    Reach,
)
from new_core.domain.payment import CaptureMode
from new_core.errors import GatewayUnavailable, WebhookRefused
from new_core.gateways import ManualGateway, Notifications, SquareGateway, StripeGateway
from new_core.ports import Gateway
from new_core.storage.ids import new_id
from tests.support import localstripe, square_books
from tests.support.fault_hop import Fault, FaultHop, fault_hop

pytestmark = pytest.mark.contract

TOTAL, PART = 2599, 1000
REAL = ("stripe", "square")


@dataclass
class Lab:
    """A gateway with its books behind a hop."""

    gateway: Gateway
    good: str
    bad: str
    hop: FaultHop | None = None
    stripe: localstripe.LocalStripe | None = None
    square: square_books.SquareBooks | None = None

    def charges(self, order: str) -> int:
        """What the gateway's own books hold for an order."""
        if self.stripe is not None:
            return len(self.stripe.charges(order))
        assert self.square is not None
        return len(self.square.charges(order))


def stripe_at(url: str) -> StripeGateway:
    return StripeGateway(localstripe.KEY, localstripe.WEBHOOK_SECRET, api_base=url, timeout_s=0.7)


def square_at(url: str) -> SquareGateway:
    known = Notifications(square_books.WEBHOOK_KEY, square_books.WEBHOOK_URL)
    return SquareGateway(
        square_books.TOKEN, square_books.LOCATION, known, api_base=url, timeout_s=0.7
    )


AT: dict[str, Callable[[str], Gateway]] = {"stripe": stripe_at, "square": square_at}


@pytest.fixture(scope="session")
def running_stripe() -> Iterator[localstripe.LocalStripe]:
    with localstripe.local_stripe() as found:
        yield found


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as one:
        yield one


@pytest.fixture
async def lab(
    request: pytest.FixtureRequest, stack: AsyncExitStack, running_stripe: localstripe.LocalStripe
) -> AsyncIterator[Lab]:
    if request.param == "manual":
        yield Lab(ManualGateway(), "", "")
        return
    if request.param == "stripe":
        hop = await stack.enter_async_context(fault_hop(running_stripe.url))
        good, bad = localstripe.VISA, localstripe.DECLINED
        found = Lab(stripe_at(hop.url), good, bad, hop, stripe=running_stripe)
    else:
        books = await stack.enter_async_context(square_books.square_books())
        hop = await stack.enter_async_context(fault_hop(books.url))
        good, bad = square_books.CARD, square_books.DECLINED
        found = Lab(square_at(hop.url), good, bad, hop, square=books)
    yield found
    await found.gateway.close()


every = pytest.mark.parametrize("lab", ["manual", *REAL], indirect=True)
real = pytest.mark.parametrize("lab", REAL, indirect=True)


def charge(lab: Lab, capture: CaptureMode = CaptureMode.LATER, token: str = "") -> Charge:
    ident = new_id()
    return Charge(ident, TOTAL, "CAD", capture, token or lab.good, f"A-{ident}")


def ask(made: Charge, ref: str = "") -> Question:
    return Question(made.attempt_id, ref, TOTAL, "CAD", localstripe.just_now())


def move(made: Charge, ref: str, minor: int = TOTAL) -> Move:
    return Move(new_id(), made.attempt_id, ref, minor, "CAD", minor == TOTAL)


async def charged(lab: Lab, made: Charge) -> Book:
    answer = await lab.gateway.authorise(made)
    assert answer.reach is Reach.ANSWERED
    assert answer.book is not None
    return answer.book


async def booked(lab: Lab, made: Charge, ref: str = "") -> Book:
    found = await lab.gateway.lookup(ask(made, ref))
    assert found is not None
    return found


@every
async def test_a_promise_is_given_and_found_by_our_id_alone(lab: Lab) -> None:
    made = charge(lab)

    book = await charged(lab, made)
    found = await booked(lab, made)

    assert (book.state, book.authorised_minor, book.captured_minor) == (
        BookState.AUTHORISED,
        TOTAL,
        0,
    )
    assert (found.ref, found.state, found.authorised_minor) == (book.ref, book.state, TOTAL)


@every
async def test_a_promise_is_kept_or_let_go(lab: Lab) -> None:
    kept, gone = charge(lab), charge(lab)
    kept_ref, gone_ref = (await charged(lab, kept)).ref, (await charged(lab, gone)).ref

    captured = await lab.gateway.capture(move(kept, kept_ref))
    voided = await lab.gateway.void(move(gone, gone_ref))
    again = await lab.gateway.void(move(gone, gone_ref))

    assert [one.state for one in (captured, voided, again)] == [MoveState.DONE] * 3


@real
async def test_money_is_taken_at_once_where_the_charge_says_so(lab: Lab) -> None:
    made = charge(lab, CaptureMode.NOW)

    book = await charged(lab, made)

    assert (book.state, book.captured_minor) == (BookState.CAPTURED, TOTAL)
    assert (await booked(lab, made)).captured_minor == TOTAL


@real
async def test_a_part_is_captured_and_the_rest_let_go(lab: Lab) -> None:
    made = charge(lab)
    ref = (await charged(lab, made)).ref

    done = await lab.gateway.capture(move(made, ref, PART))

    found = await booked(lab, made, ref)
    assert done.state is MoveState.DONE
    assert (found.state, found.captured_minor, found.refunded_minor) == (
        BookState.CAPTURED,
        PART,
        0,
    )


@real
async def test_what_was_let_go_cannot_be_taken(lab: Lab) -> None:
    made = charge(lab)
    ref = (await charged(lab, made)).ref
    await lab.gateway.void(move(made, ref))

    refused = await lab.gateway.capture(move(made, ref))

    assert (await booked(lab, made, ref)).state is BookState.VOIDED
    assert refused.state is MoveState.REFUSED or lab.stripe is not None


@real
async def test_refunds_are_listed_by_our_ids(lab: Lab) -> None:
    made = charge(lab, CaptureMode.NOW)
    ref = (await charged(lab, made)).ref
    moves = [move(made, ref, PART), move(made, ref, 599)]

    done = [await lab.gateway.refund(one) for one in moves]

    found = await booked(lab, made, ref)
    assert [one.state for one in done] == [MoveState.DONE] * 2
    assert found.refunded_minor == PART + 599
    assert {one.id: one.minor for one in found.refunds} == {
        moves[0].move_id: PART,
        moves[1].move_id: 599,
    }


@real
async def test_a_card_that_is_declined_is_declined_for_good(lab: Lab) -> None:
    made = charge(lab, token=lab.bad)

    book = await charged(lab, made)

    assert (book.state, book.is_retryable) == (BookState.DECLINED, False)
    assert book.reason
    assert lab.charges(made.reference) == 0


@real
async def test_what_the_gateway_does_not_understand_may_be_tried_elsewhere(lab: Lab) -> None:
    made = charge(lab, token="pm_of_nobody")

    book = await charged(lab, made)

    assert (book.state, book.is_retryable) == (BookState.DECLINED, True)


@real
async def test_an_attempt_that_never_came_is_in_no_books(lab: Lab) -> None:
    await charged(lab, charge(lab))

    assert await lab.gateway.lookup(ask(charge(lab))) is None


@pytest.mark.parametrize("code", REAL)
async def test_where_nobody_listens_nothing_was_sent(code: str) -> None:
    gateway = AT[code](f"http://127.0.0.1:{free_port()}")
    made = Charge(new_id(), TOTAL, "CAD", CaptureMode.LATER, "x", "A-1")
    try:
        answer = await gateway.authorise(made)
        moved = [
            await one(move(made, "ref")) for one in (gateway.capture, gateway.void, gateway.refund)
        ]
        with pytest.raises(GatewayUnavailable):
            await gateway.lookup(ask(made))
    finally:
        await gateway.close()

    assert answer.reach is Reach.NOT_SENT
    assert [one.reach for one in moved] == [Reach.NOT_SENT] * 3


@real
@pytest.mark.parametrize("fault", list(Fault))
async def test_an_answer_that_is_lost_is_never_taken_for_a_no(lab: Lab, fault: Fault) -> None:
    made = charge(lab)
    assert lab.hop is not None
    lab.hop.faults = [fault]

    answer = await lab.gateway.authorise(made)

    did_arrive = fault in (Fault.LOSE_ANSWER, Fault.CUT_ANSWER, Fault.HANG_AFTER)
    assert answer == Charged(Reach.NO_ANSWER, reason=answer.reason)
    assert lab.charges(made.reference) == int(did_arrive)
    assert ((await lab.gateway.lookup(ask(made))) is not None) == did_arrive


@real
@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.HANG_BEFORE])
async def test_a_refund_whose_answer_is_lost_is_found_by_its_id(lab: Lab, fault: Fault) -> None:
    made = charge(lab, CaptureMode.NOW)
    ref = (await charged(lab, made)).ref
    wanted = move(made, ref, PART)
    assert lab.hop is not None
    lab.hop.faults = [fault]

    moved = await lab.gateway.refund(wanted)

    found = {one.id: one.state for one in (await booked(lab, made, ref)).refunds}
    assert moved.reach is Reach.NO_ANSWER
    assert found == ({wanted.move_id: MoveState.DONE} if fault is Fault.LOSE_ANSWER else {})


@real
async def test_our_safety_does_not_rest_on_idempotency_keys(lab: Lab) -> None:
    made = charge(lab)

    await charged(lab, made)
    await charged(lab, made)

    # These gateways charge the same key twice: sending once must be our own doing.
    assert lab.charges(made.reference) == 2


@pytest.mark.parametrize("lab", ["square"], indirect=True)
async def test_a_refund_that_the_banks_have_not_finished_is_unknown_until_they_have(
    lab: Lab,
) -> None:
    assert lab.square is not None
    lab.square.slow_refunds = True
    made = charge(lab, CaptureMode.NOW)
    ref = (await charged(lab, made)).ref

    moved = await lab.gateway.refund(move(made, ref, PART))
    before = await booked(lab, made, ref)
    lab.square.finish_refunds()
    after = await booked(lab, made, ref)

    assert (moved.reach, moved.state) == (Reach.ANSWERED, MoveState.UNKNOWN)
    assert (before.refunded_minor, after.refunded_minor) == (0, PART)


@pytest.mark.parametrize("lab", ["square"], indirect=True)
async def test_a_bank_that_could_not_be_asked_may_be_asked_by_another(lab: Lab) -> None:
    book = await charged(lab, charge(lab, token=square_books.BUSY))

    assert (book.state, book.is_retryable) == (BookState.DECLINED, True)


@pytest.mark.parametrize("lab", ["square"], indirect=True)
async def test_squares_messages_are_known_by_their_signature(lab: Lab) -> None:
    assert lab.square is not None
    made = charge(lab)
    ref = (await charged(lab, made)).ref
    headers, body = lab.square.message(ref, "evt-1")

    note = lab.gateway.read_webhook(headers, body)

    assert (note.event_id, note.gateway_ref, note.attempt_id) == ("evt-1", ref, made.attempt_id)
    assert "secret" not in str(note.raw)
    for given, text in ((headers, body + b" "), ({}, body)):
        with pytest.raises(WebhookRefused):
            lab.gateway.read_webhook(given, text)


@pytest.mark.parametrize("lab", ["stripe"], indirect=True)
async def test_stripes_messages_are_known_by_their_signature(lab: Lab) -> None:
    assert lab.stripe is not None
    came: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
    made = charge(lab, CaptureMode.NOW)

    async with receiver(came) as url:
        await asyncio.to_thread(lab.stripe.write_to, url)
        book = await charged(lab, made)
        headers, body = await asyncio.wait_for(came.get(), 10)
        while str(made.attempt_id).encode() not in body:
            headers, body = await asyncio.wait_for(came.get(), 10)
        note = lab.gateway.read_webhook(headers, body)

    assert (note.type, note.gateway_ref) == ("payment_intent.succeeded", book.ref)
    for given, text in ((headers, body + b" "), ({}, body)):
        with pytest.raises(WebhookRefused):
            lab.gateway.read_webhook(given, text)


@pytest.mark.parametrize("lab", ["stripe"], indirect=True)
async def test_an_old_message_of_stripe_is_not_believed(lab: Lab) -> None:
    body = '{"id": "evt_1", "data": {"object": {}}}'
    then = int((localstripe.just_now() - timedelta(minutes=10)).timestamp())
    made = stripe.WebhookSignature._compute_signature(f"{then}.{body}", localstripe.WEBHOOK_SECRET)

    with pytest.raises(WebhookRefused):
        lab.gateway.read_webhook({"stripe-signature": f"t={then},v1={made}"}, body.encode())


@pytest.mark.parametrize("lab", ["stripe"], indirect=True)
async def test_a_card_whose_bank_wants_a_confirmation_is_pending_until_then(lab: Lab) -> None:
    assert lab.stripe is not None
    made = charge(lab)
    made = replace(made, token=await asyncio.to_thread(lab.stripe.card_to_confirm))

    pending = await charged(lab, made)
    await asyncio.to_thread(lab.stripe.confirm, pending.ref)

    assert pending.state is BookState.PENDING
    assert (await booked(lab, made)).state is BookState.AUTHORISED


@real
async def test_nothing_secret_is_kept_of_an_answer(lab: Lab) -> None:
    made = charge(lab)

    book = await charged(lab, made)

    kept = str(book.raw) + str((await booked(lab, made)).raw)
    for secret in (localstripe.KEY, square_books.TOKEN, "client_secret", "_secret_", "fingerprint",
                   lab.good):  # fmt: skip
        assert secret not in kept


class receiver:  # noqa: N801 - read as a verb's object: async with receiver(queue)
    """An address that keeps what is posted to it."""

    def __init__(self, came: asyncio.Queue[tuple[dict[str, str], bytes]]) -> None:
        self._came = came

    async def __aenter__(self) -> str:
        app = web.Application()
        app.add_routes([web.post("/hook", self._take)])
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"

    async def _take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._came.put_nowait((headers, await request.read()))
        return web.Response()

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()
