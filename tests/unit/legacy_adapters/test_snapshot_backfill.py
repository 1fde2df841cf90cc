from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_adapters.errors import BackfillBusy, BackfillTooEarly
from legacy_adapters.mapping.aggregates import Child, Shape
from legacy_adapters.mapping.rows import Column, ColumnKind, Row, Table
from legacy_adapters.mapping.versions import Version
from legacy_adapters.ports.capture import ChangeSource
from legacy_adapters.ports.documents import Kind
from legacy_adapters.ports.stage import Stage
from legacy_adapters.service.snapshotting import Clockwork, Pace, SnapshotBackfill
from tests.fakes.backfilling import AT, FakeBooks, FakeStage, FakeTables, Killed, names

NUMBER = Column(ColumnKind.INTEGER)
ORDER = Table("shop_order", ("id",), {"id": NUMBER, "total": NUMBER})
LINE = Table("shop_line", ("id",), {"id": NUMBER, "order_id": NUMBER})
SHAPE = Shape("order", ORDER, (Child(LINE, "order_id"),))
KIND = cast("Kind[Any]", SimpleNamespace(translation=SimpleNamespace(shape=SHAPE)))
OURS = {"orders": ("legacy", 3)}


class Ticks:
    """A clock that moves by itself, and sleepers that wait no time."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.now_s, self.step_s = 0.0, step_s
        self.slept: list[float] = []

    def seconds(self) -> float:
        self.now_s += self.step_s
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Heard:
    def __init__(self) -> None:
        self.total = self.done = 0

    def begin(self, task: str, total: int, done: int) -> None:
        self.total, self.done = total, done

    def advance(self, steps: int) -> None:
        self.done += steps


def order(key: int, total: int = 0) -> Row:
    return {"id": key, "total": total}


def shop(orders: int, lines: int = 0) -> FakeTables:
    return FakeTables(
        {
            "shop_order": {key: order(key) for key in range(orders)},
            "shop_line": {key: {"id": key, "order_id": 0} for key in range(lines)},
        }
    )


def backfill(
    source: FakeTables,
    stage: FakeStage,
    books: FakeBooks,
    pace: Pace | None = None,
    ticks: Ticks | None = None,
    heard: Heard | None = None,
) -> SnapshotBackfill:
    clock = ticks or Ticks()
    return SnapshotBackfill(
        cast("ChangeSource", source),
        cast("Stage", stage),
        books,
        heard or Heard(),
        lambda: AT,
        Clockwork(clock.seconds, clock.sleep),
        pace,
    )


def content(source: FakeTables) -> dict[tuple[str, str], Row]:
    return {
        (name, str(key)): row for name, some in source.rows.items() for key, row in some.items()
    }


@settings(max_examples=60)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 12), st.integers(1, 5))
async def test_every_row_is_staged_whatever_the_pages_and_tasks(
    orders: int, lines: int, page: int, tasks: int
) -> None:
    source, stage, heard = shop(orders, lines), FakeStage(OURS), Heard()

    copied = await backfill(
        source, stage, FakeBooks(), Pace(page=page, tasks=tasks), heard=heard
    ).run("orders", [KIND])

    assert stage.live() == content(source)
    assert (copied.rows, copied.taken) == (orders + lines, orders + lines)
    assert heard.done == heard.total == orders + lines


@settings(max_examples=60)
@given(st.integers(0, 30), st.integers(1, 7), st.lists(st.integers(1, 9), max_size=4))
async def test_a_run_that_is_killed_anywhere_goes_on_and_ends_as_one_that_was_not(
    orders: int, page: int, kills: list[int]
) -> None:
    source, stage, books = shop(orders, orders // 2), FakeStage(OURS), FakeBooks()
    pace = Pace(page=page, tasks=2)

    for at in kills:
        stage.kill_at = stage.calls + at
        with suppress(Killed):
            await backfill(source, stage, books, pace).run("orders", [KIND])
    stage.kill_at = None
    await backfill(source, stage, books, pace).run("orders", [KIND])

    assert stage.live() == content(source)
    assert books.kept["orders"].finished_at == AT


async def test_a_run_goes_on_after_the_last_page_and_reads_none_twice() -> None:
    source, stage, books = shop(10), FakeStage(OURS), FakeBooks()
    pace = Pace(page=2, tasks=1)
    stage.kill_at = 3
    with pytest.raises(Killed):
        await backfill(source, stage, books, pace).run("orders", [KIND])
    stage.kill_at = None

    copied = await backfill(source, stage, books, pace).run("orders", [KIND])

    assert copied.resumed
    assert copied.rows == 6


async def test_a_change_that_the_stream_brought_first_is_not_overwritten_by_an_older_row() -> None:
    source, stage = shop(1), FakeStage(OURS)

    def change_meanwhile() -> None:
        # 1. The snapshot is open, 2. a shopper changes the row, 3. the stream is faster.
        source.order += 1
        source.rows["shop_order"][0] = order(0, total=9)
        stage.put("shop_order", "0", Version(3, source.order), order(0, total=9))

    source.on_page = change_meanwhile

    await backfill(source, stage, FakeBooks()).run("orders", [KIND])

    assert stage.live()["shop_order", "0"] == order(0, total=9)


async def test_a_row_that_was_deleted_meanwhile_does_not_come_back() -> None:
    source, stage = shop(2), FakeStage(OURS)

    def delete_meanwhile() -> None:
        source.order += 1
        source.rows["shop_order"].pop(0, None)
        stage.put("shop_order", "0", Version(3, source.order), None)

    source.on_page = delete_meanwhile

    await backfill(source, stage, FakeBooks()).run("orders", [KIND])

    assert names(stage.live()) == ["shop_order/1"]


async def test_what_vanished_while_nobody_listened_is_swept_by_the_next_run() -> None:
    source, stage, books = shop(4), FakeStage(OURS), FakeBooks()
    await backfill(source, stage, books).run("orders", [KIND])
    del source.rows["shop_order"][2]
    source.order += 5

    copied = await backfill(source, stage, books).run("orders", [KIND])

    assert copied.gone == 1
    assert stage.live() == content(source)


async def test_a_snapshot_is_given_back_after_its_time() -> None:
    source = shop(20)
    ticks = Ticks(step_s=1.0)

    await backfill(
        source, FakeStage(OURS), FakeBooks(), Pace(page=2, tasks=1, snapshot_s=1.5), ticks
    ).run("orders", [KIND])

    assert source.snapshots >= 5


async def test_a_backfill_before_the_stream_is_refused_and_reads_nothing() -> None:
    source = shop(3)

    with pytest.raises(BackfillTooEarly, match="banyan sync"):
        await backfill(source, FakeStage(), FakeBooks()).run("orders", [KIND])

    assert source.snapshots == 0


async def test_the_rows_of_a_domain_that_the_core_owns_are_not_copied() -> None:
    with pytest.raises(BackfillBusy, match="core owns orders"):
        await backfill(shop(3), FakeStage({"orders": ("core", 5)}), FakeBooks()).run(
            "orders", [KIND]
        )


async def test_a_flip_meanwhile_stops_the_copying() -> None:
    source, stage = shop(3), FakeStage(OURS)

    def flip() -> None:
        stage.terms = {"orders": ("none", 4)}

    source.on_page = flip

    with pytest.raises(BackfillBusy):
        await backfill(source, stage, FakeBooks()).run("orders", [KIND])

    assert stage.live() == {}


async def test_a_rate_is_kept_by_waiting() -> None:
    ticks = Ticks()

    await backfill(
        shop(10), FakeStage(OURS), FakeBooks(), Pace(page=5, tasks=1, rows_per_s=5), ticks
    ).run("orders", [KIND])

    assert max(ticks.slept) == pytest.approx(2.0)


async def test_the_backfill_waits_while_too_much_is_not_applied_yet() -> None:
    stage, ticks = FakeStage(OURS, dirty=11), Ticks()

    async def drain(seconds: float) -> None:
        ticks.slept.append(seconds)
        stage.dirty -= 1

    ticks.sleep = drain  # type: ignore[method-assign]

    await backfill(shop(1), stage, FakeBooks(), Pace(waiting=8), ticks).run("orders", [KIND])

    assert ticks.slept == [0.2, 0.2, 0.2]
