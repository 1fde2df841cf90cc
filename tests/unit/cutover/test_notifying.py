"""What is told of a ledger on real files, to receivers that a test holds in its hands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cutover.core.hook import Hook, Outcome
from cutover.core.notice_shapes import Shape, make_secret
from cutover.core.revision import Entry, Revision, RevisionKind
from cutover.ports.notices import PostAnswer
from cutover.service.books import Books
from cutover.service.notifying import Outlets, Teller
from cutover.storage.notices_file import NoticesFile
from tests.fakes.cutover import NOON, books_in

MINUTE = timedelta(minutes=1)


@dataclass
class Receiver:
    """Takes notices, or does not, as `status` says; time passes while it is left alone."""

    status: Callable[[], int] = lambda: 204
    got: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> PostAnswer:
        told = json.loads(body)
        self.asked.append(headers["webhook-id"])
        status = self.status()
        if status != 204:
            return PostAnswer(status, f"it answered {status}")
        self.got.append(f"{told['data']['revision']} {told['data']['domain']}")
        return PostAnswer(status)


@dataclass
class World:
    folder: Path
    receiver: Receiver = field(default_factory=Receiver)
    now: datetime = NOON
    slept: list[float] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hooks = [Hook("h1", "https://h/x", Shape.JSON, make_secret(bytes(32)), 0, NOON)]

    def all(self) -> Sequence[Hook]:
        return self.hooks

    @property
    def books(self) -> Books:
        return replace(books_in(self.folder), now=lambda: self.now)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def teller(self) -> Teller:
        notices = NoticesFile(self.folder / "notices.json")
        return Teller(Outlets(self.books, self, notices, self.receiver, lambda: 0.0, self.sleep))

    def write(
        self, *changes: str, kind: RevisionKind = RevisionKind.ROLLBACK, table: str = ""
    ) -> Revision:
        text = table or f"# {len(self.books.ledger.links())}\n"
        entry = Entry(self.now, "ann", kind, "why", changes, (), text)
        return self.books.ledger.append(entry)

    async def tell(self, teller: Teller | None = None) -> list[str]:
        """Everything that there is to tell now."""
        it = teller or self.teller()
        it._progress = dict(NoticesFile(self.folder / "notices.json").read())
        while await it.tell_news(self.hooks[0]):
            pass
        return self.receiver.got


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_what_the_ledger_says_is_told_once_and_in_its_order(world: World) -> None:
    for n in range(120):
        world.write(f"d{n}: canary 10 % -> shadow", f"e{n}: core -> shadow")

    await world.tell()
    again = len(await world.tell())

    expected = [f"{n + 1} {name}{n}" for n in range(120) for name in "de"]
    assert world.receiver.got == expected
    assert again == 240


async def test_a_new_hook_is_told_nothing_of_what_came_before(world: World) -> None:
    world.write("a: core -> shadow")
    world.hooks = [replace(world.hooks[0], after=1)]
    world.write("b: core -> shadow")

    assert await world.tell() == ["2 b"]


async def test_a_receiver_that_fails_gets_everything_later_in_order(world: World) -> None:
    answers = iter([500, 429, 302, 500])
    world.receiver.status = lambda: next(answers, 204)
    world.write("a: core -> shadow")
    world.write("b: core -> shadow")

    assert await world.tell() == ["1 a", "2 b"]
    assert world.slept == [1, 2, 4, 8]
    assert len(set(world.receiver.asked)) == 2


async def test_after_a_day_a_notice_is_given_up_and_the_next_one_goes_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    first = world.write("a: core -> shadow")
    world.receiver.status = lambda: 500 if world.now < NOON + timedelta(hours=24.1) else 204

    async def later() -> list[str]:
        found = await world.tell()
        world.write("b: core -> shadow")
        return found + await world.tell()

    await later()

    assert world.receiver.got == ["2 b"]
    assert f"gave up on {first.n}-" in caplog.text
    assert "whsec_" not in caplog.text
    kept = NoticesFile(world.folder / "notices.json").read()["h1"]
    assert (kept.counts[Outcome.GIVEN_UP], kept.counts[Outcome.DELIVERED]) == (1, 1)


async def test_a_process_that_dies_between_two_notices_of_a_revision_tells_the_rest(
    world: World,
) -> None:
    world.write("a: core -> shadow", "b: core -> shadow")

    class Died(BaseException):
        pass

    def dies() -> int:
        if world.receiver.got:
            raise Died
        return 204

    world.receiver.status = dies
    with pytest.raises(Died):
        await world.tell()
    world.receiver.status = lambda: 204

    assert await world.tell() == ["1 a", "1 b"]


async def test_a_damaged_revision_and_a_gap_do_not_keep_the_others_back(world: World) -> None:
    for name in "abcd":
        world.write(f"{name}: core -> shadow")
    folder = world.folder / "revisions"
    (folder / "000002.json").write_text("{torn")
    (folder / "000003.json").unlink()

    assert await world.tell() == ["1 a", "4 d"]


async def test_an_apply_is_told_when_its_table_is_in_force_and_not_before(world: World) -> None:
    applied = world.folder / "applied.yaml"
    world.write("a: core -> shadow", table="one\n")
    applied.write_text("one\n")
    world.write("b: legacy -> shadow", kind=RevisionKind.APPLY, table="two\n")

    before = list(await world.tell())
    applied.write_text("two\n")
    after = list(await world.tell())

    assert before == ["1 a"]
    assert after == ["1 a", "2 b"]


async def test_an_apply_that_never_came_into_force_is_never_told(world: World) -> None:
    (world.folder / "applied.yaml").write_text("one\n")
    world.write("a: core -> shadow", table="one\n")
    world.write("b: legacy -> shadow", kind=RevisionKind.APPLY, table="two\n")
    world.now += MINUTE

    assert await world.tell() == ["1 a"]


async def test_an_older_ledger_from_a_backup_is_not_told_again_and_what_follows_is(
    world: World,
) -> None:
    for name in "abc":
        world.write(f"{name}: core -> shadow")
    await world.tell()
    (world.folder / "revisions" / "000003.json").unlink()
    await world.tell()
    world.write("x: core -> shadow")

    assert await world.tell() == ["1 a", "2 b", "3 c", "3 x"]


async def test_hooks_come_and_go_while_it_runs_and_a_slow_one_delays_nobody(
    world: World,
) -> None:
    slow = replace(world.hooks[0], id="slow", url="https://slow/x")
    world.hooks = [slow, world.hooks[0]]
    world.write("a: core -> shadow")
    stuck, quick = asyncio.Event(), world.receiver

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> PostAnswer:
        if "slow" in url:
            stuck.set()
            await asyncio.Event().wait()
        return await quick(url, headers, body)

    async def sleep(_: float) -> None:
        await asyncio.sleep(0.005)

    notices = NoticesFile(world.folder / "notices.json")
    outlets = Outlets(world.books, world, notices, post, lambda: 0.0, sleep)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        run = tasks.create_task(Teller(outlets).run())
        await stuck.wait()
        while quick.got != ["1 a"]:
            await asyncio.sleep(0.01)
        world.hooks = [world.hooks[1], replace(slow, id="late", url="https://late/x")]
        while quick.got != ["1 a", "1 a"]:
            await asyncio.sleep(0.01)
        while notices.read().keys() != {"h1", "late"}:
            world.write("b: core -> shadow")
            await asyncio.sleep(0.05)
        run.cancel()
