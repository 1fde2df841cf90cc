"""People and comparers move the same group at the same time."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from shadow_compare.app import open_evidence, open_keeper
from shadow_compare.core.batch import Batch
from shadow_compare.core.life import Act, Wish
from shadow_compare.core.verdict import Outcome
from shadow_compare.errors import WishRefused
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.schema import migrate
from shadow_compare.storage.writer import SqlEvidenceWriter
from tests.support.comparing import NOW_S, epoch, judged

pytestmark = [pytest.mark.integration, pytest.mark.soak]
NAME = "v1:00000000000000aa"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite+aiosqlite:///{tmp_path}/evidence.sqlite3"


async def test_every_move_begins_where_the_one_before_it_ended(url: str) -> None:
    engine = writer_engine(parse(url))
    await migrate(engine)
    writer = SqlEvidenceWriter(engine)

    async def compare(seq: int) -> None:
        # Later than any mending, so that each hit on a fixed group re-opens it.
        frame = judged(seq, Outcome.MISMATCH, at_s=4_000_000_000.0 + seq)
        await writer.commit(Batch(NOW_S + seq, (frame,), (epoch(),)))

    await compare(1)

    async def person(act: Act) -> None:
        async with open_keeper(url) as keeper:
            for _ in range(8):
                try:
                    await keeper.grant(NAME, Wish(act, act.value, owner="pricing"))
                except WishRefused:
                    continue

    async def comparer() -> None:
        for seq in range(2, 12):
            await compare(seq)

    async with asyncio.TaskGroup() as group:
        group.create_task(person(Act.FIX))
        group.create_task(person(Act.TRIAGE))
        group.create_task(comparer())
    await compare(12)
    await engine.dispose()

    async with open_evidence(url) as evidence:
        found = await evidence.group(NAME)
        journal = (await evidence.story(NAME)).journal[::-1]
    assert found is not None
    assert found[0].count == 12
    assert journal[0].before.value == "new"
    assert all(one.after is other.before for one, other in pairwise(journal))
    assert journal[-1].after is found[0].life.state
    assert {Act.FIX, Act.TRIAGE} <= {entry.act for entry in journal}
