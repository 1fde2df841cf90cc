"""Orders over /v1 on both databases: who reads them, how they move, how they change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from new_core.domain.actor import system
from new_core.domain.gateway import MoveKind
from new_core.service.payment_moves import MoveAsked, ask_move
from tests.support.asgi import Answered
from tests.support.cart_client import Shopper
from tests.support.cart_shop import rows_of, variant_id
from tests.support.checkout_shop import CARD, Shop, checkout_shop, customer, recovered

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

ANN, BOB = UUID(int=0xA), UUID(int=0xB)
NOW = CARD | {"capture": "now"}
LATER = CARD | {"capture": "later"}


@pytest.fixture
async def shop(core_url: str) -> AsyncIterator[Shop]:
    async with checkout_shop(core_url) as made:
        yield made


@dataclass
class Bought:
    """An order, and how its buyer comes to it."""

    path: str
    secret: str
    who: Shopper

    async def tag(self, who: Shopper) -> str:
        return (await who.get(self.path)).headers["etag"]


async def bought(
    shop: Shop,
    *things: tuple[int, int],
    payment: dict[str, str] | None = None,
    who: Shopper | None = None,
) -> Bought:
    basket = await shop.cart(*things, who=who)
    paid: dict[str, Any] = {} if payment is None else {"payment": payment}
    done = await basket.complete(**paid)
    assert done.status == 201, done.text
    told = done.json()
    return Bought(f"/v1/orders/{told['order']['id']}", told.get("order_token") or "", basket.who)


async def moved(shop: Shop, order: Bought, event: str, reason: str = "") -> Answered:
    tag = await order.tag(shop.desk)
    return await shop.desk.post(f"{order.path}/{event}", {"reason": reason}, if_match=tag)


async def units(shop: Shop, number: int) -> int:
    rows = await shop.sql(
        "SELECT reserved FROM stock_level WHERE variant_id = :id", id=variant_id(number)
    )
    return int(rows[0][0] or 0)


async def changed(shop: Shop, order: Bought, *actions: dict[str, Any]) -> Answered:
    tag = await order.tag(shop.desk)
    body = {"actions": list(actions), "reason": "asked for"}
    return await shop.desk.post(f"{order.path}/changes", body, if_match=tag)


def code(answer: Answered) -> str:
    return str(answer.json().get("code"))


async def test_an_order_goes_through_its_states_and_says_what_may_follow(shop: Shop) -> None:
    order = await bought(shop, (0, 1))

    seen = []
    for event in ("process", "hold", "resume", "complete"):
        may = (await shop.desk.get(f"{order.path}/allowed-transitions")).json()
        assert event in [one["event"] for one in may["data"]]
        seen.append((await moved(shop, order, event)).json()["status"])
    after = (await shop.desk.get(f"{order.path}/allowed-transitions")).json()

    assert seen == ["processing", "on_hold", "processing", "completed"]
    assert after["data"] == []
    refused = await moved(shop, order, "hold")
    assert (refused.status, code(refused)) == (409, "transition_not_allowed")


async def test_a_command_says_which_state_it_was_given_for(shop: Shop) -> None:
    order = await bought(shop, (0, 1))
    old = await order.tag(shop.desk)
    await moved(shop, order, "process")

    blind = await shop.desk.post(f"{order.path}/hold", {})
    stale = await shop.desk.post(f"{order.path}/hold", {}, if_match=old)

    assert (blind.status, stale.status) == (428, 412)


async def test_a_cancelled_order_gives_its_units_back_and_its_card_is_let_go(shop: Shop) -> None:
    order = await bought(shop, (0, 3), payment=LATER)
    held = await units(shop, 0)
    tag, key = await order.tag(shop.desk), f'"{uuid4()}"'

    done = await shop.desk.post(
        f"{order.path}/cancel", {"reason": "changed my mind"}, if_match=tag, idempotency_key=key
    )
    again = await shop.desk.post(
        f"{order.path}/cancel", {"reason": "changed my mind"}, if_match=tag, idempotency_key=key
    )
    promised = shop.gateway.charges
    await recovered(shop)
    now = (await shop.desk.get(order.path)).json()

    assert done.status == 200, done.text
    assert again.content == done.content
    assert (held, await units(shop, 0)) == (3, 0)
    assert (promised, shop.gateway.charges) == (1, 0)
    assert (now["status"], now["cancel_reason"]) == ("cancelled", "changed my mind")
    assert now["payment_status"] == "voided"


async def test_a_cancelled_order_that_was_paid_is_refunded(shop: Shop) -> None:
    order = await bought(shop, (2, 2), payment=NOW)

    await moved(shop, order, "cancel")
    await recovered(shop)

    now = (await shop.desk.get(order.path)).json()
    assert (now["status"], now["payment_status"]) == ("cancelled", "refunded")
    assert shop.gateway.charges == 0


async def test_a_guest_cancels_with_their_secret_and_nobody_else_does(shop: Shop) -> None:
    order = await bought(shop, (0, 1))
    tag = await order.tag(shop.desk)
    path = f"{order.path}/cancel"

    stranger = await shop.anybody.post(path, {}, if_match=tag)
    viewer = await shop.anybody.known_as("viewer").post(path, {}, if_match=tag)
    guest = await shop.anybody.post(path, {}, if_match=tag, order_token=order.secret)

    assert (stranger.status, viewer.status, guest.status) == (404, 403, 200)


async def test_buyers_may_cancel_and_nothing_else(shop: Shop) -> None:
    order = await bought(shop, (0, 1))

    may = await shop.anybody.get(f"{order.path}/allowed-transitions", order_token=order.secret)
    tag = await order.tag(shop.desk)
    hold = await shop.anybody.post(f"{order.path}/hold", {}, if_match=tag, order_token=order.secret)

    assert [one["event"] for one in may.json()["data"]] == ["cancel"]
    assert hold.status == 401


async def test_fewer_units_cost_less_and_the_rest_goes_back(shop: Shop, core_url: str) -> None:
    order = await bought(shop, (0, 4), (3, 2), payment=NOW)
    line = (await shop.desk.get(order.path)).json()["lines"][0]
    fewer = {"action": "set_quantity", "line_id": line["id"], "quantity": 1}

    done = await changed(shop, order, fewer, {"action": "set_note", "note": "ring twice"})
    await recovered(shop)

    assert done.status == 200, done.text
    now = (await shop.desk.get(order.path)).json()
    assert now["total"]["amount"] == "9.00"
    assert (now["lines"][0]["quantity"], now["lines"][0]["cancelled_quantity"]) == (1, 3)
    assert now["note"] == "ring twice"
    assert now["payment_status"] == "partially_refunded"
    assert await units(shop, 0) == 1
    refunds = [row.amount_minor for row in await rows_of(core_url, "payment_move")]
    assert refunds == [300]
    told = (await shop.desk.get(f"{order.path}/changes")).json()["data"]
    assert [(one["n"], one["reason"], one["actor"]) for one in told] == [
        (1, "asked for", "staff:desk")
    ]
    assert (told[0]["total_before"]["amount"], told[0]["total_after"]["amount"]) == (
        "12.00", "9.00",
    )  # fmt: skip
    assert [one["action"] for one in told[0]["actions"]] == ["set_quantity", "set_note"]


async def test_an_edit_is_all_of_its_actions_or_none(shop: Shop) -> None:
    order = await bought(shop, (0, 4))
    line = (await shop.desk.get(order.path)).json()["lines"][0]

    refused = await changed(
        shop,
        order,
        {"action": "set_quantity", "line_id": line["id"], "quantity": 2},
        {"action": "set_quantity", "line_id": line["id"], "quantity": 3},
    )

    assert (refused.status, code(refused)) == (409, "quantity_not_lower")
    now = (await shop.desk.get(order.path)).json()
    assert now["lines"][0]["quantity"] == 4
    assert await units(shop, 0) == 4


async def test_an_order_is_paid_when_its_money_is_taken(shop: Shop, core_url: str) -> None:
    order = await bought(shop, (1, 1), payment=LATER)
    before = (await shop.desk.get(order.path)).json()["payment_status"]
    [intent] = await rows_of(core_url, "payment_intent")

    async with shop.database.writing() as uow:
        asked = MoveAsked(MoveKind.CAPTURE, None, "packed", "key-1")
        await ask_move(uow, intent.id, asked, shop.till.doing(system("test")))
        await uow.commit()
    await recovered(shop)

    assert before == "authorised"
    assert (await shop.desk.get(order.path)).json()["payment_status"] == "paid"
    types = [row.type for row in await rows_of(core_url, "outbox_event")]
    assert types.count("orders.order.payment_changed.v1") == 1


async def test_an_order_on_promise_is_paid_when_somebody_books_the_money(
    shop: Shop, core_url: str
) -> None:
    order = await bought(shop, (1, 1))
    [intent] = await rows_of(core_url, "payment_intent")

    async with shop.database.writing() as uow:
        asked = MoveAsked(MoveKind.CAPTURE, None, "bank transfer", "key-1")
        await ask_move(uow, intent.id, asked, shop.till.doing(system("test")))
        await uow.commit()
    before = (await shop.desk.get(order.path)).json()["payment_status"]
    await recovered(shop)

    assert before == "unpaid"
    assert (await shop.desk.get(order.path)).json()["payment_status"] == "paid"


async def test_a_list_holds_what_is_asked_for_and_what_is_theirs(shop: Shop) -> None:
    ann, bob = await customer(shop, "ann", ANN), await customer(shop, "bob", BOB)
    await bought(shop, (0, 1), who=ann)
    cancelled = await bought(shop, (1, 1), who=ann)
    await bought(shop, (2, 1), who=bob)
    await moved(shop, cancelled, "cancel")

    async def numbers(who: Shopper, query: str = "") -> list[str]:
        answer = await who.get(f"/v1/orders?{query}")
        assert answer.status == 200, answer.text
        return [one["number"] for one in answer.json()["data"]]

    newest = await numbers(shop.desk, "sort=-created_at")
    assert newest == sorted(newest, reverse=True)
    assert len(newest) == 3
    assert len(await numbers(ann)) == 2
    assert len(await numbers(ann, f"customer_id={BOB}")) == 2
    assert len(await numbers(shop.desk, f"customer_id={BOB}")) == 1
    assert len(await numbers(shop.desk, "status=placed&status=completed")) == 2
    assert await numbers(shop.desk, f"number={newest[0]}") == newest[:1]
    assert await numbers(shop.desk, "placed_before=2026-01-01T00:00:00Z") == []
    expanded = (await shop.desk.get("/v1/orders?expand=lines")).json()["data"]
    plain = (await shop.desk.get("/v1/orders")).json()["data"]
    assert [len(one["lines"]) for one in expanded] == [1, 1, 1]
    assert {one["lines"] for one in plain} == {None}
    assert (await shop.anybody.get("/v1/orders")).status == 401


async def test_a_list_is_read_on_by_its_cursor(shop: Shop) -> None:
    for number in range(3):
        await bought(shop, (number, 1))
        shop.clock.forward(minutes=1)

    first = await shop.desk.get("/v1/orders?limit=2")
    after = first.json()["page"]["next"]
    second = await shop.desk.get(f"/v1/orders?limit=2&after={after}")

    assert first.json()["page"]["has_more"]
    assert 'rel="next"' in first.headers["link"]
    assert len({one["number"] for one in first.json()["data"] + second.json()["data"]}) == 3
    assert second.json()["page"] == {"next": None, "has_more": False}


async def test_times_at_the_edges_of_the_calendar_are_times(shop: Shop) -> None:
    await bought(shop, (0, 1))

    first = await shop.desk.get("/v1/orders?placed_from=0001-01-01T00:00:00%2B14:00")
    last = await shop.desk.get("/v1/orders?placed_before=9999-12-31T23:59:59-12:00")

    assert [len(one.json()["data"]) for one in (first, last)] == [1, 1]


async def test_order_numbers_follow_each_other_in_their_range(shop: Shop) -> None:
    orders = [await bought(shop, (0, 1)) for _ in range(3)]

    numbers = [(await shop.desk.get(one.path)).json()["number"] for one in orders]

    assert numbers == ["700000000", "700000001", "700000002"]


async def test_a_dry_run_of_a_cancel_leaves_the_order_as_it_is(shop: Shop) -> None:
    order = await bought(shop, (0, 2))
    tag = await order.tag(shop.desk)

    tried = await shop.desk.post(f"{order.path}/cancel", {}, if_match=tag, banyan_dry_run="1")

    assert tried.headers["banyan-dry-run"] == "honoured"
    assert tried.json()["status"] == "cancelled"
    assert (await shop.desk.get(order.path)).json()["status"] == "placed"
    assert await units(shop, 0) == 2
