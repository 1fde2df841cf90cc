"""What every source of changes does when tables change, logs are lost and readers fail."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from legacy_adapters.errors import SourceLost, SourceUnavailable, SourceUnfit
from legacy_adapters.mapping.marks import FENCE, MARKS
from legacy_adapters.mapping.rows import Broken, Column, ColumnKind, Row, Table, key_text
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import ChangeSource
from tests.contract.legacy_adapters.capture_following import (
    apply,
    changes,
    everything,
    next_names,
    read_now,
    told,
)
from tests.contract.legacy_adapters.capture_labs import (
    ITEM,
    PART,
    Lab,
    insert,
    item,
    metadata_for,
    part,
    update,
)

pytestmark = [pytest.mark.contract, pytest.mark.timeout(60)]


async def test_an_idle_log_gives_empty_batches_that_come_to_its_end(
    lab: Lab, source: ChangeSource
) -> None:
    end = await source.here()
    async with asyncio.timeout(10), source.read(None) as batches:
        seen = [await anext(batches) for _ in range(4)]

    assert all(batch.transactions == () for batch in seen)
    assert seen[-1].read_to >= end


async def test_a_table_that_is_emptied_is_empty_for_who_follows(
    lab: Lab, source: ChangeSource
) -> None:
    state: dict[tuple[str, str], Row] = {}
    statement = "DELETE FROM" if lab.engine.dialect.name == "sqlite" else "TRUNCATE TABLE"
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1), item(2))
        await insert(connection, PART, {"item": 1, "place": "a", "units": 1})
    async with lab.engine.begin() as connection:
        await connection.exec_driver_sql(f"{statement} {ITEM.name}")
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(3))

    apply(state, await read_now(source))

    assert set(state) == {(ITEM.name, "3"), (PART.name, "1|a")}


async def test_a_table_that_changes_is_told_and_its_later_rows_have_the_right_names(
    lab: Lab, source: ChangeSource
) -> None:
    first = "" if lab.engine.dialect.name in ("sqlite", "postgresql") else " FIRST"
    one: Row = {"item": 1, "place": "a", "units": 1}
    async with lab.engine.begin() as connection:
        await insert(connection, PART, one)
    before = await read_now(source)
    async with lab.engine.begin() as connection:
        await connection.exec_driver_sql(f"ALTER TABLE lab_part ADD note VARCHAR(9){first}")
    async with lab.engine.begin() as connection:
        await insert(connection, PART, {**one, "place": "b"})

    after = await read_now(source, before[-1].position)

    assert [transaction.altered for transaction in before] == [()]
    assert after[0].altered == (PART.name,)
    assert told(after, PART.name) == [("1|b", None, {**one, "place": "b"})]


async def test_a_log_that_is_gone_is_said_to_be_lost(lab: Lab, source: ChangeSource) -> None:
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1))
    (transaction,) = await read_now(source)
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(2))
    await lab.lose_log(source)

    with pytest.raises(SourceLost):
        await read_now(source, transaction.position)


async def test_a_reader_that_is_cut_off_says_so_and_the_next_goes_on(
    lab: Lab, source: ChangeSource
) -> None:
    if not lab.is_server:
        await lab.cut()
        return
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1))
    (first,) = await read_now(source)

    with pytest.raises(SourceUnavailable):
        await _cut_while_reading(lab, source, first.position)

    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(2))
    assert told(await read_now(source, first.position), ITEM.name) == [("2", None, item(2))]


async def _cut_while_reading(lab: Lab, source: ChangeSource, after: Position) -> None:
    async with asyncio.timeout(30), source.read(after) as batches:
        await anext(batches)
        await lab.cut()
        async for _ in batches:
            pass


async def test_a_second_reader_is_refused(lab: Lab, source: ChangeSource) -> None:
    other = lab.source()
    async with asyncio.timeout(30), source.read(None) as batches:
        await anext(batches)

        with pytest.raises(SourceUnavailable, match="another reader"):
            async with other.read(None):
                pass

        await anext(batches)
    await other.close()


async def test_a_broken_cell_arrives_as_what_it_is_and_stops_nothing(
    lab: Lab, source: ChangeSource
) -> None:
    column = await lab.poison(1)
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(2))

    found = changes(await read_now(source), ITEM.name)
    stored = await everything(source)

    assert found[-1].after == item(2)
    last = next(change.after for change in reversed(found) if change.key == "1")
    assert last is not None
    assert isinstance(last[column], Broken)
    assert stored[ITEM.name, "1"] == last


async def test_a_fence_stands_between_what_it_let_through_and_what_it_refused(
    lab: Lab, source: ChangeSource
) -> None:
    owners = sa.select(metadata_for(lab.engine).tables[FENCE.name].c.owner)
    refused: list[int] = []

    async def shop(writer: int) -> None:
        number = writer
        while number < 10_000 and not refused[20:]:
            async with lab.engine.begin() as connection:
                owner = await connection.execute(owners.with_for_update(read=True))
                if owner.scalar_one() == "legacy":
                    await insert(connection, ITEM, item(number))
                else:
                    refused.append(number)
            number += 10
            await asyncio.sleep(0)

    async def fence() -> None:
        for term in range(2, 6):
            await asyncio.sleep(0.1)
            owner = "none" if term % 2 == 0 else "legacy"
            async with lab.engine.begin() as connection:
                await update(
                    connection, FENCE, {"domain": "catalog"}, {"owner": owner, "term": term}
                )

    async def close_for_good() -> None:
        await fence()
        async with lab.engine.begin() as connection:
            await update(connection, FENCE, {"domain": "catalog"}, {"owner": "none", "term": 9})

    await asyncio.gather(close_for_good(), *(shop(writer) for writer in range(4)))

    found = await read_now(source)

    owner: object = "legacy"
    for change in changes(found, ITEM.name, FENCE.name):
        if change.table == FENCE.name:
            assert change.after is not None
            owner = change.after["owner"]
        else:
            assert owner == "legacy"
    assert len(changes(found, ITEM.name)) > 4


async def test_what_is_settled_is_seen_by_a_new_reader(lab: Lab, source: ChangeSource) -> None:
    async with asyncio.timeout(30), source.read(None) as batches:
        for number in range(8):
            async with lab.engine.begin() as connection:
                await insert(connection, ITEM, item(number))
            names = await next_names(batches)

            await source.settled(names)

            async with lab.engine.begin() as connection:
                rows = await connection.execute(
                    sa.text("SELECT count(*) FROM lab_item WHERE id = :id"), {"id": number}
                )
                assert rows.scalar_one() == 1


async def test_what_is_prepared_twice_or_removed_twice_is_well(
    lab: Lab, source: ChangeSource
) -> None:
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1))
    await source.prepare()
    kept = await read_now(source)
    await source.remove()
    await source.remove()
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(2))
    await source.prepare()
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(3))

    found = await read_now(source)

    assert told(kept, ITEM.name) == [("1", None, item(1))]
    assert told(found, ITEM.name)[-1] == ("3", None, item(3))


async def test_a_fingerprint_is_of_a_tables_definition(lab: Lab, source: ChangeSource) -> None:
    before = await source.fingerprints()
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1))
    same = await source.fingerprints()
    async with lab.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE lab_part ADD note VARCHAR(9)")
        await connection.exec_driver_sql("DROP TABLE lab_item")

    after = await source.fingerprints()

    assert set(before) == {ITEM.name, PART.name, *(table.name for table in MARKS)}
    assert same == before
    assert after[PART.name] != before[PART.name]
    assert after == {
        **{n: d for n, d in before.items() if n != ITEM.name},
        PART.name: after[PART.name],
    }


async def test_the_log_is_kept_for_a_reader_and_its_size_is_told(
    lab: Lab, source: ChangeSource
) -> None:
    before = await source.retention()
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, *(item(n, name="x" * 1_000) for n in range(200)))

    after = await source.retention()

    assert after.behind_bytes - before.behind_bytes > 100_000
    assert after.state in ("ok", "alarm")


async def test_a_table_that_is_missing_makes_the_source_unfit(lab: Lab) -> None:
    table = Table("lab_missing", ("id",), {"id": Column(ColumnKind.INTEGER)})
    source = lab.source((ITEM, table))

    with pytest.raises(SourceUnfit, match="lab_missing"):
        await source.prepare()

    await source.close()


async def test_a_table_without_a_primary_key_makes_the_source_unfit(lab: Lab) -> None:
    async with lab.engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE lab_heap (id INTEGER)")
    table = Table("lab_heap", ("id",), {"id": Column(ColumnKind.INTEGER)})
    source = lab.source((ITEM, table))

    with pytest.raises(SourceUnfit, match="primary key"):
        await source.prepare()

    await source.close()


async def test_a_snapshot_stays_as_it_was_when_it_was_opened(
    lab: Lab, source: ChangeSource
) -> None:
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, item(1))
    async with source.snapshot() as snapshot:
        async with lab.engine.begin() as connection:
            await insert(connection, ITEM, item(2))
            await update(connection, ITEM, {"id": 1}, {"name": "later"})

        rows = await snapshot.page(ITEM, None, 10)

        behind = await read_now(source, snapshot.high)

    assert rows == [item(1)]
    assert told(behind, ITEM.name) == [
        ("2", None, item(2)),
        ("1", item(1), item(1, name="later")),
    ]


async def test_a_snapshot_gives_pages_ranges_and_choices(lab: Lab, source: ChangeSource) -> None:
    async with lab.engine.begin() as connection:
        await insert(connection, ITEM, *(item(n) for n in range(1, 101)))
        await insert(
            connection, PART,
            *(part(n // 2, "ab"[n % 2], n) for n in range(10)),
        )  # fmt: skip

    async with source.snapshot() as snapshot:
        first = await snapshot.page(ITEM, None, 3)
        middle = await snapshot.page(ITEM, "3", 50, to="6")
        parts = await snapshot.page(PART, "1|a", 3)
        some = await snapshot.some(PART, "item", ["4", "1", "77", "no number"])
        by_text = await snapshot.some(ITEM, "name", ["item 7", "'"])
        cuts = await snapshot.splits(ITEM, 4)
        count = await snapshot.count(ITEM)

    assert [row["id"] for row in first] == [1, 2, 3]
    assert [row["id"] for row in middle] == [4, 5, 6]
    assert [key_text(PART, row) for row in parts] == ["1|b", "2|a", "2|b"]
    assert [key_text(PART, row) for row in some] == ["1|a", "1|b", "4|a", "4|b"]
    assert by_text == [item(7)]
    assert len(cuts) == 3
    assert all(abs(int(cut) - 25 * (at + 1)) <= 2 for at, cut in enumerate(cuts))
    assert count == 100


async def test_who_takes_slowly_loses_nothing(lab: Lab, source: ChangeSource) -> None:
    for number in range(40):
        async with lab.engine.begin() as connection:
            await insert(connection, ITEM, *(item(100 * number + n) for n in range(100)))
    end = await source.here()
    keys: list[str] = []

    async with asyncio.timeout(50), source.read(None) as batches:
        async for batch in batches:
            keys += [change.key for change in changes(batch.transactions, ITEM.name)]
            await asyncio.sleep(0.2)
            if batch.read_to >= end:
                break

    assert keys == [str(n) for n in range(4_000)]
