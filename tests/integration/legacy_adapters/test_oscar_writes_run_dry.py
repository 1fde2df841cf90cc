"""Writes of oscar's API run dry: answered like live ones, and nothing of them stays."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest

from tests.contract.legacy_adapters.shopping import PASSWORD, Client, Step
from tests.contract.legacy_adapters.shops import (
    Server,
    Shop,
    prepare_shop,
    run_backfill,
    serve_core,
    serve_shop,
)
from tests.integration.proxy.harness import Client as Wire
from tests.integration.proxy.harness import proxy
from tests.integration.shadow_compare.test_writes_between_processes import PATIENT, comparing
from tests.support.databases import fresh_database

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

BOOK = 12
DRY = {"Banyan-Dry-Run": "1"}
_SHOPPERS = (
    "cart", "checkout", "customer", "external_ref", "idempotency", "order", "oscar_", "payment",
    "promotion", "reservation", "sales",
)  # fmt: skip
RULES = Path("tests/contract/legacy_adapters/journeys.yaml")


@dataclass(frozen=True, slots=True)
class Core:
    """A core that answers, and its database."""

    server: Server
    url: str

    def rows(self) -> dict[str, int]:
        """How many rows each table has that shoppers write; workers write others meanwhile."""
        found = self._all_rows()
        return {name: n for name, n in found.items() if name.startswith(_SHOPPERS)}

    def _all_rows(self) -> dict[str, int]:
        if self.url.startswith("sqlite"):
            with contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as file:
                named = file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                names = [name for (name,) in named if not name.startswith("sqlite_")]
                return {n: file.execute(f'SELECT count(*) FROM "{n}"').fetchone()[0] for n in names}  # noqa: S608 - names of our own tables
        return asyncio.run(self._rows())

    async def _rows(self) -> dict[str, int]:
        connection = await asyncpg.connect(self.url)
        try:
            named = await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
            return {
                name: await connection.fetchval(f'SELECT count(*) FROM "{name}"')  # noqa: S608 - as above
                for (name,) in named
            }
        finally:
            await connection.close()

    def client(self, name: str) -> Client:
        return Client(self.server, f"SID:ANON:shop.example:{name}_x")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return prepare_shop(tmp_path_factory.mktemp("oscar"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def core(
    request: pytest.FixtureRequest, shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Core]:
    folder = tmp_path_factory.mktemp("core")
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{folder / 'core.sqlite3'}"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            url = stack.enter_context(fresh_database(port))
        copied = run_backfill(shop.url, url)
        assert copied.status == 0, copied.out + copied.err
        server = stack.enter_context(serve_core(url, folder / "core.log"))
        yield Core(replace(server, prefix="/facade/oscar"), url)


def test_a_dry_first_book_is_answered_like_a_live_one_and_leaves_nothing(core: Core) -> None:
    client = core.client("first")
    book = {"url": f"{client.api}products/{BOOK}/", "quantity": 2}
    before = core.rows()

    dry = client.ask("dry", "POST", "basket/add-product/", book, headers=DRY)

    assert honoured(dry)
    assert dry.body["total_incl_tax"] == "19.98"
    assert core.rows() == before
    assert client.add("live", BOOK, 2).body["total_incl_tax"] == "19.98"


def test_a_dry_checkout_places_no_order_and_the_live_one_does_after_it(core: Core) -> None:
    client = core.client("order")
    url = client.add("a book", BOOK).body["url"]
    order = {"basket": url, "guest_email": "a@example.com", "shipping_address": client.address()}
    before = core.rows()

    dry = client.ask("dry", "POST", "checkout/", order, headers=DRY)

    assert honoured(dry)
    assert dry.body["total_incl_tax"] == "9.99"
    assert core.rows() == before
    assert client.ask("live", "POST", "checkout/", order).answer.status == 200


def test_a_dry_registration_and_a_dry_login_leave_nothing(core: Core) -> None:
    client = core.client("person")
    asked = {"email": "dry@example.com", "password1": PASSWORD, "password2": PASSWORD}
    before = core.rows()

    dry = client.ask("dry", "POST", "register/", asked, headers=DRY)

    assert dry.answer.status == 201
    assert dry.answer.headers["banyan-dry-run"] == "honoured"
    assert core.rows() == before
    assert client.ask("live", "POST", "register/", asked).answer.status == 201
    there = core.rows()
    right = {"username": "dry@example.com", "password": PASSWORD}
    assert honoured(client.ask("dry login", "POST", "login/", right, headers=DRY))
    assert core.rows() == there


def test_a_shadow_that_looks_into_its_basket_leaves_none(core: Core) -> None:
    client = core.client("shadow")
    before = core.rows()

    look = client.ask("look", "GET", "basket/", headers={"X-Banyan-Shadow": "run-1"})

    assert look.answer.status == 200
    assert look.body["total_incl_tax"] == "0.00"
    assert core.rows() == before


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("basket/add-product/", "honoured"),
        ("baskets/7/lines/8/", "honoured"),
        ("checkout/", "honoured"),
        ("useraddresses/", "honoured"),
        ("products/7/", "refused"),
        ("admin/products/", "refused"),
    ],
)
def test_a_probe_tells_which_writes_can_be_taken_back(core: Core, path: str, word: str) -> None:
    probe = {"Banyan-Dry-Run": "probe"}

    asked = core.client("probe").ask("probe", "OPTIONS", path, headers=probe)

    assert asked.answer.headers["banyan-dry-run"] == word


def test_live_baskets_of_oscar_are_run_dry_by_the_core_and_match(
    core: Core, shop: Shop, tmp_path: Path
) -> None:
    rules = RULES.read_text().partition("  shopping:")[2].partition("      rules:")[2]
    before = core.rows()
    with contextlib.ExitStack() as stack:
        oscar = stack.enter_context(serve_shop(shop))
        text = _TABLE.format(legacy=oscar.port, core=core.server.port) + rules
        front = stack.enter_context(proxy(tmp_path, text))
        comparer = stack.enter_context(comparing(front, tmp_path, PATIENT))
        body = json.dumps({"url": f"/api/products/{BOOK}/", "quantity": 2}).encode()
        head = "POST /api/basket/add-product/ HTTP/1.1\r\nHost: shop.example:8080\r\n"
        more = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        for _ in range(3):
            with Wire(front) as wire:
                assert wire.ask((head + more).encode() + body).status == 200

        assert comparer.comes_to("basket", accepted=3), comparer.ends("basket")
    assert core.rows() == before


_TABLE = """apiVersion: banyan/v1
stores:
  legacy: {{url: "http://127.0.0.1:{legacy}"}}
  core: {{url: "http://127.0.0.1:{core}/facade/oscar"}}
shopper: ["header:Session-Id"]
domains:
  basket:
    owner: checkout
    stage: shadow
    routes:
      - {{path: "/api/basket/", methods: [GET]}}
      - {{path: "/api/basket/add-product/", methods: [POST]}}
      - {{path: "/api/checkout/", methods: [POST]}}
    shadow: {{writes: dry_run}}
    compare:
      headers: [content-type]
      rules:"""


def honoured(step: Step) -> bool:
    headers = step.answer.headers
    return step.answer.status == 200 and headers.get("banyan-dry-run") == "honoured"
