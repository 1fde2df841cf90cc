"""The totals' statements against a real oscar and a real core."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from legacy_adapters.mapping.versions import Side
from legacy_adapters.oscar.totals import ALL, sums_of
from new_core.storage import make_engine, upgrade
from new_core.storage.tables.orders import sales_order
from shadow_compare.service.totals import compare_totals

pytestmark = pytest.mark.integration

OF = {one.name: one for one in ALL}


@pytest.fixture(params=["sqlite", "postgresql"])
def core_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite+aiosqlite:///{tmp_path / 'core.sqlite3'}"


async def made_core(url: str) -> AsyncEngine:
    engine = make_engine(url, busy_timeout_s=5.0, pool_size=2)
    await upgrade(engine)
    return engine


async def legacy_of(folder: Path, *statements: str) -> AsyncEngine:
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'oscar.sqlite3'}")
    async with engine.begin() as connection:
        for one in (*TABLES, *statements):
            await connection.exec_driver_sql(one)
    return engine


# As oscar's migrations make them, the columns that the totals read.
TABLES = (
    "CREATE TABLE order_order (id, currency, total_incl_tax decimal, status, date_placed)",
    "CREATE TABLE order_line (id, order_id, quantity)",
    "CREATE TABLE partner_stockrecord (id, partner_sku, num_in_stock, product_id)",
    "CREATE TABLE catalogue_product (id)",
    "CREATE TABLE address_useraddress (id, user_id, country_id)",
)


async def test_every_statement_runs_on_an_empty_core(core_url: str) -> None:
    engine = await made_core(core_url)

    found = {one.name: await sums_of(engine, one, Side.CORE) for one in ALL}

    await engine.dispose()
    assert found == {"orders": {}, "stock": {}, "customers": {}, "orphans": {(): (0, 0)}}


async def test_orders_of_a_day_are_summed_by_currency_and_status(tmp_path: Path) -> None:
    engine = await legacy_of(
        tmp_path,
        "INSERT INTO order_order VALUES (1, 'GBP', 7.9, 'Pending', '2026-01-31 23:59:59.123'),"
        " (2, 'GBP', 0.1, 'Pending', '2026-01-31 00:00:00'),"
        " (3, 'GBP', 5, 'Complete', '2026-01-31 00:00:00')",
        "INSERT INTO order_line VALUES (1, 1, 2), (2, 1, 3), (3, 3, 1), (4, 99, 1)",
    )

    orders = await sums_of(engine, OF["orders"], Side.LEGACY)
    orphans = await sums_of(engine, OF["orphans"], Side.LEGACY)

    await engine.dispose()
    assert orders == {
        ("2026-01-31", "GBP", "Pending"): (2, 80_000, 5),
        ("2026-01-31", "GBP", "Complete"): (1, 50_000, 1),
    }
    assert orphans == {(): (1, 0)}


async def test_amounts_of_both_sides_are_in_one_unit(core_url: str, tmp_path: Path) -> None:
    core = await made_core(core_url)
    legacy = await legacy_of(
        tmp_path,
        "INSERT INTO order_order VALUES (1, 'GBP', 12.34, 'Being processed',"
        " '2026-01-31 09:00:00'), (2, 'JPY', 500, 'Pending', '2026-01-31 09:00:00')",
    )
    async with core.begin() as connection:
        for number, currency, minor, status in (
            ("1", "GBP", 1_234, "processing"),
            ("2", "JPY", 500, "placed"),
        ):
            await connection.execute(
                sa.insert(sales_order).values(order_row(number, currency, minor, status))
            )

    both = [
        await sums_of(engine, OF["orders"], side)
        for engine, side in ((legacy, Side.LEGACY), (core, Side.CORE))
    ]

    await core.dispose()
    await legacy.dispose()
    assert compare_totals("orders", *both).gaps == ()
    assert both[0]


def order_row(number: str, currency: str, minor: int, status: str) -> dict[str, object]:
    at = datetime(2026, 1, 31, 9, tzinfo=UTC)
    texts = (
        "account_ids", "email", "purchase_order_number", "note", "cancel_reason", "token_sha256",
        "source", "payment_status", "fulfilment_status",
    )  # fmt: skip
    jsons = ("buyer", "shipping", "discounts", "taxes", "shipping_address", "billing_address")
    return {
        "id": uuid.uuid4(),
        "number": number,
        "cart_id": uuid.uuid4(),
        "currency": currency,
        "status": status,
        "net_minor": minor,
        "tax_minor": 0,
        "total_minor": minor,
        "tax_included": True,
        "created_at": at,
        "placed_at": at,
        "updated_at": at,
        "version": 1,
        **dict.fromkeys(texts, ""),
        **{name: {} for name in jsons},
    }
