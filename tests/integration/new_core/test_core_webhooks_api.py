"""Endpoints are made, changed, asked for and removed over HTTP; the feed and the audit tell."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI

from new_core.api import audit, outbox, problems, webhooks
from new_core.api.auth import Gate, without_token
from new_core.domain.actor import Actor
from new_core.errors import Unauthenticated
from new_core.service.audit import seal_entries
from new_core.service.outbox import number_events
from new_core.service.webhooks import put_in_line
from new_core.storage import SqlDatabase
from new_core.storage.ids import new_id
from tests.support.asgi import Answered, send_to
from tests.support.core import SetClock, house_on

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

URL = "https://erp.example.com/banyan"


async def nobody(_token: str) -> Actor:
    raise Unauthenticated("there are no tokens here")


class Api:
    """The routes of the platform, on one database."""

    def __init__(self, core: SqlDatabase, mode: str = "off") -> None:
        self.clock = SetClock()
        self.core = core
        house = house_on(core, self.clock)
        self.app = FastAPI()
        problems.install(self.app)
        self.app.state.gate = Gate(nobody, without_token(mode))
        for module in (webhooks, outbox, audit):
            self.app.include_router(module.routes(house))

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answered:
        content = b"" if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json", **(headers or {})}
        return await send_to(self.app, method, f"/v1{path}", content, sent)

    async def make(self, **more: Any) -> dict[str, Any]:
        made = await self.ask("POST", "/webhook-endpoints", {"url": URL, **more})
        assert made.status == 201, made.text
        return dict(made.json())

    async def settle(self) -> None:
        await number_events(self.core)
        await put_in_line(self.core, self.clock, new_id)
        await seal_entries(self.core, self.clock)


@pytest.fixture
def api(core: SqlDatabase) -> Api:
    return Api(core)


async def test_a_secret_is_shown_when_it_is_made_and_never_again(api: Api) -> None:
    made = await api.make(types=["orders.*"], description="the ERP")
    path = f"/webhook-endpoints/{made['endpoint']['id']}"

    shown = [
        (await api.ask("GET", path)).text,
        (await api.ask("GET", "/webhook-endpoints")).text,
        (await api.ask("GET", f"{path}/health")).text,
    ]
    rotated = (await api.ask("POST", f"{path}/rotate-secret")).json()

    assert made["secret"].startswith("whsec_")
    assert not any("whsec_" in text for text in shown)
    assert rotated["secret"] not in {"", made["secret"]}
    assert rotated["endpoint"]["old_secret_until"] == "2026-05-05T12:00:00Z"


async def test_a_change_says_what_it_changes(api: Api) -> None:
    path = f"/webhook-endpoints/{(await api.make())['endpoint']['id']}"
    tag = (await api.ask("GET", path)).headers["etag"]

    blind = await api.ask("PATCH", path, {"enabled": False})
    done = await api.ask("PATCH", path, {"enabled": False}, {"if-match": tag})
    late = await api.ask("PATCH", path, {"types": ["carts.*"]}, {"if-match": tag})

    assert (blind.status, blind.json()["code"]) == (428, "if_match_missing")
    assert (done.status, done.json()["enabled"]) == (200, False)
    assert done.json()["disabled_because"] == "its owner disabled it"
    assert (late.status, late.json()["code"]) == (412, "changed_meanwhile")
    assert (await api.ask("GET", path)).headers["etag"] == done.headers["etag"]


async def test_enabled_again_it_is_told_from_then_on(api: Api) -> None:
    path = f"/webhook-endpoints/{(await api.make())['endpoint']['id']}"
    off = await api.ask("PATCH", path, {"enabled": False}, {"if-match": "*"})
    refused = await api.ask("POST", f"{path}/replay?from_seq=1")
    on = await api.ask("PATCH", path, {"enabled": True}, {"if-match": off.headers["etag"]})

    assert refused.json()["code"] == "endpoint_disabled"
    assert (on.json()["enabled"], on.json()["disabled_because"]) == (True, "")


async def test_an_endpoint_that_was_removed_is_gone_with_its_deliveries(api: Api) -> None:
    path = f"/webhook-endpoints/{(await api.make())['endpoint']['id']}"
    await api.settle()
    (delivery,) = (await api.ask("GET", f"{path}/deliveries")).json()["data"]

    removed = await api.ask("DELETE", path, headers={"if-match": "*"})

    assert removed.status == 204
    for gone in (path, f"{path}/deliveries", f"/webhook-deliveries/{delivery['id']}"):
        assert (await api.ask("GET", gone)).status == 404


async def test_deliveries_are_listed_newest_first_and_replayed(api: Api) -> None:
    path = f"/webhook-endpoints/{(await api.make())['endpoint']['id']}"
    for _ in range(3):
        await api.ask("POST", f"{path}/rotate-secret")
    await api.settle()

    first = (await api.ask("GET", f"{path}/deliveries?limit=3&state=pending")).json()
    rest = (await api.ask("GET", f"{path}/deliveries?after={first['page']['next']}")).json()
    one = rest["data"][0]
    again = await api.ask("POST", f"/webhook-deliveries/{one['id']}/replay")
    whole = await api.ask("POST", f"{path}/replay?from_seq=2")

    assert [item["event_seq"] for item in first["data"] + rest["data"]] == [4, 3, 2, 1]
    assert one["event_type"] == "webhooks.endpoint.created.v1"
    assert (again.status, again.json()["replay_of"]) == (202, one["id"])
    assert whole.json() == {"deliveries": 3, "next_seq": None}
    health = (await api.ask("GET", f"{path}/health")).json()
    assert (health["breaker"], health["pending"]) == ("closed", 8)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"url": "http://erp.example.com/"}, {"url": "https://10.0.0.1/"}, {"url": "https://u@x/"},
        {"url": URL, "more": 1}, {"url": URL, "types": ["Orders"]},
        {"url": URL, "description": "\0"}, {"url": URL, "description": "\ud800"},
        {"url": URL + "x" * 2_000}, {"url": URL, "types": ["a.*"] * 101},
    ],
)  # fmt: skip
async def test_what_is_no_endpoint_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert (await api.ask("POST", "/webhook-endpoints", body)).status == 422


async def test_what_is_not_there_is_404(api: Api) -> None:
    some = uuid4()
    for method, path in (
        ("GET", f"/webhook-endpoints/{some}"),
        ("GET", f"/webhook-endpoints/{some}/health"),
        ("POST", f"/webhook-endpoints/{some}/rotate-secret"),
        ("POST", f"/webhook-endpoints/{some}/replay?from_seq=1"),
        ("POST", f"/webhook-deliveries/{some}/replay"),
    ):
        assert (await api.ask(method, path)).status == 404


async def test_the_feed_and_the_audit_tell_who_did_it(api: Api) -> None:
    made = (await api.make())["endpoint"]
    await api.ask("POST", f"/webhook-endpoints/{made['id']}/rotate-secret")
    await api.settle()

    first = (await api.ask("GET", "/events?limit=1&type=webhooks.*")).json()
    second = (await api.ask("GET", f"/events?after={first['page']['next']}")).json()
    entries = (await api.ask("GET", f"/audit?entity_id={made['id']}")).json()["data"]
    chain = (await api.ask("GET", "/audit/chain")).json()

    assert first["data"][0]["type"] == "webhooks.endpoint.created.v1"
    assert [(one["seq"], one["aggregateseq"]) for one in second["data"]] == [(2, 2)]
    assert second["page"] == {"next": None, "has_more": False}
    assert [one["action"] for one in entries] == [
        "webhook_endpoint.created",
        "webhook_endpoint.secret_rotated",
    ]
    assert "whsec_" not in json.dumps(entries)
    assert (chain["intact"], chain["checked"], chain["head"]["seq"]) == (True, 2, 2)


@pytest.mark.parametrize("path", ["/webhook-endpoints", "/events", "/audit", "/audit/chain"])
async def test_without_a_token_nothing_of_it_is_shown(core: SqlDatabase, path: str) -> None:
    assert (await Api(core, "open").ask("GET", path)).status == 401
