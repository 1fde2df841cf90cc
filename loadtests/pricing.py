"""How much CPU the pricing of a cart takes, from a SQLite file to its total.

python -m loadtests.pricing [LINES]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from new_core.domain.buyer import Buyer, Destination
from new_core.domain.catalog import Product, ProductType, Status, Structure, Variant
from new_core.domain.pricing import Price, PriceList, PriceListKind
from new_core.domain.promotions import PercentOff, Promotion
from new_core.domain.totals import CartAsked, DiscountKind, LineAsked
from new_core.service.pricing import priced_cart
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade
from new_core.storage.tax_standard import standard_rules

AT = datetime(2026, 6, 1, tzinfo=UTC)
ROUNDS = 20
KIND = UUID(int=1)


async def _fill(database: SqlDatabase, lines: int) -> None:
    """As many products as lines, with three steps in each of two lists."""
    base = PriceList(UUID(int=2), "base", "CAD", PriceListKind.BASE, 0, tax_included=False)
    sale = replace(base, id=UUID(int=3), code="sale", kind=PriceListKind.PROMO)
    book = Product(
        id=KIND, structure=Structure.STANDALONE, parent_id=None, type_id=KIND,
        status=Status.PUBLISHED, code=None, gtin=None, title="Book", slug="book",
        description="", seo_title=None, seo_description=None, discountable=True, priority=0,
        created_at=AT,
    )  # fmt: skip
    ids = [UUID(int=0x1000 + number) for number in range(lines)]
    prices = [
        Price(UUID(int=(one.int << 16) + (step << 4) + n), of.id, one, None, step, 9_990_000 - step)
        for one in ids
        for n, of in enumerate((base, sale))
        for step in (1, 10, 100)
    ]
    async with database.writing() as uow:
        await uow.catalog.put_types([ProductType(KIND, "book", "Book", True, True, ())], AT)
        await uow.catalog.put_products([replace(book, id=one) for one in ids], AT)
        await uow.catalog.put_variants([Variant(one, one, None) for one in ids], AT)
        await uow.pricing.put_price_lists([base, sale], AT)
        await uow.pricing.put_prices(prices, AT)
        for number, kind in enumerate((DiscountKind.LINE, DiscountKind.ORDER)):
            promotion = Promotion(UUID(int=50 + number), kind.value, kind, PercentOff(100_000))
            await uow.promotions.put(promotion, AT)
        await uow.tax.put_rules(standard_rules(["CA"]), AT)
        await uow.commit()


async def _measure(lines: int) -> None:
    asked = CartAsked(
        Buyer("CAD"),
        tuple(LineAsked(UUID(int=0x1000 + n), UUID(int=0x1000 + n), 12) for n in range(lines)),
        destination=Destination("CA", "QC"),
    )
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'core.sqlite3'}"
        engine = make_engine(url)
        await upgrade(engine)
        database = SqlDatabase(engine, make_reader(url))
        await _fill(database, lines)
        taken_ms: list[float] = []
        total = 0
        for _ in range(ROUNDS):
            start_s = time.process_time()
            async with database.reading() as uow:
                priced = await priced_cart(uow, asked, AT)
            total = priced.total_minor
            taken_ms.append((time.process_time() - start_s) * 1000)
        await database.dispose()
    taken_ms.sort()
    print(
        f"{lines} lines, 6 prices each, 2 promotions, 2 taxes: "
        f"{taken_ms[ROUNDS // 2]:.1f} ms of CPU in the middle, {taken_ms[0]:.1f} ms at best; "
        f"total {total}"
    )


if __name__ == "__main__":
    asyncio.run(_measure(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
