"""A real oscar shop and a real core for the tests that compare them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtests.ports import free_port
from tests.support.processes import spawn_process, wait_for_http

HERE = Path(__file__).parent
STORE = "legacy_adapters.oscar.demo_store.run"
MANAGE = Path("legacy_adapters/oscar/demo_store/manage.py")
COMMAND = (
    "import typer; from legacy_adapters.cli import backfill, core; app = typer.Typer(); "
    "app.command()(backfill); app.command()(core); app(prog_name='banyan')"
)
HOST = "shop.example:8080"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Server:
    """Something that answers HTTP on loopback.

    Attributes:
        prefix: put before every path that is asked.
    """

    port: int
    prefix: str = ""
    host: str = HOST

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = {"Host": self.host, **(headers or {})}
            connection.request(method, self.prefix + path, headers=sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """What it printed with --json."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(frozen=True, slots=True)
class Shop:
    """The files of an oscar shop."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        """Its SQLite file."""
        return self.folder / "oscar.sqlite3"

    @property
    def url(self) -> str:
        """Its database as a URL."""
        return f"sqlite:///{self.database}"


def prepare_shop(folder: Path, *, odd: bool = False, vouchers: bool = False) -> Shop:
    """A seeded shop; `odd` adds rows that are legal and rare, `vouchers` some codes."""
    run(sys.executable, "-m", STORE, "prepare", "--dir", str(folder))
    shop = Shop(folder)
    more = {"odd_catalogue.json": odd, "vouchers.json": vouchers}
    for name in (name for name, wanted in more.items() if wanted):
        settings = {"LEGACY_DB": str(shop.database), "LEGACY_SECRET": "test"}
        command = [sys.executable, "-W", "ignore", str(MANAGE), "loaddata", str(HERE / name)]
        run(*command, **settings)
    return shop


@contextlib.contextmanager
def serve_shop(shop: Shop) -> Iterator[Server]:
    """The shop, answering."""
    port = free_port()
    command = [sys.executable, "-m", STORE, "serve", "--dir", str(shop.folder)]
    listen = ["--listen", f"127.0.0.1:{port}", "--workers", "1"]
    with spawn_process([*command, *listen], log=shop.folder / "serve.log"):
        wait_for_http(f"http://127.0.0.1:{port}/api/products/1/price/", 60)
        yield Server(port)


@contextlib.contextmanager
def serve_core(database: str, log: Path) -> Iterator[Server]:
    """The core with its facades, answering; asked paths go to its root."""
    port = free_port()
    command = [sys.executable, "-c", COMMAND, "core", "--listen", f"127.0.0.1:{port}"]
    with spawn_process([*command, "--database", database], log=log):
        wait_for_http(f"http://127.0.0.1:{port}/readyz", 60)
        yield Server(port)


def run_backfill(shop_url: str, database: str, *options: str) -> Outcome:
    """`banyan backfill --json`, to its end."""
    command = [sys.executable, "-c", COMMAND, "backfill", "--from", shop_url]
    done = subprocess.run(
        [*command, "--database", database, "--json", *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def run(*command: str, **environment: str) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},  # noqa: TID251 - the child needs ours
    )
    assert done.returncode == 0, done.stdout + done.stderr
