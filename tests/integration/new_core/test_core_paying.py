"""Paying: attempts, failover, answers that were lost, and who is told what, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from new_core.domain.actor import ANONYMOUS
from new_core.domain.payment import (
    AttemptState,
    CaptureMode,
    IntentState,
    PaymentMethod,
    PaymentOutcome,
)
from new_core.errors import Conflict
from new_core.gateways import ManualGateway
from new_core.ports import Database
from new_core.service.doing import Doing
from new_core.service.gateway_calls import Gateways, Offered
from new_core.service.paying import Till, open_payment, pay
from new_core.storage.ids import new_id
from tests.support.core import BOTH, SetClock, core_database
from tests.support.paying import SOMEBODY, TOTAL, Heard, PlayedGateway, QuietMeter, opened, till_on

pytestmark = pytest.mark.integration


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/core.sqlite3"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with core_database(url) as one:
        yield one


async def test_an_order_that_is_paid_later_is_placed_on_a_promise(database: Database) -> None:
    heard, clock = Heard(), SetClock()
    offered = [Offered(ManualGateway(), frozenset({"manual"}))]
    gateways = Gateways(offered, deadline_s=5, meter=QuietMeter())
    till = Till(database, gateways, heard.settle, heard.money_moved, clock, new_id)
    intent = await opened(till, PaymentMethod())

    settled = await pay(till, intent.id, ANONYMOUS)

    assert settled.outcome is PaymentOutcome.AUTHORISED
    assert [one.outcome for one in heard.settled] == [PaymentOutcome.AUTHORISED]
    async with database.reading() as uow:
        payment = await uow.payments.get(intent.id)
        events = await uow.payments.events(intent.id)
    assert payment is not None
    assert (payment.intent.state, payment.intent.won_by) == (IntentState.WON, settled.attempt_id)
    assert [(one.kind.value, one.minor) for one in events] == [
        ("sent", 0),
        ("authorised", TOTAL.minor),
    ]


async def test_a_card_may_be_charged_at_once(database: Database) -> None:
    heard, gateway = Heard(), PlayedGateway()
    till = till_on(database, gateway, heard=heard)
    intent = await opened(till, capture=CaptureMode.NOW)

    settled = await pay(till, intent.id, ANONYMOUS)

    assert settled.outcome is PaymentOutcome.CAPTURED
    async with database.reading() as uow:
        payment = await uow.payments.get(intent.id)
    assert payment is not None
    assert payment.attempts[0].captured_minor == TOTAL.minor


async def test_a_decline_that_others_may_take_goes_to_the_next_gateway(database: Database) -> None:
    heard, first, second = Heard(), PlayedGateway("first", "retry"), PlayedGateway("second")
    till = till_on(database, first, second, heard=heard)
    intent = await opened(till)

    settled = await pay(till, intent.id, ANONYMOUS)

    assert settled.outcome is PaymentOutcome.AUTHORISED
    assert (first.charges, second.charges) == (0, 1)
    async with database.reading() as uow:
        payment = await uow.payments.get(intent.id)
    assert payment is not None
    assert [(one.number, one.gateway, one.state) for one in payment.attempts] == [
        (1, "first", AttemptState.DECLINED),
        (2, "second", AttemptState.AUTHORISED),
    ]


async def test_a_decline_for_good_ends_the_payment(database: Database) -> None:
    heard, first, second = Heard(), PlayedGateway("first", "declined"), PlayedGateway("second")
    till = till_on(database, first, second, heard=heard)
    intent = await opened(till)

    settled = await pay(till, intent.id, ANONYMOUS)

    assert (settled.outcome, settled.reason) == (PaymentOutcome.DECLINED, "declined")
    assert [one.outcome for one in heard.settled] == [PaymentOutcome.DECLINED]
    assert second.books == {}


async def test_an_answer_that_was_lost_is_never_a_reason_to_try_elsewhere(
    database: Database,
) -> None:
    heard, first, second = Heard(), PlayedGateway("first", "never"), PlayedGateway("second")
    till = till_on(database, first, second, heard=heard)
    intent = await opened(till)

    settled = await pay(till, intent.id, ANONYMOUS)
    again = await pay(till, intent.id, ANONYMOUS)

    assert (settled.outcome, again.outcome) == (PaymentOutcome.PENDING, PaymentOutcome.PENDING)
    assert (heard.settled, second.books) == ([], {})


async def test_a_charge_whose_answer_was_lost_is_found_at_once(database: Database) -> None:
    heard, gateway = Heard(), PlayedGateway("first", "lost")
    till = till_on(database, gateway, heard=heard)
    intent = await opened(till)

    settled = await pay(till, intent.id, ANONYMOUS)

    assert settled.outcome is PaymentOutcome.AUTHORISED
    assert len(heard.settled) == 1
    assert gateway.charges == 1


async def test_paying_many_times_at_once_charges_once(database: Database) -> None:
    heard, gateway = Heard(), PlayedGateway()
    till = till_on(database, gateway, heard=heard)
    intent = await opened(till)

    outcomes = await asyncio.gather(*(pay(till, intent.id, ANONYMOUS) for _ in range(8)))

    assert (gateway.charges, len(heard.settled)) == (1, 1)
    told = {one.outcome for one in outcomes}
    assert PaymentOutcome.AUTHORISED in told
    assert told <= {PaymentOutcome.AUTHORISED, PaymentOutcome.PENDING}


async def test_an_order_has_one_payment_at_a_time(database: Database) -> None:
    till = till_on(database, PlayedGateway())
    intent = await opened(till)

    async with database.writing() as uow:
        with pytest.raises(Conflict, match="payment already"):
            await open_payment(
                uow, intent.order_id, TOTAL, PaymentMethod(), CaptureMode.LATER,
                Doing(SOMEBODY, till.now(), new_id),
            )  # fmt: skip
