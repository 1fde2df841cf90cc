"""Addresses: read as people write them, refused with the way out."""

from __future__ import annotations

import pytest

from proxy.core.address import (
    AddressError,
    is_trusted,
    parse_listen,
    parse_networks,
    parse_store_url,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:80", ("::1", 80)),
        (":8080", ("0.0.0.0", 8080)),
        ("shop:0", ("shop", 0)),
    ],
)
def test_listening_addresses(text: str, expected: tuple[str, int]) -> None:
    assert parse_listen(text) == expected


@pytest.mark.parametrize("text", ["", "8080", "shop", "shop:x", "shop:70000", "::1:80", "a:-1"])
def test_what_is_no_listening_address(text: str) -> None:
    with pytest.raises(AddressError, match="write"):
        parse_listen(text)


def test_store_urls_give_host_port_and_prefix() -> None:
    plain = parse_store_url("http://127.0.0.1:8083")
    deep = parse_store_url("http://Core.example/facade/oscar/")

    assert (plain.host, plain.port, plain.prefix) == ("127.0.0.1", 8083, b"")
    assert (deep.host, deep.port, deep.prefix) == ("core.example", 80, b"/facade/oscar")
    assert deep.authority == b"Core.example"
    assert not plain.is_tls


def test_https_stores_have_the_port_of_https() -> None:
    plain, odd = parse_store_url("https://shop.example/"), parse_store_url("https://[::1]:8443/a")

    assert (plain.host, plain.port, plain.prefix, plain.is_tls) == ("shop.example", 443, b"", True)
    assert (odd.host, odd.port, odd.prefix, odd.is_tls) == ("::1", 8443, b"/a", True)
    assert odd.authority == b"[::1]:8443"


@pytest.mark.parametrize(
    "url",
    ["http://shop:0", "ftp://shop", "shop:80", "http://", "http://shop/?a=1", "http://shop/#a",
     "http://u:p@shop", "http://shop:x", "http://shop:99999", "http://shop/a b", "http://shöp/"],
)  # fmt: skip
def test_what_is_no_store_url(url: str) -> None:
    with pytest.raises(AddressError):
        parse_store_url(url)


def test_peers_are_trusted_by_network() -> None:
    networks = parse_networks("10.0.0.0/8, 192.0.2.7,,fd00::/8")

    trusted = ["10.1.2.3", "192.0.2.7", "fd00::1", "::ffff:10.0.0.1"]
    others = ["11.0.0.1", "192.0.2.8", "fe80::1", "unknown", ""]

    assert all(is_trusted(peer, networks) for peer in trusted)
    assert not any(is_trusted(peer, networks) for peer in others)
    assert not is_trusted("10.1.2.3", ())
