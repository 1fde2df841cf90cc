"""A worker sends reads to the core and writes to legacy, and shows where each went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.integration.proxy.harness import Client, Origin, Proxy, get, origin, proxy

pytestmark = pytest.mark.integration
TABLE = """
apiVersion: banyan/v1
stores:
  legacy: {{url: "{legacy}"}}
  core: {{url: "{core}"}}
shopper: ["header:Session-Id"]
domains:
  cart:
    owner: till
    stage: canary
    core_share: 100%
    writes_to: legacy
    routes:
      - {{path: "/cart/", methods: [GET, POST, DELETE]}}
      - {{path: "/basket/", methods: [GET], writes: true}}
    shadow: {{writes: never}}
"""


@dataclass
class Shop:
    proxy: Proxy
    legacy: Origin
    core: Origin

    def ask(self, method: str, path: str) -> str:
        """Which side answered a shopper whom the core's share takes in."""
        before = self.counted(method)
        fields = ("Session-Id: s", *(["Content-Length: 1"] if method == "POST" else []))
        data = get(path, *fields).replace(b"GET", method.encode(), 1)
        with Client(self.proxy) as client:
            client.ask(data + (b"x" if method == "POST" else b""))
        (side,) = [one for one, n in self.counted(method).items() if n > before[one]]
        return side

    def counted(self, method: str) -> dict[str, float]:
        return {
            side: self.proxy.metric("banyan_requests_total", side=side, method=method)
            for side in ("legacy", "core")
        }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with origin() as legacy, origin() as core:
        text = TABLE.format(legacy=legacy.url, core=core.url)
        with proxy(tmp_path_factory.mktemp("apart"), text) as running:
            yield Shop(running, legacy, core)


@pytest.mark.parametrize(
    ("method", "path", "side"),
    [
        ("GET", "/cart/", "core"),
        ("HEAD", "/cart/", "core"),
        ("POST", "/cart/", "legacy"),
        ("DELETE", "/cart/", "legacy"),
        ("GET", "/basket/", "legacy"),
    ],
)
def test_each_request_goes_where_its_kind_stays(
    shop: Shop, method: str, path: str, side: str
) -> None:
    assert shop.ask(method, path) == side
