"""What every keeper of control rows and journals does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import (
    Control,
    FlipBooks,
    FlipStart,
    Lease,
    Line,
    Mark,
    Over,
    Phase,
    Verdict,
)
from legacy_adapters.storage import upgrade_sync
from legacy_adapters.storage.flips import SqlFlips, make_flip_engine
from legacy_adapters.storage.tables import marks
from new_core.errors import StoreUnavailable
from new_core.storage import upgrade
from tests.fakes.flips import AT, FakeFlipBooks

pytestmark = pytest.mark.contract

_START = FlipStart("orders", "flip", Side.LEGACY, Side.CORE, 1, "ann", "the day has come")
_LINE = Line("hold", Mark.INTENT, {"routes": ["cart"]})
_OVER = Over("committed", freeze_ms=81.25)
_COMMITTED = Verdict(Phase.COMMITTED, Side.CORE, 3)


@pytest.fixture(params=["", "sqlite", "postgresql"], ids=lambda name: name or "fake")
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return request.param and f"sqlite:///{tmp_path}/core.sqlite3"


@pytest.fixture
async def books(url: str) -> AsyncIterator[FlipBooks]:
    if not url:
        yield FakeFlipBooks()
        return
    engine = make_flip_engine(url)
    try:
        await upgrade(engine)
        await upgrade_sync(engine)
        yield SqlFlips(engine, lambda: AT)
    finally:
        await engine.dispose()


async def _begun(books: FlipBooks, holder: str = "me") -> Lease:
    return Lease("orders", await books.begin(_START, ()), holder)


async def _leased(books: FlipBooks, holder: str = "me") -> Lease:
    seen = await books.ensure("orders", Side.LEGACY, 1)
    lease = await _begun(books, holder)
    assert await books.lease(lease, seen, [_LINE])
    return lease


async def _row(books: FlipBooks) -> Control:
    found = await books.control("orders")
    assert found is not None
    return found


async def test_a_row_is_made_once_as_its_fences_are(books: FlipBooks) -> None:
    first = await books.ensure("orders", Side.LEGACY, 1)
    second = await books.ensure("orders", Side.CORE, 9)

    assert first == second == Control("orders", Phase.OWNED, Side.LEGACY, 1)


async def test_of_two_that_want_the_lease_one_gets_it(books: FlipBooks) -> None:
    seen = await books.ensure("orders", Side.LEGACY, 1)
    leases = [await _begun(books, holder) for holder in ("me", "you")]

    taken = await asyncio.gather(*(books.lease(lease, seen, [_LINE]) for lease in leases))

    assert sorted(taken) == [False, True]
    winner = leases[taken.index(True)]
    row = await _row(books)
    assert (row.phase, row.flip, row.holder) == (Phase.FLIPPING, winner.flip, winner.holder)


async def test_a_lease_of_a_row_that_moved_since_is_refused(books: FlipBooks) -> None:
    seen = await books.ensure("orders", Side.LEGACY, 1)
    lease = await _begun(books)

    assert not await books.lease(lease, replace(seen, term=3), ())
    assert not await books.lease(lease, replace(seen, flip=8), ())


async def test_a_flip_that_stands_still_is_taken_over_by_one(books: FlipBooks) -> None:
    lease = await _leased(books)
    seen = await _row(books)
    others = [replace(lease, holder=holder) for holder in ("you", "she")]

    taken = await asyncio.gather(*(books.take_over(other, seen) for other in others))

    assert sorted(taken) == [False, True]
    assert not await books.keep(lease)
    assert await books.keep(others[taken.index(True)])


async def test_a_flip_whose_holder_lives_is_not_taken_over(books: FlipBooks) -> None:
    lease = await _leased(books)
    seen = await _row(books)
    assert await books.keep(lease)

    assert not await books.take_over(replace(lease, holder="you"), seen)


async def test_a_domain_at_rest_is_not_taken_over(books: FlipBooks) -> None:
    seen = await books.ensure("orders", Side.LEGACY, 1)

    assert not await books.take_over(Lease("orders", 0, "you"), seen)


async def test_of_a_commit_and_an_abort_the_first_decides(books: FlipBooks) -> None:
    lease = await _leased(books)
    verdicts = [_COMMITTED, Verdict(Phase.ABORTED, Side.LEGACY, 3)]

    decided = await asyncio.gather(*(books.decide(lease, verdict, ()) for verdict in verdicts))

    assert sorted(decided) == [False, True]
    row, verdict = await _row(books), verdicts[decided.index(True)]
    assert (row.phase, row.owner, row.term) == (verdict.phase, verdict.owner, verdict.term)


async def test_who_lost_the_lease_decides_nothing_and_writes_nothing(books: FlipBooks) -> None:
    lease = await _leased(books)
    before = await _row(books)
    assert await books.take_over(replace(lease, holder="you"), before)
    lines = await books.journal(lease.flip)

    found = [
        await books.decide(lease, _COMMITTED, [_LINE]),
        await books.note(lease, [_LINE]),
        await books.close(lease, [_LINE], _OVER),
    ]

    assert found == [False, False, False]
    assert await books.journal(lease.flip) == lines
    assert (await _row(books)).phase is Phase.FLIPPING


async def test_only_what_is_decided_is_closed(books: FlipBooks) -> None:
    lease = await _leased(books)

    is_closed_early = await books.close(lease, (), _OVER)
    await books.decide(lease, _COMMITTED, ())
    is_closed = await books.close(lease, (), _OVER)

    assert (is_closed_early, is_closed) == (False, True)
    row = await _row(books)
    assert (row.phase, row.owner, row.term, row.holder) == (Phase.OWNED, Side.CORE, 3, "")
    assert not await books.keep(lease)
    (record,) = await books.flips("orders")
    assert (record.outcome, record.freeze_ms) == ("committed", 81.25)


async def test_a_watch_is_written_behind_a_flip_that_is_over(books: FlipBooks) -> None:
    lease = await _leased(books)
    await books.decide(lease, _COMMITTED, ())
    await books.close(lease, (), _OVER)

    await books.add(lease.flip, "me", [Line("watch", Mark.DONE)])

    assert [one.line.step for one in await books.journal(lease.flip)] == ["hold", "watch"]


async def test_the_journal_keeps_lines_in_their_order(books: FlipBooks) -> None:
    lease = await _leased(books)
    more = [Line("hold", Mark.DONE, {"ms": 1.5}), Line("fence", Mark.INTENT)]

    await books.note(lease, more)

    found = await books.journal(lease.flip)
    assert [(one.line, one.holder) for one in found] == [(line, "me") for line in [_LINE, *more]]
    assert [one.line.facts for one in found] == [{"routes": ["cart"]}, {"ms": 1.5}, {}]


async def test_how_a_flip_ended_is_said_once(books: FlipBooks) -> None:
    lease = await _begun(books)

    await books.end(lease.flip, Over("nothing", problem="late"))
    await books.end(lease.flip, _OVER)

    (record,) = await books.flips("orders")
    assert (record.outcome, record.freeze_ms, record.problem) == ("nothing", None, "late")
    assert record.start == _START


async def test_flips_come_newest_first(books: FlipBooks) -> None:
    numbers = [(await _begun(books)).flip for _ in range(3)]

    found = await books.flips("orders", limit=2)

    assert [record.id for record in found] == [numbers[2], numbers[1]]
    assert await books.flips("catalog") == []


# The fake has no database of the core beside it, and so no gate.
@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("verdict", "owner", "term"),
    [
        (_COMMITTED, "core", 3),
        (Verdict(Phase.ABORTED, Side.LEGACY, 3), "legacy", 1),
    ],
)
async def test_a_decision_for_the_core_opens_its_gate_in_the_same_breath(
    books: FlipBooks, verdict: Verdict, owner: str, term: int
) -> None:
    assert isinstance(books, SqlFlips)
    lease = await _leased(books)
    fence = {"domain": "orders", "owner": "legacy", "term": 1}
    async with books.engine.begin() as connection:
        await connection.execute(sa.insert(marks.fence).values(fence))

    await books.decide(lease, verdict, ())

    async with books.engine.connect() as connection:
        row = (await connection.execute(sa.select(marks.fence))).one()
    assert (row.owner, row.term) == (owner, term)


async def test_a_database_that_is_away_is_said_so_in_our_words() -> None:
    engine = make_flip_engine("postgresql://nobody@127.0.0.1:9/none")

    with pytest.raises(StoreUnavailable):
        await SqlFlips(engine, lambda: AT).controls()
    await engine.dispose()
