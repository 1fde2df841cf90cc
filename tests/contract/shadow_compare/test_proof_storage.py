"""Recorded pairs and uses of rules in SQLite and PostgreSQL."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shadow_compare.core.answer import Answer
from shadow_compare.core.batch import Batch, Judged
from shadow_compare.core.pairs import PAIRS_PER_STRATUM, RecordedPair, draw_of
from shadow_compare.core.rule_use import RuleUse
from shadow_compare.core.verdict import Outcome
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.proof_tables import recorded_pairs
from shadow_compare.storage.rule_uses import read_rule_uses
from shadow_compare.storage.schema import migrate
from shadow_compare.storage.writer import PRUNE_EVERY_S, SqlEvidenceWriter
from tests.support.comparing import LIST, NOW_S, epoch, frame, judged

pytestmark = pytest.mark.contract

SAME = Answer(200, (("Content-Type", "application/json"),), b'[{"id": 1}]')


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite+aiosqlite:///{tmp_path}/evidence.sqlite3"


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = writer_engine(parse(url))
    await migrate(engine)
    yield engine
    await engine.dispose()


def paired(seq: int, *, status: int = 200, used: tuple[str, ...] = ()) -> Judged:
    pair = RecordedPair(frame(seq, status=status), SAME, Outcome.MATCH)
    return dataclasses.replace(judged(seq), pair=pair, used=used)


def batch(*frames: Judged, at_s: float = NOW_S, **more: object) -> Batch:
    whole = Batch(at_s=at_s, judged=frames, epochs=(epoch(),))
    return dataclasses.replace(whole, **more)  # type: ignore[arg-type]


async def kept(engine: AsyncEngine, status_class: str = "2xx") -> set[int]:
    pairs = recorded_pairs.c
    query = sa.select(pairs.draw).where(pairs.status_class == status_class, pairs.route == LIST)
    async with engine.connect() as connection:
        return {row.draw for row in (await connection.execute(query)).all()}


async def test_the_pairs_with_the_lowest_draws_are_kept_over_batches_and_restarts(
    engine: AsyncEngine,
) -> None:
    draws = {draw_of("run-1", seq) for seq in range(1, 301)}

    for first in range(1, 301, 25):
        writer = SqlEvidenceWriter(engine)
        await writer.commit(batch(*(paired(seq) for seq in range(first, first + 25))))
    await SqlEvidenceWriter(engine).commit(batch(paired(1), paired(400, status=404)))

    assert await kept(engine) == set(sorted(draws)[:PAIRS_PER_STRATUM])
    assert await kept(engine, "4xx") == {draw_of("run-1", 400)}


async def test_one_writer_keeps_the_same_pairs_as_many(engine: AsyncEngine) -> None:
    writer = SqlEvidenceWriter(engine)
    draws = {draw_of("run-1", seq) for seq in range(1, 301)}

    for first in range(1, 301, 25):
        await writer.commit(batch(*(paired(seq) for seq in range(first, first + 25))))

    assert await kept(engine) == set(sorted(draws)[:PAIRS_PER_STRATUM])


async def test_pairs_of_releases_that_are_gone_are_deleted(engine: AsyncEngine) -> None:
    writer = SqlEvidenceWriter(engine)
    await writer.commit(batch(paired(1)))
    released = dataclasses.replace(epoch(), key="k2", stores="other")

    await writer.commit(batch(paired(2), at_s=NOW_S + PRUNE_EVERY_S, epochs=(released,)))

    assert await kept(engine) == {draw_of("run-1", 2)}


async def test_a_rule_is_known_from_its_first_day_and_remembers_its_last_use(
    engine: AsyncEngine,
) -> None:
    writer = SqlEvidenceWriter(engine)
    rules = {"catalog": ("aa", "bb")}
    await writer.commit(batch(rules=rules))
    late, early = paired(1, used=("aa",)), paired(2, used=("aa",))
    early = dataclasses.replace(early, at_s=NOW_S - 50)

    await writer.commit(batch(late, early, at_s=NOW_S + 100, rules=rules))
    await writer.commit(batch(dataclasses.replace(early, seq=3), at_s=NOW_S + 200, rules=rules))

    async with engine.connect() as connection:
        found = await read_rule_uses(connection, "catalog")
    assert found == {"aa": RuleUse(NOW_S, NOW_S, 3), "bb": RuleUse(NOW_S, None, 0)}
