"""One pair of stores and one proxy for the tests that need nothing special."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.proxy.harness import Origin, Proxy, origin, proxy, routing


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Origin, Origin]]:
    with origin() as legacy, origin() as core:
        text = routing(legacy.url, core.url + "/facade/oscar", "canary", "50%")
        with proxy(tmp_path_factory.mktemp("proxy"), text) as running:
            yield running, legacy, core


@pytest.fixture
def stores(_shared: tuple[Proxy, Origin, Origin]) -> tuple[Origin, Origin]:
    """Legacy and core, answering 200 "ok" until a test says otherwise."""
    _, legacy, core = _shared
    legacy.reset()
    core.reset()
    return legacy, core


@pytest.fixture
def legacy(stores: tuple[Origin, Origin]) -> Origin:
    return stores[0]


@pytest.fixture
def core(stores: tuple[Origin, Origin]) -> Origin:
    return stores[1]


@pytest.fixture
def shop(_shared: tuple[Proxy, Origin, Origin], stores: tuple[Origin, Origin]) -> Proxy:
    """A proxy with catalog in canary: without a shopper key legacy answers."""
    return _shared[0]
