"""What every database's fences promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from legacy_adapters.errors import FenceTimeout, SourceUnfit
from legacy_adapters.mapping.marks import DRY_RUN, REPLICATOR
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import NOBODY, Side
from legacy_adapters.ports.fences import FenceRow
from legacy_adapters.storage.fences_gate import SqlFences
from tests.support.databases import database_of
from tests.support.fenced_shop import DOMAINS, GROUP, PAGE, SALE, TABLES, VISIT, Shop, fences_of

pytestmark = pytest.mark.contract


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    with database_of(request, tmp_path_factory) as url:
        found = Shop(url)
        found.make()
        yield found


@pytest.fixture
async def fences(shop: Shop) -> AsyncIterator[SqlFences]:
    async with fences_of(shop) as found:
        await found.install(DOMAINS, Side.LEGACY)
        yield found


def writes(shop: Shop, table: Table) -> Iterator[str]:
    """One statement of each way to change a table."""
    name = shop.quoted(table.name)
    yield f"INSERT INTO {name} (note) VALUES ('new')"  # noqa: S608 - names of our own
    yield f"UPDATE {name} SET note = 'changed'"  # noqa: S608 - names of our own
    yield f"DELETE FROM {name}"  # noqa: S608 - names of our own


async def test_who_owns_a_domain_writes_as_if_there_were_no_fence(
    shop: Shop, fences: SqlFences
) -> None:
    for table in TABLES:
        shop.run(*writes(shop, table))

    assert await fences.rows() == {
        "orders": FenceRow("orders", "legacy", 1),
        "catalog": FenceRow("catalog", "legacy", 1),
    }


@pytest.mark.parametrize("table", [SALE, GROUP])
@pytest.mark.parametrize("way", [0, 1, 2])
async def test_a_closed_gate_refuses_every_way_to_write(
    shop: Shop, fences: SqlFences, table: Table, way: int
) -> None:
    closed = await fences.close_gate("orders", term=1, wait_s=2)

    with pytest.raises(DBAPIError, match="MIG_FENCED orders"):
        shop.run(list(writes(shop, table))[way])

    assert (closed.changed, closed.row) == (True, FenceRow("orders", NOBODY, 2))
    assert shop.rows(table) == 1


async def test_a_closed_gate_leaves_other_domains_and_unfenced_tables_alone(
    shop: Shop, fences: SqlFences
) -> None:
    await fences.close_gate("orders", term=1, wait_s=2)

    shop.run(*writes(shop, PAGE), *writes(shop, VISIT))

    assert shop.rows(PAGE) == 0


@pytest.mark.parametrize("role", [REPLICATOR, DRY_RUN])
async def test_a_closed_gate_lets_a_transaction_through_that_says_its_role(
    shop: Shop, fences: SqlFences, role: str
) -> None:
    await fences.close_gate("orders", term=1, wait_s=2)

    shop.run(shop.role(role), *writes(shop, SALE), shop.role(""))

    assert shop.rows(SALE) == 0
    with pytest.raises(DBAPIError, match="MIG_FENCED"):
        shop.run("INSERT INTO shop_sale (note) VALUES ('again')")


async def test_closing_waits_for_who_is_writing(shop: Shop, fences: SqlFences) -> None:
    with shop.open_write() as writer:
        closing = asyncio.ensure_future(fences.close_gate("orders", term=1, wait_s=10))
        done, _ = await asyncio.wait([closing], timeout=0.3)
        assert not done
        writer.commit()

    closed = await closing

    assert closed.changed
    assert closed.waited_s >= 0.2
    assert shop.rows(SALE) == 2


async def test_a_gate_that_cannot_close_in_time_stays_open(shop: Shop, fences: SqlFences) -> None:
    with shop.open_write() as writer:
        with pytest.raises(FenceTimeout):
            await fences.close_gate("orders", term=1, wait_s=0.3)
        writer.exec_driver_sql("INSERT INTO shop_sale (note) VALUES ('more')")
        writer.commit()

    assert (await fences.rows())["orders"] == FenceRow("orders", "legacy", 1)
    assert shop.rows(SALE) == 3


async def test_closing_twice_is_closing_once(fences: SqlFences) -> None:
    first = await fences.close_gate("orders", term=1, wait_s=2)
    second = await fences.close_gate("orders", term=1, wait_s=2)

    assert (first.changed, second.changed) == (True, True)
    assert second.row == FenceRow("orders", NOBODY, 2)


@pytest.mark.parametrize("term", [0, 2, 7])
async def test_a_gate_does_not_close_for_another_term(fences: SqlFences, term: int) -> None:
    closed = await fences.close_gate("orders", term=term, wait_s=2)

    assert (closed.changed, closed.row) == (False, FenceRow("orders", "legacy", 1))


async def test_a_gate_that_there_is_not_does_not_close(fences: SqlFences) -> None:
    closed = await fences.close_gate("stars", term=1, wait_s=2)

    assert (closed.changed, closed.row) == (False, None)


async def test_two_who_close_at_once_both_find_it_closed_once(shop: Shop) -> None:
    async with fences_of(shop) as one, fences_of(shop) as other:
        await one.install(DOMAINS, Side.LEGACY)

        closed = await asyncio.gather(
            one.close_gate("orders", term=1, wait_s=5), other.close_gate("orders", term=1, wait_s=5)
        )

        assert [found.changed for found in closed] == [True, True]
        assert (await one.rows())["orders"] == FenceRow("orders", NOBODY, 2)


async def test_a_gate_opens_for_its_owner_alone(shop: Shop, fences: SqlFences) -> None:
    await fences.close_gate("orders", term=1, wait_s=2)

    across = await fences.open_gate("orders", Side.CORE, term=3, wait_s=2)
    with pytest.raises(DBAPIError, match="MIG_FENCED"):
        shop.run("INSERT INTO shop_sale (note) VALUES ('refused')")
    back = await fences.open_gate("orders", Side.LEGACY, term=5, wait_s=2)
    shop.run("INSERT INTO shop_sale (note) VALUES ('taken')")

    assert across.row == FenceRow("orders", "core", 3)
    assert back.row == FenceRow("orders", "legacy", 5)
    assert shop.rows(SALE) == 2


async def test_a_gate_opens_once_and_not_for_a_term_that_is_over(fences: SqlFences) -> None:
    await fences.close_gate("orders", term=1, wait_s=2)
    opened = await fences.open_gate("orders", Side.CORE, term=3, wait_s=2)

    again = await fences.open_gate("orders", Side.CORE, term=3, wait_s=2)
    zombie = await fences.open_gate("orders", Side.LEGACY, term=3, wait_s=2)
    older = await fences.open_gate("orders", Side.LEGACY, term=2, wait_s=2)

    assert [one.changed for one in (opened, again, zombie, older)] == [True, True, False, False]
    assert older.row == FenceRow("orders", "core", 3)


async def test_installing_again_changes_no_row_and_fences_what_is_new(
    shop: Shop, fences: SqlFences
) -> None:
    await fences.close_gate("orders", term=1, wait_s=2)

    shop.run("CREATE TABLE shop_more (id INTEGER PRIMARY KEY, note VARCHAR(9))")

    more = {"more": (Table("shop_more", ("id",), {}),)}
    await fences.install({**DOMAINS, **more}, Side.CORE)

    assert (await fences.rows())["orders"] == FenceRow("orders", NOBODY, 2)
    with pytest.raises(DBAPIError, match="MIG_FENCED more"):
        shop.run("INSERT INTO shop_more (id) VALUES (1)")


async def test_a_table_that_leaves_its_domain_is_not_fenced_any_more(
    shop: Shop, fences: SqlFences
) -> None:
    await fences.close_gate("orders", term=1, wait_s=2)

    await fences.install({"orders": (GROUP,)}, Side.LEGACY)
    shop.run("INSERT INTO shop_sale (note) VALUES ('free')")

    assert shop.rows(SALE) == 2


async def test_removing_takes_all_of_ours_away_and_nothing_of_the_shops(
    shop: Shop, fences: SqlFences
) -> None:
    before = sa.inspect(shop.engine).get_table_names()
    await fences.close_gate("orders", term=1, wait_s=2)

    await fences.remove()
    await fences.remove()
    shop.run(*writes(shop, SALE))

    left = sa.inspect(shop.engine).get_table_names()
    assert left == [name for name in before if not name.startswith("mig_")]
    assert await fences.rows() == {}


async def test_a_domain_can_be_fenced_again_after_all_was_removed(
    shop: Shop, fences: SqlFences
) -> None:
    await fences.remove()

    await fences.install(DOMAINS, Side.CORE)

    with pytest.raises(DBAPIError, match="MIG_FENCED"):
        shop.run("INSERT INTO shop_sale (note) VALUES ('refused')")


async def test_a_gate_does_not_close_when_a_table_was_made_anew_without_its_fence(
    shop: Shop, fences: SqlFences
) -> None:
    shop.run("DROP TABLE shop_sale", "CREATE TABLE shop_sale (id INTEGER PRIMARY KEY)")

    with pytest.raises(SourceUnfit, match="shop_sale lost the fence"):
        await fences.close_gate("orders", term=1, wait_s=2)

    assert await fences.gaps(["orders", "catalog"]) == ["shop_sale"]
    await fences.install(DOMAINS, Side.LEGACY)
    assert (await fences.close_gate("orders", term=1, wait_s=2)).changed


async def test_a_table_that_is_not_there_cannot_be_fenced(shop: Shop) -> None:
    async with fences_of(shop) as fences:
        with pytest.raises(SourceUnfit, match="shop_star"):
            await fences.install({"orders": (Table("shop_star", ("id",), {}),)}, Side.LEGACY)


async def test_installing_twice_at_once_is_installing_once(shop: Shop) -> None:
    async with fences_of(shop) as one, fences_of(shop) as other:
        await asyncio.gather(one.install(DOMAINS, Side.LEGACY), other.install(DOMAINS, Side.LEGACY))

        assert await one.gaps(list(DOMAINS)) == []
