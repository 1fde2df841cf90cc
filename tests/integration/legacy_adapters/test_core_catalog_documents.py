"""A whole shop's catalogue goes into the core as documents and comes back, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.oscar.kinds import DOMAINS, KINDS
from legacy_adapters.oscar.mapping.records import SYSTEM
from legacy_adapters.oscar.storage import upgrade_oscar
from legacy_adapters.ports.documents import Kind
from new_core.domain.identity import core_id
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade
from new_core.storage import tables as t
from tests.contract.legacy_adapters.shops import Shop, prepare_shop, run_backfill
from tests.integration.legacy_adapters.documents import NOW, core_url, counted
from tests.support.oscar_rows import aggregates_of, schema_of

pytestmark = pytest.mark.integration

BY_NAME = {one.name: one for one in KINDS}
MINE = ("option", "product_type", "choice_list", "attribute", "category", "warehouse", "product",
        "stock_record", "cart", "session")  # fmt: skip
CARRIED = MINE[:-2]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return prepare_shop(tmp_path_factory.mktemp("oscar"), odd=True)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from core_url(request, tmp_path_factory)


def found(path: Path, kind: Kind[Any]) -> list[tuple[AggregateRows, Any]]:
    """Rows with their documents; what is broken on purpose is left out."""
    pairs = []
    for rows in aggregates_of(path, kind.translation.shape):
        try:
            pairs.append((rows, kind.translation.forward(rows, {})))
        except RowCorrupt:
            continue
    return pairs


def numbers(kind: Kind[Any], rows: AggregateRows) -> Mapping[UUID, str]:
    known = {core_id(SYSTEM, what, key): key for what, key in kind.translation.refers(rows)}
    return known | {ident: key for (_, key), ident in kind.translation.names(rows, {}).items()}


@pytest.mark.parametrize("name", MINE)
def test_every_column_that_oscar_has_is_copied_or_left_out_for_a_reason(
    shop: Shop, name: str
) -> None:
    translation = BY_NAME[name].translation

    for table in translation.shape.tables:
        real = schema_of(shop.database, table.name)
        assert set(table.columns) == real, table.name
        assert set(translation.columns[table.name]) == real, table.name


@pytest.mark.parametrize("name", CARRIED)
def test_what_went_to_the_core_comes_back_as_it_was(shop: Shop, name: str) -> None:
    kind = BY_NAME[name]
    pairs = found(shop.database, kind)

    back = [kind.translation.reverse(doc, rows, numbers(kind, rows)) for rows, doc in pairs]

    assert pairs
    assert back == [rows for rows, _ in pairs]


@pytest.mark.parametrize("name", CARRIED)
def test_rows_that_nobody_remembers_still_mean_the_same(shop: Shop, name: str) -> None:
    kind = BY_NAME[name]
    pairs = found(shop.database, kind)

    back = [kind.translation.reverse(doc, {}, numbers(kind, rows)) for rows, doc in pairs]

    assert [kind.translation.forward(rows, {}) for rows in back] == [doc for _, doc in pairs]


@pytest.mark.parametrize("name", CARRIED)
def test_all_that_is_written_down_has_a_number(shop: Shop, name: str) -> None:
    kind = BY_NAME[name]

    for rows, doc in found(shop.database, kind):
        named = kind.translation.names(rows, {})
        assert {one.id for one in kind.translation.owns(doc)} <= set(named.values())
        assert {one.id for one in kind.translation.points_at(doc)} <= numbers(kind, rows).keys()


def test_every_kind_of_a_domain_is_known_and_says_so() -> None:
    for name in MINE:
        (domain,) = [one.name for one in DOMAINS if name in one.kinds]
        assert BY_NAME[name].domain == domain


async def opened(url: str) -> SqlDatabase:
    engine = make_engine(url)
    await upgrade(engine)
    await upgrade_oscar(engine)
    return SqlDatabase(engine, make_reader(url))


async def carry(database: SqlDatabase, shop: Shop) -> dict[str, list[tuple[Any, str]]]:
    """Write all documents; gives those that were refused."""
    refused: dict[str, list[tuple[Any, str]]] = {}
    for name in CARRIED:
        kind = BY_NAME[name]
        docs = [doc for _, doc in found(shop.database, kind)]
        async with database.writing() as uow:
            reasons = await kind.documents.write(uow, docs, NOW)
            await uow.commit()
        refused[name] = [(one, reasons[one.id]) for one in docs if one.id in reasons]
    return refused


async def every(database: SqlDatabase, name: str) -> Mapping[UUID, Any]:
    kind = BY_NAME[name]
    async with database.reading() as uow:
        ids = await kind.documents.page(uow, None, 100_000)
        return await kind.documents.read(uow, ids)


def test_the_core_holds_what_the_documents_say_and_tells_nobody(url: str, shop: Shop) -> None:
    async def run() -> tuple[Any, Mapping[str, Mapping[UUID, Any]], int]:
        database = await opened(url)
        try:
            await carry(database, shop)
            refused = await carry(database, shop)
            async with database.reading() as uow:
                told = sa.select(sa.func.count()).select_from(t.outbox.outbox_event)
                events = (await uow.connection.execute(told)).scalar_one()
            return refused, {name: await every(database, name) for name in CARRIED}, events
        finally:
            await database.dispose()

    refused, held, events = asyncio.run(run())

    assert events == 0
    for name in CARRIED:
        out = {doc.id for doc, _ in refused[name]}
        docs = {doc.id: doc for _, doc in found(shop.database, BY_NAME[name]) if doc.id not in out}
        assert held[name] == docs, name
    assert sum(map(len, refused.values())) <= 3, refused


def test_it_is_what_the_backfill_copies(shop: Shop, tmp_path: Path) -> None:
    """Ids, ranks and prices are the same, so that either may come first."""
    url = f"sqlite:///{tmp_path / 'core.sqlite3'}"
    run_backfill(shop.url, url)

    async def run() -> tuple[Mapping[str, Mapping[UUID, Any]], Mapping[str, Mapping[UUID, Any]]]:
        database = await opened(url)
        try:
            before = {name: await every(database, name) for name in CARRIED}
            await carry(database, shop)
            return before, {name: await every(database, name) for name in CARRIED}
        finally:
            await database.dispose()

    before, after = asyncio.run(run())

    for name in set(CARRIED) - {"choice_list", "product"}:
        assert before[name].items() <= after[name].items(), name
    assert before["product"].keys() <= after["product"].keys()
    for ident, one in before["product"].items():
        assert _without_choices(one) == _without_choices(after["product"][ident])


def _without_choices(doc: Any) -> Any:
    """The backfill keeps labels and does not say which choices they are."""
    plain = tuple(one for one in doc.properties if not isinstance(one.value, tuple))
    return msgspec.structs.replace(doc, properties=plain)


def test_products_that_chose_it_follow_a_choice_that_is_renamed(url: str, shop: Shop) -> None:
    async def run() -> tuple[Sequence[str], Sequence[str]]:
        database = await opened(url)
        try:
            await carry(database, shop)
            products = await every(database, "product")
            chosen = {
                choice: doc.id
                for doc in products.values()
                for one in doc.properties
                if isinstance(one.value, tuple)
                for choice in one.value
            }
            lists = await every(database, "choice_list")
            doc = next(o for o in lists.values() if any(c.id in chosen for c in o.choices))
            new = [msgspec.structs.replace(one, label=f"{one.label}!") for one in doc.choices]
            renamed = msgspec.structs.replace(doc, choices=tuple(new))
            async with database.writing() as uow:
                await BY_NAME["choice_list"].documents.write(uow, [renamed], NOW)
                await uow.commit()
            of = next(chosen[one.id] for one in doc.choices if one.id in chosen)
            async with database.reading() as uow:
                stored = (await uow.catalog.products([of]))[of].value
            return [str(one.content) for one in stored.attributes], [one.label for one in new]
        finally:
            await database.dispose()

    contents, labels = asyncio.run(run())

    assert any(label in content for content in contents for label in labels)


def test_many_products_take_as_many_statements_as_few(url: str, shop: Shop) -> None:
    async def run() -> list[int]:
        database = await opened(url)
        kind = BY_NAME["product"]
        counts = []
        try:
            await carry(database, shop)
            docs = [doc for _, doc in found(shop.database, kind)]
            alone = [one for one in docs if one.parent_id is None]
            for size in (5, 100):
                changed = [
                    msgspec.structs.replace(one, title=f"{one.title} {size}")
                    for one in alone[:size]
                ]
                async with database.writing() as uow:
                    with counted() as statements:
                        await kind.documents.write(uow, changed, NOW)
                    await uow.commit()
                counts.append(len(statements))
            return counts
        finally:
            await database.dispose()

    few, many = asyncio.run(run())

    assert few == many
