"""From a cart to its order over /v1, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from tests.support.asgi import Answered
from tests.support.cart_shop import ON_HAND, rows_of, sku, variant_id
from tests.support.checkout_shop import CARD, Basket, Shop, checkout_shop, customer, recovered

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

ANN = UUID(int=0xA)


@pytest.fixture
async def shop(core_url: str) -> AsyncIterator[Shop]:
    async with checkout_shop(core_url) as made:
        yield made


async def reserved(shop: Shop, number: int) -> int:
    rows = await shop.sql(
        "SELECT reserved FROM stock_level WHERE variant_id = :id", id=variant_id(number)
    )
    return int(rows[0][0] or 0)


def code(answer: Answered) -> str:
    return str(answer.json().get("code"))


async def test_a_guest_orders_now_and_pays_later(shop: Shop) -> None:
    basket = await shop.cart((0, 2), (3, 1))

    done = await basket.complete()

    told = done.json()
    assert done.status == 201, done.text
    assert told["state"] == "completed"
    assert told["order"]["status"] == "placed"
    assert told["order"]["payment_status"] == "unpaid"
    assert told["order"]["total"] == {"amount": "6.00", "currency": "CAD"}
    assert done.headers["location"] == f"/v1/orders/{told['order']['id']}"
    assert await basket.state() == "ordered"
    assert (await reserved(shop, 0), await reserved(shop, 3)) == (2, 1)


async def test_a_guest_reads_their_order_with_the_secret_that_the_answer_told(shop: Shop) -> None:
    basket = await shop.cart((1, 1))
    told = (await basket.complete()).json()
    path = f"/v1/orders/{told['order']['id']}"

    mine = await shop.anybody.get(path, order_token=told["order_token"])
    others = await shop.anybody.get(path, order_token="ot_guess")
    nobodys = await shop.anybody.get(path)
    shop.clock.forward(days=91)
    late = await shop.anybody.get(path, order_token=told["order_token"])

    assert mine.status == 200
    assert mine.json()["lines"][0]["title"] == "Thing 1"
    assert [others.status, nobodys.status, late.status] == [404, 404, 404]


async def test_the_secret_of_an_order_is_kept_nowhere(shop: Shop, core_url: str) -> None:
    basket = await shop.cart((1, 1))
    told = (await basket.complete()).json()

    tables = ("idempotency_key", "sales_order", "outbox_event", "audit_entry", "checkout")
    for table in tables:
        assert told["order_token"] not in str(await rows_of(core_url, table))


async def test_a_card_is_charged_and_the_order_placed(shop: Shop) -> None:
    basket = await shop.cart((2, 1))

    done = await basket.complete(payment=CARD | {"capture": "now"})

    assert done.status == 201, done.text
    assert done.json()["order"]["payment_status"] == "paid"
    assert shop.gateway.charges == 1


async def test_the_same_key_gives_the_same_bytes_and_charges_once(shop: Shop) -> None:
    basket = await shop.cart((2, 1))
    key = f'"{uuid4()}"'

    first = await basket.complete(key, payment=CARD)
    again = await basket.complete(key, payment=CARD)

    assert (first.status, again.status) == (201, 201)
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert shop.gateway.charges == 1


async def test_a_key_for_another_request_is_refused(shop: Shop) -> None:
    basket = await shop.cart((2, 1))
    key = f'"{uuid4()}"'
    await basket.complete(key, payment=CARD)

    other = await basket.complete(key, payment=CARD, note="other")

    assert (other.status, code(other)) == (422, "idempotency_key_reused")


async def test_a_second_key_finds_the_cart_ordered(shop: Shop) -> None:
    basket = await shop.cart((2, 1))
    await basket.complete(payment=CARD)

    again = await basket.complete(payment=CARD)

    assert (again.status, code(again)) == (409, "checkout_completed")
    assert shop.gateway.charges == 1


async def test_a_declined_card_gives_everything_back_and_another_may_be_tried(
    core_url: str,
) -> None:
    async with checkout_shop(core_url, "declined") as shop:
        basket = await shop.cart((2, 3))
        key = f'"{uuid4()}"'

        declined = await basket.complete(key, payment=CARD)
        held, state = await reserved(shop, 2), await basket.state()
        replayed = await basket.complete(key, payment=CARD)
        await basket.begin()
        paid = await basket.complete(payment=CARD)

        assert (declined.status, code(declined)) == (409, "payment_failed")
        assert declined.headers["content-type"] == "application/problem+json"
        assert replayed.content == declined.content
        assert (held, state) == (0, "open")
        assert paid.status == 201
        orders = (await shop.desk.get("/v1/orders?sort=-created_at")).json()["data"]
        assert sorted(one["status"] for one in orders) == ["cancelled", "placed"]
        assert orders[0]["cart_id"] == orders[1]["cart_id"]


async def test_an_unknown_outcome_is_told_and_resolved_later(core_url: str) -> None:
    async with checkout_shop(core_url, "lost") as shop:
        shop.gateway.is_silent = True
        basket = await shop.cart((2, 1))
        key = f'"{uuid4()}"'

        pending = await basket.complete(key, payment=CARD)
        meanwhile = await basket.complete(key, payment=CARD)
        frozen = await basket.state()
        shop.gateway.is_silent = False
        await recovered(shop)
        now = await basket.who.get(basket.checkout)
        again = await basket.complete(key, payment=CARD)

        assert (pending.status, pending.json()["state"]) == (202, "paying")
        assert (meanwhile.status, code(meanwhile)) == (409, "request_in_flight")
        assert frozen == "frozen"
        assert now.json()["state"] == "completed"
        assert (again.status, shop.gateway.charges) == (201, 1)
        assert again.json()["order"]["payment_status"] == "authorised"


async def test_what_became_dearer_is_told_line_by_line(shop: Shop) -> None:
    basket = await shop.cart((2, 1), (3, 1))
    line = (await basket.who.get(basket.path)).json()["lines"][0]
    await basket.who.send(
        "PATCH", f"{basket.path}/lines/{line['id']}", {"quantity": 4}, if_match="*"
    )

    refused = await basket.complete()

    assert (refused.status, code(refused)) == (409, "price_changed")
    found = {one["code"]: one for one in refused.json()["errors"]}
    assert found["price_changed"]["meta"]["actual"]["amount"] == "16.00"
    assert found["line_quantity_changed"]["meta"]["before"]["quantity"] == 1
    assert await basket.state() == "open"


async def test_all_that_is_short_is_listed_and_nothing_is_promised(shop: Shop) -> None:
    basket = await shop.cart((2, ON_HAND + 1), (3, 1), (4, ON_HAND + 5))

    refused = await basket.complete()

    assert (refused.status, code(refused)) == (409, "insufficient_stock")
    short = {one["meta"]["variant_id"] for one in refused.json()["errors"]}
    assert short == {str(variant_id(2)), str(variant_id(4))}
    assert await reserved(shop, 3) == 0
    assert (await shop.desk.get("/v1/orders")).json()["data"] == []


async def test_a_refusal_is_not_kept_so_the_same_key_may_succeed_later(shop: Shop) -> None:
    basket = await shop.cart((2, 1))
    right, key = basket.total, f'"{uuid4()}"'
    basket.total = right | {"amount": "1.00"}
    refused = await basket.complete(key)
    basket.total = right

    done = await basket.complete(key)

    assert (refused.status, done.status) == (409, 201)


async def test_a_cart_that_cannot_be_sent_is_refused_with_its_problems(shop: Shop) -> None:
    path, holder = await shop.anybody.begin()
    await holder.post(f"{path}/lines", {"sku": sku(1)})
    basket = Basket(path, holder)
    begun = await basket.begin()

    refused = await basket.complete()

    codes = ["missing_email", "missing_shipping_address"]
    assert [one["code"] for one in begun.json()["problems"]] == codes
    assert (refused.status, code(refused)) == (409, "cart_has_problems")
    assert [one["code"] for one in refused.json()["errors"]] == codes


async def test_nobody_pays_later_in_a_shop_that_does_not_offer_it(core_url: str) -> None:
    async with checkout_shop(core_url, pay_later=False) as shop:
        basket = await shop.cart((2, 1))

        refused = await basket.complete()
        paid = await basket.complete(payment=CARD)

        assert (refused.status, code(refused)) == (422, "invalid_value")
        assert paid.status == 201


async def test_a_free_order_asks_nobody_for_money(core_url: str) -> None:
    async with checkout_shop(core_url) as shop:
        await shop.sql("UPDATE price SET unit_micro = 0")
        basket = await shop.cart((2, 1))

        done = await basket.complete(payment=CARD)

        assert done.status == 201
        assert done.json()["order"]["payment_status"] == "not_required"
        assert shop.gateway.charges == 0


async def test_somebody_elses_checkout_is_not_there(shop: Shop) -> None:
    basket = await shop.cart((2, 1))
    stranger = Basket(basket.path, shop.anybody, basket.checkout, basket.total)

    begun, done = await stranger.begin(), await stranger.complete()
    read = await shop.anybody.get(basket.checkout)

    assert [begun.status, done.status, read.status] == [404, 404, 404]


async def test_a_customer_needs_no_secret_for_their_order(shop: Shop) -> None:
    ann = await customer(shop, "ann", ANN)
    basket = await shop.cart((2, 1), who=ann)

    done = (await basket.complete()).json()

    assert done.get("order_token") is None
    assert (await ann.get(f"/v1/orders/{done['order']['id']}")).status == 200
    assert (await ann.get("/v1/orders")).json()["data"][0]["customer_id"] == str(ANN)


async def test_a_dry_run_answers_in_full_and_leaves_nothing(shop: Shop) -> None:
    basket = await shop.cart((2, 1))

    tried = await basket.who.post(
        f"{basket.checkout}/complete", {"expected_total": basket.total}, banyan_dry_run="1"
    )

    assert tried.status == 201, tried.text
    assert tried.headers["banyan-dry-run"] == "honoured"
    assert tried.json()["order"]["status"] == "placed"
    assert await basket.state() == "open"
    assert await reserved(shop, 2) == 0
    assert (await shop.desk.get("/v1/orders")).json()["data"] == []


async def test_a_dry_run_that_would_charge_a_card_is_refused(shop: Shop) -> None:
    basket = await shop.cart((2, 1))
    body = {"expected_total": basket.total, "payment": CARD}

    tried = await basket.who.post(f"{basket.checkout}/complete", body, banyan_dry_run="1")

    assert tried.status == 409
    assert tried.headers["banyan-dry-run"] == "refused"
    assert shop.gateway.charges == 0
    assert await basket.state() == "open"


async def test_everything_is_told_once_and_in_order(shop: Shop, core_url: str) -> None:
    basket = await shop.cart((2, 1))
    await basket.complete(payment=CARD)

    types = [row.type for row in await rows_of(core_url, "outbox_event")]
    for one in ("orders.order.created.v1", "orders.order.placed.v1", "carts.cart.frozen.v1",
                "carts.cart.ordered.v1", "checkout.checkout.started.v1",
                "checkout.checkout.completed.v1"):  # fmt: skip
        assert types.count(one) == 1
    actions = [row.action for row in await rows_of(core_url, "audit_entry")]
    for one in ("order.created", "order.placed", "cart.frozen", "cart.ordered"):
        assert actions.count(one) == 1
