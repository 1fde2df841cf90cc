"""Every address of the room, asked by everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from cutover.api.admin import PREFIX
from cutover.api.readings import Table
from cutover.core.access import ALLOWS, Permission, Role
from tests.fakes.evidence import FakeEvidence
from tests.support.admin_room import AdminRoom
from tests.support.closed_room import ClosedRoom
from tests.support.room import Sources
from tests.unit.cutover_room.samples import NOW_S, STORES, a_domain, a_group, an_example
from tests.unit.cutover_room.test_room_groups import Keeper

#: What asks nobody who they are, and why: a probe, what the page of signing in needs, itself.
ASKS_NOBODY = {"/healthz", "/static", "/signin", "/signin/issuer", "/signin/back", "/signout"}
#: Made by the framework; the gate alone guards it, and everybody who is known may read.
GUARDED_BY_THE_GATE = {"/api/openapi.json", "/admin/v1/openapi.json"}
#: Methods that change something ask for more than to read.
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
VALUES = {
    "plan_id": "x",
    "domain": "catalog",
    "key": "x",
    "name": "catalog",
    "fingerprint": a_group().fingerprint,
    "number": "1",
    "n": "1",
    "wanted": "x",
}
#: All that takes more than to read. What is added here was thought about.
TAKES = {
    Permission.TRIAGE: {
        "POST /mismatches/{fingerprint:path}",
        "POST /api/mismatches/{fingerprint:path}",
    },
    Permission.STEP: {
        "GET /cutover/{name}/step",
        "POST /cutover/{name}/step",
        "GET /ledger/{number:int}/undo",
        "POST /ledger/{number:int}/undo",
        "POST /admin/v1/plans",
        "POST /admin/v1/plans/{plan_id}/applications",
        "POST /admin/v1/revisions/{n}/undo",
    },
    Permission.ROLLBACK: {
        "POST /cutover/{name}/back",
        "POST /admin/v1/domains/{name}/rollbacks",
    },
    Permission.MANAGE: {
        "GET /people",
        "POST /people",
        "POST /people/{name}/roles",
        "POST /people/{name}/password",
        "POST /people/{name}/disable",
        "POST /people/{name}/enable",
        "POST /tokens",
        "POST /tokens/{name}/revoke",
    },
    Permission.APPROVE: {
        "POST /cutover/{name}/approve",
        "POST /admin/v1/domains/{name}/approvals",
    },
}
ASKERS = ("nobody", "shut out", "wrong token", *Role)


@pytest.fixture
def room(tmp_path: Path) -> ClosedRoom:
    fingerprint = a_group().fingerprint
    evidence = FakeEvidence(found={fingerprint: (a_group(), [an_example()])})
    sources = Sources(
        table=Table("r", (a_domain("catalog"),), STORES), evidence=evidence, now_s=NOW_S
    )
    room = ClosedRoom(tmp_path, sources, Keeper(evidence), admin=AdminRoom(tmp_path / "var").parts)
    for role in Role:
        room.add(str(role), role)
        room.add_token(f"{role}-program", role)
    return room


def permissions_of(route: Any) -> set[Permission]:
    """What the address says it takes, its router's and its own."""
    found: set[Permission] = set()

    def walk(dependant: Any) -> None:
        permission = getattr(dependant.call, "permission", None)
        if permission is not None:
            found.add(permission)
        for one in dependant.dependencies:
            walk(one)

    walk(route.dependant)
    return found


def told(app: FastAPI) -> list[tuple[str, str, frozenset[Permission]]]:
    """Method, path and what it takes, of each route of the room, mounted ones too."""
    return list(_walked(app.routes))


def _walked(
    routes: list[Any], prefix: str = ""
) -> Iterator[tuple[str, str, frozenset[Permission]]]:
    for route in routes:
        path = prefix + route.path
        if path in ASKS_NOBODY:
            continue
        if isinstance(route, Mount):
            assert route.routes, f"what is mounted at {path} does not say who may ask for it"
            yield from _walked(list(route.routes), path)
            continue
        if isinstance(route, APIRoute):
            takes = permissions_of(route)
        else:
            assert isinstance(route, Route), f"{path} is of a kind that nobody knows: {route}"
            assert path in GUARDED_BY_THE_GATE, f"{path} does not say who may ask for it"
            takes = {Permission.READ}
        assert route.methods, f"{path} does not say what it can be asked"
        for method in route.methods - {"HEAD"}:
            yield method, path, frozenset(takes)


def asked(app: FastAPI) -> Iterator[tuple[str, str, frozenset[Permission]]]:
    """The same with an address that fits."""
    for method, path, takes in told(app):
        yield method, re.sub(r"\{(\w+)(:\w+)?\}", lambda m: VALUES[m[1]], path), takes


def test_every_address_says_what_it_takes_and_one_that_changes_says_more(room: ClosedRoom) -> None:
    found = told(room.app)

    assert [(method, path) for method, path, takes in found if not takes] == []
    assert [
        (method, path)
        for method, path, takes in found
        if method in CHANGING and takes <= {Permission.READ}
    ] == []
    assert {"/loadtests/{wanted}", "/admin/v1/revisions"} <= {path for _, path, _ in found}


def test_what_takes_more_than_to_read_is_just_this(room: ClosedRoom) -> None:
    more = {
        f"{method} {path}": takes - {Permission.READ}
        for method, path, takes in told(room.app)
        if takes != {Permission.READ}
    }

    assert more == {one: {permission} for permission, all_ in TAKES.items() for one in all_}


def test_only_what_is_meant_to_asks_nobody(room: ClosedRoom) -> None:
    plain = {
        route.path
        for route in room.app.routes
        if isinstance(route, Mount | Route) and not isinstance(route, APIRoute)
    }

    assert plain == ASKS_NOBODY | {"/api/openapi.json", "/admin/v1"}


def test_the_walk_meets_a_page_that_nobody_thought_of(room: ClosedRoom) -> None:
    async def page(_request: Request) -> Response:
        return Response()

    mounted, beside = FastAPI(openapi_url=None), FastAPI(openapi_url=None)
    mounted.get("/late")(page)
    beside.mount("/more", mounted)
    beside.mount("/files", StaticFiles(directory=Path(__file__).parent))
    plain = FastAPI(openapi_url=None)
    plain.add_route("/bare", page)

    assert told(mounted) == [("GET", "/late", frozenset())]
    with pytest.raises(AssertionError, match="what is mounted at /files does not say"):
        told(beside)
    with pytest.raises(AssertionError, match="/bare does not say who may ask for it"):
        told(plain)


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("way", ["session", "token"])
async def test_everybody_gets_what_their_role_allows(
    room: ClosedRoom, asker: str, way: str
) -> None:
    cookie, token = await _shown(room, asker, way)
    wrong: list[tuple[str, str, int]] = []
    for method, target, takes in asked(room.app):
        if target == "/events":
            continue  # answers without end; the gate's answer to it is told below
        sent = {"content_type": "application/json"} if method == "POST" else {}
        body = b"{}" if sent else b""
        answer = await room.ask(target, cookie, token=token, method=method, body=body, **sent)

        is_page = not target.startswith(("/api/", "/admin/", "/metrics")) and not target.endswith(
            ".json"
        )
        if asker not in set(Role):
            led_on = is_page and method == "GET" and not token
            fits = answer.status == (303 if led_on else 401)
        elif not all(permission in ALLOWS[Role(asker)] for permission in takes):
            fits = answer.status == 403 and "may not do this" in answer.text
        else:
            # What it answers then is its own affair: a form without a token is refused, say.
            fits = answer.status not in (303, 401) and "may not do this" not in answer.text
        if not fits:
            wrong.append((method, target, answer.status))

    assert wrong == []


async def _shown(room: ClosedRoom, asker: str, way: str) -> tuple[str, str]:
    """The cookie and the token that somebody has."""
    if asker == "nobody":
        return "", ""
    if asker == "wrong token":
        return ("banyan-room=x.y", "") if way == "session" else ("", "banyan_wrong")
    if asker != "shut out":
        is_session = way == "session"
        return (await room.signs_in(asker), "") if is_session else ("", f"banyan_{asker}-program")
    cookie = await room.signs_in("admin")
    room.add("another", Role.ADMIN)
    room.people.change(lambda book: book.with_disabled("admin", disabled=True))
    room.people.change(lambda book: book.without_token("admin-program"))
    return (cookie, "") if way == "session" else ("", "banyan_admin-program")


@pytest.mark.parametrize("target", ["/events?page=overview", "/api/overview", "/admin/v1/x"])
async def test_a_program_that_is_unknown_is_told_how_to_say_who_it_is(
    room: ClosedRoom, target: str
) -> None:
    answer = await room.ask(target)
    with_token = await room.ask(target, token="banyan_wrong")

    assert (answer.status, with_token.status) == (401, 401)
    assert answer.headers["www-authenticate"] == 'Bearer realm="banyan"'
    assert with_token.headers["www-authenticate"] == 'Bearer realm="banyan", error="invalid_token"'
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("target", ["/healthz", "/signin", "/static/room.css"])
async def test_probes_styles_and_the_page_of_signing_in_ask_nobody(
    room: ClosedRoom, target: str
) -> None:
    assert (await room.ask(target)).status == 200


async def test_the_admin_api_says_it_in_its_own_codes(room: ClosedRoom) -> None:
    cookie = await room.signs_in("admin")

    unknown = await room.ask("/admin/v1/revisions")
    strange = await room.ask(
        "/admin/v1/plans", cookie, method="POST", origin="https://evil.test", body=b"{}"
    )

    assert (unknown.status, unknown.json()["code"]) == (401, "not_signed_in")
    assert (strange.status, strange.json()["code"]) == (403, "not_from_here")


async def test_a_websocket_is_let_in_nowhere(room: ClosedRoom) -> None:
    said: list[Any] = []

    async def receive() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        said.append(message)

    await room.app({"type": "websocket", "path": "/", "headers": []}, receive, send)

    assert said == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    "target", ["/static/../api/overview", "/static//../", "//healthz", "/healthz/", "/signin/x"]
)
async def test_no_spelling_of_an_address_walks_past_the_gate(room: ClosedRoom, target: str) -> None:
    answer = await room.ask(target)

    assert "catalog" not in answer.text
    assert answer.status in (303, 307, 401, 404)


@pytest.mark.parametrize("target", ["/domains/a%0Ab", "/%0A", "/nothing/%0D%0Aat-all"])
async def test_a_path_with_a_line_break_is_the_apis_and_not_the_pages(
    room: ClosedRoom, target: str
) -> None:
    answered = await room.ask(f"{PREFIX}{target}", token=room.add_token("reader", Role.VIEWER))

    assert answered.status in (404, 422)
    assert answered.headers["content-type"] == "application/problem+json"
