"""Tokens on both databases: who gets one, what it opens, and how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest

from new_core.domain.identity_secrets import challenge_of
from tests.support.asgi import Answered
from tests.support.core_people import ADMIN_SECRET, PASSWORD, Core, served

pytestmark = pytest.mark.integration

TOKEN, AUTHORIZE = "/v1/oauth/token", "/v1/oauth/authorize"
BACK = "https://desk.example/back"
VERIFIER = "v" * 43


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'core.sqlite3'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def core(url: str) -> AsyncIterator[Core]:
    async with served(url, core_auth="required") as made:
        yield made


async def desk(core: Core) -> None:
    """A program for staff that keeps no secret, and somebody who uses it."""
    admin = await core.admin()
    app = {
        "client_id": "desk", "name": "Desk", "kind": "staff_app", "redirect_uris": [BACK],
        "confidential": False,
    }  # fmt: skip
    await admin.post("/v1/clients", app)
    ann = {"email": "Ann@Example.org", "name": "Ann", "password": PASSWORD, "roles": ["viewer"]}
    await admin.post("/v1/staff", ann)


def wish(**more: str) -> dict[str, str]:
    return {
        "response_type": "code", "client_id": "desk", "redirect_uri": BACK, "state": "s1",
        "scope": "orders:read stock:read payments:write", "code_challenge_method": "S256",
        "code_challenge": challenge_of(VERIFIER), **more,
    }  # fmt: skip


def sent_back(answer: Answered) -> dict[str, str]:
    assert answer.status == 303, answer.text
    assert answer.headers["location"].startswith(BACK)
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    return {name: values[0] for name, values in query.items()}


async def code_of(core: Core) -> str:
    login = {"email": "ann@example.org", "password": PASSWORD}
    return sent_back(await core.form(AUTHORIZE, wish() | login))["code"]


async def exchange(core: Core, code: str, **more: str) -> Answered:
    fields = {
        "grant_type": "authorization_code", "client_id": "desk", "code": code,
        "redirect_uri": BACK, "code_verifier": VERIFIER, **more,
    }  # fmt: skip
    return await core.form(TOKEN, fields)


async def refresh(core: Core, token: str, **more: str) -> Answered:
    fields = {"grant_type": "refresh_token", "client_id": "desk", "refresh_token": token, **more}
    return await core.form(TOKEN, fields)


def error_of(answer: Answered) -> tuple[int, str]:
    return answer.status, str(answer.json()["error"])


async def test_the_admin_client_is_there_while_its_setting_is(url: str, core: Core) -> None:
    admin = await core.admin()

    clients = await admin.get("/v1/clients")

    assert clients == {"data": [], "page": {"next": None, "has_more": False}}
    wrong = await core.form(TOKEN, {"grant_type": "client_credentials"}, ("admin", "x" * 40))
    assert error_of(wrong) == (401, "invalid_client")
    assert wrong.headers["www-authenticate"].startswith("Basic")
    async with served(url, core_auth="required") as other:
        await other.as_(admin.token).get("/v1/roles")


async def test_a_service_gets_what_its_roles_allow_and_no_more(core: Core) -> None:
    admin = await core.admin()
    made = await admin.post(
        "/v1/clients",
        {"client_id": "erp", "name": "ERP", "kind": "service", "roles": ["finance"]},
    )
    secret = made["client_secret"]

    token = await core.client_token("erp", secret, "payments:read")

    said = jwt.decode(token, options={"verify_signature": False})
    assert (said["scope"], said["sub"], said["aud"]) == ("payments:read", "erp", "banyan-core")
    assert said["exp"] - said["iat"] == 600
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    fields = {"grant_type": "client_credentials", "scope": "identity:write"}
    assert error_of(await core.form(TOKEN, fields, ("erp", secret))) == (400, "invalid_scope")
    answer = await core.as_(token).ask("GET", "/v1/roles")
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")
    assert (await core.as_(token + "x").ask("GET", "/v1/roles")).status == 401
    assert (await core.ask("GET", "/v1/roles")).status == 401


async def test_secrets_overlap_while_a_client_changes_over(core: Core) -> None:
    admin = await core.admin()
    one = {"client_id": "erp", "name": "ERP", "kind": "service", "roles": ["viewer"]}
    secrets = [(await admin.post("/v1/clients", one))["client_secret"]]

    more = [await admin.post("/v1/clients/erp/secrets") for _ in range(2)]
    secrets += [made["client_secret"] for made in more]

    fields = {"grant_type": "client_credentials"}
    got = [(await core.form(TOKEN, fields, ("erp", one))).status for one in secrets]
    assert got == [401, 200, 200]
    await admin.ask("PATCH", "/v1/clients/erp", {"active": False})
    assert (await core.form(TOKEN, fields, ("erp", secrets[-1]))).status == 401


async def test_tokens_are_checked_by_anybody_with_the_published_keys(core: Core) -> None:
    token = (await core.admin()).token

    keys = (await core.get("/v1/oauth/jwks.json"))["keys"]
    about = await core.get("/.well-known/oauth-authorization-server")

    key = jwt.PyJWK(
        next(one for one in keys if one["kid"] == jwt.get_unverified_header(token)["kid"])
    )
    said = jwt.decode(
        token, key, algorithms=["ES256"], audience="banyan-core", issuer=about["issuer"]
    )
    assert said["client_id"] == "admin"
    assert all("d" not in one for one in keys)
    assert about["code_challenge_methods_supported"] == ["S256"]
    assert about["jwks_uri"] == about["issuer"] + "/v1/oauth/jwks.json"


@pytest.mark.parametrize("change", ["alg", "aud", "unsigned", "other_key", "typ"])
async def test_a_token_that_is_not_quite_ours_opens_nothing(core: Core, change: str) -> None:
    token = (await core.admin()).token
    head, said = (
        jwt.get_unverified_header(token),
        jwt.decode(token, options={"verify_signature": False}),
    )
    signed = token.rpartition(".")[2]

    def packed(part: dict[str, Any]) -> str:
        return jwt.utils.base64url_encode(json.dumps(part).encode()).decode()

    forged = {
        "alg": f"{packed(head | {'alg': 'HS256'})}.{packed(said)}.{signed}",
        "aud": f"{packed(head)}.{packed(said | {'aud': 'other'})}.{signed}",
        "unsigned": f"{packed(head | {'alg': 'none'})}.{packed(said)}.",
        "other_key": f"{packed(head | {'kid': 'x'})}.{packed(said)}.{signed}",
        "typ": f"{packed(head | {'typ': 'JWT'})}.{packed(said)}.{signed}",
    }[change]

    assert (await core.as_(forged).ask("GET", "/v1/roles")).status == 401


async def test_staff_log_in_on_the_page_and_get_what_their_roles_allow(core: Core) -> None:
    await desk(core)
    page = await core.ask("GET", f"{AUTHORIZE}?{urlencode(wish())}")
    assert page.status == 200
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert 'name="state" value="s1"' in page.text

    back = sent_back(
        await core.form(AUTHORIZE, wish() | {"email": "ANN@example.org ", "password": PASSWORD})
    )
    tokens = (await exchange(core, back["code"])).json()

    assert (back["state"], back["iss"]) == ("s1", "http://127.0.0.1:8082")
    assert tokens["scope"] == "orders:read stock:read"
    assert (await core.as_(tokens["access_token"]).ask("GET", "/v1/roles")).status == 403


async def test_a_wrong_password_shows_the_page_again_and_sends_nobody_anywhere(core: Core) -> None:
    await desk(core)

    answers = [
        await core.form(AUTHORIZE, wish() | {"email": email, "password": "wrong horse"})
        for email in ("ann@example.org", "nobody@example.org", "no address")
    ]

    assert {one.status for one in answers} == {403}
    assert len({one.text for one in answers}) == 1
    assert all("location" not in one.headers for one in answers)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "orders:raed"}, "invalid_scope"),
    ],
)
async def test_a_wish_that_cannot_be_granted_goes_back_to_the_client(
    core: Core, more: dict[str, str], error: str
) -> None:
    await desk(core)

    back = sent_back(await core.ask("GET", f"{AUTHORIZE}?{urlencode(wish(**more))}"))

    assert (back["error"], back["state"]) == (error, "s1")


@pytest.mark.parametrize(
    "more",
    [{"client_id": "other"}, {"client_id": "\x00"}, {"redirect_uri": BACK + "/x"},
     {"redirect_uri": "https://evil.example"}],
)  # fmt: skip
async def test_nobody_is_sent_to_an_address_that_is_not_the_clients(
    core: Core, more: dict[str, str]
) -> None:
    await desk(core)

    answer = await core.ask("GET", f"{AUTHORIZE}?{urlencode(wish(**more))}")

    assert answer.status == 400
    assert "location" not in answer.headers


async def test_a_code_opens_once_and_a_second_use_ends_what_came_of_it(core: Core) -> None:
    await desk(core)
    code = await code_of(core)
    wrong = await exchange(core, code, code_verifier="w" * 43)
    elsewhere = await exchange(core, code, redirect_uri=BACK + "2")

    first = await exchange(core, code)
    second = await exchange(core, code)

    assert [error_of(one) for one in (wrong, elsewhere, second)] == [(400, "invalid_grant")] * 3
    assert first.status == 200
    assert error_of(await refresh(core, first.json()["refresh_token"])) == (400, "invalid_grant")


async def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_login(core: Core) -> None:
    await desk(core)
    first = (await exchange(core, await code_of(core))).json()["refresh_token"]

    second = await refresh(core, first)
    third = await refresh(core, second.json()["refresh_token"], scope="stock:read")
    stolen = await refresh(core, first)

    assert (second.status, third.json()["scope"]) == (200, "stock:read")
    assert error_of(stolen) == (400, "invalid_grant")
    assert error_of(await refresh(core, third.json()["refresh_token"])) == (400, "invalid_grant")


async def test_of_one_refresh_token_sent_many_times_at_once_one_is_answered(core: Core) -> None:
    await desk(core)
    token = (await exchange(core, await code_of(core))).json()["refresh_token"]

    answers = await asyncio.gather(*(refresh(core, token) for _ in range(8)))

    assert sorted(one.status for one in answers) == [200] + [400] * 7


async def test_what_is_revoked_gives_no_more_tokens(core: Core) -> None:
    await desk(core)
    token = (await exchange(core, await code_of(core))).json()["refresh_token"]

    for _ in range(2):
        answer = await core.form("/v1/oauth/revoke", {"client_id": "desk", "token": token})
        assert answer.status == 200

    assert error_of(await refresh(core, token)) == (400, "invalid_grant")


async def test_roles_and_people_that_go_take_their_rights_along(core: Core) -> None:
    await desk(core)
    admin = await core.admin()
    token = (await exchange(core, await code_of(core))).json()["refresh_token"]
    (ann,) = (await admin.get("/v1/staff"))["data"]

    await admin.ask("PUT", "/v1/roles/picker", {"name": "Picker", "scopes": ["stock:read"]})
    await admin.ask("PATCH", f"/v1/staff/{ann['id']}", {"roles": ["picker"]})
    narrowed = (await refresh(core, token)).json()
    await admin.ask("DELETE", "/v1/roles/picker")
    none = (await refresh(core, narrowed["refresh_token"])).json()
    await admin.ask("PATCH", f"/v1/staff/{ann['id']}", {"active": False})

    assert (narrowed["scope"], none["scope"]) == ("stock:read", "")
    assert error_of(await refresh(core, none["refresh_token"])) == (400, "invalid_grant")
    login = wish() | {"email": "ann@example.org", "password": PASSWORD}
    assert (await core.form(AUTHORIZE, login)).status == 403


async def test_of_many_guesses_at_once_only_a_few_are_looked_at(core: Core) -> None:
    await desk(core)
    guess = wish() | {"email": "ann@example.org", "password": "wrong horse"}

    answers = await asyncio.gather(*(core.form(AUTHORIZE, guess) for _ in range(14)))

    assert sorted(one.status for one in answers) == [403] * 10 + [429] * 4
    right = await core.form(AUTHORIZE, guess | {"password": PASSWORD})
    assert right.status == 429
    assert 0 < int(right.headers["retry-after"]) <= 900


async def test_what_is_built_in_does_not_change(core: Core) -> None:
    admin = await core.admin()

    role = await admin.ask("PUT", "/v1/roles/admin", {"name": "x", "scopes": []})
    gone = await admin.ask("DELETE", "/v1/roles/viewer")
    client = await admin.ask(
        "POST", "/v1/clients", {"client_id": "shop", "name": "", "kind": "service"}
    )
    unknown = await admin.ask("PUT", "/v1/roles/own", {"name": "x", "scopes": ["all:of:it"]})

    assert [role.status, gone.status, client.status, unknown.status] == [409, 409, 422, 422]


async def test_a_key_with_a_passphrase_signs_only_with_it(url: str) -> None:
    phrase = {"core_auth": "required", "core_key_passphrase": "open sesame"}
    async with served(url, **phrase) as core:
        token = (await core.admin()).token
    async with served(url, core_auth="required") as other:
        await other.as_(token).get("/v1/roles")
        fields = {"grant_type": "client_credentials"}
        answer = await other.form(TOKEN, fields, ("admin", ADMIN_SECRET))

    assert answer.status == 422
    assert "PASSPHRASE" in answer.json()["detail"]
