"""Orders are written into the core's tables as documents, and read from them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace as replaced
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from legacy_adapters.mapping.canonical import canonical_bytes
from legacy_adapters.oscar.mapping.records import oscar_id
from legacy_adapters.oscar.mapping.sync_order import OrderTranslation
from legacy_adapters.oscar.mapping.sync_order_documents import OrderDoc, Settled, Stage
from legacy_adapters.oscar.storage.core_orders import OrderDocuments
from new_core.domain.catalog import Product, ProductType, Status, Structure, Variant
from new_core.domain.customer import Customer, CustomerStatus
from new_core.domain.order import FulfilmentStatus, Order, OrderStatus, PaymentStatus
from new_core.storage import SqlDatabase
from new_core.storage.tables.inventory import reservation
from new_core.storage.tables.orders import order_line
from new_core.storage.tables.outbox import outbox_event
from tests.support.core import BOTH, core_database
from tests.unit.legacy_adapters.sync_order_rows import line_row, order_row, whole_order

pytestmark = pytest.mark.integration

NOW, LATER = datetime(2026, 5, 4, 12, tzinfo=UTC), datetime(2026, 5, 5, 12, tzinfo=UTC)
TRANSLATION, DOCUMENTS = OrderTranslation(), OrderDocuments()
replace = msgspec.structs.replace


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'core.sqlite3'}"


@pytest.fixture
async def core(url: str) -> AsyncIterator[SqlDatabase]:
    async with core_database(url) as database:
        async with database.writing() as uow:
            await uow.catalog.put_types([ProductType(KIND, "book", "Book", True, True, ())], NOW)
            await uow.catalog.put_products([book(oscar_id("product", "12"))], NOW)
            await uow.catalog.put_variants([Variant(VARIANT, oscar_id("product", "12"), "s")], NOW)
            await uow.customers.put(ada(), NOW)
            await uow.commit()
        yield database


KIND = UUID(int=9)
VARIANT = UUID("01900000-0000-7000-8000-0000000000aa")


def ada() -> Customer:
    return Customer(oscar_id("user", "9"), "ada@example.com", CustomerStatus.ACTIVE, NOW)


def book(ident: UUID) -> Product:
    return Product(
        id=ident, structure=Structure.STANDALONE, parent_id=None, type_id=KIND,
        status=Status.PUBLISHED, code=None, gtin=None, title="A book", slug="book",
        description="", seo_title=None, seo_description=None, discountable=True, priority=0,
        created_at=NOW, attributes=(), category_ids=(), assets=(), option_ids=(),
        recommendations=(),
    )  # fmt: skip


def doc_of(**changed: Any) -> OrderDoc:
    return TRANSLATION.forward(whole_order(**changed), {})


async def write(core: SqlDatabase, *docs: OrderDoc, at: datetime = NOW) -> Mapping[UUID, str]:
    async with core.writing() as uow:
        refused = await DOCUMENTS.write(uow, docs, at)
        await uow.commit()
    return refused


async def read(core: SqlDatabase, *ids: UUID) -> Mapping[UUID, OrderDoc]:
    async with core.reading() as uow:
        return await DOCUMENTS.read(uow, ids)


async def order(core: SqlDatabase, ident: UUID) -> Order:
    async with core.reading() as uow:
        found = await uow.orders.get(ident)
    assert found is not None
    return found.value


async def change(core: SqlDatabase, changed: Order) -> None:
    async with core.writing() as uow:
        await uow.orders.put(changed, NOW)
        await uow.commit()


async def count(core: SqlDatabase, table: sa.Table) -> int:
    async with core.reading() as uow:
        statement = sa.select(sa.func.count()).select_from(table)
        return int((await uow.connection.execute(statement)).scalar_one())


def variety() -> Sequence[OrderDoc]:
    """Orders of all sorts."""
    return (
        doc_of(),
        numbered(8, status="Complete", user_id=9, shipping_address_id=None),
        numbered(9, status="Cancelled", basket_id=None, billing_address_id=None),
        numbered(10, date_placed="0999-03-01T00:00:00.000001Z", total_incl_tax="25.00"),
        numbered(11, shipping_code="", guest_email="", number="ä📚"),
    )


def numbered(key: int, **changed: Any) -> OrderDoc:
    row = order_row(id=key, number=f"n{key}", basket_id=100 + key) | changed
    lines = tuple(
        line_row(key * 100 + at, order_id=key, line_price_incl_tax=price, product_id=None)
        for at, price in enumerate(("19.98", "23.97"))
    )
    return doc_of(
        order_order=(row,), order_line=lines, order_orderlinediscount=(), order_lineattribute=()
    )


async def test_what_is_written_is_read_again(core: SqlDatabase) -> None:
    docs = variety()

    refused = await write(core, *docs)

    assert refused == {}
    found = await read(core, *(one.id for one in docs))
    assert [canonical_bytes(found[one.id]) for one in docs] == [
        canonical_bytes(one) for one in docs
    ]


async def test_the_core_itself_understands_what_was_written(core: SqlDatabase) -> None:
    doc = doc_of(order_order=(order_row(user_id=9, status="Complete"),))

    await write(core, doc)

    found = await order(core, doc.id)
    assert (found.status, found.payment_status) == (OrderStatus.COMPLETED, PaymentStatus.PAID)
    assert found.fulfilment_status is FulfilmentStatus.SHIPPED
    assert (found.source, found.email) == ("oscar", "ada@example.com")
    assert found.buyer.customer_id == ada().id
    line = found.lines[0]
    assert (line.variant_id, line.quantity, line.fulfilled_quantity) == (VARIANT, 2, 2)
    assert (line.unit_micro, line.stock_level_id) == (10_990_000, oscar_id("stock_level", "3"))


async def test_nothing_but_the_order_is_written(core: SqlDatabase) -> None:
    await write(core, doc_of())

    assert await count(core, reservation) == 0
    assert await count(core, outbox_event) == 0


async def test_what_says_nothing_new_is_not_written(core: SqlDatabase) -> None:
    doc = doc_of()
    await write(core, doc)

    await write(core, doc, at=LATER)

    async with core.reading() as uow:
        found = await uow.orders.get(doc.id)
    assert found is not None
    assert (found.version, found.updated_at) == (1, NOW)


async def test_a_change_counts_the_version_up(core: SqlDatabase) -> None:
    doc = doc_of()
    await write(core, doc)

    await write(core, replace(doc, stage=Stage.PROCESSING), at=LATER)

    async with core.reading() as uow:
        found = await uow.orders.get(doc.id)
    assert found is not None
    assert (found.version, found.updated_at) == (2, LATER)
    assert found.value.status is OrderStatus.PROCESSING


async def test_what_the_core_alone_knows_stays(core: SqlDatabase) -> None:
    doc = doc_of()
    await write(core, doc)
    before = await order(core, doc.id)
    kept = replaced(
        before, status=OrderStatus.PENDING_PAYMENT, token_sha256="t" * 64, note="a note",
        purchase_order_number="po",
    )  # fmt: skip
    await change(core, kept)

    await write(core, replace(doc, number="another"), at=LATER)

    found = await order(core, doc.id)
    assert found == replaced(kept, number="another")
    assert (await read(core, doc.id))[doc.id].stage is Stage.PENDING


async def test_a_line_that_is_gone_goes(core: SqlDatabase) -> None:
    doc = numbered(8)
    await write(core, doc)

    await write(core, replace(doc, lines=doc.lines[1:]), at=LATER)

    found = await order(core, doc.id)
    assert [one.id for one in found.lines] == [doc.lines[1].id]
    assert await count(core, order_line) == 1


async def test_an_order_waits_for_its_customer_and_its_products(core: SqlDatabase) -> None:
    docs = [numbered(8, user_id=77), doc_of(order_line=(line_row(11, product_id=404),))]

    refused = await write(core, *docs)

    assert set(refused) == {one.id for one in docs}
    assert "customer" in refused[docs[0].id]
    assert "product" in refused[docs[1].id]
    assert await read(core, *refused) == {}


async def test_a_basket_has_one_order_that_lives(core: SqlDatabase) -> None:
    first, second = numbered(8, basket_id=5), numbered(9, basket_id=5)
    await write(core, first)

    refused = await write(core, second)
    cancelled = await write(core, second, replace(first, stage=Stage.CANCELLED))

    assert "basket" in refused[second.id]
    assert cancelled == {}
    assert len(await read(core, first.id, second.id)) == 2


async def test_two_orders_of_one_number_are_not_both_taken(core: SqlDatabase) -> None:
    docs = [numbered(8, number="1"), numbered(9, number="1")]

    refused = await write(core, *docs)

    assert set(refused) == {docs[1].id}
    assert "number" in refused[docs[1].id]


async def test_payments_that_oscar_does_not_know_are_left_to_the_core(core: SqlDatabase) -> None:
    doc = doc_of(payment_source=(), payment_transaction=())
    await write(core, doc)
    paid = replaced(await order(core, doc.id), payment_status=PaymentStatus.DISPUTED)
    await change(core, paid)

    await write(core, replace(doc, stage=Stage.PROCESSING), at=LATER)

    assert (await order(core, doc.id)).payment_status is PaymentStatus.DISPUTED
    assert (await read(core, doc.id))[doc.id].settled is Settled.UNSAID


async def test_orders_are_told_in_pages(core: SqlDatabase) -> None:
    docs = variety()
    await write(core, *docs)

    async with core.reading() as uow:
        first = await DOCUMENTS.page(uow, None, 3)
        rest = await DOCUMENTS.page(uow, first[-1], 3)

    assert [*first, *rest] == sorted(one.id for one in docs)


async def test_what_is_removed_is_gone_with_its_lines(core: SqlDatabase) -> None:
    doc = doc_of()
    await write(core, doc)

    async with core.writing() as uow:
        await DOCUMENTS.remove(uow, [doc.id, UUID(int=9)], LATER)
        await uow.commit()

    assert await read(core, doc.id) == {}
    assert await count(core, order_line) == 0


async def test_many_are_written_with_as_few_statements_as_one(core: SqlDatabase) -> None:
    async def statements(*docs: OrderDoc) -> int:
        seen = 0

        def note(*_: Any) -> None:
            nonlocal seen
            seen += 1

        async with core.writing() as uow:
            engine = uow.connection.engine.sync_engine
            sa.event.listen(engine, "before_cursor_execute", note)
            await DOCUMENTS.write(uow, docs, NOW)
            sa.event.remove(engine, "before_cursor_execute", note)
        return seen

    assert await statements(*(numbered(at) for at in range(20, 60))) == await statements(
        numbered(8)
    )
