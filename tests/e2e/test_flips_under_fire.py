"""A minute of everything at once: flips, broken tables, killed workers, shoppers.

Each answer names the table that forwarded it, so that nothing here depends on time: given
that table, stage, share and bucket say which side must have answered.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from loadtests.ports import free_port
from proxy.core.frame import Frame
from proxy.routing import RequestHead, Side, bucket, decide
from proxy.storage import RunAccount, SpoolReader
from tests.e2e.under_fire import (
    PAUSE_S,
    STEPS,
    Answered,
    Diary,
    Hand,
    Shopper,
    lag_s,
    table_text,
    went_back,
)
from tests.integration.proxy.harness import Proxy, proxy
from tests.support.processes import spawn_process, wait_for_http

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(180)]

FLIPS = 200
DWELL_S = 0.1  # after the first answer by a table
SHOPPERS = 24
KILL_EVERY = 40  # flips
BREAK_EVERY = 25
HANG_UP_EVERY = 30


@contextmanager
def echoing_store(says: str, folder: Path) -> Iterator[int]:
    """A store in a process of its own that tells what it was asked."""
    port = free_port()
    command = [sys.executable, "-m", "loadtests.soak_stores", "--port", str(port), "--says", says]
    with spawn_process(command, log=folder / f"{says}.log"):
        wait_for_http(f"http://127.0.0.1:{port}/")
        yield port


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[Hand]:
    with ExitStack() as stack:
        legacy, core = (
            stack.enter_context(echoing_store(side, tmp_path)) for side in ("legacy", "core")
        )
        running = stack.enter_context(
            proxy(tmp_path / "run", table_text(0, legacy, core), workers=2)
        )
        hand = Hand(running, legacy, core)
        hand.flip(0)
        yield hand


async def fire(hand: Hand, diary: Diary) -> None:
    """Flip through all tables while workers die and broken tables come between."""
    for number in range(1, FLIPS + 1):
        hand.flip(number)
        await diary.has_seen(number)
        await asyncio.sleep(DWELL_S)
        if number % BREAK_EVERY == 0:
            # Some worker may not have the table yet: it is to get it all the same.
            await hand.break_table(number // BREAK_EVERY)
            # 1. The file is broken, 2. a worker dies, 3. the next one starts and cannot
            # read the file: it must serve by the last good table all the same.
            await hand.kill_one()
            await hand.all_up()
            await hand.all_have(number)
        elif number % KILL_EVERY == 0:
            await hand.kill_one()
        if number % HANG_UP_EVERY == 0:
            hand.hang_up()
    await hand.all_up()
    await hand.all_have(FLIPS)


async def shop_under_fire(hand: Hand) -> Diary:
    diary, stop = Diary(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for n in range(SHOPPERS):
            group.create_task(Shopper(f"s{n}", hand.running.port, diary).shop(stop))
        await fire(hand, diary)
        settled = len(diary.answers)
        while len(diary.answers) < settled + 4 * SHOPPERS:
            await asyncio.sleep(PAUSE_S)
        stop.set()
    return diary


def drawn_side(answer: Answered) -> Side:
    """Who must have answered: by the stage of the table, its share and the shopper's bucket."""
    stage, share = STEPS[answer.table % len(STEPS)]
    if share is None:
        return Side.LEGACY if stage in ("legacy", "shadow") else Side.CORE
    share_bp = 100 * int(share.removesuffix("%"))
    return Side.CORE if bucket("catalog", answer.session) < share_bp else Side.LEGACY


def captured(running: Proxy) -> tuple[list[Frame], list[RunAccount]]:
    found: list[Frame] = []
    with SpoolReader(running.spool) as reader:
        while batch := reader.read():
            found += [frame for _, frame in batch]
        return found, list(reader.accounts().values())


def told(hand: Hand, diary: Diary, frames: list[Frame], accounts: list[RunAccount]) -> str:
    """The figures, for people: pytest -s shows them."""
    sessions: dict[str, list[Answered]] = {}
    for answer in diary.answers:
        sessions.setdefault(answer.session, []).append(answer)
    pairs = [pair for told in sessions.values() for pair in itertools.pairwise(told)]
    changes = sum(a.served_by != b.served_by for a, b in pairs)
    older = sum(b.table < a.table for a, b in pairs)
    waits = sorted(answer.took_s for answer in diary.answers)
    return (
        f"{FLIPS} flips, {hand.bad_tables} broken tables, {len(hand.doomed)} workers killed, "
        f"{hand.hangups} restarts in {waits and diary.answers[-1].at_s - diary.answers[0].at_s:.0f}"
        f" s: {len(diary.answers)} answers, {sum(diary.failures.values())} failed, "
        f"{len(diary.lost)} lost in flight on killed workers and sent again; "
        f"{changes} changes of side, all of them the table's; "
        f"{older} times a new connection met a worker one flip behind; "
        f"older tables answered for {lag_s(diary.answers, hand.written_at_s):.2f} s at most; "
        f"wait p50 {waits[len(waits) // 2] * 1e3:.1f} ms, p99 "
        f"{waits[len(waits) * 99 // 100] * 1e3:.1f} ms, longest {waits[-1]:.2f} s; "
        f"{len(frames)} frames, "
        f"{sum(account.pending for account in accounts)} captures lost with killed workers"
    )


async def test_flips_broken_tables_and_killed_workers_go_unnoticed(hand: Hand) -> None:
    diary = await shop_under_fire(hand)
    hand.running.process.terminate()
    await asyncio.to_thread(hand.running.process.wait, 30)
    frames, accounts = captured(hand.running)
    print(told(hand, diary, frames, accounts))  # noqa: T201 - figures for pytest -s

    # No failed request but those in flight on a killed worker.
    assert diary.failures == Counter()
    assert len(diary.answers) > 20 * FLIPS
    doomed = set().union(*hand.doomed)
    assert [lost for lost in diary.lost if lost.client_port not in doomed] == []
    assert len(diary.lost) <= sum(len(ports) for ports in hand.doomed)
    assert len(hand.doomed) >= FLIPS // KILL_EVERY

    # Every answer is wholly of one table, and of the side which that table draws for its
    # shopper; so a shopper's side changes only where a flip moves their bucket.
    wrong = [
        answer
        for answer in diary.answers
        if answer.table not in hand.tables
        or not (answer.served_by == answer.says == drawn_side(answer))
    ]
    assert wrong == []
    assert {answer.table for answer in diary.answers} >= set(range(1, FLIPS + 1))
    assert {answer.served_by for answer in diary.answers} == set(Side)
    assert went_back(diary.answers) == 0
    assert all(answer.table == FLIPS for answer in diary.answers[-SHOPPERS:])

    check_frames(hand, diary, frames)
    books_balance(diary, frames, accounts)


def check_frames(hand: Hand, diary: Diary, frames: list[Frame]) -> None:
    """What was captured tells of the same table as what the shopper saw."""
    revisions = {table.revision: number for number, table in hand.tables.items()}
    seen = {answer.request_id: answer for answer in diary.answers}
    wrong = []
    for frame in frames:
        number = revisions[frame.revision]
        body = json.loads(frame.body)
        headers = {"cookie": f"sessionid={frame.request_id.split('-')[0]}"}
        head = RequestHead(frame.method, frame.target, headers, "", frame.request_id)
        drawn = decide(head, hand.tables[number])
        answer = seen.get(frame.request_id)
        is_right = (
            (frame.side, frame.shadow, frame.stage, frame.bucket, frame.noise)
            == (drawn.side, drawn.shadow, drawn.stage, drawn.bucket, drawn.noise)
            and body["says"] == frame.side
            and re.match(r"/t(\d+)/", body["target"])[1] == str(number)  # type: ignore[index]
            and (answer is None or (answer.table, answer.served_by) == (number, frame.side))
        )
        if not is_right:
            wrong.append(frame)
    assert wrong == []
    assert {frame.stage for frame in frames} == {"shadow", "canary", "core"}


def books_balance(diary: Diary, frames: list[Frame], accounts: list[RunAccount]) -> None:
    """Every mirrored exchange is a frame, a drop with a reason, or died with its worker."""
    totals = Counter[str]()
    for account in accounts:
        for kind in ("mirrored", "spooled", "dropped"):
            totals[kind] += account.total(kind)
        assert account.pending >= 0
    lost = sum(account.pending for account in accounts)
    assert totals["spooled"] == len(frames)
    assert totals["mirrored"] == totals["spooled"] + totals["dropped"] + lost
    assert len(frames) <= len(diary.answers) + len(diary.lost)
