"""Rooms tell hooks over loopback: killed in between, receivers that are down, slow or odd."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from cutover import app
from cutover.app.notifying import hooks_file, notices_file
from cutover.core.hook import Hook, Outcome
from cutover.core.notice_shapes import Shape
from cutover.edge.post import TIMEOUT_S, open_post
from cutover.service.rolling_back import roll_back
from cutover.settings import CutoverSettings, load_settings
from cutover.storage.hooks_file import Wanted
from cutover.storage.restage import restage
from loadtests.ports import free_port
from tests.support.ledger_shop import table
from tests.support.processes import run_process, spawn_process
from tests.support.receiver import Receiver, receiving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
DOMAINS = ("catalog", "search", "cart")


@dataclass
class Shop:
    """A table in force, whose domains stand in canary, and rooms beside it."""

    folder: Path
    env: dict[str, str]

    @property
    def settings(self) -> CutoverSettings:
        return load_settings(self.env)

    def hook(self, url: str, shape: Shape = Shape.JSON) -> Hook:
        books = app.books(self.settings)
        after = len(books.ledger.links())
        return hooks_file(self.settings).add(Wanted(url, shape, (), (), after, books.now()))

    def roll_back(self, domain: str, reason: str = "it is slow") -> None:
        books = app.books(self.settings)
        roll_back(books, domain, restage, to=None, actor="ann", reason=reason)

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        command = (sys.executable, "-m", "cutover", *words)
        log = self.folder / "room.log"
        with spawn_process(command, log=log, env=self.env) as process:
            yield process
        assert "Traceback" not in log.read_text()

    def room(self) -> tuple[str, ...]:
        port = free_port()
        return (
            *("room", "--listen", f"127.0.0.1:{port}", "--no-steer", "--side-door", "127.0.0.1:9"),
            *("--url", "https://room.example"),
        )

    def tries(self, hook: Hook, outcome: Outcome) -> int:
        known = notices_file(self.settings).read().get(hook.id)
        return 0 if known is None else known.counts.get(outcome, 0)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    env = {"BANYAN_VAR": str(tmp_path / "var"), "BANYAN_SIDE_DOOR": "127.0.0.1:9"}
    file = tmp_path / "routing.yaml"
    file.write_text(table(**dict.fromkeys(DOMAINS, "canary 10%")))
    words = ("apply", "--config", str(file), "--init", "--yes", "--reason", "begin")
    command = (sys.executable, "-m", "cutover", *words)
    with spawn_process(command, log=tmp_path / "apply.log", env=env) as process:
        assert process.wait(60) in {0, 4}, (tmp_path / "apply.log").read_text()
    return Shop(tmp_path, env)


async def until(holds: Callable[[], object], timeout_s: float = 45) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < timeout_s, "waited in vain"
        await asyncio.sleep(0.05)


async def test_a_rollback_is_told_signed_and_with_a_link_to_the_room(shop: Shop) -> None:
    async with receiving() as receiver:
        hook = shop.hook(receiver.url)
        with shop.running(*shop.room()):
            shop.roll_back("catalog")
            await until(lambda: receiver.got)

    headers, body = receiver.raw[0]
    told = Webhook(hook.secret).verify(body, headers)
    assert (told["type"], told["data"]["revision"]) == ("rollback", 2)
    assert told["data"]["link"] == "https://room.example/domains/catalog"
    assert hook.secret not in (shop.folder / "room.log").read_text()


async def test_a_room_that_is_killed_between_entry_and_delivery_tells_it_after_its_restart(
    shop: Shop,
) -> None:
    async with receiving() as receiver:
        shop.hook(receiver.url)
        receiver.hang = True
        with shop.running(*shop.room()) as process:
            shop.roll_back("catalog")
            await until(lambda: receiver.raw)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)
        receiver.hang = False
        shop.roll_back("search")
        with shop.running(*shop.room()):
            await until(lambda: len(receiver.got) == 2)

    assert [one["data"]["domain"] for one in receiver.got] == ["catalog", "search"]
    assert receiver.raw[0][0]["webhook-id"] == receiver.raw[1][0]["webhook-id"]
    assert receiver.raw[0][1] == receiver.raw[1][1]


async def test_a_receiver_that_is_down_gets_all_in_order_when_it_is_up(shop: Shop) -> None:
    receiver = Receiver()
    hook = shop.hook(receiver.url, Shape.SLACK)
    with shop.running(*shop.room()):
        for domain in DOMAINS:
            shop.roll_back(domain, reason="<!channel> look")
        await until(lambda: shop.tries(hook, Outcome.FAILED) >= 2)
        async with receiving(receiver):
            await until(lambda: len(receiver.got) == 3)
            await until(lambda: shop.tries(hook, Outcome.DELIVERED) == 3)

    texts = [one["text"] for one in receiver.got]
    assert texts == [f"{name} was rolled back from canary 10 % to shadow." for name in DOMAINS]
    assert "&lt;!channel&gt; look" in receiver.got[0]["blocks"][0]["text"]["text"]


async def test_one_that_does_not_answer_delays_no_other(shop: Shop) -> None:
    async with receiving() as slow, receiving() as quick:
        slow.hang = True
        stuck = shop.hook(slow.url)
        shop.hook(quick.url)
        with shop.running(*shop.room()):
            shop.roll_back("catalog")
            await until(lambda: slow.raw and quick.got)
            shop.roll_back("search")
            await until(lambda: len(quick.got) == 2)
            await until(lambda: shop.tries(stuck, Outcome.FAILED) >= 1)

    problem = notices_file(shop.settings).read()[stuck.id].recent[0].problem
    assert problem == f"no answer within {TIMEOUT_S:g} s"
    assert slow.got == []


async def test_of_two_that_could_send_one_does_and_the_other_takes_over(shop: Shop) -> None:
    async with receiving() as receiver:
        hook = shop.hook(receiver.url)
        with shop.running(*shop.room()) as first, shop.running("notify"):
            shop.roll_back("catalog")
            await until(lambda: shop.tries(hook, Outcome.DELIVERED) == 1)
            shop.roll_back("search")
            await until(lambda: shop.tries(hook, Outcome.DELIVERED) == 2)
            os.kill(first.pid, signal.SIGKILL)
            first.wait(10)
            shop.roll_back("cart")
            await until(lambda: shop.tries(hook, Outcome.DELIVERED) == 3)

    ids = [headers["webhook-id"] for headers, _ in receiver.raw]
    assert len(ids) == len(set(ids)) == 3


async def test_a_redirect_is_not_followed_and_a_long_answer_not_read_to_its_end() -> None:
    async with receiving() as receiver, open_post() as post:
        receiver.status, receiver.headers = 307, {"Location": receiver.url + "/elsewhere"}
        turned_away = await post(receiver.url, {}, b"{}")
        receiver.status, receiver.headers = 429, {"Retry-After": "30"}
        asked_to_wait = await post(receiver.url, {}, b"{}")

    assert receiver.asked == ["/hook", "/hook"]
    assert "redirect is not followed" in turned_away.problem
    assert (asked_to_wait.status, asked_to_wait.asked_pause_s) == (429, 30)


async def test_a_test_says_what_came_back(shop: Shop) -> None:
    async with receiving() as receiver:
        hook = shop.hook(receiver.url)
        command = (sys.executable, "-m", "cutover", "hooks", "test", hook.id, "--json")
        log = shop.folder / "test.log"
        await asyncio.to_thread(run_process, command, log=log, env=shop.env)
        receiver.status = 404
        with pytest.raises(RuntimeError, match="it answered 404: no"):
            await asyncio.to_thread(run_process, command, log=shop.folder / "2.log", env=shop.env)

    assert json.loads(log.read_text()) == {"hook": hook.id, "status": 204, "problem": None}
    assert [one["type"] for one in receiver.got] == ["test"]
