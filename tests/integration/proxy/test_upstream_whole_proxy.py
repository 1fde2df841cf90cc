"""Guards on a whole proxy: a store that fails is left alone, and gets its shoppers back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.proxy.harness import (
    Client,
    Connection,
    Origin,
    Proxy,
    eventually,
    get,
    origin,
    proxy,
    routing,
)

# Waits for the exchanges to ask the guards, the worker to tend them, and the table's keys.
pytestmark = [
    pytest.mark.integration,
]


def guarded(legacy: Origin, core: Origin, guards: str) -> str:
    """A table whose core answers the catalog and has these keys."""
    text = routing(legacy.url, core.url, "retired")
    plain = f'core: {{url: "{core.url}"}}'
    assert plain in text
    return text.replace(plain, f'core: {{url: "{core.url}", {guards}}}')


def hang_up(connection: Connection) -> None:
    connection.read_request()


def status(shop: Proxy) -> int:
    with Client(shop) as client:
        return client.ask(get()).status


def test_a_breaker_opens_for_shoppers_and_closes_by_itself(tmp_path: Path) -> None:
    with origin() as legacy, origin() as core:
        guards = "breaker: {failures: 50%, min_requests: 4, window: 10s, open: 500ms}"
        with proxy(tmp_path / "p", guarded(legacy, core, guards)) as shop:
            assert status(shop) == 200

            core.reset(hang_up)
            assert eventually(lambda: status(shop) == 503)
            with Client(shop) as client:
                answer = client.ask(get())
            assert (answer.status, answer.value("retry-after")) == (503, "1")
            assert shop.metric("banyan_upstream_turned_away_total", reason="breaker_open") >= 1
            assert shop.metric("banyan_upstream_breaker_opened_total", side="core") >= 1

            core.reset()
            assert eventually(
                lambda: (
                    status(shop) == 200
                    and shop.metric("banyan_upstream_breaker", side="core", state="closed") == 1
                )
            )


def test_health_checks_take_a_store_out_for_shoppers_and_bring_it_back(tmp_path: Path) -> None:
    bad = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with origin() as legacy, origin() as core:
        guards = "health: {path: /healthz, every: 50ms, unhealthy_after: 2}"
        with proxy(tmp_path / "p", guarded(legacy, core, guards)) as shop:
            assert eventually(
                lambda: shop.metric("banyan_upstream_checks_total", result="good") >= 2
            )
            assert status(shop) == 200

            core.reset(core.answering(bad))
            assert eventually(
                lambda: shop.metric("banyan_upstream_health", side="core", state="unhealthy") == 1
            )
            with Client(shop) as client:
                answer = client.ask(get())
            assert (answer.status, answer.value("retry-after")) == (503, "1")
            assert shop.metric("banyan_upstream_turned_away_total", reason="unhealthy") >= 1

            core.reset()
            assert eventually(lambda: status(shop) == 200)


def test_a_store_has_a_bound_of_its_own(tmp_path: Path) -> None:
    with (
        origin() as legacy,
        origin() as core,
        proxy(tmp_path / "p", guarded(legacy, core, "max_in_flight: 1")) as shop,
        Client(shop) as first,
    ):
        core.reset(wait)
        first.send(get())
        assert eventually(lambda: core.connections == 1)

        assert status(shop) == 503
        assert shop.metric("banyan_upstream_turned_away_total", reason="busy") == 1


def wait(connection: Connection) -> None:
    while connection.sock.recv(65_536):
        pass
