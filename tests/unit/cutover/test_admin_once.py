"""The same request with the same key is done once, whatever dies on the way."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cutover.core.access import Role
from cutover.core.revision import from_json
from cutover.errors import CannotRead
from cutover.storage.answers import Answers
from tests.fakes.cutover import NOON
from tests.support.admin_room import AdminRoom, DyingAnswers, FullDisk, Killed
from tests.support.asgi import Answered
from tests.support.ledger_shop import table

BACK = "/domains/catalog/rollbacks"


@pytest.fixture
def room(tmp_path: Path) -> AdminRoom:
    return AdminRoom(tmp_path / "var")


def reborn(room: AdminRoom) -> AdminRoom:
    """The room after kill -9: nothing of it is left but its files."""
    return AdminRoom(room.var)


async def dies_before_it_answers(
    room: AdminRoom, target: str, said: Mapping[str, Any], **headers: str
) -> None:
    """The act is done, and the answer is lost with the process."""

    with pytest.raises(Killed):
        await AdminRoom(room.var, answers=DyingAnswers).post(target, said, **headers)


async def test_the_same_request_gets_the_same_answer_and_nothing_is_done_twice(
    room: AdminRoom,
) -> None:
    await room.put(catalog="legacy")
    await room.put(catalog="shadow")
    plan = await room.planned(catalog="legacy")

    first = await room.apply(plan, idempotency_key="k1")
    second = await reborn(room).apply(plan, idempotency_key="k1")

    assert (first.status, second.status) == (200, 200)
    assert second.json() == first.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(room.revisions) == 3


async def test_a_key_is_of_one_request_alone(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    await room.post(BACK, {"reason": "slow"}, idempotency_key="k1")

    other = await room.post(BACK, {"reason": "slower"}, idempotency_key="k1")
    elsewhere = await room.post(
        "/domains/search/rollbacks", {"reason": "slow"}, idempotency_key="k1"
    )

    assert [(one.status, one.json()["code"]) for one in (other, elsewhere)] == [
        (422, "idempotency_key_reused")
    ] * 2


async def test_two_people_may_use_the_same_key(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    codes = []
    for name in ("anna", "ben"):
        room.as_(Role.ADMIN, name=name)
        said = {"to": "shadow", "reason": f"{name} says so"}
        answered = await room.post("/domains/catalog/approvals", said, idempotency_key="k1")
        codes.append(answered.status)

    assert codes == [200, 200]


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ", "two words"])
async def test_what_is_no_key_is_refused(room: AdminRoom, key: str) -> None:
    headers = {"content-type": "application/json", "idempotency-key": key}

    answered = await room.send("POST", BACK, b'{"reason": "x"}', headers)

    assert (answered.status, answered.json()["code"]) == (400, "idempotency_key_invalid")


async def test_what_failed_may_be_tried_again_with_its_key(room: AdminRoom) -> None:
    early = await room.post(BACK, {"reason": "slow"}, idempotency_key="k1")
    await room.put(catalog="legacy")

    late = await room.post(BACK, {"reason": "slow"}, idempotency_key="k1")

    assert (early.status, early.json()["code"]) == (409, "nothing_in_force")
    assert late.status == 200


async def test_of_two_at_once_one_acts_and_the_other_is_told_to_wait(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    plan = await room.planned(catalog="shadow")

    answers: list[Answered] = await asyncio.gather(
        *(room.apply(plan, idempotency_key="k1") for _ in range(5))
    )

    statuses = sorted(one.status for one in answers)
    assert statuses.count(200) >= 1
    assert set(statuses) <= {200, 409}
    assert len(room.revisions) == 2


async def test_two_rooms_over_the_same_files_share_their_keys(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    plan = await room.planned(catalog="shadow")
    both = (room, reborn(room))

    answers = await asyncio.gather(*(one.apply(plan, idempotency_key="k1") for one in both))

    assert {one.status for one in answers} <= {200, 409, 412}
    assert len(room.revisions) == 2


async def test_an_apply_that_died_before_its_answer_is_answered_from_the_ledger(
    room: AdminRoom,
) -> None:
    await room.put(catalog="legacy")
    plan = await room.planned(catalog="shadow")
    target, said = f"/plans/{plan['id']}/applications", {"reason": "go"}
    headers = {"if_match": plan["etag"], "idempotency_key": "k1"}
    await dies_before_it_answers(room, target, said, **headers)

    again = await reborn(room).post(target, said, **headers)

    assert (again.status, again.json()["revision"]["n"]) == (200, 2)
    assert again.json()["is_applied"]
    assert len(room.revisions) == 2


async def test_an_apply_that_died_before_its_table_came_into_force_is_finished(
    room: AdminRoom,
) -> None:
    await room.put(catalog="legacy")
    before = room.in_force
    plan = await room.planned(catalog="shadow")
    target, said = f"/plans/{plan['id']}/applications", {"reason": "go"}
    headers = {"if_match": plan["etag"], "idempotency_key": "k1"}
    await dies_before_it_answers(room, target, said, **headers)
    (room.var / "applied.yaml").write_text(before)  # 1. written down, 2. died, 3. not swapped in

    again = await reborn(room).post(target, said, **headers)

    assert again.status == 200, again.text
    assert room.in_force == table(catalog="shadow")
    reasons = [from_json(path.read_bytes()).entry.reason for path in room.revisions[1:]]
    assert again.json()["revision"]["n"] == 3
    assert reasons[0] == reasons[1]


async def test_a_rollback_that_died_before_its_answer_leads_no_step_further(
    room: AdminRoom,
) -> None:
    await room.put(catalog="legacy")
    await room.put(catalog="shadow")
    forward = table(catalog="core").replace(
        "gates: {parity: {min: 99%, samples: 300}}", "gates: {}"
    )
    (room.var / "applied.yaml").write_text(forward)
    await dies_before_it_answers(room, BACK, {"reason": "slow"}, idempotency_key="k1")
    assert "stage: shadow" in room.in_force

    again = await reborn(room).post(BACK, {"reason": "slow"}, idempotency_key="k1")

    assert (again.status, again.json()["after"]["stage"]) == (200, "shadow")
    assert again.json()["revision"]["n"] == 3
    assert len(room.revisions) == 3


async def test_a_yes_that_died_before_its_answer_is_not_said_twice(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    target, said = "/domains/catalog/approvals", {"to": "shadow", "reason": "fine"}
    await dies_before_it_answers(room, target, said, idempotency_key="k1")

    again = await reborn(room).post(target, said, idempotency_key="k1")

    assert (again.status, again.json()["n"]) == (200, 2)
    assert len(room.revisions) == 2


async def test_a_rollback_needs_no_room_for_its_key(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    (room.var / "answers").write_text("a file where the folder should be")

    back = await room.post(BACK, {"reason": "slow"}, idempotency_key="k1")
    plan = await room.post("/plans", {"routing_yaml": table()}, idempotency_key="k2")

    assert back.status == 200
    assert (plan.status, plan.json()["code"]) == (503, "cannot_write")


async def test_a_rollback_needs_no_room_for_its_answer_either(tmp_path: Path) -> None:
    room = AdminRoom(tmp_path, answers=FullDisk)
    await room.put(catalog="legacy")
    await room.put(catalog="shadow")

    back = await room.post(BACK, {"reason": "slow"}, idempotency_key="k1")

    assert (back.status, back.json()["after"]["stage"]) == (200, "legacy")


async def test_of_many_at_once_without_keys_one_is_applied_and_all_are_told(
    room: AdminRoom,
) -> None:
    await room.put(catalog="legacy")
    plan = await room.planned(catalog="shadow")

    answers = await asyncio.gather(*(room.apply(plan) for _ in range(12)))

    statuses = sorted(one.status for one in answers)
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {409, 412}
    assert len(room.revisions) == 2


async def test_after_a_day_a_key_is_free_again_and_its_file_goes(room: AdminRoom) -> None:
    await room.put(catalog="legacy")
    await room.post(BACK, {"reason": "slow"}, idempotency_key="k1")
    room.now = NOON + timedelta(hours=25)

    again = await room.post(BACK, {"reason": "another"}, idempotency_key="k1")

    assert again.status == 200
    assert len(list((room.var / "answers").glob("*.json"))) == 1


def test_a_damaged_answer_is_said_and_never_guessed(tmp_path: Path) -> None:
    answers = Answers(tmp_path, lambda: NOON, lambda: 0)
    name = hashlib.sha256(b"k").hexdigest()
    (tmp_path / f"{name}.json").write_text("{")
    os.utime(tmp_path / f"{name}.json", (NOON.timestamp(), NOON.timestamp()))

    for _ in range(2):  # the key is given back after each failure
        with pytest.raises(CannotRead, match="remove it"):
            answers.begin(name, "f")
