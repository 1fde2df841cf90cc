"""Captures, voids and refunds, and what is left when their answers are lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from new_core.domain.actor import ANONYMOUS
from new_core.domain.gateway import MoveKind, MoveState
from new_core.domain.payment import AttemptState, CaptureMode, PaymentIntent
from new_core.errors import Conflict, InvalidValue
from new_core.ports import Database
from new_core.service.paying import Till, pay
from new_core.service.paying_recovery import recover
from new_core.service.payment_moves import cancel_payment
from tests.support.core import BOTH, SetClock, core_database
from tests.support.paying import (
    SOMEBODY,
    TOTAL,
    Heard,
    PlayedGateway,
    booked,
    move,
    opened,
    read,
    till_on,
)

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


async def paid(till: Till, capture: CaptureMode = CaptureMode.LATER) -> PaymentIntent:
    intent = await opened(till, capture=capture)
    await pay(till, intent.id, ANONYMOUS)
    return intent


async def test_promised_money_is_captured_and_the_order_told(database: Database) -> None:
    heard = Heard()
    till = till_on(database, PlayedGateway(), heard=heard)
    intent = await paid(till)

    done = await move(till, intent.id, MoveKind.CAPTURE)

    assert (done.state, done.minor) == (MoveState.DONE, TOTAL.minor)
    assert (await read(till, intent.id)).attempts[0].state is AttemptState.CAPTURED
    assert [(of, one.captured_minor) for of, one in heard.moved] == [(intent.order_id, TOTAL.minor)]


async def test_a_part_may_be_captured_and_only_once(database: Database) -> None:
    till = till_on(database, PlayedGateway())
    intent = await paid(till)

    await move(till, intent.id, MoveKind.CAPTURE, 1000)

    assert await booked(till, intent.id) == [
        ("sent", 0),
        ("authorised", TOTAL.minor),
        ("captured", 1000),
    ]
    with pytest.raises(Conflict, match="taken already"):
        await move(till, intent.id, MoveKind.CAPTURE, 10)


async def test_promised_money_is_let_go(database: Database) -> None:
    heard = Heard()
    till = till_on(database, PlayedGateway(), heard=heard)
    intent = await paid(till)

    await move(till, intent.id, MoveKind.VOID)

    assert (await read(till, intent.id)).attempts[0].state is AttemptState.VOIDED
    assert heard.moved[-1][1].is_voided


async def test_refunds_add_up_to_what_was_captured_and_no_further(database: Database) -> None:
    heard = Heard()
    till = till_on(database, PlayedGateway(), heard=heard)
    intent = await paid(till, CaptureMode.NOW)

    await move(till, intent.id, MoveKind.REFUND, 599)
    partly = (await read(till, intent.id)).attempts[0]
    with pytest.raises(Conflict, match="more is asked"):
        await move(till, intent.id, MoveKind.REFUND, 2001)
    await move(till, intent.id, MoveKind.REFUND)
    wholly = (await read(till, intent.id)).attempts[0]

    assert (partly.state, partly.refunded_minor) == (AttemptState.CAPTURED, 599)
    assert (wholly.state, wholly.refunded_minor) == (AttemptState.REFUNDED, TOTAL.minor)
    assert [one.refunded_minor for _, one in heard.moved] == [599, TOTAL.minor]


async def test_twenty_refunds_at_once_give_back_no_more_than_there_is(database: Database) -> None:
    gateway = PlayedGateway()
    till = till_on(database, gateway)
    intent = await paid(till, CaptureMode.NOW)

    answers = await asyncio.gather(
        *(move(till, intent.id, MoveKind.REFUND, 500) for _ in range(20)), return_exceptions=True
    )

    done = [one for one in answers if not isinstance(one, BaseException)]
    assert len(done) == TOTAL.minor // 500
    assert all(isinstance(one, Conflict) for one in answers if isinstance(one, BaseException))
    attempt = (await read(till, intent.id)).attempts[0]
    assert attempt.refunded_minor == attempt.claimed_minor == 2500
    assert next(iter(gateway.books.values())).refunded_minor == 2500


async def test_the_claim_holds_without_the_lock(database: Database) -> None:
    till = till_on(database, PlayedGateway())
    intent = await paid(till, CaptureMode.NOW)
    attempt = (await read(till, intent.id)).attempts[0]

    async def claim() -> bool:
        async with database.writing() as uow:
            done = await uow.payments.claim_refund(attempt.id, 1500, till.now())
            await uow.commit()
        return done

    assert sorted(await asyncio.gather(*(claim() for _ in range(6)))) == [False] * 5 + [True]


async def test_the_same_key_is_the_same_refund(database: Database) -> None:
    gateway = PlayedGateway()
    till = till_on(database, gateway)
    intent = await paid(till, CaptureMode.NOW)

    both = [await move(till, intent.id, MoveKind.REFUND, 100, "key-1") for _ in range(2)]

    assert both[0].id == both[1].id
    assert next(iter(gateway.books.values())).refunded_minor == 100


async def test_a_refused_refund_gives_its_claim_back(database: Database) -> None:
    gateway = PlayedGateway("played", "yes", "declined")
    till = till_on(database, gateway)
    intent = await paid(till, CaptureMode.NOW)

    refused = await move(till, intent.id, MoveKind.REFUND)

    attempt = (await read(till, intent.id)).attempts[0]
    assert (refused.state, refused.problem) == (MoveState.REFUSED, "declined")
    assert (attempt.state, attempt.claimed_minor) == (AttemptState.CAPTURED, 0)


@pytest.mark.parametrize("play", ["lost", "never"])
async def test_a_refund_without_an_answer_is_looked_up(database: Database, play: str) -> None:
    gateway, clock, heard = PlayedGateway("played", "yes", play), SetClock(), Heard()
    till = till_on(database, gateway, clock=clock, heard=heard)
    intent = await paid(till, CaptureMode.NOW)

    unknown = await move(till, intent.id, MoveKind.REFUND, 700)
    clock.forward(seconds=90)
    await recover(till)

    assert unknown.state is MoveState.UNKNOWN
    payment = await read(till, intent.id)
    kept = 700 if play == "lost" else 0
    assert payment.moves[0].state is (MoveState.DONE if kept else MoveState.REFUSED)
    assert payment.attempts[0].refunded_minor == payment.attempts[0].claimed_minor == kept
    assert payment.attempts[0].state is AttemptState.CAPTURED
    assert [one.refunded_minor for _, one in heard.moved] == ([700] if kept else [])


@pytest.mark.parametrize("kind", [MoveKind.CAPTURE, MoveKind.VOID])
async def test_a_capture_or_void_whose_answer_was_lost_is_found(
    database: Database, kind: MoveKind
) -> None:
    gateway, clock = PlayedGateway("played", "yes", "lost"), SetClock()
    till = till_on(database, gateway, clock=clock)
    intent = await paid(till)

    await move(till, intent.id, kind)
    clock.forward(seconds=20)
    await recover(till)

    payment = await read(till, intent.id)
    done = AttemptState.CAPTURED if kind is MoveKind.CAPTURE else AttemptState.VOIDED
    assert (payment.moves[0].state, payment.attempts[0].state) == (MoveState.DONE, done)


@pytest.mark.parametrize("capture", list(CaptureMode))
async def test_a_cancelled_orders_money_goes_back(database: Database, capture: CaptureMode) -> None:
    gateway, heard = PlayedGateway(), Heard()
    till = till_on(database, gateway, heard=heard)
    intent = await paid(till, capture)

    async with database.writing() as uow:
        await cancel_payment(uow, intent.order_id, "changed my mind", till.doing(SOMEBODY))
        await uow.commit()
    before = gateway.charges
    await recover(till)

    assert (before, gateway.charges) == (1, 0)
    back = heard.moved[-1][1]
    assert back.is_voided or back.refunded_minor == TOTAL.minor


async def test_what_is_owed_is_sent_until_it_arrives(database: Database) -> None:
    gateway, clock = PlayedGateway("played", "yes", "refused", "never", "yes"), SetClock()
    till = till_on(database, gateway, clock=clock)
    intent = await paid(till)
    async with database.writing() as uow:
        await cancel_payment(uow, intent.order_id, "gone", till.doing(SOMEBODY))
        await uow.commit()

    for _ in range(4):
        await recover(till)
        clock.forward(seconds=200)

    assert gateway.charges == 0
    assert (await read(till, intent.id)).attempts[0].state is AttemptState.VOIDED


async def test_a_void_is_of_everything(database: Database) -> None:
    till = till_on(database, PlayedGateway())
    intent = await paid(till)

    with pytest.raises(InvalidValue, match="all that was promised"):
        await move(till, intent.id, MoveKind.VOID, 5)
