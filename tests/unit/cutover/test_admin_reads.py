"""What the admin API answers, its errors, and what it says of itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from cutover.api.admin import admin_routes
from cutover.api.adminproblems import CODES
from cutover.core.access import Permission, Role
from tests.support.admin_room import AdminRoom
from tests.support.asgi import Answered

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "admin-api.md"


@pytest.fixture
def room(tmp_path: Path) -> AdminRoom:
    return AdminRoom(tmp_path / "var")


async def described(room: AdminRoom) -> dict[str, Any]:
    found: dict[str, Any] = (await room.get("/openapi.json")).json()
    return found


def is_problem(answered: Answered, status: int, code: str) -> bool:
    told = answered.json()
    assert answered.headers["content-type"] == "application/problem+json"
    assert told["type"] == f"/problems/{told['code']}"
    assert told["detail"]
    return (answered.status, told["status"], told["code"]) == (status, status, code)


async def test_domains_come_in_pages_by_name(room: AdminRoom) -> None:
    await room.put(catalog="legacy", cart="legacy", search="legacy")

    first = (await room.get("/domains?limit=2")).json()
    second = (await room.get(f"/domains?limit=2&cursor={first['next_cursor']}")).json()

    assert [one["name"] for one in first["domains"]] == ["cart", "catalog"]
    assert [one["name"] for one in second["domains"]] == ["search"]
    assert second["next_cursor"] is None
    assert (await room.get("/domains/cart")).json() == first["domains"][0]


async def test_revisions_come_newest_first_and_of_one_domain(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    await room.put(catalog="shadow")
    await room.put(catalog="shadow", search="legacy")

    first = (await room.get("/revisions?limit=2")).json()
    second = (await room.get(f"/revisions?limit=2&cursor={first['next_cursor']}")).json()
    of_search = (await room.get("/revisions?domain=search")).json()

    assert [one["n"] for one in first["revisions"]] == [3, 2]
    assert [one["n"] for one in second["revisions"]] == [1]
    assert second["next_cursor"] is None
    assert [one["n"] for one in of_search["revisions"]] == [3]


async def test_a_damaged_revision_is_named_and_hides_no_other(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    await room.put(catalog="shadow")
    room.revisions[0].write_text("{}")

    listed = (await room.get("/revisions")).json()

    assert [one["n"] for one in listed["revisions"]] == [2]
    assert "revision 000001 is damaged" in listed["problems"][0]
    assert is_problem(await room.get("/revisions/1"), 503, "cannot_read")
    assert (await room.get("/ledger/verification")).json()["is_whole"] is False


async def test_a_difference_is_told_in_sentences_or_lines(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    await room.put(catalog="shadow")

    told = (await room.get("/revisions/1/diff?to=2")).json()
    lines = (await room.get("/revisions/1/diff?text=true")).json()

    assert told["differences"] == ["catalog: legacy -> shadow"]
    assert "+    stage: shadow" in lines["differences"]
    assert lines["names"] == ["revision 1", "what is in force"]


async def test_the_ledger_is_verified_against_a_noted_head(room: AdminRoom) -> None:
    done = await room.put(catalog="legacy")
    head = done["revision"]["hash"]

    told = (await room.get(f"/ledger/verification?head={head[:12]}")).json()
    other = (await room.get(f"/ledger/verification?head={'0' * 12}")).json()

    assert (told["is_whole"], told["head"], told["noted"]) == (True, head, 1)
    assert "no revision has the noted hash" in other["problems"][0]["problem"]


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/domains/nobody", 404, "no_such_domain"),
        ("GET", "/domains/No%20Name", 422, "invalid_request"),
        ("GET", "/revisions/99", 404, "no_such_revision"),
        ("GET", "/revisions/0", 422, "invalid_request"),
        ("GET", "/revisions?limit=10000", 422, "invalid_request"),
        ("GET", "/revisions?limit=1.0", 422, "invalid_request"),
        ("GET", "/revisions/01", 422, "invalid_request"),
        ("GET", "/revisions/1/diff?text=yes", 422, "invalid_request"),
        ("GET", "/revisions/1/diff?to=%2B1", 422, "invalid_request"),
        ("GET", "/revisions?cursor=x", 422, "invalid_request"),
        ("GET", "/ledger/verification?head=zz", 422, "invalid_request"),
        ("GET", "/plans/0123456789abcdef", 404, "no_such_plan"),
        ("GET", "/plans/..%2F..%2Fetc", 404, "not_found"),
        ("DELETE", "/domains", 405, "method_not_allowed"),
        ("PUT", "/plans", 405, "method_not_allowed"),
    ],
)
async def test_every_wrong_question_gets_a_problem(
    room: AdminRoom, method: str, target: str, status: int, code: str
) -> None:
    await room.put(catalog="legacy")

    assert is_problem(await room.send(method, target), status, code)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_request"),
        (b"{", 422, "invalid_request"),
        (b"[]", 422, "invalid_request"),
        (b'"\xff"', 400, "malformed_request"),
        (b"[" * 60_000, 400, "malformed_request"),
        (b'{"reason": ""}', 422, "invalid_request"),
        (b'{"reason": "   "}', 422, "invalid_request"),
        (b'{"reason": "a\\nb"}', 422, "invalid_request"),
        (b'{"reason": "\\ud800"}', 422, "invalid_request"),
        (b'{"reason": 7}', 422, "invalid_request"),
        (b'{"reason": "x", "more": 1}', 422, "invalid_request"),
        (b'{"reason": "x", "to": "core"}', 422, "invalid_request"),
        (b'{"reason": "' + b"x" * 70_000 + b'"}', 413, "too_large"),
    ],
)
async def test_every_wrong_body_gets_a_problem_and_nothing_changes(
    room: AdminRoom, body: bytes, status: int, code: str
) -> None:
    await room.put(catalog="legacy")

    kind = {"content-type": "application/json"}
    answered = await room.send("POST", "/domains/catalog/rollbacks", body, kind)

    assert is_problem(answered, status, code)
    assert len(room.revisions) == 1


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("application/yaml", b"", "invalid_request"),
        ("application/yaml", b"\xff", "malformed_request"),
        ("application/yaml", b"domains: [", "routing_file_invalid"),
        ("application/yaml", b"&a [*a]", "routing_file_invalid"),
        ("application/json", b"{}", "invalid_request"),
        ("application/json", b'{"routing_yaml": "a", "plan_file": "b"}', "invalid_request"),
        ("application/json", b'{"plan_file": "b"}', "plan_file_invalid"),
        ("text/html", b"x", "unsupported_media_type"),
    ],
)
async def test_what_is_no_routing_file_is_refused(
    room: AdminRoom, kind: str, body: bytes, code: str
) -> None:
    answered = await room.send("POST", "/plans", body, {"content-type": kind})

    assert is_problem(answered, CODES[code][0], code)


async def test_a_routing_file_that_does_not_load_has_each_problem_named(room: AdminRoom) -> None:
    text = "apiVersion: banyan/v1\nnonsense: 1\nmore: 2\n"

    answered = await room.post("/plans", {"routing_yaml": text, "file": "my.yaml"})

    assert len(answered.json()["errors"]) >= 2
    assert all(one["detail"].startswith("my.yaml:") for one in answered.json()["errors"])


async def test_every_address_asks_for_a_permission(room: AdminRoom) -> None:
    assert isinstance(room.app, FastAPI)
    asked = {}
    for route in admin_routes(room.app):
        dependant: Any = route.dependant  # type: ignore[attr-defined]  # of an API route
        found = {getattr(one.call, "permission", None) for one in dependant.dependencies}
        asked[f"{min(route.methods)} {route.path}"] = found - {None}  # type: ignore[attr-defined]

    assert len(asked) == 14
    assert all(len(found) == 1 for found in asked.values())
    assert asked["POST /domains/{name}/rollbacks"] == {Permission.ROLLBACK}
    assert asked["POST /domains/{name}/approvals"] == {Permission.APPROVE}
    assert {*asked["POST /plans"], *asked["POST /revisions/{n}/undo"]} == {Permission.STEP}


async def test_a_viewer_may_read_everything(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    room.as_(Role.VIEWER)

    for target in ("/in-force", "/domains", "/revisions", "/revisions/1", "/ledger/verification"):
        assert (await room.get(target)).status == 200


async def test_the_description_is_openapi_3_1_with_all_errors(room: AdminRoom) -> None:
    told = await described(room)

    assert told["openapi"].startswith("3.1")
    assert "Problem" in told["components"]["schemas"]
    back = told["paths"]["/domains/{name}/rollbacks"]["post"]
    assert {"200", "403", "404", "409", "413", "415", "422", "500", "503"} <= back[
        "responses"
    ].keys()
    assert any(one["name"] == "Idempotency-Key" for one in back["parameters"])


def test_the_page_lists_every_code_and_no_other() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PAGE.read_text(), re.MULTILINE))

    assert rows == {code: str(status) for code, (status, _) in CODES.items()}


async def test_the_page_names_every_address(room: AdminRoom) -> None:
    told = await described(room)
    text = PAGE.read_text()

    for path, methods in told["paths"].items():
        for method in methods:
            assert f"`{method.upper()} {path}`" in text
