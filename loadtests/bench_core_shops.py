"""The shops of the bench of buying: the core and django-oscar, over their own HTTP APIs."""

from __future__ import annotations

import http.client
import json
import secrets
import sys
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from typing_extensions import override

from loadtests.accounting_servers import Postgres
from loadtests.bench_processes import BenchError, Processes
from loadtests.ports import free_port

_READY_S = 120.0
_CURRENCY = "CAD"
_PLENTY = 1_000_000
_ENOUGH = 12
"""Units of a thing that the bench of oscar may sell."""

_EMAIL = "a@example.org"
_CORE_READS = {"product": "", "price": "/price", "stock": "/availability"}
_OSCAR_READS = {"product": "", "price": "price/", "stock": "availability/"}


class Api:
    """One connection to a JSON API on loopback; it is opened anew when it was closed."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The answer's JSON, or None when it has none.

        Raises:
            BenchError: the answer is an error.
        """
        content = None if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json", "accept": "application/json"}
        self._connection.request(method, path, content, {**sent, **(headers or {})})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise BenchError(f"{method} {path}: {answer.status} {text[:400].decode()}")
        is_json = "json" in answer.headers.get("content-type", "")
        return json.loads(text) if text and is_json else None

    def wait(self, path: str) -> None:
        """Until it answers there.

        Raises:
            BenchError: it does not.
        """
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            try:
                self.ask("GET", path)
            except (OSError, http.client.HTTPException, BenchError):
                self._connection.close()
                time.sleep(0.2)
            else:
                return
        raise BenchError(f"nothing answers on port {self.port}; see the log")


class Shop(ABC):
    """Something that sells.

    Attributes:
        pid: its first process.
        database_pids: of its database server, if that is a process of its own.
    """

    name: str
    pid: int
    database_pids: Sequence[int] = ()

    @abstractmethod
    def prepare(self, things: int) -> None:
        """Have so many things to sell, plenty of each."""

    @abstractmethod
    def read(self, kind: str, number: int) -> None:
        """Ask for the product, price or stock of some thing."""

    @abstractmethod
    def cart(self) -> Any:
        """A new cart of a guest."""

    @abstractmethod
    def add(self, cart: Any, things: Iterable[int]) -> None:
        """Put these things into a cart, at once where the shop can."""

    @abstractmethod
    def add_line(self, cart: Any, thing: int) -> None:
        """Put one thing into a cart."""

    @abstractmethod
    def look(self, cart: Any) -> None:
        """Ask for the whole cart."""

    @abstractmethod
    def checkout(self, cart: Any) -> None:
        """Order it, to be paid later."""


class Core(Shop):
    """The new core, one process, filled over its own API."""

    def __init__(self, processes: Processes, name: str, url: str, pids: Sequence[int]) -> None:
        self.name = name
        self.database_pids = pids
        port = free_port()
        self.pid = processes.start(
            sys.executable, "-c", "from cutover.cli import main; main()",
            "core", "--listen", f"127.0.0.1:{port}", "--database", url,
            env={"BANYAN_CORE_AUTH": "off"}, log=f"{name}.log",
        )  # fmt: skip
        self._api = Api(port)
        self._api.wait("/readyz")
        self._things: list[dict[str, Any]] = []

    @classmethod
    def on_postgres(cls, processes: Processes, postgres: Postgres, database: str) -> Self:
        """On a database of its own."""
        url = postgres.create(database)
        return cls(processes, "core, PostgreSQL", url, [postgres.pid])

    @classmethod
    def on_sqlite(cls, processes: Processes) -> Self:
        """On a file."""
        return cls(processes, "core, SQLite", f"sqlite:///{processes.folder}/core.sqlite3", ())

    @override
    def prepare(self, things: int) -> None:
        self._api.ask("PUT", "/v1/product-types/part", {"name": "Part"})
        place = self._create("/v1/warehouses", {"code": "main", "name": "Main", "country": "CA"})
        prices = self._create(
            "/v1/price-lists", {"code": "base", "currency": _CURRENCY, "kind": "base"}
        )
        for n in range(things):
            path = f"/v1/products/{uuid.uuid4()}"
            body = {"type": "part", "title": f"Part {n}", "slug": f"part-{n}", "sku": f"P-{n}"}
            self._api.ask("PUT", path, body)
            thing = self._api.ask("POST", f"{path}/publish")
            self._things.append(thing)
            level = {
                "variant_id": thing["variant_id"], "warehouse_id": place["id"],
                "sku": f"P-{n}", "on_hand": _PLENTY,
            }  # fmt: skip
            self._create("/v1/stock", level)
        rows = [
            {"variant_id": one["variant_id"], "unit_price": {"amount": "7.99", "currency": "CAD"}}
            for one in self._things
        ]
        self._create(f"/v1/price-lists/{prices['id']}/prices:batch", {"rows": rows})
        rate = {"price": {"amount": "5.00", "currency": _CURRENCY}}
        method = {"code": "post", "name": "Post", "rates": [rate]}
        self._create("/v1/shipping-methods", method)

    @override
    def read(self, kind: str, number: int) -> None:
        path = f"/v1/products/{self._things[number % len(self._things)]['id']}"
        self._api.ask(
            "GET", path + {"product": "", "price": "/price", "stock": "/availability"}[kind]
        )

    @override
    def cart(self) -> Any:
        cart = self._create("/v1/carts", {"currency": _CURRENCY, "email": _EMAIL})
        path, token = f"/v1/carts/{cart['id']}", {"cart-token": cart["token"]}
        address = {"country": "CA", "lines": ["1 Main St"], "city": "Ottawa", "region": "ON"}
        change = {"shipping_address": address, "shipping_code": "post"}
        self._api.ask("PATCH", path, change, {**token, "if-match": "*"})
        return cart["id"], token

    @override
    def add(self, cart: Any, things: Iterable[int]) -> None:
        rows = [{"sku": f"P-{n}", "quantity": 1} for n in things]
        if rows:
            path = f"/v1/carts/{cart[0]}/lines:batch"
            answer = self._create(path, {"mode": "atomic", "lines": rows}, cart[1])
            assert answer["accepted"] == len(rows)  # noqa: S101 - a bench of nothing is none

    @override
    def add_line(self, cart: Any, thing: int) -> None:
        self._create(f"/v1/carts/{cart[0]}/lines", {"sku": f"P-{thing}", "quantity": 1}, cart[1])

    @override
    def look(self, cart: Any) -> None:
        self._api.ask("GET", f"/v1/carts/{cart[0]}", headers=cart[1])

    @override
    def checkout(self, cart: Any) -> None:
        begun = self._create("/v1/checkouts", {"cart_id": cart[0]}, cart[1])
        body = {"expected_total": begun["expected_total"], "payment": {"kind": "manual"}}
        self._create(f"/v1/checkouts/{begun['id']}/complete", body, cart[1])

    def _create(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
        key = {"idempotency-key": f'"{secrets.token_hex(8)}"'}
        return self._api.ask("POST", path, body, {**key, **(headers or {})})


class Oscar(Shop):
    """The demo's django-oscar: gunicorn, one process with one thread, SQLite."""

    name = "django-oscar"

    def __init__(self, processes: Processes) -> None:
        folder = str(processes.folder / "oscar")
        store = "legacy_adapters.oscar.demo_store.run"
        done = processes.start(sys.executable, "-m", store, "prepare", "--dir", folder)
        processes.finish(done, _READY_S)
        port = free_port()
        self.pid = processes.start(
            sys.executable, "-m", store, "serve", "--dir", folder,
            "--listen", f"127.0.0.1:{port}", "--workers", "1", "--threads", "1", log="oscar.log",
        )  # fmt: skip
        self._api = Api(port)
        self._api.wait("/api/products/?limit=1")
        self._host = f"http://127.0.0.1:{port}"
        self._ids: list[int] = []

    @override
    def prepare(self, things: int) -> None:
        for one in self._api.ask("GET", "/api/products/"):
            ident = one["id"]
            had = self._api.ask("GET", f"/api/products/{ident}/availability/")
            if had["is_available_to_buy"] and (had["num_available"] or 0) >= _ENOUGH:
                self._ids.append(ident)
        if len(self._ids) < things:
            raise BenchError(f"oscar sells {len(self._ids)} things, {things} are needed")

    @override
    def read(self, kind: str, number: int) -> None:
        path = f"/api/products/{self._ids[number % len(self._ids)]}/"
        self._api.ask(
            "GET", path + {"product": "", "price": "price/", "stock": "availability/"}[kind]
        )

    @override
    def cart(self) -> Any:
        # Without a last part of hexadecimal digits: oscarapi cuts those off.
        session = {"session-id": f"SID:ANON:127.0.0.1:{uuid.uuid4().hex}zz"}
        self._api.ask("GET", "/api/basket/", headers=session)
        return session

    @override
    def add(self, cart: Any, things: Iterable[int]) -> None:
        for thing in things:
            self.add_line(cart, thing)

    @override
    def add_line(self, cart: Any, thing: int) -> None:
        url = f"{self._host}/api/products/{self._ids[thing % len(self._ids)]}/"
        self._api.ask("POST", "/api/basket/add-product/", {"url": url, "quantity": 1}, cart)

    @override
    def look(self, cart: Any) -> None:
        basket = self._api.ask("GET", "/api/basket/", headers=cart)
        self._api.ask("GET", basket["lines"].removeprefix(self._host), headers=cart)

    @override
    def checkout(self, cart: Any) -> None:
        basket = self._api.ask("GET", "/api/basket/", headers=cart)
        address = {
            "country": f"{self._host}/api/countries/GB/", "first_name": "A", "last_name": "B",
            "line1": "1 St", "line4": "London", "postcode": "EN1 9EL", "title": "Ms",
            "phone_number": "", "state": "", "line2": "", "line3": "", "notes": "",
        }  # fmt: skip
        body = {
            "basket": basket["url"],
            "guest_email": "a@example.org",
            "shipping_address": address,
        }
        self._api.ask("POST", "/api/checkout/", body, cart)
