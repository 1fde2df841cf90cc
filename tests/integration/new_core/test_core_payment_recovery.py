"""Payments that nobody knew the end of, messages from gateways, and money that came too late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from new_core.domain.actor import ANONYMOUS
from new_core.domain.gateway import Book, BookState
from new_core.domain.payment import AttemptState, IntentState, PaymentOutcome
from new_core.errors import GatewayUnavailable, WebhookRefused
from new_core.ports import Database
from new_core.service.paying import pay
from new_core.service.paying_recovery import recover
from new_core.service.payment_moves import cancel_payment
from new_core.service.payment_webhooks import Heard as Became
from new_core.service.payment_webhooks import hear
from tests.support.core import BOTH, SetClock, core_database
from tests.support.paying import (
    SOMEBODY,
    TOTAL,
    Heard,
    PlayedGateway,
    booked,
    opened,
    read,
    till_on,
)

pytestmark = pytest.mark.integration
RIGHT = {"signature": "right"}


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/core.sqlite3"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with core_database(url) as one:
        yield one


async def test_a_payment_that_was_never_sent_is_sent_by_the_recovery(database: Database) -> None:
    heard, clock, gateway = Heard(), SetClock(), PlayedGateway()
    till = till_on(database, gateway, clock=clock, heard=heard)
    intent = await opened(till)

    early = await recover(till)
    clock.forward(seconds=31)
    late = await recover(till)

    assert (early, late) == (0, 1)
    assert [one.outcome for one in heard.settled] == [PaymentOutcome.AUTHORISED]
    assert (await read(till, intent.id)).intent.state is IntentState.WON


async def test_an_attempt_in_no_books_is_given_up_only_after_the_quiet_time(
    database: Database,
) -> None:
    heard, clock = Heard(), SetClock()
    first, second = PlayedGateway("first", "never"), PlayedGateway("second")
    till = till_on(database, first, second, clock=clock, heard=heard)
    intent = await opened(till)
    await pay(till, intent.id, ANONYMOUS)

    clock.forward(seconds=20)
    await recover(till)
    quiet = (await read(till, intent.id)).attempts
    clock.forward(seconds=45)
    await recover(till)
    over = (await read(till, intent.id)).attempts

    assert [one.state for one in quiet] == [AttemptState.UNKNOWN]
    assert [one.state for one in over] == [AttemptState.NOT_FOUND, AttemptState.AUTHORISED]
    assert [one.outcome for one in heard.settled] == [PaymentOutcome.AUTHORISED]
    assert second.charges == 1


async def test_a_charge_that_arrives_after_it_was_given_up_goes_back(database: Database) -> None:
    heard, clock = Heard(), SetClock()
    first, second = PlayedGateway("first", "never"), PlayedGateway("second")
    till = till_on(database, first, second, clock=clock, heard=heard)
    intent = await opened(till)
    await pay(till, intent.id, ANONYMOUS)
    clock.forward(seconds=70)
    await recover(till)
    lost = (await read(till, intent.id)).attempts[0]

    first.books[lost.id] = Book("late", BookState.CAPTURED, TOTAL.minor, TOTAL.minor)
    clock.forward(seconds=1000)
    await recover(till)
    await recover(till)

    assert (first.charges, second.charges) == (0, 1)
    attempts = (await read(till, intent.id)).attempts
    assert [one.state for one in attempts] == [AttemptState.REFUNDED, AttemptState.AUTHORISED]
    assert len(heard.settled) == 1
    assert heard.moved == []


async def test_a_success_after_the_order_was_cancelled_is_let_go(database: Database) -> None:
    heard, clock, gateway = Heard(), SetClock(), PlayedGateway("first", "lost")
    gateway.is_silent = True
    till = till_on(database, gateway, clock=clock, heard=heard)
    intent = await opened(till)
    await pay(till, intent.id, ANONYMOUS)
    async with database.writing() as uow:
        await cancel_payment(uow, intent.order_id, "gone", till.doing(SOMEBODY))
        await uow.commit()

    gateway.is_silent = False
    clock.forward(seconds=20)
    await recover(till)

    assert gateway.charges == 0
    assert heard.settled == []
    assert (await read(till, intent.id)).attempts[0].state is AttemptState.VOIDED


async def test_two_workers_look_at_a_payment_once(database: Database) -> None:
    heard, clock = Heard(), SetClock()
    gateway = PlayedGateway("first", *["lost"] * 4)
    gateway.is_silent = True
    till = till_on(database, gateway, clock=clock, heard=heard)
    for _ in range(4):
        await pay(till, (await opened(till)).id, ANONYMOUS)
    gateway.is_silent = False
    clock.forward(seconds=20)

    found = await asyncio.gather(*(recover(till) for _ in range(4)))

    assert sum(found) == 4
    assert len(heard.settled) == 4
    assert gateway.charges == 4


async def test_a_gateway_that_stays_silent_is_asked_again_later(database: Database) -> None:
    heard, clock, gateway = Heard(), SetClock(), PlayedGateway("first", "lost")
    gateway.is_silent = True
    till = till_on(database, gateway, clock=clock, heard=heard)
    intent = await opened(till)
    await pay(till, intent.id, ANONYMOUS)

    clock.forward(seconds=20)
    tries = [await recover(till), await recover(till)]
    gateway.is_silent = False
    clock.forward(seconds=61)
    await recover(till)

    assert tries == [1, 0]
    assert (await read(till, intent.id)).intent.state is IntentState.WON


async def test_the_shoppers_confirmation_completes_by_message_or_by_coming_back(
    database: Database,
) -> None:
    heard, gateway = Heard(), PlayedGateway("first", "pending")
    till = till_on(database, gateway, heard=heard)
    intent = await opened(till)

    pending = await pay(till, intent.id, ANONYMOUS)
    gateway.confirm(pending.attempt_id, TOTAL.minor)
    body = f"evt_1 {pending.attempt_id}".encode()
    became = await asyncio.gather(*(hear(till, "first", RIGHT, body, ANONYMOUS) for _ in range(4)))
    back = await pay(till, intent.id, ANONYMOUS)

    assert (pending.outcome, pending.redirect_url) == (
        PaymentOutcome.PENDING,
        "https://gateway.test/confirm",
    )
    assert Became.BOOKED in became
    assert set(became) <= {Became.BOOKED, Became.KNOWN}
    assert back.outcome is PaymentOutcome.AUTHORISED
    assert len(heard.settled) == 1
    assert (await booked(till, intent.id)).count(("noted", 0)) == 1


async def test_a_shopper_who_never_confirms_has_not_paid(database: Database) -> None:
    heard, clock, gateway = Heard(), SetClock(), PlayedGateway("first", "pending")
    till = till_on(database, gateway, clock=clock, heard=heard)
    intent = await opened(till)
    await pay(till, intent.id, ANONYMOUS)

    for _ in range(3):
        clock.forward(seconds=4000)
        await recover(till)

    assert [one.outcome for one in heard.settled] == [PaymentOutcome.DECLINED]
    assert gateway.charges == 0
    assert (await read(till, intent.id)).intent.state is IntentState.FAILED


async def test_messages_move_nothing_by_themselves(database: Database) -> None:
    heard, gateway = Heard(), PlayedGateway("first", "pending")
    till = till_on(database, gateway, heard=heard)
    intent = await opened(till)
    pending = await pay(till, intent.id, ANONYMOUS)

    for n in range(3):
        body = f"evt_{n} {pending.attempt_id}".encode()
        assert await hear(till, "first", RIGHT, body, ANONYMOUS) is Became.BOOKED

    assert heard.settled == []
    assert (await read(till, intent.id)).attempts[0].state is AttemptState.UNKNOWN


async def test_a_message_that_cannot_be_checked_now_is_wanted_again(database: Database) -> None:
    heard, gateway = Heard(), PlayedGateway("first", "pending")
    till = till_on(database, gateway, heard=heard)
    pending = await pay(till, (await opened(till)).id, ANONYMOUS)
    body = f"evt_1 {pending.attempt_id}".encode()
    gateway.confirm(pending.attempt_id, TOTAL.minor)

    gateway.is_silent = True
    with pytest.raises(GatewayUnavailable):
        await hear(till, "first", RIGHT, body, ANONYMOUS)
    gateway.is_silent = False

    assert await hear(till, "first", RIGHT, body, ANONYMOUS) is Became.BOOKED
    assert len(heard.settled) == 1


async def test_a_message_of_nobody_is_refused_and_one_of_others_left_alone(
    database: Database,
) -> None:
    till = till_on(database, PlayedGateway("first"))
    body = f"evt_1 {till.new_id()}".encode()

    with pytest.raises(WebhookRefused):
        await hear(till, "first", {"signature": "wrong"}, body, ANONYMOUS)

    assert await hear(till, "first", RIGHT, body, ANONYMOUS) is Became.LOST


async def test_a_refund_at_the_gateways_own_desk_is_booked_and_leaves_less_to_refund(
    database: Database,
) -> None:
    heard, gateway = Heard(), PlayedGateway("first")
    till = till_on(database, gateway, heard=heard)
    intent = await opened(till)
    settled = await pay(till, intent.id, ANONYMOUS)
    book = gateway.books[settled.attempt_id]
    gateway.books[settled.attempt_id] = replace(
        book, state=BookState.CAPTURED, captured_minor=TOTAL.minor, refunded_minor=1000
    )

    await hear(till, "first", RIGHT, f"evt_9 {settled.attempt_id}".encode(), ANONYMOUS)

    attempt = (await read(till, intent.id)).attempts[0]
    assert (attempt.captured_minor, attempt.refunded_minor, attempt.claimed_minor) == (
        TOTAL.minor,
        1000,
        1000,
    )
    assert heard.moved[-1][1].refunded_minor == 1000


async def test_a_dispute_is_booked_once(database: Database) -> None:
    heard, gateway = Heard(), PlayedGateway("first")
    till = till_on(database, gateway, heard=heard)
    intent = await opened(till)
    settled = await pay(till, intent.id, ANONYMOUS)
    book = gateway.books[settled.attempt_id]
    gateway.books[settled.attempt_id] = replace(
        book, state=BookState.CAPTURED, captured_minor=TOTAL.minor, is_disputed=True
    )

    for n in range(2):
        body = f"evt_{n} {settled.attempt_id}".encode()
        await hear(till, "first", RIGHT, body, ANONYMOUS)

    assert (await read(till, intent.id)).attempts[0].state is AttemptState.DISPUTED
    assert (await booked(till, intent.id)).count(("disputed", 0)) == 1
