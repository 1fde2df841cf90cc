"""Carts in the core's tables, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from legacy_adapters.oscar.mapping.records import oscar_id
from legacy_adapters.oscar.mapping.sync_cart import CartDocument
from legacy_adapters.oscar.mapping.sync_cart_lines import CartLine
from legacy_adapters.oscar.storage import SqlVouchers
from legacy_adapters.oscar.storage import tables as own
from legacy_adapters.oscar.storage.core_carts import SqlCartDocuments
from new_core.domain.cart import CartState
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

DOCS = SqlCartDocuments("GBP")
_SAID = st.lists(
    st.tuples(st.sampled_from(["1", "2"]).map(lambda one: oscar_id("option", one)), st.text("aé5")),
    max_size=2,
)


def line(key: int, product: int = 1, place: int = 1, quantity: int = 2, **changed: Any) -> CartLine:
    whole = CartLine(
        oscar_id("basket_line", str(key)), oscar_id("product", str(product)),
        oscar_id("stock_level", str(place)), quantity,
    )  # fmt: skip
    return msgspec.structs.replace(whole, **changed)


def cart(key: int, *lines: CartLine, **changed: Any) -> CartDocument:
    whole = CartDocument(
        oscar_id("basket", str(key)), CartState.OPEN, None, "GBP" if lines else "", (), lines, BORN
    )
    return msgspec.structs.replace(whole, **changed)


@st.composite
def carts(draw: st.DrawFn) -> CartDocument:
    key = draw(st.integers(1, 3))
    goods = draw(
        st.lists(
            st.tuples(st.integers(1, 3), _SAID),
            max_size=4,
            unique_by=lambda one: (one[0], tuple(sorted(one[1]))),
        )
    )
    lines = (
        line(
            key * 100 + place, product, draw(st.integers(1, 3)), draw(st.integers(1, 2**31 - 1)),
            options=tuple(sorted(said)),
        )
        for place, (product, said) in enumerate(goods)
    )  # fmt: skip
    codes = draw(st.sets(st.sampled_from(["1", "2"])))
    owner = draw(st.none() | st.integers(1, 9).map(lambda one: oscar_id("user", str(one))))
    return cart(
        key, *lines, customer_id=owner, state=draw(st.sampled_from(list(CartState))),
        vouchers=tuple(sorted(oscar_id("voucher", one) for one in codes)),
    )  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from core_url(request, tmp_path_factory)


async def furnish(database: SqlDatabase) -> None:
    """Places that sell, and codes."""
    await put_stock(database, *(stock_record(key, key) for key in (1, 2, 3)))
    async with database.writing() as uow:
        await SqlVouchers(uow).put({"1": "one", "2": "TWO"}, NOW)
        await uow.commit()


async def put(database: SqlDatabase, *docs: CartDocument) -> dict[UUID, str]:
    async with database.writing() as uow:
        reasons = await DOCS.write(uow, docs, NOW)
        await uow.commit()
    return dict(reasons)


async def read(database: SqlDatabase, *docs: CartDocument) -> list[CartDocument]:
    async with database.reading() as uow:
        found = await DOCS.read(uow, [one.id for one in docs])
    return [found[one.id] for one in docs if one.id in found]


@SOME
@given(batches=st.lists(st.lists(carts(), max_size=3, unique_by=lambda one: one.id), max_size=3))
def test_what_was_written_is_read(url: str, batches: list[list[CartDocument]]) -> None:
    async def run() -> None:
        async with little_core(url) as database:
            await furnish(database)
            for batch in batches:
                assert await put(database, *batch) == {}
                assert await read(database, *batch) == batch

    asyncio.run(run())


def test_a_line_that_moved_into_another_cart_stays_the_line_it_was(url: str) -> None:
    guest, mine = cart(11, line(1101)), cart(12, line(1201, 2, 2))
    merged = cart(12, line(1201, 2, 2), line(1101))
    left = cart(11, state=CartState.MERGED)

    async def run(order: list[CartDocument]) -> list[CartDocument]:
        async with little_core(url) as database:
            await furnish(database)
            await put(database, guest, mine)
            for one in order:
                assert await put(database, one) == {}
            return await read(database, left, merged)

    assert asyncio.run(run([left, merged])) == [left, merged]
    assert asyncio.run(run([merged, left])) == [left, merged]


def test_lines_that_change_their_places_do_not_stand_in_each_others_way(url: str) -> None:
    before = cart(13, line(1301, 1, 1), line(1302, 2, 2))
    after = cart(13, line(1301, 2, 2), line(1302, 1, 1))

    async def run() -> list[CartDocument]:
        async with little_core(url) as database:
            await furnish(database)
            await put(database, before)
            assert await put(database, after) == {}
            return await read(database, after)

    assert asyncio.run(run()) == [after]


def test_what_only_the_core_knows_of_a_cart_stays(url: str) -> None:
    async def run() -> tuple[Any, list[CartDocument]]:
        changed = cart(21, line(2101, quantity=5), vouchers=(oscar_id("voucher", "2"),))
        first = cart(21, line(2101), vouchers=(oscar_id("voucher", "1"),))
        async with little_core(url) as database:
            await furnish(database)
            await put(database, first)
            table = t.carts.cart
            async with database.writing() as uow:
                mine = {"email": "ada@example.com", "coupons": ["CORE", "one"]}
                where = table.c.id == first.id
                await uow.connection.execute(sa.update(table).where(where).values(**mine))
                await uow.commit()
            await put(database, changed)
            async with database.reading() as uow:
                stored = await uow.carts.get(first.id)
            assert stored is not None
            return stored.value, await read(database, changed)

    value, (found,) = asyncio.run(run())

    assert (value.email, value.coupons) == ("ada@example.com", ("CORE", "TWO"))
    assert found.lines[0].quantity == 5


def test_a_cart_that_points_at_what_is_not_there_is_refused_with_the_reason(url: str) -> None:
    docs = [
        cart(31, line(3101, 99)),
        cart(32, line(3201, place=99)),
        cart(33, line(3301, options=((UUID(int=1), "x"),))),
        cart(34, vouchers=(oscar_id("voucher", "99"),)),
        cart(35, line(3501)),
    ]

    async def run() -> tuple[dict[UUID, str], list[CartDocument]]:
        async with little_core(url) as database:
            await furnish(database)
            return await put(database, *docs), await read(database, *docs)

    reasons, found = asyncio.run(run())

    assert [word in reasons[doc.id] for doc, word in zip(docs[:4], WORDS, strict=True)] == [
        True
    ] * 4
    assert found == [docs[4]]


WORDS = ("product", "stock record", "option", "voucher")


def test_a_cart_that_is_taken_out_leaves_no_row_behind(url: str) -> None:
    async def run() -> list[int]:
        async with little_core(url) as database:
            await furnish(database)
            await put(database, cart(41, line(4101)), cart(42, line(4201)))
            for _ in range(2):
                async with database.writing() as uow:
                    await DOCS.remove(uow, [cart(41).id], NOW)
                    await uow.commit()
            counts = []
            async with database.reading() as uow:
                for column in (t.carts.cart_line.c.cart_id, own.line.c.cart_id, t.carts.cart.c.id):
                    chosen = sa.select(sa.func.count()).where(column == cart(41).id)
                    counts.append((await uow.connection.execute(chosen)).scalar_one())
            return [*counts, len(await read(database, cart(42)))]

    assert asyncio.run(run()) == [0, 0, 0, 1]


def test_a_thousand_carts_take_as_many_statements_as_ten(url: str) -> None:
    async def run() -> list[int]:
        counts = []
        async with little_core(url) as database:
            await furnish(database)
            for first, last in ((5000, 5010), (6000, 6900)):
                docs = [cart(key, line(key)) for key in range(first, last)]
                with counted() as statements:
                    await put(database, *docs)
                counts.append(len(statements))
        return counts

    few, many = asyncio.run(run())

    assert few == many


def test_a_line_that_the_shopper_added_in_the_core_is_sold_from_the_first_place(url: str) -> None:
    async def run() -> list[CartDocument]:
        async with little_core(url) as database:
            await furnish(database)
            await put(database, cart(71))
            async with database.writing() as uow:
                row = {
                    "id": UUID(int=71), "cart_id": cart(71).id, "options_hash": "",
                    "variant_id": oscar_id("variant", "1"), "options": [["unknown", "x"]],
                    "quantity": 3, "position": 0, "shown_micro": None,
                }  # fmt: skip
                await uow.connection.execute(sa.insert(t.carts.cart_line), row)
                await uow.commit()
            return await read(database, cart(71))

    (found,) = asyncio.run(run())

    assert found.lines == (line(0, 1, 1, 3, id=UUID(int=71)),)
    assert found.currency == "GBP"
