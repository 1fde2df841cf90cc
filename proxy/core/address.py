"""Where the proxy listens, where stores are, and whom it trusts."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import msgspec

from proxy.errors import ProxyError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PORTS = {"http": 80, "https": 443}


class AddressError(ProxyError):
    """An address that cannot be used; the text says what would be right."""


class StoreAddress(msgspec.Struct, frozen=True):
    """Attributes:
    prefix: path of the URL as bytes, without a slash at its end.
    authority: as the URL writes it, for Host.
    is_tls: the scheme is https.
    """

    host: str
    port: int
    prefix: bytes
    authority: bytes
    is_tls: bool = False


def parse_listen(text: str) -> tuple[str, int]:
    """Read HOST:PORT, [IPv6]:PORT or :PORT (all addresses).

    Raises:
        AddressError: it is none of them.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise AddressError(f'"{text}" is no address to listen on: write HOST:PORT')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise AddressError(f'"{text}" is no address to listen on: write [IPV6]:PORT')
    return host or "0.0.0.0", int(port)  # noqa: S104 - asked for by an empty host


def parse_store_url(url: str) -> StoreAddress:
    """Read a store's URL. The port is 80 for http and 443 for https where it names none.

    Raises:
        AddressError: it is not http[s]://host[:port][/path].
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise AddressError(f"{url}: {exc}") from exc
    default = _PORTS.get(parts.scheme)
    if default is None or not parts.hostname or parts.query or parts.fragment:
        raise AddressError(
            f"{url} is no store address: write http://HOST:PORT/PATH or https://HOST:PORT/PATH"
        )
    if parts.username is not None or any(ord(char) <= 0x20 or ord(char) > 0x7E for char in url):
        raise AddressError(f"{url}: no user, spaces or characters beyond ASCII in a store address")
    if port == 0:
        raise AddressError(f"{url}: no store listens on port 0")
    return StoreAddress(
        parts.hostname,
        port or default,
        parts.path.rstrip("/").encode("ascii"),
        parts.netloc.encode("ascii"),
        parts.scheme == "https",
    )


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks, separated by commas.

    Raises:
        AddressError: one of them is neither.
    """
    found = []
    for item in (part.strip() for part in text.split(",")):
        if not item:
            continue
        try:
            found.append(ipaddress.ip_network(item, strict=False))
        except ValueError as exc:
            raise AddressError(f'"{item}" is no address or network, such as 10.0.0.0/8') from exc
    return tuple(found)


def is_trusted(peer: str, networks: tuple[Network, ...]) -> bool:
    """Whether a peer's address lies in one of the networks."""
    if not networks:
        return False
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)
