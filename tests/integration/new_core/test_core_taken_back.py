"""Whatever units of work a dry run opens, commits and leaves: nothing of them stays."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import AsyncAdaptedQueuePool

from new_core.errors import DryRunStrayed, InvalidValue
from new_core.ports import UnitOfWork
from new_core.storage import SqlDatabase, make_engine, make_reader, make_trier
from tests.support.little_shop import LEVEL, ON_HAND, THEN, fill, on_hand

pytestmark = pytest.mark.integration


class _BugError(Exception):
    """What a route did not foresee."""


@asynccontextmanager
async def opened(url: str, *, dry: bool = True) -> AsyncIterator[SqlDatabase]:
    trier = make_trier(url) if dry else None
    database = SqlDatabase(make_engine(url), make_reader(url), trier)
    try:
        yield database
    finally:
        await database.dispose()


async def seen(uow: UnitOfWork) -> int | None:
    return (await uow.stock.levels([LEVEL]))[LEVEL].level.value.on_hand


async def put(uow: UnitOfWork, units: int) -> None:
    level = (await uow.stock.levels([LEVEL]))[LEVEL].level.value
    await uow.stock.put_levels([level.counted(units)], THEN)


async def end_it(uow: UnitOfWork, end: str) -> None:
    if end == "commit":
        await uow.commit()
    elif end == "bug":
        raise _BugError
    elif end == "bad value":
        level = (await uow.stock.levels([LEVEL]))[LEVEL].level.value
        await uow.stock.put_levels([replace(level, on_hand=-1)], THEN)


ENDS = st.sampled_from(["commit", "leave", "bug", "bad value"])
UNITS_OF_WORK = st.lists(st.tuples(st.integers(10, 99), ENDS), max_size=6)


async def play(database: SqlDatabase, plan: list[tuple[int, str]]) -> None:
    """Each unit of work counts, and ends as planned; the next one sees what was committed."""
    expected: int | None = ON_HAND
    async with database.dry_run():
        for units, end in plan:
            with contextlib.suppress(_BugError, InvalidValue):
                async with database.writing() as uow:
                    assert await seen(uow) == expected
                    await put(uow, units)
                    await end_it(uow, end)
            expected = units if end == "commit" else expected
            async with database.reading() as uow:
                assert await seen(uow) == expected


def test_any_run_sees_its_own_commits_and_leaves_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/core.sqlite3"
    asyncio.run(fill(url))

    @settings(max_examples=25)
    @given(UNITS_OF_WORK)
    def check(plan: list[tuple[int, str]]) -> None:
        async def run() -> None:
            async with opened(url) as database:
                await play(database, plan)

        asyncio.run(run())
        assert asyncio.run(on_hand(url)) == (ON_HAND, 1)

    check()


async def test_a_process_without_dry_runs_says_so_before_it_runs_anything(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/core.sqlite3"
    await fill(url)
    was_run = False

    async with opened(url, dry=False) as database:
        with pytest.raises(DryRunStrayed):
            async with database.dry_run():
                was_run = True

    assert was_run is False


async def test_a_writer_that_is_cut_short_while_it_waits_gives_its_place_back(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/core.sqlite3"
    await fill(url)
    engine = make_engine(url, pool_size=2)
    pool = engine.sync_engine.pool
    assert isinstance(pool, AsyncAdaptedQueuePool)
    database = SqlDatabase(engine, make_reader(url))

    async def wait() -> None:
        async with database.writing():
            pytest.fail("the lock was held")

    for units in (40, 41):
        async with database.writing() as first:
            waiting = asyncio.ensure_future(wait())
            async with asyncio.timeout(20):
                while pool.checkedout() < 2:
                    await asyncio.sleep(0)
            waiting.cancel()
            await put(first, units)
            await first.commit()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert pool.checkedout() == 0
    await database.dispose()

    assert await on_hand(url) == (41, 3)
