"""The backfill on a real oscar's database: again, killed, with broken rows, with lost rows."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from legacy_adapters.app.serving import run_backfill as backfill
from legacy_adapters.errors import LegacyUnavailable, LegacyUnreadable
from legacy_adapters.oscar.mapping.columns import COLUMNS
from legacy_adapters.service.report import EntityCheck, Report
from new_core.settings import CoreSettings
from tests.contract.legacy_adapters.shops import (
    COMMAND,
    Shop,
    prepare_shop,
    run_backfill,
    serve_core,
)
from tests.support.databases import fresh_database

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


PRODUCTS = 217
"""In the seeded shop: 201 books, 10 others, and the 6 odd ones."""


class Steps:
    """Remembers what a watcher of progress is told."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int, int]] = []
        self.done = 0

    def begin(self, task: str, total: int, done: int) -> None:
        self.tasks.append((task, total, done))

    def advance(self, steps: int) -> None:
        self.done += steps


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return prepare_shop(tmp_path_factory.mktemp("seeded"), odd=True)


@pytest.fixture
def shop(seeded: Shop, tmp_path: Path) -> Shop:
    folder = tmp_path / "shop"
    folder.mkdir()
    copy = Shop(folder)
    shutil.copy(seeded.database, copy.database)
    return copy


@pytest.fixture
def core(tmp_path: Path) -> Path:
    return tmp_path / "core.sqlite3"


async def copy(shop: Shop, core: Path, page_size: int = 100) -> Report:
    settings = CoreSettings(core_database=f"sqlite:///{core}")
    return await backfill(settings, shop.url, Steps(), page_size=page_size, restart=False)


def change(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def read(database: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


def entity(report: Report, name: str) -> EntityCheck:
    return next(one for one in report.check.entities if one.entity == name)


def everything(core: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables but the cursors, whose moments move with every run."""
    names = [row[0] for row in read(core, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        name: sorted(read(core, f'SELECT * FROM "{name}"'), key=repr)  # noqa: S608 - own tables
        for name in names
        if name != "import_cursor"
    }


async def test_the_core_equals_the_shop(shop: Shop, core: Path) -> None:
    report = await copy(shop, core)

    assert report.complete
    assert entity(report, "product").core == PRODUCTS
    assert all(one.legacy == one.core for one in report.check.totals)
    assert report.unchanged == 0


async def test_a_second_run_changes_nothing(shop: Shop, core: Path) -> None:
    await copy(shop, core)
    before = everything(core)

    again = await copy(shop, core, page_size=7)

    assert (again.written, again.removed, again.check.recopied) == (0, 0, 0)
    assert everything(core) == before


async def test_only_what_changed_is_written_again(shop: Shop, core: Path) -> None:
    await copy(shop, core)
    before = dict(read(core, "SELECT id, updated_at FROM product"))
    change(
        shop.database,
        "UPDATE catalogue_product SET title = 'New title' WHERE id = 50",
        "UPDATE partner_stockrecord SET num_in_stock = 1 WHERE id = 60",
    )

    report = await copy(shop, core)

    after = dict(read(core, "SELECT id, updated_at FROM product"))
    moved = [key for key in after if after[key] != before[key]]
    assert report.complete
    assert report.written == 2
    assert len(moved) == 1
    assert read(core, "SELECT version FROM product WHERE title = 'New title'") == [(2,)]


async def test_progress_counts_every_row_once_while_copying(shop: Shop, core: Path) -> None:
    steps = Steps()
    settings = CoreSettings(core_database=f"sqlite:///{core}")

    await backfill(settings, shop.url, steps, page_size=50, restart=False)

    (copying, comparing) = steps.tasks
    assert copying[0] == "copying"
    assert comparing[0] == "comparing"
    assert copying[1] == comparing[1]
    assert steps.done == copying[1] + comparing[1]


def test_a_run_that_was_killed_goes_on_where_it_was(shop: Shop, core: Path) -> None:
    command = [sys.executable, "-c", COMMAND, "backfill", "--from", shop.url, "--page-size", "1"]
    with subprocess.Popen(
        [*command, "--database", f"sqlite:///{core}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        _wait_until(lambda: _products(core) >= 20, running)
        os.kill(running.pid, signal.SIGKILL)
    there = _products(core)

    resumed = run_backfill(shop.url, f"sqlite:///{core}")

    assert 20 <= there < PRODUCTS
    assert resumed.status == 0, resumed.out + resumed.err
    assert resumed.report["resumed"] is True
    assert resumed.report["ok"] is True
    assert resumed.report["written"] < 500 - there


def _products(core: Path) -> int:
    try:
        return int(read(core, "SELECT count(*) FROM product")[0][0])
    except sqlite3.OperationalError:
        return 0


def _wait_until(ready: Callable[[], bool], running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert running.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)


_HUGE = "UPDATE catalogue_product SET description = hex(zeroblob(600000)) WHERE id = {}"
_ORPHAN = (
    "UPDATE catalogue_product SET parent_id = 77777, structure = 'child', "
    "product_class_id = NULL WHERE id = {}"
)
CORRUPT = (
    ("UPDATE partner_stockrecord SET price_currency = 'GBX' WHERE product_id = {}", "ISO 4217"),
    ("UPDATE partner_stockrecord SET price = -1 WHERE product_id = {}", "not in 0 to"),
    ("UPDATE partner_stockrecord SET price = 'dear' WHERE product_id = {}", "not a number"),
    ("UPDATE partner_stockrecord SET num_allocated = -3 WHERE product_id = {}", "is -3"),
    ("UPDATE catalogue_product SET title = char(0) WHERE id = {}", "NUL character"),
    ("UPDATE catalogue_product SET title = x'ff41' WHERE id = {}", "not text"),
    ("UPDATE catalogue_product SET structure = 'bundle' WHERE id = {}", "is 'bundle'"),
    ("UPDATE catalogue_product SET date_created = 'today' WHERE id = {}", "not a time"),
    ("UPDATE catalogue_product SET product_class_id = NULL WHERE id = {}", "is NULL"),
    (_ORPHAN, "no product"),
    (_HUGE, "characters, more than"),
)


async def test_corrupt_rows_are_parked_and_the_rest_goes_on(shop: Shop, core: Path) -> None:
    for product, (statement, _) in enumerate(CORRUPT, start=30):
        change(shop.database, "PRAGMA ignore_check_constraints = ON", statement.format(product))

    report = await copy(shop, core)

    parked = {one.external_id: one.reason for one in report.parked}
    assert report.check.equal
    assert not report.complete
    assert report.parked_count == len(CORRUPT)
    for product, (_, reason) in enumerate(CORRUPT, start=30):
        assert reason in parked[str(product)], parked[str(product)]
    assert entity(report, "product").core == PRODUCTS - len(CORRUPT)


async def test_negative_stock_is_parked(shop: Shop, core: Path) -> None:
    with closing(sqlite3.connect(shop.database)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE partner_stockrecord SET num_in_stock = -5 WHERE product_id = 40")
        connection.commit()

    report = await copy(shop, core)

    (parked,) = report.parked
    assert (parked.external_id, parked.entity_type) == ("40", "product")
    assert "partner_stockrecord.num_in_stock is -5" in parked.reason


async def test_a_broken_category_parks_what_stands_below_and_in_it(shop: Shop, core: Path) -> None:
    change(shop.database, "UPDATE catalogue_category SET path = '00ZX1' WHERE id = 9001")

    report = await copy(shop, core)

    reasons = {(one.entity_type, one.external_id): one.reason for one in report.parked}
    assert "4 characters per level" in reasons["category", "9001"]
    assert "no category stands at" in reasons["category", "9004"]
    assert "needs category 9001" in reasons["product", "9001"]
    assert ("product", "1") not in reasons
    assert report.check.equal


async def test_a_parked_parent_parks_its_variants(shop: Shop, core: Path) -> None:
    change(shop.database, "UPDATE catalogue_product SET is_public = 7 WHERE id = 9002")

    report = await copy(shop, core)

    reasons = {one.external_id: one.reason for one in report.parked}
    assert reasons.keys() == {"9002", "9003", "9004"}
    assert "needs product 9002" in reasons["9003"]


async def test_a_mended_row_is_taken_over(shop: Shop, core: Path) -> None:
    change(shop.database, "UPDATE partner_stockrecord SET price = -1 WHERE product_id = 50")
    await copy(shop, core)
    change(shop.database, "UPDATE partner_stockrecord SET price = 9.99 WHERE product_id = 50")

    report = await copy(shop, core)

    assert report.complete
    assert report.parked == ()


async def test_a_row_that_breaks_later_keeps_its_last_good_state(shop: Shop, core: Path) -> None:
    await copy(shop, core)
    before = read(core, "SELECT * FROM product ORDER BY id")
    change(shop.database, "UPDATE partner_stockrecord SET price = -1 WHERE product_id = 50")

    report = await copy(shop, core)

    assert report.parked_count == 1
    assert report.check.equal
    assert read(core, "SELECT * FROM product ORDER BY id") == before


async def test_a_row_that_breaks_a_rule_of_the_core_is_parked_alone(shop: Shop, core: Path) -> None:
    change(
        shop.database,
        "CREATE TABLE loose AS SELECT * FROM partner_partner",
        "INSERT INTO loose SELECT 9003, code, name FROM loose WHERE id = 9001",
        "DROP TABLE partner_partner",
        "ALTER TABLE loose RENAME TO partner_partner",
    )

    report = await copy(shop, core)

    (parked,) = report.parked
    assert (parked.entity_type, parked.external_id) == ("warehouse", "9003")
    assert "warehouse.code" in parked.reason
    assert report.check.equal


GONE = (
    "DELETE FROM catalogue_productrecommendation WHERE primary_id = 9001",
    "DELETE FROM catalogue_productcategory WHERE product_id IN (9002, 9003, 9004, 9006)",
    "DELETE FROM catalogue_productattributevalue WHERE product_id IN (9002, 9003, 9004)",
    "DELETE FROM partner_stockrecord WHERE product_id IN (9003, 9004) OR id = 9008",
    "DELETE FROM catalogue_product WHERE id IN (9002, 9003, 9004)",
    "DELETE FROM catalogue_category WHERE id IN (9004, 9005)",
    "DELETE FROM catalogue_productimage WHERE id = 9002",
)


async def test_what_vanished_from_the_shop_vanishes_from_the_core(shop: Shop, core: Path) -> None:
    await copy(shop, core)
    change(shop.database, *GONE)

    report = await copy(shop, core, page_size=3)

    tombstones = read(
        core,
        "SELECT entity_type, external_id FROM external_ref WHERE removed_at IS NOT NULL "
        "ORDER BY entity_type, external_id",
    )
    assert report.complete
    assert entity(report, "product").core == PRODUCTS - 3
    assert tombstones == [
        ("asset", "9002"), ("category", "9004"), ("category", "9005"),
        ("product", "9002"), ("product", "9003"), ("product", "9004"),
        ("stock_level", "9003"), ("stock_level", "9004"), ("stock_level", "9005"),
        ("stock_level", "9008"),
    ]  # fmt: skip


async def test_a_row_that_comes_back_is_the_same_thing_again(shop: Shop, core: Path) -> None:
    await copy(shop, core)
    before = read(core, "SELECT id FROM product WHERE gtin = 'odd-d'")
    kept = shop.database.with_suffix(".kept")
    shutil.copy(shop.database, kept)
    change(
        shop.database,
        "DELETE FROM catalogue_productrecommendation WHERE recommendation_id = 9005",
        "DELETE FROM partner_stockrecord WHERE product_id = 9005",
        "DELETE FROM catalogue_product WHERE id = 9005",
    )
    await copy(shop, core)
    between = read(core, "SELECT id FROM product WHERE gtin = 'odd-d'")
    shutil.copy(kept, shop.database)

    report = await copy(shop, core)

    assert report.complete
    assert between == []
    assert read(core, "SELECT id FROM product WHERE gtin = 'odd-d'") == before


async def test_an_empty_shop_empties_nothing(shop: Shop, core: Path) -> None:
    await copy(shop, core)
    change(shop.database, "DELETE FROM catalogue_product")

    with pytest.raises(LegacyUnreadable, match="is the address right"):
        await copy(shop, core)

    assert _products(core) == PRODUCTS


_DEARER = (
    "UPDATE price SET unit_micro = unit_micro + 1 "
    "WHERE stock_level_id IN (SELECT id FROM stock_level WHERE sku = 'odd-l1')"
)
TAMPERED = (
    ("UPDATE product SET title = title || '!' WHERE gtin = 'odd-1'", "product", "9001"),
    (_DEARER, "stock_level", "9007"),
    ("DELETE FROM asset WHERE uri LIKE '%z.jpg'", "product", "9001"),
    ("DELETE FROM stock_level WHERE sku = 'odd-d'", "stock_level", "9006"),
    ("UPDATE category SET name = 'x' WHERE slug = 'deeper'", "category", "9005"),
)


@pytest.mark.parametrize(("damage", "name", "key"), TAMPERED)
async def test_a_core_that_differs_is_found_and_the_row_named(
    shop: Shop, core: Path, damage: str, name: str, key: str
) -> None:
    await copy(shop, core)
    change(core, damage)

    again = await copy(shop, core)

    assert not again.check.equal
    assert entity(again, name).differing == [key]


def test_a_core_that_differs_ends_in_status_one(shop: Shop, core: Path) -> None:
    database = f"sqlite:///{core}"
    run_backfill(shop.url, database)
    change(core, "UPDATE product SET title = title || '!' WHERE gtin = 'odd-1'")

    again = run_backfill(shop.url, database)

    assert again.status == 1
    assert again.report["equal"] is False


def test_broken_rows_end_in_a_status_of_their_own(shop: Shop, core: Path) -> None:
    change(shop.database, "UPDATE partner_stockrecord SET price = -1 WHERE product_id = 50")

    done = run_backfill(shop.url, f"sqlite:///{core}")

    assert done.status == 3
    assert done.report["parked"][0]["external_id"] == "50"


def test_a_wrong_address_is_told_in_one_line(core: Path) -> None:
    done = run_backfill("postgresql://127.0.0.1:1/oscar", f"sqlite:///{core}")

    assert done.status == 1
    assert done.err.startswith("banyan backfill: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "told"),
    [("oracle://x/y", "not supported"), ("nonsense", "is not a database URL")],
)
async def test_an_address_of_no_use_is_refused(core: Path, url: str, told: str) -> None:
    settings = CoreSettings(core_database=f"sqlite:///{core}")

    with pytest.raises(LegacyUnreadable, match=told):
        await backfill(settings, url, Steps(), page_size=1, restart=False)


async def test_a_database_that_is_no_shop_is_told(tmp_path: Path, core: Path) -> None:
    other = tmp_path / "oscar.sqlite3"
    change(other, "CREATE TABLE t (x)")

    with pytest.raises(LegacyUnreadable, match="no database of an oscar shop"):
        await copy(Shop(tmp_path), core)


async def test_a_missing_file_is_not_made(tmp_path: Path, core: Path) -> None:
    with pytest.raises(LegacyUnavailable, match="there is no database file"):
        await copy(Shop(tmp_path), core)

    assert not (tmp_path / "oscar.sqlite3").exists()


def test_two_at_once_do_not_corrupt_each_other(shop: Shop, core: Path) -> None:
    database = f"sqlite:///{core}"
    command = [sys.executable, "-c", COMMAND, "backfill", "--from", shop.url, "--page-size", "1"]
    with subprocess.Popen(
        [*command, "--database", database], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as first:
        _wait_until(lambda: _products(core) >= 5, first)
        second = run_backfill(shop.url, database, "--restart")
        assert first.stderr is not None
        told = first.stderr.read().decode()

    assert second.status == 0, second.out + second.err
    assert first.returncode == 1
    assert "another backfill of oscar is running" in told
    assert run_backfill(shop.url, database).report["written"] == 0


def test_a_backfill_under_a_serving_core_fails_no_request(
    shop: Shop, core: Path, tmp_path: Path
) -> None:
    database = f"sqlite:///{core}"
    with serve_core(database, tmp_path / "core.log") as server:
        command = [sys.executable, "-c", COMMAND, "backfill", "--from", shop.url]
        with subprocess.Popen(
            [*command, "--database", database, "--page-size", "5", "--json"],
            stdout=subprocess.DEVNULL,
        ) as running:
            statuses = []
            while running.poll() is None:
                statuses.append(server.ask("/facade/oscar/api/products/").status)

    assert running.returncode == 0
    assert set(statuses) == {200}


def test_every_column_of_a_real_shop_is_mapped_or_ignored_for_a_reason(shop: Shop) -> None:
    tables = read(
        shop.database,
        "SELECT name FROM sqlite_master WHERE type = 'table' "
        "AND (name LIKE 'catalogue\\_%' ESCAPE '\\' OR name LIKE 'partner\\_%' ESCAPE '\\')",
    )

    real = {
        name: {row[1] for row in read(shop.database, f"PRAGMA table_info({name})")}
        for (name,) in tables
    }

    assert {table: set(columns) for table, columns in COLUMNS.items()} == real


def test_the_same_shop_fills_postgresql_the_same(shop: Shop, postgres_port: int) -> None:
    with fresh_database(postgres_port) as database:
        first = run_backfill(shop.url, database)
        second = run_backfill(shop.url, database, "--page-size", "13")

    assert first.status == 0, first.out + first.err
    assert first.report["written"] == second.report["unchanged"]
    assert second.report["written"] == 0
