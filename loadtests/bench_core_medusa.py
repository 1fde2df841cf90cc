"""Medusa beside the core: installed by npm into a cache, on a database of its own.

The project is made by hand, since its own generator clones a repository. Redis is not needed:
event bus, cache, locks and workflows fall back to memory.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from typing_extensions import override

from loadtests.accounting_servers import Postgres
from loadtests.bench_core_shops import Api, Shop
from loadtests.bench_processes import BenchError, Processes
from loadtests.ports import free_port

_VERSION = "2.21.2"
_CACHE = Path.home() / ".cache" / "banyan" / f"medusa-{_VERSION}"
_PACKAGE = {
    "name": "bench-shop",
    "version": "1.0.0",
    "private": True,
    "dependencies": {
        "@medusajs/medusa": _VERSION,
        "@medusajs/framework": _VERSION,
        "@medusajs/cli": _VERSION,
        "@swc/core": "^1.7.28",
    },
    "devDependencies": {"typescript": "^5.6.2", "ts-node": "^10.9.2"},
}
_CONFIG = """const { defineConfig } = require("@medusajs/framework/utils")
module.exports = defineConfig({
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    http: { storeCors: "http://localhost", adminCors: "http://localhost",
            authCors: "http://localhost", jwtSecret: "bench", cookieSecret: "bench" },
  },
  admin: { disable: true },
})
"""
_ADMIN = {"email": "admin@example.org", "password": "bench-only-1"}
_PLENTY = 1_000_000
_INSTALL_S, _STEP_S = 1200, 300


class Medusa(Shop):
    """Medusa on PostgreSQL, one process."""

    name = f"Medusa {_VERSION}"

    def __init__(self, processes: Processes, postgres: Postgres) -> None:
        self.database_pids = [postgres.pid]
        _install()
        port = free_port()
        url = postgres.create("medusa").replace("+asyncpg", "")
        environment = {
            "DATABASE_URL": f"{url}?sslmode=disable", "MEDUSA_DISABLE_TELEMETRY": "1",
            "PORT": str(port), "NODE_ENV": "production",
        }  # fmt: skip
        for step in (
            ("db:migrate",),
            ("user", "-e", _ADMIN["email"], "-p", _ADMIN["password"]),
        ):
            pid = processes.start(*_medusa(*step), env=environment, log="medusa.log")
            processes.finish(pid, _STEP_S)
        self.pid = processes.start(*_medusa("start"), env=environment, log="medusa.log")
        self._api = Api(port)
        self._api.wait("/health")
        self._things: list[str] = []
        self._products: list[str] = []
        self._shop: dict[str, str] = {}

    @override
    def prepare(self, things: int) -> None:
        token = self._api.ask("POST", "/auth/user/emailpass", _ADMIN)["token"]
        self._admin = {"authorization": f"Bearer {token}"}
        ask = self._ask
        channel = ask("GET", "/admin/sales-channels")["sales_channels"][0]["id"]
        keys = ask("GET", "/admin/api-keys?type=publishable")["api_keys"]
        self._key = {"x-publishable-api-key": keys[0]["token"]}
        profile = ask("GET", "/admin/shipping-profiles")["shipping_profiles"][0]["id"]
        region = {"name": "CA", "currency_code": "cad", "countries": ["ca"],
                  "payment_providers": ["pp_system_default"]}  # fmt: skip
        self._shop["region"] = ask("POST", "/admin/regions", region)["region"]["id"]
        place = self._place(channel)
        self._shop["shipping"] = self._shipping(place, profile)
        self._sell(things, profile, channel, place)

    @override
    def read(self, kind: str, number: int) -> None:
        fields = {"product": "*variants", "price": "*variants.calculated_price",
                  "stock": "+variants.inventory_quantity"}[kind]  # fmt: skip
        product = self._products[number % len(self._products)]
        region = self._shop["region"]
        self._store("GET", f"/store/products/{product}?region_id={region}&fields={fields}")

    @override
    def cart(self) -> Any:
        address = {"first_name": "A", "last_name": "B", "address_1": "1 St", "city": "Toronto",
                   "country_code": "ca", "postal_code": "M5V1A1", "province": "on"}  # fmt: skip
        body = {"region_id": self._shop["region"], "email": "a@example.org",
                "shipping_address": address, "billing_address": address}  # fmt: skip
        return self._store("POST", "/store/carts", body)["cart"]["id"]

    @override
    def add(self, cart: Any, things: Iterable[int]) -> None:
        for thing in things:
            self.add_line(cart, thing)

    @override
    def add_line(self, cart: Any, thing: int) -> None:
        body = {"variant_id": self._things[thing % len(self._things)], "quantity": 1}
        self._store("POST", f"/store/carts/{cart}/line-items", body)

    @override
    def look(self, cart: Any) -> None:
        self._store("GET", f"/store/carts/{cart}")

    @override
    def checkout(self, cart: Any) -> None:
        option = {"option_id": self._shop["shipping"]}
        self._store("POST", f"/store/carts/{cart}/shipping-methods", option)
        made = self._store("POST", "/store/payment-collections", {"cart_id": cart})
        path = f"/store/payment-collections/{made['payment_collection']['id']}/payment-sessions"
        self._store("POST", path, {"provider_id": "pp_system_default"})
        done = self._store("POST", f"/store/carts/{cart}/complete")
        if done["type"] != "order":
            raise BenchError(f"Medusa did not order: {json.dumps(done)[:300]}")

    def _place(self, channel: str) -> str:
        ask = self._ask
        address = {"address_1": "1", "country_code": "ca", "city": "Toronto"}
        made = ask("POST", "/admin/stock-locations", {"name": "Main", "address": address})
        place = str(made["stock_location"]["id"])
        ask("POST", f"/admin/stock-locations/{place}/sales-channels", {"add": [channel]})
        ask("POST", f"/admin/stock-locations/{place}/fulfillment-providers",
            {"add": ["manual_manual"]})  # fmt: skip
        ask("POST", f"/admin/stock-locations/{place}/fulfillment-sets",
            {"name": "ship", "type": "shipping"})  # fmt: skip
        return place

    def _shipping(self, place: str, profile: str) -> str:
        ask = self._ask
        found = ask("GET", f"/admin/stock-locations/{place}?fields=*fulfillment_sets")
        sets = found["stock_location"]["fulfillment_sets"][0]["id"]
        zone = {"name": "CA", "geo_zones": [{"type": "country", "country_code": "ca"}]}
        made = ask("POST", f"/admin/fulfillment-sets/{sets}/service-zones", zone)
        rules = [{"attribute": "enabled_in_store", "operator": "eq", "value": "true"},
                 {"attribute": "is_return", "operator": "eq", "value": "false"}]  # fmt: skip
        option = {
            "name": "Post", "service_zone_id": made["fulfillment_set"]["service_zones"][0]["id"],
            "shipping_profile_id": profile, "provider_id": "manual_manual", "price_type": "flat",
            "type": {"label": "Post", "description": "post", "code": "post"},
            "prices": [{"currency_code": "cad", "amount": 5}], "rules": rules,
        }  # fmt: skip
        return str(ask("POST", "/admin/shipping-options", option)["shipping_option"]["id"])

    def _sell(self, things: int, profile: str, channel: str, place: str) -> None:
        for n in range(things):
            product = {
                "title": f"Part {n}", "status": "published", "shipping_profile_id": profile,
                "options": [{"title": "Size", "values": ["S"]}],
                "variants": [{"title": "S", "sku": f"P-{n}", "manage_inventory": True,
                              "options": {"Size": "S"},
                              "prices": [{"currency_code": "cad", "amount": 7.99}]}],
                "sales_channels": [{"id": channel}],
            }  # fmt: skip
            made = self._ask("POST", "/admin/products", product)["product"]
            self._products.append(made["id"])
            self._things.append(made["variants"][0]["id"])
        query = f"/admin/inventory-items?limit={things}&fields=id"
        for item in self._ask("GET", query)["inventory_items"]:
            level = {"location_id": place, "stocked_quantity": _PLENTY}
            self._ask("POST", f"/admin/inventory-items/{item['id']}/location-levels", level)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        return self._api.ask(method, path, body, self._admin)

    def _store(self, method: str, path: str, body: Any = None) -> Any:
        return self._api.ask(method, path, body, self._key)


def _medusa(*arguments: str) -> tuple[str, ...]:
    # A shell, since the program looks for its project where it is started.
    words = " ".join(arguments)
    return ("sh", "-c", f"cd '{_CACHE}' && exec node_modules/.bin/medusa {words}")


def _install() -> None:
    """Put Medusa into the cache, once.

    Raises:
        BenchError: npm could not.
    """
    if (_CACHE / "ready").exists():
        return
    _CACHE.mkdir(parents=True, exist_ok=True)
    (_CACHE / "package.json").write_text(json.dumps(_PACKAGE), "utf-8")
    (_CACHE / "medusa-config.js").write_text(_CONFIG, "utf-8")
    done = subprocess.run(
        ["npm", "install", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"],  # noqa: S607 - the one on PATH
        check=False, cwd=_CACHE, capture_output=True, text=True, timeout=_INSTALL_S,
    )  # fmt: skip
    if done.returncode != 0:
        raise BenchError(f"npm could not install Medusa: {done.stderr[-400:]}")
    (_CACHE / "ready").touch()
