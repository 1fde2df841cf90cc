"""Databases and other systems are really asked about a step."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from cutover.api.sampling import tables_of
from cutover.app.outside import ask_outside
from cutover.core.notice_shapes import make_secret
from cutover.core.outside_gates import Outside
from cutover.core.stages import Position
from cutover.core.strata import Verdict
from cutover.ports.outside import StepAsked
from cutover.settings import load_settings
from proxy.routing import DataGate, Stage, WebhookGate
from tests.fakes.cutover import NOON
from tests.support.seeded_data import SeededData, a_drift
from tests.support.stores import small_store

pytestmark = pytest.mark.integration

SECRET = make_secret(b"a secret of thirty-two bytes ...")
STEP = StepAsked(
    domain="checkout",
    before=Position(Stage.SHADOW),
    after=Position(Stage.CANARY, 500),
    actor="ana",
    at=NOON,
    desired="2eb53ad1a1f5",
    data=(),
    webhooks=(),
)


async def said_by(answer: object, status: int = 200, timeout_s: float = 5.0) -> tuple[str, str]:
    """What a system that answers so says: the verdict, and why."""
    asked: list[object] = []

    async def answers(request: web.Request) -> web.Response:
        asked.append(await request.json())
        if answer is None:
            await asyncio.sleep(timeout_s * 20)
        if isinstance(answer, bytes):
            return web.Response(body=answer, status=status, headers={"location": "/elsewhere"})
        return web.json_response(answer, status=status)

    async with small_store(answers) as system:
        gate = WebhookGate(system.url + "/steps", timeout_s)
        step = replace(STEP, webhooks=(gate,))
        found = await ask_outside(load_settings({}), [step])
    assert asked == [
        {
            "type": "banyan.step",
            "domain": "checkout",
            "from": {"stage": "shadow", "core_share": 0.0},
            "to": {"stage": "canary", "core_share": 0.05},
            "actor": "ana",
            "desired_revision": "2eb53ad1a1f5",
            "at": NOON.isoformat(timespec="seconds"),
        }
    ]
    (said,) = found["checkout"].webhooks
    return str(said.verdict), said.sentences[0].partition("did not say: ")[2] or said.sentences[0]


async def test_another_system_is_told_the_step_and_its_word_counts() -> None:
    assert await said_by({"verdict": "pass", "reason": "CHG-1"}) == ("pass", "CHG-1")
    assert await said_by({"verdict": "fail", "reason": "frozen"}) == ("fail", "frozen")


async def test_whatever_else_it_does_is_inconclusive_and_told() -> None:
    broken, why = "inconclusive", "it answered with status"
    assert await said_by({"verdict": "pass"}, status=500) == (broken, f"{why} 500")
    assert await said_by(b"", status=302) == (broken, f"{why} 302")
    assert (await said_by(b"<html>"))[1].startswith("its answer is not")
    huge = b'{"verdict": "pass", "reason": "' + b"x" * 100_000 + b'"}'
    assert (await said_by(huge))[1] == "its answer is longer than 65,536 bytes"
    assert await said_by(None, timeout_s=0.2) == (broken, "no answer within 0.2 s")


async def test_a_question_is_signed_so_that_the_standards_own_library_takes_it() -> None:
    asked: list[tuple[bytes, dict[str, str]]] = []

    async def answers(request: web.Request) -> web.Response:
        asked.append((await request.read(), dict(request.headers)))
        return web.json_response({"verdict": "pass"})

    # The library checks the time against its own clock.
    now = datetime.now(UTC)  # noqa: TID251 - as it does
    steps = [replace(STEP, at=now - timedelta(seconds=n)) for n in (0, 1)]
    async with small_store(answers) as system:
        gates = [WebhookGate(system.url, secret_env=name) for name in ("CHANGE_SECRET", None)]
        for step in steps:
            await ask_outside(
                load_settings({}),
                [replace(step, webhooks=(gates[0],))],
                {"CHANGE_SECRET": SECRET}.get,
            )
        await ask_outside(load_settings({}), [replace(STEP, webhooks=(gates[1],))])

    *signed, (_, plain) = asked
    for body, headers in signed:
        assert Webhook(SECRET).verify(body, headers)["domain"] == "checkout"
    ids = [headers["webhook-id"] for _, headers in signed]
    assert len(set(ids)) == 2
    assert not any(name.lower().startswith("webhook-") for name in plain)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "CHANGE_SECRET, whose secret signs the question, is not set"),
        ("hunter2", "CHANGE_SECRET holds no secret"),
    ],
)
async def test_without_its_secret_a_system_is_not_asked_and_the_value_is_not_told(
    value: str | None, why: str
) -> None:
    async def answers(_request: web.Request) -> web.Response:
        return web.json_response({"verdict": "pass"})

    async with small_store(answers) as system:
        step = replace(STEP, webhooks=(WebhookGate(system.url, secret_env="CHANGE_SECRET"),))
        found = await ask_outside(load_settings({}), [step], {"CHANGE_SECRET": value}.get)

    (said,) = found["checkout"].webhooks
    assert said.verdict is Verdict.INCONCLUSIVE
    assert why in said.sentences[0]
    assert "hunter2" not in said.sentences[0]
    assert system.asked == []


async def test_a_system_that_is_away_is_inconclusive() -> None:
    step = replace(STEP, webhooks=(WebhookGate("http://127.0.0.1:9/", 2.0),))

    (said,) = (await ask_outside(load_settings({}), [step]))["checkout"].webhooks

    assert said.verdict is Verdict.INCONCLUSIVE
    assert said.sentences[0].startswith("http://127.0.0.1:9/ did not say: ")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    legacy = tmp_path / "legacy.sqlite3"
    with sqlite3.connect(legacy) as shop:
        for table in tables_of()["orders"]:
            shop.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY)")
    core = SeededData(tmp_path).core
    return {
        "BANYAN_VAR": str(tmp_path),
        "BANYAN_CORE_DATABASE": core,
        "BANYAN_LEGACY_DATABASE": f"sqlite+aiosqlite:///{legacy}",
        "BANYAN_SIDE_DOOR": "127.0.0.1:9",
    }


async def data_of(environment: Mapping[str, str]) -> Outside:
    step = replace(STEP, data=(DataGate(),))
    return (await ask_outside(load_settings(environment), [step]))["checkout"]


async def test_the_databases_say_what_differs_and_how_far_behind_they_are(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    data = SeededData(tmp_path)
    await data.install({"orders": ("legacy", 3)})
    await data.drift([a_drift("orders", str(n), data.now) for n in range(7)])

    found = await data_of(environment)

    assert found.data_problem == ""
    (orders,) = found.data
    assert (orders.name, orders.drift, orders.lag_s) == ("orders", 7, 0.038)
    assert orders.pass_age_s is None
    assert any("drift: 7 differences" in block for block in orders.blocks)


async def test_databases_that_are_away_or_not_named_are_a_problem_and_no_pass(
    environment: dict[str, str],
) -> None:
    assert "BANYAN_CORE_DATABASE is not set" in (await data_of({})).data_problem
    gone = {**environment, "BANYAN_CORE_DATABASE": "sqlite+aiosqlite:////nowhere/core.sqlite3"}
    assert (await data_of(gone)).data_problem
    assert (await data_of(environment)).data_problem  # there is no core yet
