"""Whatever is lost between us and a gateway, its own books never hold two charges for one order.

Stripe is localstripe and Square books of ours; both ignore idempotency keys.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from new_core.domain.actor import ANONYMOUS
from new_core.domain.gateway_health import Breaker
from new_core.domain.money import Money
from new_core.domain.payment import (
    AttemptState,
    CaptureMode,
    IntentState,
    PaymentMethod,
    PaymentOutcome,
)
from new_core.gateways import Notifications, SquareGateway, StripeGateway
from new_core.service.gateway_calls import Gateways, Offered
from new_core.service.paying import Till, open_payment, pay
from new_core.service.paying_recovery import recover
from new_core.service.payment_moves import cancel_payment
from new_core.storage.ids import new_id
from tests.support import localstripe, square_books
from tests.support.core import BOTH, SetClock, core_database
from tests.support.fault_hop import Fault, FaultHop, fault_hop
from tests.support.paying import SOMEBODY, TOTAL, Heard, QuietMeter, read

pytestmark = pytest.mark.integration

CARD = PaymentMethod("card", "stripe", localstripe.VISA, tokens=(("square", square_books.CARD),))


@dataclass
class World:
    """Two gateways, each behind a hop, and a till."""

    till: Till
    clock: SetClock
    heard: Heard
    stripe: localstripe.LocalStripe
    square: square_books.SquareBooks
    to_stripe: FaultHop
    to_square: FaultHop

    def charges(self, order: str) -> tuple[int, int]:
        """What the gateways' own books hold for an order."""
        return len(self.stripe.charges(order)), len(self.square.charges(order))

    async def recovered(self, rounds: int = 6, seconds: float = 400) -> None:
        """Time goes by, and the recovery looks."""
        for _ in range(rounds):
            await recover(self.till)
            self.clock.forward(seconds=seconds)

    async def ordered(self, method: PaymentMethod = CARD) -> tuple[str, UUID]:
        """An order that is to be paid: its number, and its payment's id."""
        number = f"A-{new_id()}"
        async with self.till.database.writing() as uow:
            intent = await open_payment(
                uow, new_id(), TOTAL, method, CaptureMode.LATER, self.till.doing(SOMEBODY),
                reference=number,
            )  # fmt: skip
            await uow.commit()
        return number, intent.id


@pytest.fixture(scope="module")
def running_stripe() -> Iterator[localstripe.LocalStripe]:
    with localstripe.local_stripe() as found:
        yield found


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/core.sqlite3"


@pytest.fixture
async def world(url: str, running_stripe: localstripe.LocalStripe) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(core_database(url))
        books = await stack.enter_async_context(square_books.square_books())
        to_stripe = await stack.enter_async_context(fault_hop(running_stripe.url))
        to_square = await stack.enter_async_context(fault_hop(books.url))
        one = StripeGateway(
            localstripe.KEY, localstripe.WEBHOOK_SECRET, api_base=to_stripe.url, timeout_s=0.5
        )
        other = SquareGateway(
            square_books.TOKEN,
            square_books.LOCATION,
            Notifications(square_books.WEBHOOK_KEY, square_books.WEBHOOK_URL),
            api_base=to_square.url,
            timeout_s=0.5,
        )
        offered = [Offered(gateway, frozenset({"card"})) for gateway in (one, other)]
        gateways = Gateways(offered, deadline_s=2, meter=QuietMeter())
        stack.push_async_callback(gateways.close)
        clock, heard = SetClock(), Heard()
        till = Till(database, gateways, heard.settle, heard.money_moved, clock, new_id)
        yield World(till, clock, heard, running_stripe, books, to_stripe, to_square)


@pytest.mark.parametrize("fault", list(Fault))
async def test_one_fault_at_the_first_gateway_is_one_charge(world: World, fault: Fault) -> None:
    number, ident = await world.ordered()
    world.to_stripe.faults = [fault]

    told = await pay(world.till, ident, ANONYMOUS)
    at_once = world.charges(number)
    await world.recovered()

    arrived = fault in (Fault.LOSE_ANSWER, Fault.CUT_ANSWER, Fault.HANG_AFTER)
    # What arrived is found in the books at once; the rest waits for the quiet time.
    assert told.outcome is (PaymentOutcome.AUTHORISED if arrived else PaymentOutcome.PENDING)
    assert at_once == ((1, 0) if arrived else (0, 0))
    assert world.charges(number) == ((1, 0) if arrived else (0, 1))
    assert [one.outcome for one in world.heard.settled] == [PaymentOutcome.AUTHORISED]


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.HANG_BEFORE])
async def test_faults_at_every_call_are_one_charge_in_the_end(world: World, fault: Fault) -> None:
    number, ident = await world.ordered()
    world.to_stripe.faults = [fault] * 3
    world.to_square.faults = [fault] * 2

    await pay(world.till, ident, ANONYMOUS)
    await world.recovered(12)

    assert sum(world.charges(number)) == 1
    assert (await read(world.till, ident)).intent.state is IntentState.WON
    assert len(world.heard.settled) == 1


async def test_where_nobody_listens_the_next_gateway_is_asked_at_once(world: World) -> None:
    number, ident = await world.ordered()
    await world.to_stripe.stop()

    told = await pay(world.till, ident, ANONYMOUS)

    assert told.outcome is PaymentOutcome.AUTHORISED
    assert world.charges(number) == (0, 1)


async def test_a_request_that_arrives_after_the_next_gateway_won_is_let_go(world: World) -> None:
    number, ident = await world.ordered()
    world.to_stripe.faults = [Fault.HANG_BEFORE]
    await pay(world.till, ident, ANONYMOUS)
    world.clock.forward(seconds=90)
    await recover(world.till)

    before = world.charges(number)
    await world.to_stripe.let_through()
    twice = world.charges(number)
    world.clock.forward(seconds=1000)
    await world.recovered()

    assert (before, twice) == ((0, 1), (1, 1))
    assert world.charges(number) == (0, 1)
    states = [one.state for one in (await read(world.till, ident)).attempts]
    assert states == [AttemptState.VOIDED, AttemptState.AUTHORISED]


async def test_a_late_charge_of_a_cancelled_order_is_let_go(world: World) -> None:
    number, ident = await world.ordered()
    world.to_stripe.faults = [Fault.HANG_AFTER, Fault.HANG_BEFORE]
    await pay(world.till, ident, ANONYMOUS)
    payment = await read(world.till, ident)
    async with world.till.database.writing() as uow:
        await cancel_payment(uow, payment.intent.order_id, "gone", world.till.doing(SOMEBODY))
        await uow.commit()

    before = world.charges(number)
    await world.recovered()

    assert (before, world.charges(number)) == ((1, 0), (0, 0))
    assert world.heard.settled == []


async def test_a_gateway_that_is_down_is_left_alone_and_tried_again_later(world: World) -> None:
    await world.to_stripe.stop()
    for _ in range(5):
        await pay(world.till, (await world.ordered())[1], ANONYMOUS)
    async with world.till.database.reading() as uow:
        health = (await uow.payments.healths())["stripe"]

    number, ident = await world.ordered()
    await pay(world.till, ident, ANONYMOUS)
    tried = [one.gateway for one in (await read(world.till, ident)).attempts]

    assert health.breaker(world.clock()) is Breaker.OPEN
    assert tried == ["square"]
    world.clock.forward(seconds=31)
    assert health.breaker(world.clock()) is Breaker.TRYING
    assert world.charges(number) == (0, 1)


async def test_sums_of_events_are_what_the_attempts_say(world: World) -> None:
    idents = [(await world.ordered())[1] for _ in range(3)]
    for n, ident in enumerate(idents):
        world.to_stripe.faults = [Fault.LOSE_ANSWER] * (n % 2)
        await pay(world.till, ident, ANONYMOUS)
    await world.recovered()

    for ident in idents:
        payment = await read(world.till, ident)
        async with world.till.database.reading() as uow:
            events = await uow.payments.events(ident)
        for attempt in payment.attempts:
            mine = [one for one in events if one.attempt_id == attempt.id]
            sums = {
                kind: sum(one.minor for one in mine if one.kind.value == kind)
                for kind in ("authorised", "captured", "refunded")
            }
            assert sums == {
                "authorised": attempt.authorised_minor,
                "captured": attempt.captured_minor,
                "refunded": attempt.refunded_minor,
            }
        assert Money(payment.intent.minor, "CAD") == TOTAL
