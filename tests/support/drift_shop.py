"""An oscar shop with orders, its core and the sync between them, to be drifted apart by hand."""

# ruff: noqa: S608 - SQL by hand is what this module makes, of own names

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from legacy_adapters.oscar.mapping.records import SYSTEM
from new_core.domain.identity import core_id
from tests.support.commands import Ended, run_banyan
from tests.support.databases import fresh_database
from tests.support.drift_stores import Database
from tests.support.processes import spawn_process

PREPARE = (sys.executable, "-m", "legacy_adapters.oscar.demo_store.run", "prepare")
FIRST, LAST = 9001, 9030
ANN = 900
PARTS = ("order_lineprice", "order_line", "order_order", "order_shippingaddress")


@dataclass(frozen=True, slots=True)
class DriftShop:
    """Both databases, and the evidence."""

    legacy: Database
    core: Database
    evidence: str

    def banyan(self, *words: object, code: int | None = 0) -> Ended:
        """A command of reconciliation, to its end."""
        found = run_banyan(
            *words, "--legacy", self.legacy.url, "--core", self.core.url, *self.books
        )
        assert code is None or found.code == code, (words, found)
        return found

    @property
    def books(self) -> tuple[str, str]:
        return "--database", self.evidence

    def passes(self, *words: str) -> list[dict[str, Any]]:
        """Results of passes, one a domain."""
        told = self.banyan("reconcile", *words, "--json", code=None)
        assert told.code in (0, 1), told
        found, rest = [], told.out.strip()
        while rest:
            one, end = json.JSONDecoder().raw_decode(rest)
            found.append(one)
            rest = rest[end:].strip()
        assert found, told
        return found

    def drifts(self, *words: str) -> list[dict[str, Any]]:
        """Differences as they are kept."""
        told = run_banyan("drift", "list", *words, "--json", *self.books)
        assert told.code == 0, told
        found: list[dict[str, Any]] = json.loads(told.out)
        return found

    def settle(self, parked: int = 0) -> None:
        """Wait until nothing waits to be carried, but for so many that cannot be.

        Raises:
            TimeoutError: something still waits after two minutes.
        """
        until, idle, told = time.monotonic() + 120, 0, ""
        while time.monotonic() < until:
            found = run_banyan(
                "sync", "status", "--json", "--from", self.legacy.url, "--database", self.core.url
            )
            told = found.out
            waiting = [
                (one["problem"], part["dirty"], part["parked"])
                for one in (json.loads(told) if found.code == 0 else [])
                for part in one["domains"]
            ]
            count = sum(one[2] for one in waiting)
            is_idle = waiting and count <= parked and not any(one[0] or one[1] for one in waiting)
            idle = idle + 1 if is_idle else 0
            if idle >= 2:
                return
            time.sleep(0.3)
        raise TimeoutError(told)

    def retry(self) -> None:
        """Have everything parked tried once more."""
        _must("sync", "retry", "--from", self.legacy.url, "--database", self.core.url)

    def id_of(self, entity_type: str, key: object) -> str:
        """The core's id of a legacy key, as SQL of the core."""
        return self.core.literal(core_id(SYSTEM, entity_type, str(key)))


def people(first: int, last: int) -> Iterator[str]:
    """Customers of these keys, with an address each."""
    for key in range(first, last + 1):
        yield (
            "INSERT INTO auth_user (id, password, is_superuser, username, last_name, email,"
            f" is_staff, is_active, date_joined, first_name) VALUES ({key}, '!x', false,"
            f" 'user{key}', 'Hill', 'user{key}@example.com', false, true,"
            " '2026-01-02 03:04:05', 'Zoë')"
        )


def order(key: int, user: int = ANN) -> Iterator[str]:
    """An order of two books for 20.00 GBP."""
    yield (
        "INSERT INTO order_shippingaddress (id, title, first_name, last_name, line1, line2, line3,"
        " line4, state, postcode, search_text, phone_number, notes, country_id) VALUES"
        f" ({key}, '', 'Zoë', 'Hill', '1 Hill', '', '', 'York', '', 'YO1', '', '', '', 'GB')"
    )
    yield (
        "INSERT INTO order_order (id, number, currency, total_incl_tax, total_excl_tax,"
        " shipping_incl_tax, shipping_excl_tax, shipping_method, shipping_code, status,"
        " guest_email, date_placed, shipping_address_id, site_id, user_id, analytics_tracked)"
        f" VALUES ({key}, '{key + 100_000}', 'GBP', 20.00, 20.00, 0, 0, 'Free', 'free', 'Pending',"
        f" '', '2026-01-31 09:10:11.123456', {key}, 1, {user}, false)"
    )
    yield (
        "INSERT INTO order_line (id, partner_name, partner_sku, partner_line_reference,"
        " partner_line_notes, title, quantity, line_price_incl_tax, line_price_excl_tax,"
        " line_price_before_discounts_incl_tax, line_price_before_discounts_excl_tax,"
        " unit_price_incl_tax, unit_price_excl_tax, status, order_id, partner_id, product_id,"
        f" stockrecord_id, allocation_cancelled, num_allocated) VALUES ({key}, 'P', 'sku', '', '',"
        f" 'Café Müller', 2, 20.00, 20.00, 20.00, 20.00, 10.00, 10.00, 'Pending', {key}, 2, 6, 1,"
        " false, 0)"
    )
    yield (
        "INSERT INTO order_lineprice (id, quantity, price_incl_tax, price_excl_tax,"
        " shipping_incl_tax, shipping_excl_tax, line_id, order_id)"
        f" VALUES ({key}, 2, 10.00, 10.00, 0, 0, {key}, {key})"
    )


def without(key: int) -> Iterator[str]:
    """An order taken out of oscar's tables, children first."""
    for table, column in zip(PARTS, ("order_id", "order_id", "id", "id"), strict=True):
        yield f"DELETE FROM {table} WHERE {column} = {key}"


@contextmanager
def open_drift_shop(folder: Path, legacy: str, core: str, template: Path) -> Iterator[DriftShop]:
    """Filled, installed, backfilled, and in step while the block runs.

    Args:
        folder: for all files.
        legacy: URL of an empty database, or of a SQLite file.
        core: URL of an empty database.
        template: folder of a prepared store on SQLite.
    """
    environment = {**os.environ, "LEGACY_DB": legacy}
    if legacy.startswith("sqlite"):
        shutil.copy(template / "oscar.sqlite3", legacy.removeprefix("sqlite:///"))
    else:
        subprocess.run(
            [*PREPARE, "--dir", str(folder / "store")],
            check=True, stdout=subprocess.DEVNULL, timeout=400, env=environment,
        )  # fmt: skip
    shop = DriftShop(
        Database(legacy), Database(core), f"sqlite+aiosqlite:///{folder}/evidence.sqlite3"
    )
    fill(shop.legacy)
    places = ("--from", legacy, "--database", core)
    _must("sync", "install", *places)
    command = [sys.executable, "-m", "cutover", "sync", "run", *places]
    with spawn_process(command, log=folder / "sync.log"):
        _must("sync", "backfill", *places)
        shop.settle()
        yield shop


def _must(*words: str) -> None:
    found = run_banyan(*words)
    assert found.code == 0, (words, found)


def fill(legacy: Database) -> None:
    """Customers and orders; the last customers have one order each."""
    people_of = list(people(ANN, ANN + 30))
    orders = [one for key in range(FIRST, LAST + 1) for one in order(key, ANN + key - FIRST)]
    legacy.run(*people_of, *orders)


@contextmanager
def core_place(kind: str, folder: Path, port: int) -> Iterator[str]:
    """URL of an empty database for a core."""
    with ExitStack() as stack:
        if kind == "sqlite":
            yield f"sqlite:///{folder}/core.sqlite3"
        else:
            yield stack.enter_context(fresh_database(port))


def keyed(found: Sequence[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Differences by kind and key."""
    return {(one["kind"], one["key"]): one for one in found}
