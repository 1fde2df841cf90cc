"""What every source of changes tells, whichever database it reads."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.marks import APPLIED, HEARTBEAT
from legacy_adapters.mapping.rows import Row
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import ChangeSource, Transaction
from tests.contract.legacy_adapters.capture_following import (
    apply,
    changes,
    everything,
    pages,
    read_now,
    read_to,
    told,
)
from tests.contract.legacy_adapters.capture_labs import (
    ITEM,
    PART,
    Lab,
    as_replicator,
    beat,
    delete,
    insert,
    item,
    part,
    update,
)

pytestmark = [pytest.mark.contract, pytest.mark.timeout(60)]


async def test_commits_come_in_their_order_with_whole_rows(lab: Lab, source: ChangeSource) -> None:
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1), item(2))
    async with lab.engine.begin() as connection:
        await update(connection, ITEM, {"id": 1}, {"name": "changed"})
        await delete(connection, ITEM, {"id": 2})

    found = await read_now(source)

    assert told(found, ITEM.name) == [
        ("1", None, item(1)),
        ("2", None, item(2)),
        ("1", item(1), item(1, name="changed")),
        ("2", item(2), None),
    ]


async def test_positions_ascend_and_going_on_from_one_repeats_nothing(
    lab: Lab, source: ChangeSource
) -> None:
    found: list[Transaction] = []
    for number in range(5):
        async with lab.engine.begin() as connection:
            await insert(connection, ITEM, item(number))
        found += await read_now(source, found[-1].position if found else None)

    again = await read_now(source, found[2].position)

    assert [change.key for change in changes(found, ITEM.name)] == ["0", "1", "2", "3", "4"]
    assert [change.key for change in changes(again, ITEM.name)] == ["3", "4"]
    assert sorted(t.position for t in found) == [t.position for t in found]


CONTENTS = (
    item(1),
    item(2, name="", extra="{}", picture="", price="0.00", is_public=False, weight="0.0"),
    item(
        3,
        name="Käse, 'fein' \\ \"x\" 🧀 ,\n",
        price="-99999999.99",
        is_public=True,
        weight="0.30000000000000004",
        made_at="2026-01-31T09:00:00.123456Z",
        made_on="2024-02-29",
        code="6fa459ea-ee8a-3ca4-894e-db77e160355e",
        extra='{"a": [1, null, "é"]}',
        picture="AP8nLA==",
    ),
    item(2**63 - 1, price="7.90", weight="1e+100", made_at="1999-12-31T23:59:59.000000Z"),
    item(-(2**63), price="0.07", weight="-2.5", made_on="0099-01-01", name="x" * 100_000),
)
"""Rows of which each database has its own idea, equal in every one here."""


@pytest.mark.parametrize("row", CONTENTS, ids=["null", "empty", "odd", "greatest", "least"])
async def test_equal_contents_are_equal_rows_whichever_database_holds_them(
    lab: Lab, source: ChangeSource, row: Row
) -> None:
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, row)

    logged = await read_now(source)
    stored = await everything(source)

    assert [change.after for change in changes(logged, ITEM.name)] == [row]
    assert list(stored.values()) == [row]


async def test_a_rolled_back_transaction_never_appears(lab: Lab, source: ChangeSource) -> None:
    async with lab.engine.connect() as connection:
        await insert(connection, ITEM, item(1))
        await connection.rollback()
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(2))

    found = await read_now(source)

    assert told(found, ITEM.name) == [("2", None, item(2))]


async def test_what_a_transaction_took_back_within_itself_never_appears(
    lab: Lab, source: ChangeSource
) -> None:
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1))
        nested = await connection.begin_nested()
        await insert(connection, ITEM, item(2))
        await nested.rollback()

    found = await read_now(source)

    assert told(found, ITEM.name) == [("1", None, item(1))]


async def test_another_key_is_a_deletion_and_an_insertion(lab: Lab, source: ChangeSource) -> None:
    one: Row = {"item": 1, "place": "a|b", "units": 5}
    async with lab.engine.begin() as connection:
        await insert(connection, PART, one)
    async with lab.engine.begin() as connection:
        await update(connection, PART, {"item": 1, "place": "a|b"}, {"place": "c"})

    found = await read_now(source)

    assert told(found, PART.name) == [
        ("1|a|b", None, one),
        ("1|a|b", one, None),
        ("1|c", None, {**one, "place": "c"}),
    ]


async def test_what_was_not_confirmed_comes_again_to_the_next_reader(
    lab: Lab, source: ChangeSource
) -> None:
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1))
    once = await read_now(source)
    await source.close()
    other = lab.source()

    again = await read_now(other)

    assert told(once, ITEM.name) == told(again, ITEM.name) == [("1", None, item(1))]
    await other.close()


async def test_going_on_from_what_was_confirmed_gives_the_rest(
    lab: Lab, source: ChangeSource
) -> None:
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1))
    position = await _confirm_first(source)
    await source.close()
    other = lab.source()
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(2))

    found = await read_now(other, position)

    assert told(found, ITEM.name) == [("2", None, item(2))]
    await other.close()


async def _confirm_first(source: ChangeSource) -> Position:
    async with asyncio.timeout(30), source.read(None) as batches:
        async for batch in batches:
            if batch.transactions:
                await source.confirm(batch.transactions[-1].position)
                return batch.transactions[-1].position
    raise AssertionError("a log without end has ended")


async def test_reading_on_is_no_confirmation(lab: Lab, source: ChangeSource) -> None:
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1))
    first = await read_now(source)
    await source.confirm(first[-1].position)
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(2))
    # An idle log, read for a while: signs of life confirm nothing either.
    async with asyncio.timeout(30), source.read(first[-1].position) as batches:
        for _ in range(6):
            await anext(batches)
    await source.close()
    other = lab.source()

    found = await read_now(other, first[-1].position)

    assert told(found, ITEM.name) == [("2", None, item(2))]
    await other.close()


async def test_the_replicators_own_are_told_apart_among_many_writers(
    lab: Lab, source: ChangeSource
) -> None:
    async def shop(writer: int) -> None:
        for number in range(20):
            async with lab.engine.begin() as connection:
                await insert(connection, PART, part(writer, str(number)))

    async def replicator() -> None:
        for number in range(30):
            async with as_replicator(lab, position=number + 1) as connection:
                await insert(connection, ITEM, item(2 * number), item(2 * number + 1))

    await asyncio.gather(replicator(), *(shop(writer) for writer in range(4)))

    found = await read_now(source)

    ours = [transaction for transaction in found if transaction.is_ours]
    others = [transaction for transaction in found if not transaction.is_ours]
    assert [change.key for change in changes(ours, ITEM.name)] == [str(n) for n in range(60)]
    assert changes(ours, PART.name) == []
    assert len(changes(others, PART.name)) == 80
    assert changes(others, ITEM.name, APPLIED.name) == []


async def test_a_heartbeat_comes_through_and_is_nobodys_own(lab: Lab, source: ChangeSource) -> None:
    await beat(lab, 7)

    found = await read_now(source)

    (change,) = changes(found, HEARTBEAT.name)
    assert change.after == {"name": "lab", "beat": 7, "sent_us": 7}
    assert not any(transaction.is_ours for transaction in found)


async def test_a_commit_that_was_answered_is_before_the_end_asked_for_after_it(
    lab: Lab, source: ChangeSource
) -> None:
    for number in range(30):
        before = await source.here()
        async with lab.engine.begin() as connection:
            await insert(connection, ITEM, item(number))
        after = await source.here()

        (transaction,) = await read_to(source, after, before)

        assert before < transaction.position <= after


async def test_a_snapshot_and_what_comes_behind_it_make_the_tables_as_they_are(
    lab: Lab, source: ChangeSource
) -> None:
    random = Random(20260131)
    is_over = asyncio.Event()

    async def shop(writer: int) -> None:
        dice = Random(writer)
        while not is_over.is_set():
            # Whom the database takes for one of a deadlock has written nothing.
            with contextlib.suppress(OperationalError):
                await _some_commit(lab, dice, writer)

    states: list[dict[tuple[str, str], Row]] = []
    places: list[Position] = []

    async def look() -> None:
        for _ in range(5):
            await asyncio.sleep(random.uniform(0.05, 0.4))
            async with source.snapshot() as snapshot:
                await asyncio.sleep(random.uniform(0.0, 0.1))
                assert snapshot.low <= snapshot.high
                places.append(snapshot.low)
                states.append(await pages(snapshot, 7))
        is_over.set()

    await asyncio.gather(look(), *(shop(writer) for writer in range(4)))
    end = await source.here()
    final = await everything(source)
    for state, place in zip(states, places, strict=True):
        apply(state, await read_to(source, end, place))

    assert all(state == final for state in states)
    assert final


async def _some_commit(lab: Lab, dice: Random, writer: int) -> None:
    async with lab.engine.begin() as connection:
        for _ in range(dice.randint(1, 5)):
            await _some_write(connection, dice, writer)
        if dice.random() < 0.1:
            await connection.rollback()


async def _some_write(connection: AsyncConnection, dice: Random, writer: int) -> None:
    """Insert, change or delete a row; each writer has its own, so that none waits for another."""
    number = 1_000 * writer + dice.randint(0, 40)
    row, table = item(number, price="1.00"), ITEM
    cells: Row = {"name": str(dice.random())}
    if dice.random() < 0.3:
        row, table = part(number, dice.choice("abc")), PART
        cells = {"units": dice.randint(0, 9)}
    key = {name: row[name] for name in table.key}
    kind = dice.random()
    if kind < 0.4:
        await update(connection, table, key, cells)
        return
    await delete(connection, table, key)
    if kind > 0.6:
        await insert(connection, table, row)
