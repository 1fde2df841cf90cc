"""Payments over /v1: who may, what a key keeps, and what gateways write."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from new_core.api.paying_till import open_gateways
from new_core.app import build_core
from new_core.domain.actor import ANONYMOUS
from new_core.domain.buyer import Buyer
from new_core.domain.order import FulfilmentStatus, Order, OrderStatus, PaymentStatus
from new_core.domain.payment import CaptureMode, PaymentMethod
from new_core.errors import DryRunStrayed, InvalidValue
from new_core.service.paying import pay
from new_core.settings import CoreSettings
from new_core.storage import SqlDatabase
from tests.support.asgi import Answered, send_to
from tests.support.core import SetClock
from tests.support.paying import TOTAL, QuietMeter, opened, till_on
from tests.support.square_books import (
    CARD,
    LOCATION,
    TOKEN,
    WEBHOOK_KEY,
    WEBHOOK_URL,
    SquareBooks,
    square_books,
)

pytestmark = pytest.mark.integration
SECRETS = (TOKEN, WEBHOOK_KEY, CARD)


@pytest.fixture
async def books() -> AsyncIterator[SquareBooks]:
    async with square_books() as one:
        yield one


def settings(url: str, books: SquareBooks, **more: Any) -> CoreSettings:
    return CoreSettings(
        core_database=url,
        core_auth=more.pop("core_auth", "off"),
        core_modules="payments",
        payment_gateways="square,manual",
        square_access_token=TOKEN,
        square_location=LOCATION,
        square_webhook_key=WEBHOOK_KEY,
        square_webhook_url=WEBHOOK_URL,
        square_url=books.url,
        **more,
    )


@pytest.fixture
async def app(core_url: str, books: SquareBooks) -> AsyncIterator[FastAPI]:
    made = build_core(settings(core_url, books))
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def paid(app: FastAPI, core: SqlDatabase, books: SquareBooks) -> UUID:
    """A payment that Square has taken."""
    till = till_on(core)
    till.gateways._offered.update(open_gateways(settings("", books), QuietMeter())._offered)
    order = _order(till.new_id())
    async with core.writing() as uow:
        await uow.orders.put(order, till.now())
        await uow.commit()
    intent = await opened(till, PaymentMethod("card", token=CARD), CaptureMode.NOW, order.id)
    await pay(till, intent.id, ANONYMOUS)
    await till.gateways.close()
    return intent.id


def _order(order_id: UUID) -> Order:
    return Order(
        id=order_id, number="700", cart_id=UUID(int=5), buyer=Buyer("CAD"),
        status=OrderStatus.PLACED, payment_status=PaymentStatus.PAID,
        fulfilment_status=FulfilmentStatus.UNFULFILLED, lines=(), shipping=None, discounts=(),
        taxes=(), total_minor=TOTAL.minor, tax_included=True, created_at=SetClock().at,
    )  # fmt: skip


async def post(
    app: FastAPI, path: str, body: object = None, key: str = "", **headers: str
) -> Answered:
    sent = {"content-type": "application/json"} | headers
    if key:
        sent["idempotency-key"] = f'"{key}"'
    return await send_to(app, "POST", path, json.dumps(body or {}).encode(), sent)


async def test_a_refund_is_made_once_however_often_it_is_sent(
    app: FastAPI, paid: UUID, books: SquareBooks
) -> None:
    path, body = f"/v1/payments/{paid}/refund", {"amount": "10.00", "reason": "broken"}

    first = await post(app, path, body, "k-1")
    again = await post(app, path, body, "k-1")
    other = await post(app, path, {"amount": "11.00"}, "k-1")
    missing = await post(app, path, body)

    assert (first.status, first.json()["state"]) == (200, "done")
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert (other.status, missing.status) == (422, 400)
    assert [one["amount_money"]["amount"] for one in books.refunds.values()] == [1000]


async def test_what_cannot_be_moved_is_refused_with_how_much_can(app: FastAPI, paid: UUID) -> None:
    path = f"/v1/payments/{paid}"

    large = await post(app, f"{path}/refund", {"amount": "26.00"}, "k-1")
    taken = await post(app, f"{path}/capture", {}, "k-2")
    fine = await post(app, f"{path}/refund", {"amount": "1.001"}, "k-3")
    nobody = await post(app, f"/v1/payments/{UUID(int=7)}/refund", {}, "k-4")

    assert (large.status, large.json()["code"]) == (409, "refund_too_large")
    assert large.json()["errors"][0]["meta"] == {"wanted_minor": 2600, "there_minor": 2599}
    assert (taken.status, taken.json()["code"]) == (409, "payment_captured")
    assert (fine.status, nobody.status) == (422, 404)


async def test_a_payment_is_shown_with_all_that_happened(app: FastAPI, paid: UUID) -> None:
    shown = (await send_to(app, "GET", f"/v1/payments/{paid}")).json()
    events = (await send_to(app, "GET", f"/v1/payments/{paid}/events")).json()["data"]
    listed = (await send_to(app, "GET", "/v1/payments?state=won&limit=1")).json()["data"]
    of_order = (await send_to(app, "GET", f"/v1/orders/{shown['order_id']}/payments")).json()
    gateways = (await send_to(app, "GET", "/v1/gateways")).json()["data"]

    assert (shown["state"], shown["attempts"][0]["captured"]["amount"]) == ("won", "25.99")
    assert [one["kind"] for one in events] == ["sent", "authorised", "captured"]
    assert listed == of_order["data"] == [shown]
    assert [(one["code"], one["breaker"]) for one in gateways] == [
        ("square", "closed"),
        ("manual", "closed"),
    ]
    for secret in SECRETS:
        assert secret not in json.dumps([shown, events])


async def test_a_gateways_message_is_taken_once_and_a_strangers_not(
    app: FastAPI, paid: UUID, books: SquareBooks
) -> None:
    ref = next(iter(books.payments))
    headers, body = books.message(ref, "evt-1")
    path = "/v1/gateway-webhooks/square"

    first = await send_to(app, "POST", path, body, headers)
    again = await send_to(app, "POST", path, body, headers)
    forged = await send_to(app, "POST", path, body + b" ", headers)
    nobody = await send_to(app, "POST", "/v1/gateway-webhooks/nobody", body, headers)
    books.payments[ref]["reference_id"] = str(UUID(int=9))
    books.payments[ref]["id"] = "pay-of-a-lost-row"
    headers, body = books.message(ref, "evt-2")
    lost = await send_to(app, "POST", path, body, headers)
    books.payments[ref]["reference_id"] = "somebody else's"
    headers, body = books.message(ref, "evt-3")
    others = await send_to(app, "POST", path, body, headers)

    assert [first.json()["outcome"], again.json()["outcome"]] == ["booked", "known"]
    assert (forged.status, forged.json()["code"]) == (400, "webhook_refused")
    assert (nobody.status, lost.status) == (404, 404)
    assert others.json() == {"outcome": "not_ours"}


async def test_calls_are_counted_by_how_they_ended(app: FastAPI, paid: UUID) -> None:
    await post(app, f"/v1/payments/{paid}/refund", {"amount": "1.00"}, "k-1")

    measured = (await send_to(app, "GET", "/metrics")).text

    counted = (
        'banyan_core_gateway_calls_total{gateway="square",operation="refund",outcome="done"} 1.0'
    )
    assert counted in measured
    assert 'banyan_core_gateway_breaker{gateway="square"} 0.0' in measured


async def test_without_rights_money_is_neither_shown_nor_moved(
    core_url: str, books: SquareBooks
) -> None:
    app = build_core(settings(core_url, books, core_auth="required"))
    async with app.router.lifespan_context(app):
        seen = await send_to(app, "GET", "/v1/payments")
        moved = await post(app, f"/v1/payments/{UUID(int=1)}/refund", {}, "k-1")

    assert (seen.status, moved.status) == (401, 401)


async def test_a_dry_run_moves_no_money(app: FastAPI, paid: UUID, books: SquareBooks) -> None:
    dry = await post(
        app, f"/v1/payments/{paid}/refund", {"amount": "1.00"}, "k-1", **{"banyan-dry-run": "1"}
    )

    assert (dry.status, dry.headers["banyan-dry-run"]) == (409, "refused")
    assert books.refunds == {}


async def test_a_dry_run_that_would_call_a_gateway_is_refused_as_a_whole(
    core: SqlDatabase, books: SquareBooks
) -> None:
    till = till_on(core)
    till.gateways._offered.update(open_gateways(settings("", books), QuietMeter())._offered)

    async def in_a_dry_run() -> None:
        async with core.dry_run():
            intent = await opened(till, PaymentMethod("card", token=CARD))
            try:
                await pay(till, intent.id, ANONYMOUS)
            except DryRunStrayed:
                return  # as a route that answers an error of its own

    with pytest.raises(DryRunStrayed, match="square was to be called"):
        await in_a_dry_run()
    await till.gateways.close()

    assert books.payments == {}


@pytest.mark.parametrize(
    ("named", "told"),
    [("nobody", "has no 'nobody'"), ("stripe", "STRIPE_SECRET_KEY"), ("square", "ACCESS_TOKEN")],
)
def test_a_gateway_that_cannot_be_used_is_told_at_the_start(named: str, told: str) -> None:
    with pytest.raises(InvalidValue, match=told):
        open_gateways(CoreSettings(payment_gateways=named), QuietMeter())


def test_secrets_do_not_show_in_settings(books: SquareBooks) -> None:
    shown = repr(settings("", books))

    assert TOKEN not in shown
    assert WEBHOOK_KEY not in shown
