"""What people agreed to, who looked, and that the core forgets them and keeps its books."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from new_core.domain.actor import system
from new_core.domain.address import PostalAddress
from new_core.domain.buyer import Buyer
from new_core.domain.cart import Cart, CartLine, CartState
from new_core.domain.order import (
    FulfilmentStatus,
    Order,
    OrderChange,
    OrderLine,
    OrderStatus,
    PaymentStatus,
)
from new_core.ports.idempotency import KeptAnswer, RequestKey
from new_core.service.consent import expire
from new_core.service.doing import Doing
from new_core.storage import SqlDatabase, make_engine, make_reader
from new_core.storage.ids import new_id
from tests.support.core_people import PASSWORD, Core, served

pytestmark = pytest.mark.integration

THEN = datetime(2026, 1, 1, tzinfo=UTC)
MAIL = "Canary@canary.example"
BOOKS = (
    "SELECT count(*), sum(total_minor), sum(net_minor), sum(tax_minor) FROM sales_order",
    "SELECT count(*), sum(quantity), sum(base_minor), sum(gross_minor) FROM order_line",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'core.sqlite3'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def core(url: str) -> AsyncIterator[Core]:
    async with served(url, core_auth="required") as made:
        yield made


async def somebody(core: Core, email: str = MAIL) -> tuple[Core, UUID]:
    asked = {
        "email": email, "password": PASSWORD, "first_name": "Canary-first",
        "last_name": "Canary-last", "phone": "canary-phone",
    }  # fmt: skip
    made = await core.post("/v1/customers", asked)
    login = await core.post("/v1/logins", {"email": email, "password": PASSWORD})
    return core.as_(login["access_token"]), UUID(made["id"])


def at_home() -> PostalAddress:
    return PostalAddress(
        "CA", ("canary-street 1", "canary-door"), "Ottawa", "canary-f", "canary-l", "canary-t",
        "canary-company", "ON", "K1A 0B1", "canary-phone", "canary-notes",
    )  # fmt: skip


def order_of(number: int, customer_id: UUID, status: OrderStatus) -> Order:
    line = OrderLine(
        UUID(int=number * 10), UUID(int=1), UUID(int=2), "sku", "A book", 3, 5_000_000, 1500,
        1500, 1695, options=(("engraving", "canary-love"),),
    )  # fmt: skip
    return Order(
        UUID(int=number), f"N{number}", UUID(int=number + 1), Buyer("CAD", customer_id), status,
        PaymentStatus.PAID, FulfilmentStatus.UNFULFILLED, (line,), None, (), (), 1695,
        tax_included=False, created_at=THEN, email=MAIL, shipping_address=at_home(),
        billing_address=at_home(), note="canary-note", purchase_order_number="canary-po",
        cancel_reason="canary did not like it",
    )  # fmt: skip


async def fill(url: str, customer_id: UUID, status: OrderStatus) -> None:
    """Everything that other modules keep of a person."""
    database = SqlDatabase(make_engine(url, pool_size=1), make_reader(url, pool_size=1))
    line = CartLine(UUID(int=50), UUID(int=1), 2, 0, (("engraving", "canary-love"),))
    cart = Cart(
        UUID(int=60), Buyer("CAD", customer_id), CartState.OPEN, (line,), THEN, THEN,
        email=MAIL, shipping_address=at_home(), billing_address=at_home(),
    )  # fmt: skip
    note = {"action": "set_note", "before": "canary-note"}
    address = {"action": "set_address", "before": {"lines": ["canary-street"]}}
    request = RequestKey(f"customer:{customer_id}", "POST /v1/x", "k", "f" * 64)
    async with database.writing() as uow:
        for number in (100, 200):
            await uow.orders.put(order_of(number, customer_id, status), THEN)
        change = OrderChange(
            UUID(int=100), 1, "edit", (note, address), 1695, 1695, "staff:x", "canary asked", THEN
        )
        await uow.orders.add_changes([change])
        await uow.carts.put(cart, THEN)
        later = THEN + timedelta(days=1)
        await uow.idempotency.begin(request, THEN, locked_until=later, expires_at=later)
        await uow.idempotency.finish(request, KeptAnswer(200, (), MAIL.encode()), THEN)
        await uow.commit()
    await database.dispose()


async def ask_sql(url: str, *statements: str) -> list[list[tuple[Any, ...]]]:
    engine = make_engine(url, pool_size=1)
    async with engine.connect() as connection:
        found = [
            [tuple(row) for row in await connection.execute(sa.text(one))] for one in statements
        ]
    await engine.dispose()
    return found


async def canaries(url: str) -> set[str]:
    """Every table and column of the database in which something of the person stands."""
    engine = make_engine(url, pool_size=1)
    found = set()
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda c: sa.inspect(c).get_table_names())
        for name in names:
            rows = await connection.execute(sa.select(sa.text("*")).select_from(sa.table(name)))
            for row in rows.mappings():
                for column, value in row.items():
                    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                    if "canary" in text.lower():
                        found.add(f"{name}.{column}")
    await engine.dispose()
    return found


async def test_after_an_erasure_nothing_of_the_person_is_anywhere_and_the_books_are_the_same(
    url: str, core: Core
) -> None:
    me, customer_id = await somebody(core)
    admin = await core.admin()
    home = {
        "country": "CA", "region": "ON", "city": "Ottawa", "postcode": "K1A 0B1",
        "lines": ["canary-street"], "first_name": "canary", "notes": "canary\nsecond",
    }  # fmt: skip
    await me.post("/v1/me/addresses", home)
    texts = {"code": "news", "texts": {"en": "May we write?"}}
    await admin.post("/v1/consent-purposes", texts)
    decision = {"purpose": "news", "version": 1, "decision": "granted", "locale": "en"}
    await me.ask(
        "POST",
        "/v1/me/consents",
        decision | {"form": "canary-form"},
        {"user-agent": "canary-browser"},
    )
    reading = {"banyan-purpose": "canary called"}
    await admin.ask("GET", f"/v1/customers/{customer_id}", None, reading)
    await core.ask("POST", "/v1/password-resets", {"email": MAIL})
    await core.ask("POST", "/v1/logins", {"email": MAIL, "password": "canary-wrong"})
    await fill(url, customer_id, OrderStatus.COMPLETED)
    books = await ask_sql(url, *BOOKS)
    before = await canaries(url)
    assert {"customer.email", "sales_order.email", "cart.email", "order_change.actions"} <= before
    assert {"consent_record.evidence", "idempotency_key.body", "order_line.options"} <= before

    asked = await me.post("/v1/me/data-requests", {"kind": "erasure"})
    done = await admin.post(f"/v1/data-requests/{asked['id']}/fulfil", None, 200)

    assert (asked["state"], done["state"]) == ("identity_verified", "fulfilled")
    assert datetime.fromisoformat(asked["due_at"]) - datetime.fromisoformat(
        asked["received_at"]
    ) == timedelta(days=30)
    assert await canaries(url) == set()
    assert await ask_sql(url, *BOOKS) == books
    ((where,), kept) = await ask_sql(
        url, "SELECT shipping_address FROM sales_order WHERE number = 'N100'",
        "SELECT city, region, postcode FROM customer_address",
    )  # fmt: skip
    assert all(part in where[0] for part in ("Ottawa", "ON", "K1A"))
    assert "0B1" not in where[0]
    assert kept == [("Ottawa", "ON", "K1A")]
    login = await core.ask("POST", "/v1/logins", {"email": MAIL, "password": PASSWORD})
    assert login.status == 401
    assert (await me.get("/v1/me"))["status"] == "erased"
    assert (await me.ask("PATCH", "/v1/me", {"phone": "1"})).status == 409
    await somebody(core)


async def test_an_order_that_is_still_under_way_keeps_its_buyer(url: str, core: Core) -> None:
    me, customer_id = await somebody(core)
    admin = await core.admin()
    await fill(url, customer_id, OrderStatus.PROCESSING)
    before = await canaries(url)
    asked = await me.post("/v1/me/data-requests", {"kind": "erasure"})

    answer = await admin.ask("POST", f"/v1/data-requests/{asked['id']}/fulfil")

    assert (answer.status, answer.json()["code"]) == (409, "erasure_too_early")
    assert {one["code"] for one in answer.json()["errors"]} == {"order_open"}
    assert await canaries(url) == before
    assert (await admin.get(f"/v1/data-requests/{asked['id']}"))["state"] == "identity_verified"


async def test_a_person_gets_all_that_is_held_of_them_and_nobody_else_does(
    url: str, core: Core
) -> None:
    (me, customer_id), (other, _) = await somebody(core), await somebody(core, "bob@b.example")
    admin = await core.admin()
    await fill(url, customer_id, OrderStatus.COMPLETED)
    asked = await me.post("/v1/me/data-requests", {"kind": "access"})

    path = f"/v1/me/data-requests/{asked['id']}/export"
    found = await me.get(path)
    theirs = await other.ask("GET", path)
    await admin.get(f"/v1/data-requests/{asked['id']}/export")

    assert set(found) == {"customer_id", "exported_at", "orders", "carts", "consent", "customer"}
    assert [one["number"] for one in found["orders"]] == ["N100", "N200"]
    assert found["orders"][0]["lines"][0]["gross_minor"] == 1695
    assert found["customer"]["email"] == "canary@canary.example"
    assert "password_hash" not in found["customer"]
    assert theirs.status == 404
    (seen,) = (await me.get("/v1/me/data-accesses"))["data"]
    assert (seen["actor_id"], seen["purpose"]) == ("admin", f"data request {asked['id']}")


async def test_a_letter_is_from_anybody_until_somebody_knows_better(core: Core) -> None:
    _, customer_id = await somebody(core)
    admin = await core.admin()
    asked = await admin.post(f"/v1/customers/{customer_id}/data-requests", {"kind": "erasure"})
    path = f"/v1/data-requests/{asked['id']}"

    early = await admin.ask("POST", f"{path}/fulfil")
    known = await admin.post(f"{path}/verify", {"verified_by": "passport"}, 200)
    again = await admin.ask("POST", f"{path}/verify", {"verified_by": "passport"})
    refused = await admin.post(f"{path}/refuse", {"reason": "it was another one"}, 200)
    late = await admin.ask("POST", f"{path}/fulfil")

    assert [early.status, again.status, late.status] == [409, 409, 409]
    assert (asked["state"], known["state"], refused["state"]) == (
        "received", "identity_verified", "refused",
    )  # fmt: skip
    page = await admin.get("/v1/data-requests?state=refused")
    assert [one["reason"] for one in page["data"]] == ["it was another one"]


async def test_consents_are_added_and_asked_for_as_of_any_time(core: Core) -> None:
    me, customer_id = await somebody(core)
    admin = await core.admin()
    texts = {"code": "news", "texts": {"en": "May we write?"}, "valid_days": 30}
    await admin.post("/v1/consent-purposes", texts)
    await admin.post(
        "/v1/consent-purposes", {"code": "terms", "texts": {"en": "T"}, "required": True}
    )
    said = {"purpose": "news", "version": 1, "decision": "granted", "locale": "en"}

    first = await me.post("/v1/me/consents", said)
    other_text = await me.ask("POST", "/v1/me/consents", said | {"text_sha256": "0" * 64})
    no_text = await me.ask("POST", "/v1/me/consents", said | {"locale": "fr"})
    await admin.post("/v1/consent-purposes", texts | {"texts": {"en": "May we write more?"}})
    old = await me.ask("POST", "/v1/me/consents", said)
    path = f"/v1/customers/{customer_id}/consents"
    withdrawn = await admin.post(path, said | {"decision": "withdrawn", "channel": "phone"})
    terms = await me.ask(
        "POST", "/v1/me/consents", said | {"purpose": "terms", "decision": "withdrawn"}
    )

    now = {one["purpose"]: one for one in (await me.get("/v1/me/consents"))["data"]}
    stamp = first["at"].replace("+", "%2B")
    then = (await me.get(f"/v1/me/consents?at={stamp}"))["data"]
    assert len(first["text_sha256"]) == 64
    assert [one.status for one in (other_text, no_text, old, terms)] == [409, 404, 409, 409]
    assert now["news"]["decision"] == "withdrawn"
    assert (now["news"]["version"], now["news"]["outdated"]) == (2, True)
    assert now["news"]["record"]["channel"] == withdrawn["channel"] == "phone"
    assert now["terms"]["decision"] is None
    assert {one["purpose"]: one["decision"] for one in then} == {"news": "granted", "terms": None}
    assert {one["version"] for one in then} == {1}


async def test_a_grant_whose_time_is_over_is_put_down_as_expired(url: str, core: Core) -> None:
    me, _ = await somebody(core)
    admin = await core.admin()
    await admin.post(
        "/v1/consent-purposes", {"code": "news", "texts": {"en": "M"}, "valid_days": 30}
    )
    said = {"purpose": "news", "version": 1, "decision": "granted", "locale": "en"}
    made = await me.post("/v1/me/consents", said)
    at = datetime.fromisoformat(made["at"])
    database = SqlDatabase(make_engine(url, pool_size=1), make_reader(url, pool_size=1))
    done = []

    for days in (29, 30, 31):
        async with database.writing() as uow:
            act = Doing(system("consent-expiry"), at + timedelta(days=days), new_id)
            done.append(await expire(uow, act))
            await uow.commit()

    await database.dispose()
    assert done == [0, 1, 0]
    ((rows),) = await ask_sql(url, "SELECT decision, channel FROM consent_record ORDER BY at")
    assert rows == [("granted", "web"), ("expired", "core")]
