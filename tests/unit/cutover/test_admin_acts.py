"""What the admin API does, over real files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cutover.core.access import Role
from tests.support.admin_room import AdminRoom
from tests.support.ledger_shop import table


@pytest.fixture
def room(tmp_path: Path) -> AdminRoom:
    return AdminRoom(tmp_path / "var")


async def test_a_plan_is_made_shown_and_put_in_force(room: AdminRoom) -> None:
    plan = await room.planned(catalog="legacy")

    shown = await room.get(f"/plans/{plan['id']}")
    applied = await room.apply(plan, "first")

    assert shown.json() == plan
    assert shown.headers["etag"] == plan["etag"] == '"0-none"'
    told = applied.json()
    assert (applied.status, told["is_applied"], told["revision"]["n"]) == (200, True, 1)
    assert told["revision"]["actor"] == "the room"
    assert told["revision"]["reason"].startswith("first (plan ")
    assert told["proxy"]["ack"] == "away"
    assert room.in_force == table(catalog="legacy")


async def test_a_routing_file_may_be_sent_as_it_is(room: AdminRoom) -> None:
    kind = {"content-type": "application/yaml"}

    made = await room.send("POST", "/plans", table(catalog="legacy").encode(), kind)

    assert (made.status, made.json()["file"]) == (201, "routing.yaml")
    assert made.headers["location"] == f"/admin/v1/plans/{made.json()['id']}"


async def test_an_application_must_say_what_it_changes(room: AdminRoom) -> None:
    plan = await room.planned(catalog="legacy")

    answered = await room.post(f"/plans/{plan['id']}/applications", {"reason": "x"})

    assert (answered.status, answered.json()["code"]) == (428, "if_match_missing")


async def test_a_plan_is_stale_once_something_else_came_into_force(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    old = await room.planned(catalog="shadow")
    await room.put(catalog="legacy", search="legacy")

    answered = await room.apply(old)
    anyway = await room.apply(old, if_match="*")

    assert (answered.status, answered.json()["code"]) == (412, "changed_meanwhile")
    assert answered.json()["in_force"] != old["etag"]
    assert (anyway.status, anyway.json()["code"]) == (412, "changed_meanwhile")
    assert len(room.revisions) == 2


async def test_a_refused_plan_says_what_would_make_it_pass(room: AdminRoom) -> None:
    plan = await room.planned(catalog="core")

    answered = await room.apply(plan)

    told = answered.json()
    assert plan["is_refused"]
    assert (answered.status, told["code"]) == (409, "plan_refused")
    assert "a domain starts in stage legacy" in told["detail"]
    assert told["against"][0].startswith("it was refused when it was made")
    assert room.revisions == []


async def test_a_rollback_asks_for_no_tag_and_names_who_did_it(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    await room.put(catalog="shadow")
    room.as_(Role.APPROVER, name="ben")

    answered = await room.post("/domains/catalog/rollbacks", {"reason": "slow"})

    told = answered.json()
    assert (answered.status, told["after"]["stage"]) == (200, "legacy")
    assert (told["revision"]["actor"], told["revision"]["kind"]) == ("ben", "rollback")


async def test_a_revision_is_undone_through_a_plan(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    await room.put(catalog="shadow")

    made = await room.post("/revisions/2/undo", {})
    applied = await room.apply(made.json(), "too early")

    assert (made.status, made.json()["undoes"]) == (201, [2, 2])
    assert applied.json()["revision"]["reason"].startswith("undo of revision 2: too early (plan ")
    assert room.in_force == table(catalog="legacy")


async def test_a_yes_stands_in_the_ledger_under_the_name_of_who_said_it(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    room.as_(Role.APPROVER, name="ben")

    said = {"to": "shadow", "reason": "on call"}
    answered = await room.post("/domains/catalog/approvals", said)

    assert answered.status == 200
    assert answered.json()["changes"] == ["catalog: ben approves of legacy -> shadow"]


@pytest.mark.parametrize(
    ("role", "target", "said", "status"),
    [
        (Role.VIEWER, "/plans", {"routing_yaml": "x"}, 403),
        (Role.VIEWER, "/domains/catalog/rollbacks", {"reason": "x"}, 403),
        (Role.OPERATOR, "/domains/catalog/approvals", {"to": "shadow", "reason": "x"}, 403),
        (Role.APPROVER, "/revisions/1/undo", {}, 403),
        (Role.APPROVER, "/plans/0123456789abcdef/applications", {"reason": "x"}, 403),
        (Role.OPERATOR, "/domains/catalog/rollbacks", {"reason": "x"}, 200),
    ],
)
async def test_who_may_do_what(
    room: AdminRoom, role: Role, target: str, said: dict[str, str], status: int
) -> None:
    await room.put(catalog="legacy")
    room.as_(role)

    answered = await room.post(target, said)

    assert answered.status == status
    if status == 403:
        assert answered.json()["code"] == "not_allowed"


async def test_nobody_acts_under_the_name_of_somebody_else(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    room.as_(Role.ADMIN, name="anna")

    wrong = await room.post("/domains/catalog/rollbacks", {"reason": "x", "actor": "ben"})
    right = await room.post("/domains/catalog/rollbacks", {"reason": "x", "actor": "anna"})

    assert (wrong.status, wrong.json()["code"]) == (403, "other_actor")
    assert right.status == 200


async def test_in_a_room_that_knows_no_people_a_request_says_who_it_is(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    await room.put(catalog="shadow")

    done = await room.post("/domains/catalog/rollbacks", {"reason": "x", "actor": "night shift"})

    assert done.json()["revision"]["actor"] == "night shift"


async def test_a_room_that_only_reads_acts_for_nobody(tmp_path: Path) -> None:
    room = AdminRoom(tmp_path / "var", is_read_only=True)

    answered = await room.post("/domains/catalog/rollbacks", {"reason": "x"})

    assert (answered.status, answered.json()["code"]) == (403, "read_only")
    assert (await room.get("/in-force")).status == 200


async def test_another_page_in_the_same_browser_cannot_act(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    target, said = "/domains/catalog/rollbacks", {"reason": "x"}

    strange = await room.post(target, said, origin="http://evil.example")
    renamed = await room.post(target, said, host="evil.example")
    form = await room.post(target, said, content_type="text/plain")

    assert [one.json()["code"] for one in (strange, renamed)] == ["not_from_here"] * 2
    assert (form.status, form.json()["code"]) == (415, "unsupported_media_type")


async def test_reads_do_not_wait_for_an_apply_that_holds_the_turn(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    with room.parts.books.turn.take(wait_s=0) as is_ours:
        assert is_ours

        reads = [room.get(path) for path in ("/in-force", "/domains", "/ledger/verification")]
        answers = await asyncio.gather(*reads)
        back = await room.post("/domains/catalog/rollbacks", {"reason": "x", "to": "legacy"})

    assert [one.status for one in answers] == [200, 200, 200]
    assert back.status == 200


async def test_a_plan_file_from_elsewhere_is_planned_again(room: AdminRoom) -> None:
    plan = await room.planned(catalog="legacy")
    file = (await room.get(f"/plans/{plan['id']}/file")).text

    again = await room.post("/plans", {"plan_file": file})
    altered = await room.post("/plans", {"plan_file": file.replace("legacy", "shadow")})

    assert (again.status, again.json()["name"]) == (201, plan["name"])
    assert (altered.status, altered.json()["code"]) == (422, "plan_file_invalid")
