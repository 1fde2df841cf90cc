"""Books of reconciliation, in memory and in the evidence database: one behaviour."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.mapping.versions import Side
from shadow_compare.core.drift_class import DriftClass
from shadow_compare.core.drift_record import Drift, DriftSample, DriftState, drift_id
from shadow_compare.core.reconcile_digest import digest_of
from shadow_compare.core.reconcile_pass import Leg, PassKind, PassRecord, Stretch, Tally
from shadow_compare.errors import PassBusy
from shadow_compare.ports.reconciling import FoundDrift, ReconcileBooks, RepairRecord
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.reconcile_books import LEASE_S, SqlReconcileBooks
from shadow_compare.storage.schema import migrate
from tests.fakes.reconcile_books import MemoryReconcileBooks

pytestmark = pytest.mark.integration


class Clock:
    at_s = 1_000.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return "" if request.param == "memory" else f"sqlite+aiosqlite:///{tmp_path / 'e.sqlite3'}"


@pytest.fixture
async def books(place: str, clock: Clock) -> AsyncIterator[ReconcileBooks]:
    if not place:
        yield MemoryReconcileBooks(clock)
        return
    engine = await _migrated(place)
    yield SqlReconcileBooks(engine, clock, lambda holder: holder != "dead")
    await engine.dispose()


async def _migrated(url: str) -> AsyncEngine:
    engine = writer_engine(parse(url))
    await migrate(engine)
    return engine


def record(
    name: str = "p1",
    *,
    kind: PassKind = PassKind.FULL,
    holder: str = "one",
    started_s: float = 1_000.0,
    owner: Side = Side.LEGACY,
) -> PassRecord:
    return PassRecord(
        name, kind, "orders", owner, 42, started_s, None, 100, Tally(), is_clean=False,
        holder=holder,
    )  # fmt: skip


def found(
    key: str,
    *,
    at_s: float = 1_001.0,
    drift: DriftClass = DriftClass.VALUE,
    stake: tuple[int, str] | None = (500, "EUR"),
) -> FoundDrift:
    one = Drift(
        drift_id("orders", "order", key), "orders", "order", key, str(UUID(int=7)), "legacy",
        drift, ("status", "lines[].price_minor"), stake, "", at_s, at_s, since_s=at_s,
    )  # fmt: skip
    return FoundDrift(one, (DriftSample("status", "paid", "open"),))


PARTS = (
    Stretch(0, "order", Leg.OWNER, None, "50"),
    Stretch(1, "order", Leg.OWNER, "50", None),
    Stretch(2, "order", Leg.OTHER),
)


async def test_what_is_kept_of_a_stretch_is_what_is_taken_up(books: ReconcileBooks) -> None:
    begun = await books.begin(record(), PARTS)
    tally = Tally(5, 9, 1, 2, 3, digest_of("a") + digest_of("b"), digest_of("c"))
    moved = replace(PARTS[1], cursor="60|ü", tally=tally, pending=("51", "55"))

    await books.keep(begun, moved, (), ())

    assert list(await books.stretches("p1")) == [PARTS[0], moved, PARTS[2]]


async def test_a_pass_of_another_living_process_is_left_to_it(books: ReconcileBooks) -> None:
    await books.begin(record(), PARTS)

    with pytest.raises(PassBusy):
        await books.begin(record("p2", holder="two"), PARTS)


async def test_a_pass_that_was_given_up_is_taken_up(books: ReconcileBooks) -> None:
    begun = await books.begin(record(), PARTS)
    await books.give_up(begun, "away")

    taken = await books.begin(record("p2", holder="two"), PARTS)

    assert (taken.id, taken.holder) == ("p1", "two")


async def test_who_lost_a_pass_stores_nothing(books: ReconcileBooks) -> None:
    lost = await books.begin(record(), PARTS)
    await books.give_up(lost, "away")
    await books.begin(record("p2", holder="two"), PARTS)

    for act in (
        books.keep(lost, PARTS[0], [found("7")], ()),
        books.beat(lost),
        books.end(lost),
    ):
        with pytest.raises(PassBusy):
            await act
    assert list(await books.drifts("orders")) == []


async def test_an_unfinished_pass_of_another_owner_is_closed(books: ReconcileBooks) -> None:
    begun = await books.begin(record(), PARTS)
    await books.give_up(begun, "away")

    taken = await books.begin(record("p2", holder="two", owner=Side.CORE), PARTS)

    assert taken.id == "p2"
    assert await books.last("orders", Side.LEGACY) is None


async def test_a_pass_without_differences_is_clean(books: ReconcileBooks) -> None:
    begun = await books.begin(record(), PARTS)

    ended = await books.end(replace(begun, tally=Tally(checked=9)))

    assert ended.is_clean
    last = await books.last("orders", Side.LEGACY, clean=True, whole=True)
    assert last is not None
    assert (last.id, last.tally.checked, last.from_order) == ("p1", 9, 42)
    assert await books.last("orders", Side.CORE, clean=True) is None


async def test_an_open_difference_keeps_every_pass_from_being_clean(books: ReconcileBooks) -> None:
    begun = await books.begin(record(), PARTS)
    await books.keep(begun, PARTS[0], [found("7")], ())

    ended = await books.end(begun)

    assert not ended.is_clean
    assert await books.last("orders", Side.LEGACY, clean=True) is None


async def test_declared_losses_do_not(books: ReconcileBooks) -> None:
    begun = await books.begin(record(), PARTS)
    await books.keep(begun, PARTS[0], [found("7", drift=DriftClass.LOSSY_ACCEPTED)], ())

    ended = await books.end(begun)

    assert ended.is_clean


async def test_what_a_later_pass_does_not_find_again_is_gone(
    books: ReconcileBooks, clock: Clock
) -> None:
    first = await books.begin(record(), PARTS)
    await books.keep(first, PARTS[0], [found("7"), found("8"), found("9")], ())
    await books.end(first)
    clock.at_s = 2_000.0
    second = await books.begin(record("p2", started_s=2_000.0), PARTS)
    await books.keep(second, PARTS[0], [found("8", at_s=2_001.0)], ["9"])

    await books.end(second)

    assert {one.key: one.state for one in await books.drifts("orders", state=None)} == {
        "7": DriftState.GONE, "8": DriftState.OPEN, "9": DriftState.OPEN,
    }  # fmt: skip


async def test_a_hot_pass_calls_nothing_gone(books: ReconcileBooks, clock: Clock) -> None:
    first = await books.begin(record(), PARTS)
    await books.keep(first, PARTS[0], [found("7")], ())
    await books.end(first)
    clock.at_s = 2_000.0
    second = await books.begin(record("p2", kind=PassKind.HOT, started_s=2_000.0), PARTS)

    ended = await books.end(second)

    assert [one.key for one in await books.drifts("orders")] == ["7"]
    assert not ended.is_clean


async def test_a_difference_that_is_found_again_is_one_row(books: ReconcileBooks) -> None:
    begun = await books.begin(record(), PARTS)
    await books.keep(begun, PARTS[0], [found("7", at_s=1_001.0)], ())

    await books.keep(begun, PARTS[0], [found("7", at_s=1_009.0, drift=DriftClass.TEXT)], ())

    (one,) = await books.drifts("orders")
    assert (one.first_s, one.last_s, one.drift) == (1_001.0, 1_009.0, DriftClass.TEXT)


async def test_differences_stand_by_money(books: ReconcileBooks) -> None:
    begun = await books.begin(record(), PARTS)
    some = [found("1", stake=(5, "EUR")), found("2", stake=None), found("3", stake=(9, "EUR"))]

    await books.keep(begun, PARTS[0], some, ())

    assert [one.key for one in await books.drifts("orders")] == ["3", "1", "2"]
    assert [one.key for one in await books.drifts("orders", limit=1)] == ["3"]
    assert list(await books.drifts("orders", drift=DriftClass.TEXT)) == []
    assert list(await books.drifts("carts")) == []


async def test_one_difference_is_opened_by_the_beginning_of_its_id(books: ReconcileBooks) -> None:
    begun = await books.begin(record(), PARTS)
    await books.keep(begun, PARTS[0], [found("7"), found("8")], ())
    wanted = drift_id("orders", "order", "7")

    opened = await books.drift(wanted[:9])

    assert opened is not None
    assert (opened[0].id, list(opened[1])) == (wanted, [DriftSample("status", "paid", "open")])
    assert opened[0].fields == ("status", "lines[].price_minor")
    assert await books.drift("d") is None
    assert await books.drift("") is None
    assert await books.drift("%") is None


async def test_a_difference_that_is_accepted_says_by_whom(books: ReconcileBooks) -> None:
    begun = await books.begin(record(), PARTS)
    await books.keep(begun, PARTS[0], [found("7")], ())

    moved = await books.move(
        [drift_id("orders", "order", "7"), "nobody"], DriftState.ACCEPTED, "ada", "known"
    )

    (one,) = await books.drifts("orders", state=DriftState.ACCEPTED)
    assert (moved, one.said_by, one.reason) == (1, "ada", "known")
    assert (await books.end(begun)).is_clean


async def test_what_could_not_be_told_is_kept_with_its_pass(books: ReconcileBooks) -> None:
    begun = await books.begin(record(), PARTS)

    await books.keep(begun, PARTS[0], (), ["5", "6"])
    await books.keep(begun, PARTS[0], (), ["6", "7"])

    assert list(await books.unsettled("p1")) == [("order", "5"), ("order", "6"), ("order", "7")]


async def test_repairs_are_noted_and_then_ended(books: ReconcileBooks) -> None:
    begun = RepairRecord("r1", "orders", "legacy", "ada", "why", 3, {"EUR": 5}, 0, 1.0, None)

    await books.note_repair(begun)
    await books.note_repair(replace(begun, repaired=3, ended_s=2.0))

    assert list(await books.repairs("orders", 9)) == [replace(begun, repaired=3, ended_s=2.0)]
    assert list(await books.repairs("carts", 9)) == []


@pytest.fixture
async def sql(tmp_path: Path, clock: Clock) -> AsyncIterator[SqlReconcileBooks]:
    engine = await _migrated(f"sqlite+aiosqlite:///{tmp_path / 'e.sqlite3'}")
    yield SqlReconcileBooks(engine, clock, lambda holder: holder != "dead")
    await engine.dispose()


async def test_a_pass_is_taken_from_a_process_that_was_not_heard_of(
    sql: SqlReconcileBooks, clock: Clock
) -> None:
    await sql.begin(record(), PARTS)
    clock.at_s += LEASE_S

    assert (await sql.begin(record("p2", holder="two"), PARTS)).id == "p1"


async def test_a_pass_of_a_process_that_is_known_to_be_dead_is_taken_at_once(
    sql: SqlReconcileBooks,
) -> None:
    await sql.begin(record(holder="dead"), PARTS)

    assert (await sql.begin(record("p2", holder="two"), PARTS)).id == "p1"


async def test_a_beat_keeps_a_pass(sql: SqlReconcileBooks, clock: Clock) -> None:
    begun = await sql.begin(record(), PARTS)
    clock.at_s += LEASE_S - 1
    await sql.beat(begun)
    clock.at_s += LEASE_S - 1

    with pytest.raises(PassBusy):
        await sql.begin(record("p2", holder="two"), PARTS)


async def test_nul_and_half_characters_of_a_shop_are_kept_as_something(
    sql: SqlReconcileBooks,
) -> None:
    begun = await sql.begin(record(), PARTS)
    odd = found("a\0b\ud800")

    await sql.keep(begun, PARTS[0], [odd], ["\0"])

    assert len(await sql.drifts("orders")) == 1


async def test_twenty_who_begin_at_once_begin_one_pass(sql: SqlReconcileBooks) -> None:
    begun = await asyncio.gather(
        *(sql.begin(record(f"p{n}", holder=f"h{n}"), PARTS) for n in range(20)),
        return_exceptions=True,
    )

    assert sorted({type(one).__name__ for one in begun}) == ["PassBusy", "PassRecord"]
    assert sum(isinstance(one, PassRecord) for one in begun) == 1
