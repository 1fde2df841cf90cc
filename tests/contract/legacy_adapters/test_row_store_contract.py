"""What writing rows to a legacy database promises, whichever it is."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from legacy_adapters.errors import FencedOut, RowRefused, SourceUnfit
from legacy_adapters.mapping.rows import Broken, Cell, Column, ColumnKind, Row, Table, plain
from legacy_adapters.mapping.versions import Side, Version
from legacy_adapters.ports.fences import RowStore
from legacy_adapters.storage.rows_store import SqlRowStore, open_rows
from tests.support.databases import database_of
from tests.support.fenced_shop import DOMAINS, SALE, Shop, fences_of

pytestmark = pytest.mark.contract

KINDS = {
    "id": Column(ColumnKind.INTEGER),
    "flag": Column(ColumnKind.BOOLEAN),
    "words": Column(ColumnKind.TEXT),
    "price": Column(ColumnKind.DECIMAL, scale=2),
    "weight": Column(ColumnKind.NUMBER),
    "sent_at": Column(ColumnKind.MOMENT),
    "born_on": Column(ColumnKind.DAY),
    "token": Column(ColumnKind.UUID),
    "extra": Column(ColumnKind.JSON),
    "picture": Column(ColumnKind.BYTES),
}
GOODS = Table("shop_goods", ("id",), KINDS)
LINE = Table(
    "shop_Line",
    ("order", "code"),
    {
        "order": Column(ColumnKind.INTEGER),
        "code": Column(ColumnKind.TEXT),
        "units": Column(ColumnKind.INTEGER),
    },
)
SLUG = Table(
    "shop_slug",
    ("id",),
    {"id": Column(ColumnKind.INTEGER), "slug": Column(ColumnKind.TEXT)},
)
PART = Table(
    "shop_part",
    ("id",),
    {"id": Column(ColumnKind.INTEGER), "slug_id": Column(ColumnKind.INTEGER)},
)
STREAM = "core>legacy"

_TYPES = {
    "sqlite": ("bool", "decimal(12,2)", "real", "datetime", "date", "char(32)", "text", "BLOB"),
    "postgresql": (
        "boolean", "numeric(12,2)", "double precision", "timestamp with time zone", "date",
        "uuid", "jsonb", "bytea",
    ),
    "mysql": (
        "tinyint(1)", "decimal(12,2)", "double", "datetime(6)", "date", "char(32)", "longtext",
        "longblob",
    ),
}  # fmt: skip


def _tables(shop: Shop) -> Iterator[str]:
    q = shop.quoted
    flag, price, weight, moment, day, token, extra, picture = _TYPES[shop.dialect]
    yield (
        f"CREATE TABLE shop_goods (id INTEGER PRIMARY KEY, flag {flag}, words TEXT,"
        f" price {price}, weight {weight}, sent_at {moment}, born_on {day}, token {token},"
        f" extra {extra}, picture {picture})"
    )
    yield (
        f"CREATE TABLE {q('shop_Line')} ({q('order')} INTEGER, code VARCHAR(9), units INTEGER"
        f" NOT NULL DEFAULT 7, PRIMARY KEY ({q('order')}, code))"
    )
    yield "CREATE TABLE shop_slug (id INTEGER PRIMARY KEY, slug VARCHAR(9) NOT NULL UNIQUE)"
    yield (
        "CREATE TABLE shop_part (id INTEGER PRIMARY KEY, slug_id INTEGER,"
        " FOREIGN KEY (slug_id) REFERENCES shop_slug (id))"
    )


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    with database_of(request, tmp_path_factory) as url:
        found = Shop(url)
        found.make()
        found.run(*_tables(found))
        yield found


@pytest.fixture
async def store(shop: Shop) -> AsyncIterator[SqlRowStore]:
    async with fences_of(shop) as fences:
        await fences.install(DOMAINS, Side.LEGACY)
    found = open_rows(shop.url)
    yield found
    await found.close()


async def put(store: RowStore, table: Table, *rows: Row) -> None:
    async with store.writing(STREAM, "orders", 1, 10) as writing:
        await writing.put(table, rows)


def there(shop: Shop, table: Table) -> list[dict[str, Cell]]:
    """A table's rows, as the mapping reads them."""
    columns = ", ".join(shop.quoted(name) for name in table.columns)
    keys = ", ".join(shop.quoted(name) for name in table.key)
    with shop.engine.connect() as connection:
        found = connection.exec_driver_sql(
            f"SELECT {columns} FROM {shop.quoted(table.name)} ORDER BY {keys}"  # noqa: S608 - names of our own
        )
        return [
            {name: plain(table.columns[name], value) for name, value in row.items()}
            for row in found.mappings()
        ]


def goods(number: int, **cells: Cell) -> dict[str, Cell]:
    return {**dict.fromkeys(KINDS), "id": number, **cells}


_MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - made aware below
    lambda one: one.isoformat(timespec="microseconds") + "Z"
)
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
_CELLS: dict[str, st.SearchStrategy[Cell]] = {
    "flag": st.booleans(),
    "words": _TEXTS,
    "price": st.decimals(-9_999_999, 9_999_999, places=2).map(lambda one: f"{one:.2f}"),
    "weight": st.floats(allow_nan=False, allow_infinity=False).map(repr),
    "sent_at": _MOMENTS,
    "born_on": st.dates(datetime(1990, 1, 1).date()).map(str),  # noqa: DTZ001 - a day has no zone
    "token": st.uuids().map(str),
    "extra": st.just('{"a":[1,null,"ä"]}'),
    "picture": st.binary(max_size=20).map(lambda one: base64.b64encode(one).decode()),
}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_what_was_put_is_read_as_it_was(
    shop: Shop, store: SqlRowStore, data: st.DataObject
) -> None:
    cells: dict[str, st.SearchStrategy[Cell]] = {
        name: st.none() | one for name, one in _CELLS.items()
    }
    drawn = data.draw(st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=4))
    rows = [goods(number, **found) for number, found in enumerate(drawn, 1)]

    async with store.writing(STREAM, "orders", 1, 10) as writing:
        await writing.drop(GOODS, ["1", "2", "3", "4"])
        await writing.put(GOODS, rows)

    assert there(shop, GOODS) == rows


async def test_a_row_that_is_there_becomes_what_is_put_and_keeps_what_is_not_named(
    shop: Shop, store: SqlRowStore
) -> None:
    await put(store, GOODS, goods(1, words="old", price="1.00"), goods(2, words="other"))

    await put(store, GOODS, {"id": 1, "words": "new"}, goods(3, words="fresh"))

    assert [(row["id"], row["words"], row["price"]) for row in there(shop, GOODS)] == [
        (1, "new", "1.00"),
        (2, "other", None),
        (3, "fresh", None),
    ]


async def test_of_two_states_of_a_row_the_later_one_stays(shop: Shop, store: SqlRowStore) -> None:
    await put(store, GOODS, goods(1, words="first"), goods(1, words="second"))

    assert [row["words"] for row in there(shop, GOODS)] == ["second"]


async def test_many_rows_are_put_at_once(shop: Shop, store: SqlRowStore) -> None:
    await put(store, GOODS, *(goods(number, words="x" * 300) for number in range(1, 3001)))
    await put(store, GOODS, *(goods(number, words="y") for number in range(2000, 3501)))

    assert shop.number("SELECT count(*) FROM shop_goods WHERE words = 'y'") == 1501
    assert shop.number("SELECT count(*) FROM shop_goods") == 3500


async def test_a_key_of_two_columns_with_reserved_names_is_put_and_dropped(
    shop: Shop, store: SqlRowStore
) -> None:
    await put(store, LINE, {"order": 1, "code": "a|b"}, {"order": 1, "code": "c", "units": 2})

    async with store.writing(STREAM, "orders", 1, 11) as writing:
        await writing.put(LINE, [{"order": 1, "code": "c", "units": 3}])
        await writing.drop(LINE, ["1|a|b", "9|gone"])

    assert there(shop, LINE) == [{"order": 1, "code": "c", "units": 3}]


async def test_another_row_that_has_the_unique_value_is_not_changed(
    shop: Shop, store: SqlRowStore
) -> None:
    await put(store, SLUG, {"id": 1, "slug": "shoes"})

    with pytest.raises(RowRefused, match="shop_slug") as refused:
        await put(store, SLUG, {"id": 2, "slug": "shoes"})

    assert refused.value.table == "shop_slug"
    assert there(shop, SLUG) == [{"id": 1, "slug": "shoes"}]


async def test_a_row_that_points_at_nothing_is_refused(shop: Shop, store: SqlRowStore) -> None:
    with pytest.raises(RowRefused):
        await put(store, PART, {"id": 1, "slug_id": 9})

    assert there(shop, PART) == []


async def test_a_broken_cell_is_refused_with_its_column(shop: Shop, store: SqlRowStore) -> None:
    with pytest.raises(RowRefused, match="sent_at is broken: '0000-00-00'"):
        await put(store, GOODS, goods(1, sent_at=Broken("0000-00-00")))

    assert there(shop, GOODS) == []


@pytest.mark.parametrize(
    "cells", [{"id": 2**70}, {"flag": "yes"}, {"words": 3}, {"sent_at": "soon"}, {"weight": "x"}]
)
async def test_a_cell_that_is_nothing_of_its_kind_is_refused(
    shop: Shop, store: SqlRowStore, cells: dict[str, Cell]
) -> None:
    with pytest.raises(RowRefused):
        await put(store, GOODS, {**goods(1), **cells})

    assert there(shop, GOODS) == []


async def test_nothing_stays_of_a_transaction_that_goes_on_after_a_refusal(
    shop: Shop, store: SqlRowStore
) -> None:
    async def write() -> None:
        async with store.writing(STREAM, "orders", 1, 10) as writing:
            await writing.put(SLUG, [{"id": 1, "slug": "shoes"}])
            with contextlib.suppress(RowRefused):
                await writing.put(SLUG, [{"id": 2, "slug": "shoes"}])

    with pytest.raises(RowRefused):
        await write()

    assert there(shop, SLUG) == []
    assert await store.applied() == {}


async def test_a_table_that_is_not_there_needs_mending_and_not_another_try(
    store: SqlRowStore,
) -> None:
    with pytest.raises(SourceUnfit):
        await put(store, Table("shop_star", ("id",), KINDS), {"id": 1})


async def test_a_closed_gate_lets_the_replicator_through_and_shuts_behind_it(
    shop: Shop, store: SqlRowStore
) -> None:
    async with fences_of(shop) as fences:
        await fences.close_gate("orders", term=1, wait_s=2)

    await put(store, SALE, {"id": 50, "note": "replicated"})

    assert shop.rows(SALE) == 2
    with pytest.raises(sa.exc.DBAPIError, match="MIG_FENCED"):
        shop.run("INSERT INTO shop_sale (note) VALUES ('rogue')")


async def test_who_wrote_how_far_is_noted(store: SqlRowStore) -> None:
    await put(store, SLUG, {"id": 1, "slug": "a"})

    async with store.writing(STREAM, "orders", 3, 77) as writing:
        await writing.barrier("orders", 2)

    assert await store.applied() == {(STREAM, "orders"): (3, 2, 77)}


async def test_a_barrier_never_goes_back(store: SqlRowStore) -> None:
    for term in (4, 2):
        async with store.writing(STREAM, "orders", 5, 80) as writing:
            await writing.barrier("orders", term)

    assert await store.applied() == {(STREAM, "orders"): (5, 4, 80)}


async def test_each_writing_changes_the_row_that_tells_of_it(
    shop: Shop, store: SqlRowStore
) -> None:
    for _ in range(2):
        async with store.writing(STREAM, "orders", 3, 77):
            pass

    assert shop.number("SELECT writes FROM mig_applied") == 4


async def test_an_applier_of_an_older_term_writes_nothing(shop: Shop, store: SqlRowStore) -> None:
    async with store.writing(STREAM, "orders", 3, 77):
        pass

    with pytest.raises(FencedOut):
        async with store.writing(STREAM, "orders", 2, 90) as writing:
            await writing.put(SLUG, [{"id": 1, "slug": "late"}])

    assert there(shop, SLUG) == []
    assert await store.applied() == {(STREAM, "orders"): (3, 0, 77)}


async def test_versions_are_read_as_they_were_stamped(store: SqlRowStore) -> None:
    ids = [uuid4() for _ in range(1200)]
    gone = ids[:3]
    async with store.writing(STREAM, "orders", 1, 10) as writing:
        await writing.stamp("order", {one: Version(1, 5) for one in ids}, gone)
        await writing.stamp("order", {ids[0]: Version(2, 6)}, ())

    async with store.writing(STREAM, "orders", 1, 11) as writing:
        found = await writing.versions("order", [*ids, UUID(int=1)])
        others = await writing.versions("cart", ids)

    assert found == {one: Version(1, 5) for one in ids} | {ids[0]: Version(2, 6)}
    assert others == {}


async def test_nothing_is_noted_by_a_block_that_ends_badly(store: SqlRowStore) -> None:
    async def fail() -> None:
        async with store.writing(STREAM, "orders", 1, 10) as writing:
            await writing.stamp("order", {UUID(int=1): Version(1, 1)}, ())
            raise RuntimeError("the applier's own")

    with pytest.raises(RuntimeError, match="the applier's own"):
        await fail()

    assert await store.applied() == {}


async def test_a_heart_beats_without_a_word_about_an_applier(
    shop: Shop, store: SqlRowStore
) -> None:
    await store.beat("legacy", 1, 1_000)
    await store.beat("legacy", 2, int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6))

    assert shop.number("SELECT beat FROM mig_heartbeat") == 2
    assert await store.applied() == {}
