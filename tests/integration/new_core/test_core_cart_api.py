"""Carts over /v1 on both databases: lines, rows of batches, whose they are, what they saw."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest

from tests.support.asgi import Answered
from tests.support.cart_client import Door, Shopper, carts_core
from tests.support.cart_shop import ON_HAND, rows_of, sku, stock_shop, variant_id
from tests.support.databases import fresh_database

pytestmark = pytest.mark.integration

DRAFT, DOWNLOAD = 9, 8
TABLES = ("cart", "idempotency_key", "outbox_event", "audit_entry")
ADDRESS = {"country": "CA", "region": "ON", "lines": ["1 Main St"], "city": "Ottawa"}
ANN, BOB = UUID(int=0xA), UUID(int=0xB)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        found = f"sqlite:///{tmp_path_factory.mktemp('core')}/core.sqlite3"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            found = stack.enter_context(fresh_database(port))
        asyncio.run(
            stock_shop(found, 20, drafts=frozenset({DRAFT}), downloads=frozenset({DOWNLOAD}))
        )
        yield found


@pytest.fixture
async def shopper(url: str) -> AsyncIterator[Shopper]:
    door = Door()
    door.customer("ann", ANN)
    door.customer("bob", BOB)
    async with carts_core(url, door) as app:
        yield Shopper(app)


def codes(answer: Answered) -> list[str]:
    return [one["code"] for one in answer.json()["problems"]]


async def test_a_guest_fills_a_cart_and_reads_what_it_costs(shopper: Shopper) -> None:
    cart, guest = await shopper.begin()

    added = await guest.post(f"{cart}/lines", {"variant_id": str(variant_id(4)), "quantity": 3})
    more = await guest.post(f"{cart}/lines", {"sku": sku(4), "quantity": 2})
    other = await guest.post(f"{cart}/lines", {"sku": sku(4), "options": {"engraving": "For Ann"}})
    read = await guest.get(cart)

    assert (added.status, more.status, other.status) == (201, 200, 201)
    assert added.headers["etag"] == '"v2"'
    assert added.json()["line"]["unit_price"] == {"amount": "5.00", "currency": "CAD"}
    told = read.json()
    assert [(one["quantity"], one["gross"]["amount"]) for one in told["lines"]] == [
        (5, "25.00"), (1, "5.00"),
    ]  # fmt: skip
    assert (told["total"]["amount"], told["version"]) == ("30.00", 4)
    assert told["lines"][1]["options"] == {"engraving": "For Ann"}
    assert read.headers["etag"].startswith('"v4-')
    assert codes(read) == ["missing_email", "missing_shipping_address"]


async def test_the_secret_is_told_once_and_kept_as_a_digest(shopper: Shopper, url: str) -> None:
    key = '"5c0f0b7e-66f4-4a43-a8d9-5a2f6d0f51b1"'
    first = await shopper.post("/v1/carts", {"currency": "CAD"}, idempotency_key=key)
    again = await shopper.post("/v1/carts", {"currency": "CAD"}, idempotency_key=key)

    token = first.json()["token"]
    assert (again.status, again.json()["id"]) == (201, first.json()["id"])
    assert again.json()["token"] is None
    assert again.headers["idempotent-replayed"] == "true"
    found = repr([await rows_of(url, name) for name in TABLES])
    assert first.json()["id"] in found
    assert token not in found


async def test_whoever_may_not_cannot_tell_that_a_cart_is_there(shopper: Shopper) -> None:
    guests, guest = await shopper.begin()
    line = {"sku": sku(0)}

    assert (await shopper.get(guests)).status == 404
    assert (await shopper.holding("guess").get(guests)).status == 404
    assert (await shopper.known_as("ann").get(guests)).status == 404
    assert (await shopper.post(f"{guests}/lines", line)).status == 404
    assert (await shopper.known_as("nobody").get(guests)).status == 401
    assert (await shopper.known_as("staff").get(guests)).status == 200
    assert (await guest.get(guests)).status == 200
    assert (await guest.get("/v1/carts")).status == 401
    assert (await shopper.known_as("ann").get("/v1/carts")).status == 403


async def test_a_refusal_names_its_reason(shopper: Shopper) -> None:
    cart, guest = await shopper.begin()

    refused = {
        "not_for_sale": {"sku": sku(DRAFT)},
        "unknown_sku": {"sku": "nothing"},
        "unknown_variant": {"variant_id": str(UUID(int=1))},
    }
    for code, line in refused.items():
        answer = await guest.post(f"{cart}/lines", line)
        assert (answer.status, answer.json()["code"]) == (409, code)
    await guest.post(f"{cart}/lines", {"sku": sku(0), "quantity": 1_000_000})
    over = await guest.post(f"{cart}/lines", {"sku": sku(0)})
    assert over.json()["code"] == "quantity_above_maximum"


async def test_a_batch_tells_what_became_of_each_row(shopper: Shopper) -> None:
    cart, guest = await shopper.begin()
    rows = [
        {"sku": sku(1), "quantity": 2}, {"sku": "nothing"}, {"sku": sku(DRAFT)},
        {"variant_id": str(variant_id(1)), "quantity": 3}, {"sku": sku(2)},
    ]  # fmt: skip

    atomic = await guest.post(f"{cart}/lines:batch", {"lines": rows})
    partial = await guest.post(f"{cart}/lines:batch", {"mode": "partial", "lines": rows})
    read = await guest.get(cart)

    assert (atomic.status, atomic.json()["code"]) == (409, "lines_refused")
    assert [(one["pointer"], one["code"]) for one in atomic.json()["errors"]] == [
        ("/lines/1", "unknown_sku"), ("/lines/2", "not_for_sale"),
    ]  # fmt: skip
    told = partial.json()
    assert (partial.status, told["accepted"], told["refused"], told["cart_version"]) == (
        200, 3, 2, 2,
    )  # fmt: skip
    assert [(one["status"], one["code"], one["quantity"]) for one in told["rows"]] == [
        ("added", None, 5), ("refused", "unknown_sku", None), ("refused", "not_for_sale", None),
        ("changed", None, 5), ("added", None, 1),
    ]  # fmt: skip
    assert told["rows"][0]["line_id"] == told["rows"][3]["line_id"]
    assert [one["quantity"] for one in read.json()["lines"]] == [5, 1]


async def test_a_line_is_changed_and_removed_by_who_saw_the_cart(shopper: Shopper) -> None:
    cart, guest = await shopper.begin()
    added = await guest.post(f"{cart}/lines", {"sku": sku(0)})
    line = f"{cart}/lines/{added.json()['line']['id']}"
    seen = (await guest.get(cart)).headers["etag"]

    blind = await guest.send("PATCH", line, {"quantity": 4})
    changed = await guest.send("PATCH", line, {"quantity": 4}, if_match=seen)
    late = await guest.send("DELETE", line, if_match=seen)
    gone = await guest.send("DELETE", line, if_match=changed.headers["etag"])
    again = await guest.send("DELETE", line, if_match="*")

    assert (blind.status, blind.json()["code"]) == (428, "if_match_missing")
    assert (changed.status, changed.json()["line"]["quantity"]) == (200, 4)
    assert (late.status, late.json()["code"]) == (412, "changed_meanwhile")
    assert gone.status == 204
    assert (again.status, again.json()["code"]) == (404, "cart_line_not_found")
    assert (await guest.get(cart)).json()["lines"] == []


async def test_what_is_not_named_stays_and_null_takes_away(shopper: Shopper) -> None:
    cart, guest = await shopper.begin(email="ann@example.org")

    await guest.send("PATCH", cart, {"shipping_address": ADDRESS}, if_match="*")
    both = await guest.send("PATCH", cart, {"billing_address": ADDRESS}, if_match="*")
    less = await guest.send("PATCH", cart, {"shipping_address": None, "email": None}, if_match="*")

    assert both.json()["shipping_address"] == both.json()["billing_address"]
    assert both.json()["email"] == "ann@example.org"
    told = less.json()
    assert (told["shipping_address"], told["email"]) == (None, "")
    assert told["billing_address"]["city"] == "Ottawa"


async def test_too_little_stock_is_a_problem_with_its_numbers(shopper: Shopper) -> None:
    cart, guest = await shopper.begin(email="ann@example.org")
    await guest.send("PATCH", cart, {"shipping_address": ADDRESS}, if_match="*")
    wanted = ON_HAND + 1
    await guest.post(f"{cart}/lines", {"sku": sku(3), "quantity": wanted - 1})
    await guest.post(f"{cart}/lines", {"sku": sku(3), "options": {"size": "m"}})

    problems = (await guest.get(cart)).json()["problems"]

    assert [one["code"] for one in problems] == ["insufficient_stock"] * 2
    meta = {"variant_id": str(variant_id(3)), "wanted": wanted, "available": ON_HAND}
    assert [one["meta"] for one in problems] == [meta, meta]


async def test_what_is_not_sent_needs_no_address(shopper: Shopper) -> None:
    cart, guest = await shopper.begin(email="ann@example.org")
    await guest.post(f"{cart}/lines", {"sku": sku(DOWNLOAD)})

    assert codes(await guest.get(cart)) == []


async def test_the_same_read_again_is_304(shopper: Shopper) -> None:
    cart, guest = await shopper.begin()
    tag = (await guest.get(cart)).headers["etag"]

    same = await guest.get(cart, if_none_match=tag)
    await guest.post(f"{cart}/lines", {"sku": sku(0)})
    other = await guest.get(cart, if_none_match=tag)

    assert (same.status, same.content) == (304, b"")
    assert other.status == 200


async def test_the_same_key_adds_once(shopper: Shopper) -> None:
    cart, guest = await shopper.begin()
    body = {"sku": sku(0), "quantity": 2}

    sent = [await guest.post(f"{cart}/lines", body, idempotency_key='"k"') for _ in range(3)]
    missing = await guest.send("POST", f"{cart}/lines", body, idempotency_key="")

    assert [one.content for one in sent] == [sent[0].content] * 3
    assert (await guest.get(cart)).json()["lines"][0]["quantity"] == 2
    assert (missing.status, missing.json()["code"]) == (400, "idempotency_key_missing")


async def test_a_dry_run_answers_like_the_real_one_and_leaves_nothing(shopper: Shopper) -> None:
    cart, guest = await shopper.begin()
    before = await guest.get(cart)
    body = {"sku": sku(0), "quantity": 2}

    dry = await guest.post(f"{cart}/lines", body, banyan_dry_run="1")
    after = await guest.get(cart)
    real = await guest.post(f"{cart}/lines", body)
    batch = await guest.post(f"{cart}/lines:batch", {"lines": [body]}, banyan_dry_run="1")

    assert dry.headers["banyan-dry-run"] == "honoured"
    assert after.content == before.content
    assert (dry.status, dry.headers["etag"]) == (real.status, real.headers["etag"])
    assert without_ids(dry) == without_ids(real)
    assert batch.headers["banyan-dry-run"] == "honoured"
    assert (await guest.get(cart)).json()["lines"][0]["quantity"] == 2


def without_ids(answer: Answered) -> object:
    told = answer.json()
    del told["line"]["id"]
    return told


@pytest.mark.parametrize(
    "body",
    [
        {}, {"sku": "a", "variant_id": str(UUID(int=1))}, {"sku": "a\x00b"}, {"sku": "\ud800"},
        {"sku": "a", "quantity": 0}, {"sku": "a", "quantity": 1.5}, {"sku": "a", "more": 1},
        {"sku": "a", "options": {"x": "\x00"}}, {"sku": "a", "options": {"": "x"}}, [],
    ],
)  # fmt: skip
async def test_what_is_no_line_is_refused(shopper: Shopper, body: object) -> None:
    cart, guest = await shopper.begin()

    answer = await guest.post(f"{cart}/lines", body)

    assert (answer.status, answer.json()["code"]) == (422, "invalid_request")


async def test_events_and_audit_tell_what_happened_and_of_nobody(
    shopper: Shopper, url: str
) -> None:
    cart, guest = await shopper.begin(email="secret@example.org")
    await guest.post(f"{cart}/lines", {"sku": sku(0)})
    await guest.send("PATCH", cart, {"shipping_address": ADDRESS}, if_match="*")
    told = [one for one in await rows_of(url, "outbox_event") if one.aggregate_type == "cart"]

    assert [one.type for one in told[-3:]] == [
        "carts.cart.created.v1", "carts.cart.line_added.v1", "carts.cart.changed.v1",
    ]  # fmt: skip
    assert "secret@example.org" not in json.dumps([str(one) for one in told])
    assert "Main St" not in json.dumps([str(one) for one in told])


async def test_a_list_shows_staff_carts_and_nobodys_data(shopper: Shopper) -> None:
    for _ in range(3):
        await shopper.begin(email="ann@example.org")
    staff = shopper.known_as("staff")

    first = (await staff.get("/v1/carts?limit=2&state=open")).json()
    rest = (await staff.get(f"/v1/carts?limit=2&after={first['page']['next']}")).json()

    assert (len(first["data"]), first["page"]["has_more"]) == (2, True)
    assert rest["data"][0]["updated_at"] >= first["data"][-1]["updated_at"]
    assert "ann@example.org" not in json.dumps(first)


async def test_many_writers_of_one_cart_lose_no_line(shopper: Shopper) -> None:
    cart, guest = await shopper.begin()

    answers = await asyncio.gather(
        *(guest.post(f"{cart}/lines", {"sku": sku(n % 6)}) for n in range(18))
    )
    read = (await guest.get(cart)).json()

    assert sorted(one.status for one in answers) == [200] * 12 + [201] * 6
    assert {one["sku"]: one["quantity"] for one in read["lines"]} == {sku(n): 3 for n in range(6)}
    assert read["version"] == 19
