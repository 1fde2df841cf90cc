"""Writes and sessions between real processes: a proxy, a comparer and two stores."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from loadtests.ports import free_port
from proxy.core.frame import Frame
from proxy.storage import SpoolReader
from tests.contract.legacy_adapters.shops import COMMAND, Server
from tests.integration.proxy.harness import Client, Origin, Proxy, eventually, get, origin, proxy
from tests.support.little_shop import LEVEL, OTHER, fill, on_hand
from tests.support.processes import spawn_process, wait_for_http

pytestmark = pytest.mark.integration

SESSION = "livesession7f3a9c21e8"
LOUD = {"BANYAN_LOG_LEVEL": "DEBUG"}
PATIENT = {"BANYAN_SHADOW_TIMEOUT_S": "30"}
STORES = """apiVersion: banyan/v1
stores: {{legacy: {{url: "{legacy}"}}, core: {{url: "{core}"}}}}
shopper: ["cookie:sessionid"]
domains:
"""
COUNTS = """
  tried:
    owner: warehouse
    stage: shadow
    routes: [{path: "/v1/stock/{id}", methods: [PUT], host: tried.example}]
    shadow: {writes: dry_run}
    compare:
      rules: [{path: "$.updated_at", accept: timestamp, owner: warehouse, reason: "own clocks",
               expires: 2100-01-01}]
  read:
    owner: warehouse
    stage: shadow
    routes:
      - {path: "/v1/stock/{id}", methods: [PUT], host: read.example}
      - {path: "/v1/stock/{id}", methods: [GET], host: read.example}
    shadow: {writes: verify, verify: [{read: "/v1/stock/{id}", after: 100ms}]}
    compare:
      rules: [{path: "$.updated_at", accept: timestamp, owner: warehouse, reason: "own clocks",
               expires: 2100-01-01}]
"""
PEOPLE = """
  account:
    owner: people
    stage: shadow
    routes: [{path: "/account/", methods: [GET]}]
    shadow: {credentials: {forward: ["cookie:sessionid"]}}
  basket:
    owner: checkout
    stage: shadow
    routes: [{path: "/basket/{id}/lines/", methods: [POST]}]
    shadow: {writes: dry_run}
"""


@dataclass
class Comparer:
    """A comparer process, told by its metrics."""

    url: str
    database: Path

    def ends(self, domain: str) -> dict[str, int]:
        """How the domain's exchanges ended, by outcome and reason."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        counters = r'^banyan_(?:compare|shadow_loss)_total{domain="(\w+)"'
        found = re.findall(counters + r'.*(?:result|reason)="(\w+)".*} (\S+)', text, re.MULTILINE)
        return {end: int(float(count)) for name, end, count in found if name == domain}

    def comes_to(self, domain: str, **ends: int) -> bool:
        return eventually(lambda: self.ends(domain) == ends, 30)


@contextmanager
def comparing(shop: Proxy, folder: Path, env: Mapping[str, str]) -> Iterator[Comparer]:
    database, port = folder / "evidence.sqlite3", free_port()
    places = ["--config", str(shop.config), "--spool", str(shop.spool)]
    places += ["--database", f"sqlite+aiosqlite:///{database}"]
    command = [sys.executable, "-m", "cutover", "compare", *places]
    listen = ["--listen", f"127.0.0.1:{port}"]
    with spawn_process([*command, *listen], log=folder / "comparer.log", env=env):
        wait_for_http(f"http://127.0.0.1:{port}/healthz")
        yield Comparer(f"http://127.0.0.1:{port}", database)


@dataclass
class Pair:
    """Two cores, the first in the place of the legacy store, and all that stands between."""

    shop: Proxy
    legacy_url: str
    core_url: str
    core: Server
    comparer: Comparer

    def count(self, host: str, level: object, units: int) -> int:
        """A shopper's write."""
        body = json.dumps({"on_hand": units}).encode()
        head = f"PUT /v1/stock/{level} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json"
        with Client(self.shop) as client:
            return client.ask(
                f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            ).status


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    urls = [f"sqlite:///{folder}/{name}.sqlite3" for name in ("legacy", "core")]
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        for url, port in zip(urls, ports, strict=True):
            asyncio.run(fill(url))
            command = [sys.executable, "-c", COMMAND, "core", "--listen", f"127.0.0.1:{port}"]
            log = folder / f"{port}.log"
            stack.enter_context(spawn_process([*command, "--database", url], log=log))
        legacy, core = (f"http://127.0.0.1:{port}" for port in ports)
        text = STORES.format(legacy=legacy, core=core) + COUNTS
        shop = stack.enter_context(proxy(folder, text))
        comparer = stack.enter_context(comparing(shop, folder, PATIENT))
        for url in (legacy, core):
            wait_for_http(f"{url}/readyz")
        yield Pair(shop, urls[0], urls[1], Server(ports[1]), comparer)


def test_a_live_write_is_run_dry_by_the_core_and_nothing_of_it_stays(pair: Pair) -> None:
    assert pair.count("tried.example", LEVEL, 12) == 200
    assert pair.comparer.comes_to("tried", accepted=1)
    # Legacy counts its second write now, and the core still its first.
    assert pair.count("tried.example", LEVEL, 13) == 200
    assert pair.comparer.comes_to("tried", accepted=1, mismatch=1)

    assert asyncio.run(on_hand(pair.legacy_url)) == (13, 3)
    assert asyncio.run(on_hand(pair.core_url)) == (5, 1)
    counted = pair.core.ask("/metrics").body.decode()
    assert 'banyan_core_dry_runs_total{outcome="honoured"} 2.0' in counted


def test_after_a_live_write_the_named_read_of_both_sides_is_compared(pair: Pair) -> None:
    body = json.dumps({"on_hand": 30}).encode()
    there = urllib.request.Request(
        f"http://127.0.0.1:{pair.core.port}/v1/stock/{OTHER}", body,
        {"Content-Type": "application/json"}, method="PUT",
    )  # fmt: skip
    with urllib.request.urlopen(there, timeout=10) as answer:
        assert answer.status == 200

    assert pair.count("read.example", OTHER, 30) == 200
    assert pair.comparer.comes_to("read", accepted=1)
    # This one never reaches the core.
    assert pair.count("read.example", OTHER, 31) == 200
    assert pair.comparer.comes_to("read", accepted=1, mismatch=1)

    assert asyncio.run(on_hand(pair.legacy_url, OTHER)) == (31, 3)
    assert asyncio.run(on_hand(pair.core_url, OTHER)) == (30, 2)


@dataclass
class Heard:
    """What was there to be read after a session and two writes went through everything.

    Attributes:
        kept: files, by what they are.
    """

    core: Origin
    frames: list[Frame]
    kept: dict[str, bytes]
    losses: dict[str, int]


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heard]:
    folder = tmp_path_factory.mktemp("heard")
    with ExitStack() as stack:
        legacy, core = stack.enter_context(origin()), stack.enter_context(origin())
        text = STORES.format(legacy=legacy.url, core=core.url) + PEOPLE
        log = {"BANYAN_PROXY_ACCESS_LOG": str(folder / "access.log")}
        shop = stack.enter_context(proxy(folder, text, env=LOUD | log))
        with Client(shop) as client:
            cookie = f"Cookie: other=1; sessionid={SESSION}"
            assert client.ask(get("/account/", cookie)).status == 200
            for _ in range(2):
                write = "POST /basket/7/lines/ HTTP/1.1\r\nHost: shop.example\r\n"
                assert client.ask(f"{write}Content-Length: 2\r\n\r\n{{}}".encode()).status == 200
        assert eventually(lambda: shop.metric("banyan_shadow_total", outcome="spooled") == 3, 30)
        kept = files(folder)
        with SpoolReader(shop.spool) as reader:
            frames = [frame for _, frame in reader.read(10)]
        with comparing(shop, folder, LOUD | PATIENT) as comparer:
            assert comparer.comes_to("account", match=1), comparer.ends("account")
            assert comparer.comes_to("basket", dry_run_refused=2), comparer.ends("basket")
            kept |= {f"{name}, later": data for name, data in files(folder).items()}
            losses = comparer.ends("basket")
        kept |= {f"{name}, at the end": data for name, data in files(folder).items()}
        yield Heard(core, frames, kept, losses)


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def says(data: bytes, secret: str) -> bool:
    """Whether bytes hold a text, plain, in base64, or in a zlib or gzip stream of theirs."""
    plain = [data]
    for found in re.finditer(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]", data):
        try:
            plain.append(zlib.decompressobj(47).decompress(data[found.start() :], 1_000_000))
        except zlib.error:
            continue
    coded = [base64.b64encode(b"x" * n + secret.encode())[4:-4] for n in range(3)]
    return any(one in text for text in plain for one in (secret.encode(), *coded))


def test_a_sealed_session_reaches_the_other_side_and_is_nowhere_in_clear(heard: Heard) -> None:
    asked = [seen for seen in heard.core.seen if seen.line.startswith("GET /account/")]

    assert [seen.values("cookie") for seen in asked] == [[f"sessionid={SESSION}"]]
    [frame] = [frame for frame in heard.frames if frame.domain == "account"]
    assert frame.sealed
    assert SESSION not in repr(frame)
    assert [name for name, data in heard.kept.items() if says(data, SESSION)] == []
    assert any("evidence" in name for name in heard.kept)
    assert any(name.endswith(".seg") for name in heard.kept)
    assert says(b"<" + base64.b64encode(f"sessionid={SESSION}".encode()), SESSION)


def test_a_core_that_honours_no_dry_run_is_sent_the_probe_and_no_write(heard: Heard) -> None:
    asked = [seen for seen in heard.core.seen if "/basket/" in seen.line]

    assert [seen.line for seen in asked] == ["OPTIONS /basket/7/lines/ HTTP/1.1"]
    assert asked[0].values("banyan-dry-run") == ["probe"]
    assert asked[0].body == b""
    assert heard.losses == {"dry_run_refused": 2}
