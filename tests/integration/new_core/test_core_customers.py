"""Customers over /v1 on both databases: they come in, change what is theirs, and nobody else's."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from new_core.domain.customer import Customer, CustomerStatus
from new_core.storage import SqlDatabase, make_engine, make_reader
from tests.support.core_people import PASSWORD, Core, served

pytestmark = pytest.mark.integration

THEN = datetime(2026, 1, 1, tzinfo=UTC)
ANN = {"email": " Ann@Example.org", "password": PASSWORD, "first_name": "Ann"}
HOME = {
    "country": "CA",
    "region": "ON",
    "city": "Ottawa",
    "postcode": "K1A 0B1",
    "lines": ["1 Elm"],
}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'core.sqlite3'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def core(url: str) -> AsyncIterator[Core]:
    async with served(url, core_auth="required") as made:
        yield made


async def log_in(core: Core, email: str = "ann@example.org", password: str = PASSWORD) -> Any:
    return await core.post("/v1/logins", {"email": email, "password": password})


async def ann_of(core: Core) -> Core:
    await core.post("/v1/customers", ANN)
    return core.as_((await log_in(core))["access_token"])


async def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = make_engine(url, pool_size=1)
    async with engine.connect() as connection:
        found = [tuple(row) for row in await connection.execute(sa.text(statement))]
    await engine.dispose()
    return found


async def test_a_customer_registers_logs_in_and_sees_themselves(core: Core) -> None:
    made = await core.post("/v1/customers", ANN)
    tokens = await log_in(core, "ANN@example.org")

    me = await core.as_(tokens["access_token"]).get("/v1/me")

    assert me == made
    assert (me["email"], me["first_name"], me["addresses"]) == ("ann@example.org", "Ann", [])
    assert tokens["scope"] == ""
    again = await core.ask("POST", "/v1/customers", ANN)
    assert (again.status, again.json()["code"]) == (409, "email_taken")
    for path in ("/v1/customers", "/v1/clients", f"/v1/customers/{me['id']}"):
        assert (await core.as_(tokens["access_token"]).ask("GET", path)).status == 403
    assert (await core.ask("GET", "/v1/me")).status == 401
    assert (await (await core.admin()).ask("GET", "/v1/me")).status == 403


async def test_of_two_who_register_one_address_at_once_one_is_a_customer(core: Core) -> None:
    answers = await asyncio.gather(*(core.ask("POST", "/v1/customers", ANN) for _ in range(4)))

    assert sorted(one.status for one in answers) == [201, 409, 409, 409]


async def test_a_login_goes_on_by_its_refresh_token_until_it_ends(core: Core) -> None:
    await core.post("/v1/customers", ANN)
    first = await log_in(core)
    fields = {"grant_type": "refresh_token", "client_id": "shop"}

    second = await core.form("/v1/oauth/token", fields | {"refresh_token": first["refresh_token"]})
    token = second.json()["refresh_token"]
    ended = await core.ask("POST", "/v1/logouts", {"refresh_token": token})
    third = await core.form("/v1/oauth/token", fields | {"refresh_token": token})

    assert (second.status, ended.status, third.status) == (200, 204, 400)


async def test_an_old_hash_opens_and_becomes_a_new_one(url: str, core: Core) -> None:
    made = base64.b64encode(hashlib.pbkdf2_hmac("sha256", b"old horse", b"salt", 1000)).decode()
    old = Customer(
        UUID(int=7), "old@example.org", CustomerStatus.ACTIVE, THEN, username="olduser",
        password_hash=f"pbkdf2_sha256$1000$salt${made}",
    )  # fmt: skip
    database = SqlDatabase(make_engine(url, pool_size=1), make_reader(url, pool_size=1))
    async with database.writing() as uow:
        await uow.customers.put(old, THEN)
        await uow.commit()
    await database.dispose()

    wrong = await core.ask("POST", "/v1/logins", {"email": "olduser", "password": "new horse"})
    await log_in(core, "olduser", "old horse")
    await log_in(core, "old@example.org", "old horse")

    assert wrong.status == 401
    ((kept,),) = await rows(url, "SELECT password_hash FROM customer")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_nobody_can_tell_who_is_a_customer_from_a_refusal(core: Core) -> None:
    await core.post("/v1/customers", ANN)

    answers = [
        (await core.ask("POST", "/v1/logins", {"email": who, "password": "wrong"})).json()
        for who in ("ann@example.org", "bob@example.org", "", "no address", "x" * 200)
    ]
    resets = [
        (await core.ask("POST", "/v1/password-resets", {"email": who})).status
        for who in ("ann@example.org", "bob@example.org")
    ]

    assert {(one["status"], one["code"], one["detail"]) for one in answers} == {
        (401, "unauthenticated", "no such account, or not its password")
    }
    assert resets == [202, 202]


async def test_a_password_changes_by_itself_and_ends_all_logins(core: Core) -> None:
    ann, other = await ann_of(core), await log_in(core)
    body = {"current": "wrong", "password": "better horse"}

    wrong = await ann.ask("PUT", "/v1/me/password", body)
    right = await ann.ask("PUT", "/v1/me/password", body | {"current": PASSWORD})

    assert (wrong.status, right.status) == (401, 200)
    fields = {"grant_type": "refresh_token", "client_id": "shop"}
    for token, status in ((other, 400), (right.json(), 200)):
        again = await core.form(
            "/v1/oauth/token", fields | {"refresh_token": token["refresh_token"]}
        )
        assert again.status == status
    await log_in(core, password="better horse")


async def test_a_forgotten_password_is_reset_once_by_what_the_event_carries(
    url: str, core: Core
) -> None:
    login = await ann_of(core)
    await core.ask("POST", "/v1/password-resets", {"email": "ann@example.org"})
    await core.ask("POST", "/v1/password-resets", {"email": "ann@example.org"})
    sent = await rows(
        url,
        "SELECT data FROM outbox_event WHERE type LIKE '%reset_requested%' ORDER BY aggregate_seq",
    )
    old, new = (json.loads(data)["token"] for (data,) in sent)

    def done(token: str) -> dict[str, str]:
        return {"token": token, "password": "better horse"}

    path = "/v1/password-resets/complete"
    answers = [(await core.ask("POST", path, done(one))).status for one in (old, new, new, "x")]

    assert answers == [409, 204, 409, 409]
    await log_in(core, password="better horse")
    assert (await login.ask("GET", "/v1/me")).status == 200
    kept = await rows(url, "SELECT count(*) FROM customer_token")
    assert kept == [(0,)]


async def test_a_book_of_addresses_has_one_default_of_each_kind(core: Core) -> None:
    ann = await ann_of(core)

    first = await ann.post("/v1/me/addresses", HOME)
    second = await ann.post("/v1/me/addresses", HOME | {"city": "Hull", "default_billing": True})
    path = f"/v1/me/addresses/{second['id']}"
    moved = await ann.ask("PUT", path, HOME | {"city": "Hull", "default_shipping": True})

    book = (await ann.get("/v1/me/addresses"))["data"]
    defaults = {one["city"]: (one["default_shipping"], one["default_billing"]) for one in book}
    assert (first["default_shipping"], first["default_billing"]) == (True, True)
    assert moved.json()["default_shipping"] is True
    assert defaults == {"Ottawa": (False, False), "Hull": (True, False)}
    assert (await ann.ask("DELETE", path)).status == 204
    assert (await ann.ask("DELETE", path)).status == 404
    assert (await ann.ask("PUT", path, HOME)).status == 404


async def test_a_change_that_saw_something_else_is_refused(core: Core) -> None:
    ann = await ann_of(core)
    tag = (await ann.ask("GET", "/v1/me")).headers["etag"]

    first = await ann.ask("PATCH", "/v1/me", {"phone": "1"}, {"if-match": tag})
    late = await ann.ask("PATCH", "/v1/me", {"phone": "2"}, {"if-match": tag})
    again = await ann.ask("PATCH", "/v1/me", {"phone": "3"}, {"if-match": first.headers["etag"]})

    assert [one.status for one in (first, late, again)] == [200, 412, 200]
    assert (
        await ann.ask("GET", "/v1/me", None, {"if-none-match": again.headers["etag"]})
    ).status == 304
    assert (await ann.ask("PATCH", "/v1/me", {"email": "x@y.z"})).status == 422
    email = {"email": "Ann2@example.org", "current": PASSWORD}
    assert (await ann.ask("PUT", "/v1/me/email", email | {"current": "wrong"})).status == 401
    assert (await ann.ask("PUT", "/v1/me/email", email)).json()["email"] == "ann2@example.org"
    await log_in(core, "ann2@example.org")


async def test_staff_find_customers_and_it_is_known_who_looked(url: str, core: Core) -> None:
    ann, admin = await ann_of(core), await core.admin()
    for name in ("bob", "cy"):
        await core.post("/v1/customers", ANN | {"email": f"{name}@example.org"})

    found, after = [], ""
    while True:
        page = await admin.get(f"/v1/customers?limit=2{after}")
        found += [one["email"] for one in page["data"]]
        if not page["page"]["has_more"]:
            break
        after = f"&after={page['page']['next']}"
    (one,) = (await admin.get("/v1/customers?email=ANN@example.org"))["data"]
    headers = {"banyan-purpose": "a call"}
    await admin.ask("GET", f"/v1/customers/{one['id']}", None, headers)

    assert found == ["ann@example.org", "bob@example.org", "cy@example.org"]
    assert one == await ann.get("/v1/me")
    seen = await rows(
        url, "SELECT actor_kind, actor_id, purpose FROM personal_data_access ORDER BY id"
    )
    assert seen[-1] == ("service", "admin", "a call")
    assert len(seen) == 5
    assert (await admin.ask("GET", f"/v1/customers/{UUID(int=1)}")).status == 404


async def test_staff_disable_a_customer_who_is_out_then(core: Core) -> None:
    await core.post("/v1/customers", ANN)
    tokens, admin = await log_in(core), await core.admin()
    (one,) = (await admin.get("/v1/customers"))["data"]
    group = await admin.post("/v1/customer-groups", {"code": "vip", "name": "Very"})

    body = {"active": False, "group_ids": [group["id"]], "email": "Ann3@example.org"}
    answer = await admin.ask("PATCH", f"/v1/customers/{one['id']}", body)
    odd = await admin.ask("PATCH", f"/v1/customers/{one['id']}", {"group_ids": [str(UUID(int=1))]})

    assert answer.json()["status"] == "disabled"
    assert (answer.json()["group_ids"], odd.status) == ([group["id"]], 404)
    assert [
        o["email"] for o in (await admin.get(f"/v1/customers?group_id={group['id']}"))["data"]
    ] == ["ann3@example.org"]
    fields = {"grant_type": "refresh_token", "client_id": "shop"}
    again = await core.form("/v1/oauth/token", fields | {"refresh_token": tokens["refresh_token"]})
    login = await core.ask(
        "POST", "/v1/logins", {"email": "ann3@example.org", "password": PASSWORD}
    )
    assert (again.status, login.status) == (400, 401)


async def test_accounts_stand_in_a_tree_and_their_members_tokens_say_so(core: Core) -> None:
    await core.post("/v1/customers", ANN)
    admin = await core.admin()
    (ann,) = (await admin.get("/v1/customers"))["data"]
    acme = await admin.post("/v1/accounts", {"legal_name": "Acme", "currency": "CAD"})
    part = await admin.post(
        "/v1/accounts", {"legal_name": "Part", "currency": "CAD", "parent_id": acme["id"]}
    )
    assert (acme["kind"], part["kind"]) == ("company", "division")

    path = f"/v1/accounts/{part['id']}"
    jump = await admin.ask("POST", f"{path}/move", {"status": "active"})
    for status in ("pending_review", "active"):
        await admin.post(f"{path}/move", {"status": status}, 200)
    member = await admin.ask("PUT", f"{path}/members/{ann['id']}", {"role": "buyer"})
    said = json.loads(_middle((await log_in(core))["access_token"]))
    gone = await admin.ask("DELETE", f"{path}/members/{ann['id']}")
    after = json.loads(_middle((await log_in(core))["access_token"]))

    assert (jump.status, member.status, gone.status) == (409, 200, 204)
    assert said["accounts"] == [part["id"]]
    assert "accounts" not in after
    assert (await admin.ask("GET", f"/v1/accounts/{UUID(int=1)}")).status == 404


def _middle(token: str) -> bytes:
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
