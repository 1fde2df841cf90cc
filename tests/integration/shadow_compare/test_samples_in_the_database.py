"""Samples as rows: bounded, fair after every thinning, and forgotten with their epoch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shadow_compare.core.parity import StratumCounts
from shadow_compare.core.sampling import Stratum
from shadow_compare.core.verdict import Outcome
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.samples import forget_epochs, read_strata, store_samples
from shadow_compare.storage.schema import migrate
from shadow_compare.storage.strata_tables import samples, strata
from tests.support.comparing import NOW_S, epoch, judged, sample

pytestmark = pytest.mark.integration


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    made = writer_engine(parse(f"sqlite+aiosqlite:///{tmp_path}/evidence.sqlite3"))
    await migrate(made)
    yield made
    await made.dispose()


async def rows(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        query = sa.select(sa.func.count()).select_from(samples)
        return int((await connection.execute(query)).scalar_one())


async def strata_of(connection: AsyncConnection, key: str) -> Mapping[Stratum, StratumCounts]:
    """The strata of one epoch of the catalogue."""
    return (await read_strata(connection, [("catalog", key)])).get("catalog", {})


async def test_what_is_remembered_is_bounded_and_what_is_counted_stays_a_fair_draw(
    engine: AsyncEngine,
) -> None:
    frames = [
        judged(n, Outcome.MISMATCH if n % 5 == 0 else Outcome.MATCH, of_sample=sample(f"s-{n}"))
        for n in range(8_000)
    ]
    added = []
    for start in range(0, len(frames), 500):
        async with engine.begin() as connection:
            added.append(await store_samples(connection, frames[start : start + 500], 400))
    async with engine.begin() as connection:
        again = await store_samples(connection, frames, 400)
        (counts,) = (await strata_of(connection, epoch().key)).values()
        below, remembered = (
            await connection.execute(sa.select(strata.c.below, strata.c.remembered))
        ).one()

    assert await rows(engine) == remembered <= 400
    assert below < 2**60
    assert 700 < counts.samples < 3_000
    assert counts.unequal / counts.samples == pytest.approx(0.2, abs=0.05)
    assert sum(found for batch in added for found, _ in batch.values()) == counts.samples
    assert list(again.values()) == [(0, 0)]
    assert counts.compared == 16_000


async def test_a_transaction_that_fails_leaves_neither_counts_nor_samples(
    engine: AsyncEngine,
) -> None:
    frames = [judged(n) for n in range(50)]

    async def dies() -> None:
        async with engine.begin() as connection:
            await store_samples(connection, frames)
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await dies()
    async with engine.connect() as connection:
        found = await strata_of(connection, epoch().key)

    assert (found, await rows(engine)) == ({}, 0)


async def test_an_epoch_that_is_out_of_force_for_long_is_forgotten_with_its_samples(
    engine: AsyncEngine,
) -> None:
    old = [judged(n, epoch_key="old", at_s=NOW_S - 1_000) for n in range(10)]
    new = [judged(n, epoch_key="new", at_s=NOW_S) for n in range(10)]

    async with engine.begin() as connection:
        await store_samples(connection, [*old, *new])
        await forget_epochs(connection, NOW_S - 500)
        gone = await strata_of(connection, "old")
        kept = await strata_of(connection, "new")

    assert gone == {}
    assert [counts.samples for counts in kept.values()] == [10]
    assert await rows(engine) == 10
