"""Stock records in the core's tables, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from legacy_adapters.oscar.mapping.records import oscar_id
from legacy_adapters.oscar.mapping.sync_stock import StockRecord
from legacy_adapters.oscar.storage.core_stock import SqlStockRecords
from new_core.domain.identity import ExternalRef
from new_core.domain.reservation import Owner, Reservation, ReservationState
from new_core.storage import SqlDatabase
from new_core.storage import tables as t
from tests.integration.legacy_adapters.documents import (
    BORN,
    NOW,
    core_url,
    counted,
    little_core,
    put_stock,
    stock_record,
)

pytestmark = pytest.mark.integration

# Making an example smaller takes minutes with a database behind it.
SOME = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)  # fmt: skip

DOCS = SqlStockRecords()
units = st.none() | st.integers(0, 2**31 - 1)
records = st.builds(
    stock_record,
    st.integers(1, 4), st.integers(1, 3), sku=st.sampled_from(["a", "b", "ä 🎉"]),
    currency=st.sampled_from(["GBP", "JPY"]), unit_micro=st.none() | st.integers(0, 10**15),
    on_hand=units, reserved=units, low_at=units,
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from core_url(request, tmp_path_factory)


async def read(database: SqlDatabase, *keys: int) -> dict[UUID, StockRecord]:
    async with database.reading() as uow:
        ids = [oscar_id("stock_level", str(key)) for key in keys]
        return dict(await DOCS.read(uow, ids))


async def row_of(database: SqlDatabase, key: int) -> Any:
    async with database.reading() as uow:
        chosen = sa.select(t.stock_level).where(
            t.stock_level.c.id == oscar_id("stock_level", str(key))
        )
        return (await uow.connection.execute(chosen)).mappings().one()


@SOME
@given(batches=st.lists(st.lists(records, max_size=4, unique_by=lambda one: one.id), max_size=3))
def test_what_was_written_is_read(url: str, batches: list[list[StockRecord]]) -> None:
    async def run() -> None:
        async with little_core(url) as database:
            for batch in batches:
                await put_stock(database, *batch)
                found = await read(database, 1, 2, 3, 4)
                assert [found[one.id] for one in batch] == batch

    asyncio.run(run())


def promise(key: int, of: int, quantity: int, state: ReservationState) -> Reservation:
    return Reservation(
        UUID(int=key), Owner("order", UUID(int=key)), oscar_id("variant", "1"),
        oscar_id("stock_level", str(of)), quantity, state, None,
    )  # fmt: skip


def test_what_the_other_store_has_sent_is_promised_no_more_here(url: str) -> None:
    async def run() -> tuple[list[str], Any, Any]:
        async with little_core(url) as database:
            await put_stock(database, stock_record(21, on_hand=10, reserved=9))
            states = (ReservationState.COMMITTED, ReservationState.COMMITTED, ReservationState.HELD)
            async with database.writing() as uow:
                for at, state in enumerate(states):
                    one = promise(100 + at, 21, 3, state)
                    await uow.reservations.put([one], NOW + timedelta(seconds=at))
                await uow.commit()
            await put_stock(database, stock_record(21, on_hand=8, reserved=7))
            first = await row_of(database, 21)
            await put_stock(database, stock_record(21, on_hand=8, reserved=4))
            second = await row_of(database, 21)
            async with database.reading() as uow:
                owners = [Owner("order", UUID(int=100 + at)) for at in range(3)]
                found = [one for owner in owners for one in await uow.reservations.of(owner)]
            return [one.state.value for one in found], first, second

    states, first, second = asyncio.run(run())

    assert states == ["consumed", "consumed", "held"]
    assert (first["reserved"], first["reserved_elsewhere"]) == (7, 1)
    assert (second["reserved"], second["reserved_elsewhere"]) == (4, 1)


def test_more_promised_than_there_is_is_a_shortfall_and_no_refusal(url: str) -> None:
    async def run() -> Any:
        async with little_core(url) as database:
            await put_stock(database, stock_record(22, on_hand=1, reserved=5))
            return await row_of(database, 22)

    assert asyncio.run(run())["shortfall"] == 4


def test_a_price_and_a_stock_are_answered_at_once_and_nothing_is_told(url: str) -> None:
    async def run() -> tuple[Any, int, int]:
        async with little_core(url) as database:
            async with database.reading() as uow:
                outbox = sa.select(sa.func.count()).select_from(t.outbox.outbox_event)
                before = (await uow.connection.execute(outbox)).scalar_one()
            await put_stock(database, stock_record(23, 4, unit_micro=5_000_000))
            await put_stock(database, stock_record(23, 4, unit_micro=4_000_000, on_hand=2))
            async with database.reading() as uow:
                found = await uow.stock.sellable(oscar_id("product", "4"))
                after = (await uow.connection.execute(outbox)).scalar_one()
            return found, before, after

    found, before, after = asyncio.run(run())

    assert found.variant.sku == "sku-23"
    (line,) = [one for one in found.lines if one.level.value.sku == "sku-23"]
    assert (line.listed.price.unit_micro, line.level.value.on_hand) == (4_000_000, 2)
    assert before == after


def test_a_record_without_its_product_or_partner_is_refused_and_the_others_are_not(
    url: str,
) -> None:
    async def run() -> tuple[Any, Any]:
        async with little_core(url) as database:
            docs = [
                stock_record(31, product=99),
                stock_record(32, warehouse_id=UUID(int=9)),
                stock_record(33),
            ]
            async with database.writing() as uow:
                reasons = await DOCS.write(uow, docs, NOW)
                await uow.commit()
            return reasons, await read(database, 31, 32, 33)

    reasons, found = asyncio.run(run())

    assert set(reasons) == {stock_record(31).id, stock_record(32).id}
    assert found == {stock_record(33).id: stock_record(33)}


def test_the_oldest_record_sells_and_gives_its_sku_whatever_came_first(url: str) -> None:
    async def run() -> tuple[Any, Any]:
        async with little_core(url) as database:
            await put_stock(database, stock_record(42, 5))
            await put_stock(database, stock_record(41, 5))
            async with database.reading() as uow:
                first = (await uow.catalog.variants([oscar_id("product", "5")])).values()
            async with database.writing() as uow:
                await DOCS.remove(uow, [stock_record(41).id], NOW)
                await uow.commit()
            async with database.reading() as uow:
                second = (await uow.catalog.variants([oscar_id("product", "5")])).values()
            return [one.sku for one in first], [one.sku for one in second]

    assert asyncio.run(run()) == (["sku-41"], ["sku-42"])


def test_a_record_that_units_were_promised_of_is_gone_and_its_row_stays(url: str) -> None:
    async def run() -> tuple[Any, Any]:
        async with little_core(url) as database:
            await put_stock(database, stock_record(51))
            async with database.writing() as uow:
                ref = ExternalRef("oscar", "stock_level", "51", stock_record(51).id, "")
                await uow.refs.put([ref], NOW)
                await uow.reservations.put([promise(200, 51, 1, ReservationState.CONSUMED)], NOW)
                await uow.commit()
            for _ in range(2):
                async with database.writing() as uow:
                    await DOCS.remove(uow, [stock_record(51).id, UUID(int=77)], NOW)
                    await uow.commit()
            return await row_of(database, 51), await read(database, 51)

    row, found = asyncio.run(run())

    assert row["on_hand"] is None
    assert found == {}


def test_a_thousand_records_take_as_many_statements_as_ten(url: str) -> None:
    async def run() -> list[int]:
        counts = []
        async with little_core(url) as database:
            # The first one opens connections, which have statements of their own.
            for first, last in ((900, 901), (1000, 1010), (2000, 3000)):
                docs = [stock_record(key, created_at=BORN) for key in range(first, last)]
                with counted() as statements:
                    await put_stock(database, *docs)
                counts.append(len(statements))
        return counts

    _, few, many = asyncio.run(run())

    assert few == many


def test_all_ids_are_turned_over_page_by_page(url: str) -> None:
    async def run() -> tuple[list[UUID], list[UUID]]:
        async with little_core(url) as database:
            await put_stock(database, *(stock_record(key) for key in (61, 62, 63)))
            found: list[UUID] = []
            async with database.reading() as uow:
                while page := await DOCS.page(uow, found[-1] if found else None, 2):
                    found += page
                every = (await uow.connection.execute(sa.select(t.stock_level.c.id))).scalars()
                return found, sorted(every)

    found, every = asyncio.run(run())

    assert {stock_record(key).id for key in (61, 62, 63)} <= set(found)
    assert found == sorted(set(found))
    assert set(found) <= set(every)
