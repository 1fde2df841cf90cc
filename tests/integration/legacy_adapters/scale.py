"""Backfills a large synthetic shop and prints time, memory and latency.

    python -m tests.integration.legacy_adapters.scale --products 20000

The rows are made by SQL beside those of a real seeded shop, so they have every satellite
that real ones have.
"""

# ruff: noqa: T201 - what it prints is what it is for

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from tests.contract.legacy_adapters.shops import COMMAND, Server, prepare_shop, serve_core

FIRST = 100_000

GROW = """
INSERT INTO catalogue_product (id, structure, upc, title, slug, description, date_created,
    date_updated, is_discountable, product_class_id, is_public, priority, parent_id)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :products)
SELECT {first} + i, 'standalone', 'syn-' || i, 'Synthetic ' || i, 'synthetic',
    hex(zeroblob(400)), datetime('2020-01-01', '+' || i || ' minutes'), '2020-01-01 00:00:00',
    1, (SELECT min(id) FROM catalogue_productclass), 1, 0, NULL FROM n;
INSERT INTO catalogue_productcategory (product_id, category_id)
SELECT id, (SELECT max(id) FROM catalogue_category WHERE depth = 2)
FROM catalogue_product WHERE id >= {first};
INSERT INTO partner_stockrecord (product_id, partner_id, partner_sku, price_currency, price,
    num_in_stock, date_created, date_updated)
SELECT id, (SELECT min(id) FROM partner_partner), 'syn-' || id, 'GBP', (id % 9000) / 100.0,
    id % 50, '2020-01-01 00:00:00', '2020-01-01 00:00:00'
FROM catalogue_product WHERE id >= {first};
"""


def grow(database: Path, products: int) -> None:
    """Add synthetic products with a category, a price and stock each."""
    with closing(sqlite3.connect(database)) as connection:
        for statement in GROW.format(first=FIRST).split(";"):
            if statement.strip():
                values = {"products": products} if ":products" in statement else {}
                connection.execute(statement, values)
        connection.commit()


def backfill(shop_url: str, database: str) -> tuple[dict[str, object], float, int]:
    """The command's report, its seconds and its largest memory in MiB."""
    command = [sys.executable, "-c", COMMAND, "backfill", "--from", shop_url, "--json"]
    started = time.monotonic()
    done = subprocess.run(
        [*command, "--database", database], check=True, capture_output=True, text=True
    )
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    report: dict[str, object] = json.loads(done.stdout)
    return report, time.monotonic() - started, peak_kib // 1024


def latency_ms(core: Server, paths: list[str]) -> str:
    """Median and 95th percentile of asking each path once."""
    took: list[float] = []
    for path in paths:
        started = time.perf_counter()
        assert core.ask(path).status == 200, path
        took.append((time.perf_counter() - started) * 1000)
    took.sort()
    return f"p50 {statistics.median(took):.1f} ms, p95 {took[int(len(took) * 0.95)]:.1f} ms"


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--products", type=int, default=20_000)
    products = parser.parse_args().products
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shop = prepare_shop(folder / "shop")
        database = f"sqlite:///{folder / 'core.sqlite3'}"
        _, small_s, small_mib = backfill(shop.url, database)
        print(f"seeded shop: {small_s:.1f} s, {small_mib} MiB")
        grow(shop.database, products)
        for run in ("first", "second"):
            report, took_s, peak_mib = backfill(shop.url, database)
            told = {key: report[key] for key in ("ok", "written", "unchanged", "elapsed_s")}
            print(f"{run} run over {products:,} more: {took_s:.1f} s, peak {peak_mib} MiB, {told}")
        with serve_core(database, folder / "core.log") as core:
            keys = range(FIRST, FIRST + products, max(1, products // 200))
            api = "/facade/oscar/api/products"
            print("facade detail:", latency_ms(core, [f"{api}/{key}/" for key in keys]))
            print("facade price: ", latency_ms(core, [f"{api}/{key}/price/" for key in keys]))
            print("facade list:  ", latency_ms(core, [f"{api}/"] * 5))
            print("/v1 page of 50:", latency_ms(core, ["/v1/products?limit=50"] * 20))


if __name__ == "__main__":
    main()
