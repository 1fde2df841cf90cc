"""The two shops of `bench_core`, as processes, and who asks them over one connection each."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import re
import statistics
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from loadtests.accounting_servers import Postgres
from loadtests.bench_processes import BenchError, Processes, free_ports, wait_for

_KEPT_S = 1.0
SIZES = (1, 100, 500)
_STORE = "legacy_adapters.oscar.demo_store.run"
_LOGGED = re.compile(r"^(\d+) LOG:  (?:execute \S+|statement): (.*)$")
_NO_STATEMENTS = ("BEGIN", "COMMIT", "ROLLBACK")


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, over several tries."""

    p50_ms: float
    p95_ms: float

    @classmethod
    def of(cls, taken_s: list[float]) -> Times:
        """The median, and what one of twenty took longer than."""
        ranked = sorted(taken_s)
        last = min(len(ranked) - 1, int(len(ranked) * 0.95))
        return cls(statistics.median(ranked) * 1000, ranked[last] * 1000)

    @property
    def text(self) -> str:
        """For a table."""
        return f"{self.p50_ms:.1f} / {self.p95_ms:.1f} ms"


class Shop(Protocol):
    """A shop that is measured."""

    @property
    def pid(self) -> int: ...
    def read_for(self, what: str, seconds: float) -> int:
        """Read one kind of thing again and again; gives how often."""
        ...


class Asker:
    """Sends one request after the other over one connection."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = dict(headers)
        self._asked_at = 0.0

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The answer's JSON.

        Raises:
            BenchError: another status than 200 or 201.
        """
        content = None if body is None else json.dumps(body).encode()
        sent = {**self._headers, "Content-Type": "application/json", **(headers or {})}
        if time.monotonic() - self._asked_at > _KEPT_S:
            self._connection.close()  # the server closes what nobody uses; this opens it anew
        self._connection.request(method, path, content, sent)
        answer = self._connection.getresponse()
        self._asked_at = time.monotonic()
        told = answer.read()
        if answer.status not in (200, 201):
            raise BenchError(f"{method} {path}: {answer.status} {told[:300].decode()}")
        return json.loads(told) if told else None


@dataclass(eq=False, slots=True)
class CoreShop:
    """The core, with one worker on PostgreSQL."""

    pid: int
    asker: Asker
    skus: list[str]
    product_ids: list[str]
    database: str
    log: Path

    def batch_times(self, lines: int, tries: int) -> Times:
        """A new cart each time, filled by one request."""
        return Times.of([self._filled(lines)[1] for _ in range(tries + 1)][1:])

    def view_times(self, lines: int, tries: int) -> Times:
        """A cart of so many lines, read with all its money and problems."""
        cart, _ = self._filled(lines)
        return Times.of([_took(partial(self._get, cart)) for _ in range(tries + 1)][1:])

    def line_times(self, size: int, tries: int) -> Times:
        """One more line in carts of a size: each a new one, so that the size stays."""
        carts = [self._filled(size)[0] for _ in range(tries + 1)]
        return Times.of([_took(partial(self._add, cart)) for cart in carts][1:])

    def read_for(self, what: str, seconds: float) -> int:
        ends = {"product": "", "price": "/price", "stock": "/availability"}
        paths = [f"/v1/products/{one}{ends[what]}" for one in self.product_ids]
        return _read_for(self.asker, paths, seconds)

    def statements(self) -> dict[str, int]:
        """How many statements each kind of request sends over its connection; of several tries
        the fewest, since workers may have had that connection in between.
        """
        _sql(
            self.database,
            "ALTER SYSTEM SET log_line_prefix = '%p '",
            "ALTER SYSTEM SET log_statement = 'all'",
            "SELECT pg_reload_conf()",
        )
        time.sleep(1)  # the server takes its settings when it gets to it
        product = f"/v1/products/{self.product_ids[0]}"
        found: dict[str, int] = {"read a product": self._fewest([partial(self._read, product)] * 5)}
        for size in SIZES:
            carts = [self._created() for _ in range(5)]
            found[f"fill a cart with {size} lines"] = self._fewest(
                [partial(self._fill, cart, size) for cart in carts]
            )
            found[f"read a cart of {size}"] = self._fewest(
                [partial(self._get, cart) for cart in carts]
            )
            found[f"add a line to a cart of {size}"] = self._fewest(
                [partial(self._add, cart) for cart in carts]
            )
        return found

    def _fewest(self, acts: Sequence[Callable[[], object]]) -> int:
        return min(self._logged(act) for act in acts)

    def _read(self, path: str) -> object:
        return self.asker.ask("GET", path)

    def _logged(self, act: Callable[[], object]) -> int:
        start = self.log.stat().st_size
        act()
        time.sleep(0.2)  # the log is written behind the answer
        with self.log.open("rb") as opened:
            opened.seek(start)
            text = opened.read().decode(errors="replace")
        last: dict[str, str] = {}
        counts: Counter[str] = Counter()
        for match in filter(None, map(_LOGGED.match, text.splitlines())):
            backend, statement = match.groups()
            # Rows of one statement are logged one by one.
            if not statement.startswith(_NO_STATEMENTS) and last.get(backend) != statement:
                counts[backend] += 1
            last[backend] = statement
        # A request has one connection; what others sent meanwhile is the workers'.
        return max(counts.values(), default=0)

    def _created(self) -> dict[str, str]:
        told = self.asker.ask("POST", "/v1/carts", {"currency": "GBP"}, _key())
        return {"path": f"/v1/carts/{told['id']}", "token": told["token"]}

    def _filled(self, size: int) -> tuple[dict[str, str], float]:
        cart = self._created()
        return cart, _took(partial(self._fill, cart, size))

    def _fill(self, cart: Mapping[str, str], size: int) -> None:
        # Lines of one variant with other options are other lines: the shop has 201 books.
        rows = [
            {"sku": self.skus[n % len(self.skus)], "options": {"n": str(n)}} for n in range(size)
        ]
        send = {"Cart-Token": cart["token"], **_key()}
        self.asker.ask("POST", cart["path"] + "/lines:batch", {"lines": rows}, send)

    def _add(self, cart: Mapping[str, str]) -> None:
        body = {"sku": self.skus[0], "options": {"n": "more"}}
        send = {"Cart-Token": cart["token"], **_key()}
        self.asker.ask("POST", cart["path"] + "/lines", body, send)

    def _get(self, cart: Mapping[str, str]) -> None:
        self.asker.ask("GET", cart["path"], None, {"Cart-Token": cart["token"]})


@dataclass(eq=False, slots=True)
class OscarShop:
    """The demo's django-oscar, with one worker."""

    pid: int
    port: int
    database: str
    product_urls: list[str]

    def line_times(self, size: int, tries: int) -> Times:
        """One more line in a basket that grew to a size line by line."""
        asker = Asker(self.port, {"Session-Id": f"SID:ANON:127.0.0.1:bench{uuid.uuid4().hex}z"})
        for url in self.product_urls[:size]:
            asker.ask("POST", "/api/basket/add-product/", {"url": url, "quantity": 1})
        path = "/api/basket/add-product/"
        bodies = [{"url": url, "quantity": 1} for url in self.product_urls[size : size + tries]]
        return Times.of([_took(partial(asker.ask, "POST", path, body)) for body in bodies])

    def read_for(self, what: str, seconds: float) -> int:
        ends = {"product": "", "price": "price/", "stock": "availability/"}
        asker = Asker(self.port, {})
        paths = [url.partition(f":{self.port}")[2] + ends[what] for url in self.product_urls]
        return _read_for(asker, paths, seconds)


def start_oscar(processes: Processes) -> OscarShop:
    """Make the demo's store and serve it with one worker.

    Raises:
        BenchError: it does not start.
    """
    folder = processes.folder / "oscar"
    folder.mkdir()
    _run(processes, "-m", _STORE, "prepare", "--dir", str(folder))
    (port,) = free_ports(1)
    pid = processes.start(
        *(sys.executable, "-m", _STORE, "serve", "--dir", str(folder)),
        *("--listen", f"127.0.0.1:{port}", "--workers", "1", "--threads", "1"),
        log="oscar.log",
    )
    wait_for(f"http://127.0.0.1:{port}/api/", 60)
    asker = Asker(port, {})
    urls = [one["url"] for one in asker.ask("GET", "/api/products/")]
    found = [one for one in urls if _can_be_bought(asker, one, port)]
    (database,) = folder.rglob("*.sqlite3")
    return OscarShop(pid, port, f"sqlite:///{database}", found)


def start_core(processes: Processes, oscar: OscarShop, postgres: Postgres) -> CoreShop:
    """Serve the core on PostgreSQL with what oscar sells.

    Raises:
        BenchError: it does not start, or the catalogue does not come over.
    """
    url = postgres.url
    _wait_for_sql(url)
    _run(processes, "-m", "cutover", "backfill", "--from", oscar.database, "--database", url)
    (port,) = free_ports(1)
    pid = processes.start(
        *(sys.executable, "-m", "cutover", "core", "--listen", f"127.0.0.1:{port}"),
        *("--database", url, "--workers", "1"),
        log="core.log",
    )
    wait_for(f"http://127.0.0.1:{port}/readyz", 60)
    asker = Asker(port, {})
    page = asker.ask("GET", "/v1/products?limit=200")["data"]
    sold = [one for one in page if one["sku"] and one["structure"] != "parent"]
    products, skus = [one["id"] for one in sold], [one["sku"] for one in sold]
    single = [sku for sku in skus if skus.count(sku) == 1]
    return CoreShop(pid, asker, single, products, url, postgres.home / "log")


def _can_be_bought(asker: Asker, url: str, port: int) -> bool:
    path = url.partition(f":{port}")[2]
    return bool(asker.ask("GET", path + "availability/")["is_available_to_buy"])


def _key() -> dict[str, str]:
    return {"Idempotency-Key": f'"{uuid.uuid4()}"'}


def _took(act: Callable[[], object]) -> float:
    before = time.perf_counter()
    act()
    return time.perf_counter() - before


def _read_for(asker: Asker, paths: list[str], seconds: float) -> int:
    end = time.monotonic() + seconds
    for count in itertools.count(1):
        asker.ask("GET", paths[count % len(paths)])
        if time.monotonic() >= end:
            return count
    return 0


def _run(processes: Processes, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own command lines
        [sys.executable, *arguments], check=False, capture_output=True, text=True, timeout=300,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    if done.returncode != 0:
        processes.write("failed.log", done.stdout + done.stderr)
        raise BenchError(
            f"{' '.join(arguments[:3])}: {(done.stderr or done.stdout).strip()[-500:]}"
        )


def _wait_for_sql(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            _sql(url, "SELECT 1")
        except (asyncpg.PostgresError, OSError) as exc:
            if time.monotonic() > deadline:
                raise BenchError(f"PostgreSQL does not answer: {exc}") from exc
            time.sleep(0.2)
        else:
            return


def _sql(url: str, *statements: str) -> None:
    async def send() -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(send())
