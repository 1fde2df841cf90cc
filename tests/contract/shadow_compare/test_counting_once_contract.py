"""A frame counts once, whoever stores it and however often: in memory, SQLite, PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shadow_compare.core.batch import Batch, Judged, Passed
from shadow_compare.core.evidence import DomainEvidence
from shadow_compare.core.verdict import Outcome
from shadow_compare.ports import EvidenceReader, EvidenceWriter
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.reader import SqlEvidenceReader
from shadow_compare.storage.schema import migrate
from shadow_compare.storage.writer import SqlEvidenceWriter
from tests.fakes.evidence_store import EvidenceInMemory
from tests.support.comparing import DETAIL, LIST, NOW_S, domain, epoch, judged

pytestmark = pytest.mark.contract

MIRRORED = f"mirrored|catalog|{LIST}"
SENT = f"sent|catalog|{LIST}"


class Comparers:
    """Two comparers over one store, and what readers see."""

    def __init__(self, one: EvidenceWriter, two: EvidenceWriter, reader: EvidenceReader) -> None:
        self.one, self.two = one, two
        self._reader = reader

    async def books(self) -> tuple[int, int, int, dict[str, int]]:
        found = (await self.evidence()).accounting
        assert found.mirrored == found.compared + found.lost + found.pending
        assert found.pending >= 0
        return found.mirrored, found.compared, found.pending, dict(found.losses)

    async def evidence(self) -> DomainEvidence:
        return await self._reader.domain(domain())


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite+aiosqlite:///{tmp_path}/evidence.sqlite3" if request.param == "sqlite" else ""


@pytest.fixture
async def comparers(url: str) -> AsyncIterator[Comparers]:
    if not url:
        fake = EvidenceInMemory(now_s=NOW_S)
        yield Comparers(fake, fake, fake)
        return
    one, two = (writer_engine(parse(url)) for _ in range(2))
    await migrate(one)
    reader = SqlEvidenceReader(parse(url), lambda: NOW_S)
    yield Comparers(SqlEvidenceWriter(one), SqlEvidenceWriter(two), reader)
    for opened in (reader.close, one.dispose, two.dispose):
        await opened()


def batch(*frames: Judged, mirrored: int = 0, **more: object) -> Batch:
    accounts = {"run-1": {MIRRORED: mirrored}} if mirrored else {}
    return Batch(NOW_S, frames, (epoch(),), accounts=accounts, **more)  # type: ignore[arg-type]


async def test_a_batch_that_is_stored_again_adds_nothing(comparers: Comparers) -> None:
    first = batch(judged(1), judged(2, Outcome.MISMATCH), mirrored=2)

    stored = await comparers.one.commit(first)
    again = await comparers.two.commit(first)

    found = await comparers.evidence()
    assert (stored.judged, again.judged) == (first.judged, ())
    assert (found.overall.matched, found.overall.mismatched) == (1, 1)
    assert await comparers.books() == (2, 2, 0, {})


async def test_of_batches_that_overlap_only_the_new_part_counts(comparers: Comparers) -> None:
    await comparers.one.commit(batch(judged(2), judged(3)))

    stored = await comparers.two.commit(batch(judged(1), judged(3), judged(5), judged(5)))

    assert [one.seq for one in stored.judged] == [1, 5]
    assert (await comparers.evidence()).overall.matched == 4


async def test_comparers_that_store_at_the_same_time_count_every_frame_once(
    comparers: Comparers,
) -> None:
    batches = [batch(*(judged(seq) for seq in range(at, at + 20)), mirrored=60) for at in (1, 11)]

    for _ in range(3):
        await asyncio.gather(comparers.one.commit(batches[0]), comparers.two.commit(batches[1]))

    assert (await comparers.evidence()).overall.matched == 30
    assert await comparers.books() == (60, 30, 30, {})


async def test_what_the_bus_let_go_of_is_lost_and_does_not_count_when_it_comes_after_all(
    comparers: Comparers,
) -> None:
    await comparers.one.commit(batch(judged(1), judged(4), mirrored=9))

    await comparers.one.commit(batch(passed={"run-1": Passed(5, {SENT: 5})}))
    await comparers.two.commit(batch(judged(3), judged(6)))

    assert await comparers.books() == (9, 3, 3, {"bus_dropped": 3})


async def test_never_more_is_given_up_than_was_sent_and_in_the_end_not_less(
    comparers: Comparers,
) -> None:
    # 1 and 2 are gone; 6, sent later, is done already and hides one of them for now.
    await comparers.one.commit(batch(*(judged(seq) for seq in (3, 4, 5, 6)), mirrored=7))

    await comparers.one.commit(batch(passed={"run-1": Passed(5, {SENT: 5})}))
    hidden = await comparers.books()
    await comparers.two.commit(batch(judged(7), passed={"run-1": Passed(7, {SENT: 7})}))

    assert hidden == (7, 4, 2, {"bus_dropped": 1})
    assert await comparers.books() == (7, 5, 0, {"bus_dropped": 2})


async def test_what_the_bus_lost_is_lost_to_its_own_route(comparers: Comparers) -> None:
    sent = {SENT: 2, f"sent|catalog|{DETAIL}": 1, "sent|other|GET /": 1}
    await comparers.one.commit(batch(judged(1), judged(2), mirrored=2))

    await comparers.one.commit(batch(passed={"run-1": Passed(4, sent)}))

    assert await comparers.books() == (3, 2, 0, {"bus_dropped": 1})


async def test_a_run_that_is_closed_stays_closed_whatever_comes_of_it(
    comparers: Comparers,
) -> None:
    end = batch(judged(1), mirrored=3, closed={"run-1": "crash"})
    await comparers.one.commit(end)
    await comparers.one.commit(batch(gone=("run-1",)))

    await comparers.two.commit(end)
    await comparers.two.commit(batch(judged(2), mirrored=3, passed={"run-1": Passed(3, {SENT: 3})}))

    assert await comparers.books() == (3, 1, 0, {"crash": 2})
    assert (await comparers.evidence()).overall.matched == 1
