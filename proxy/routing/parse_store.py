"""Read the two stores of a routing file."""

from __future__ import annotations

import re

from proxy.routing.model import (
    BASIS_POINTS,
    Breaker,
    HealthCheck,
    Side,
    Store,
    StoreTimeouts,
    StoreTls,
)
from proxy.routing.nodes import MapNode, Node
from proxy.routing.parse_governance import parse_region
from proxy.routing.values import Reader, join, listed, nearest, shown

_KEYS = (
    "url",
    "adapter",
    "release",
    "tls",
    "timeouts",
    "max_in_flight",
    "health",
    "breaker",
    "region",
)
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>\d{1,5}))?(?P<path>(?:/[A-Za-z0-9._~!$&'()*+,=:@%-]*)*)",
    re.ASCII,
)
_TARGET = re.compile(r"/[!-~]*", re.ASCII)
_DAY_S = 86_400.0
_LEAST_S = 0.001


def parse_stores(reader: Reader, document: Node, node: Node | None) -> dict[Side, Store]:
    """Read `stores`. Problems go to the reader."""
    if node is None:
        if isinstance(document, MapNode):
            fix = "Name both: stores: {legacy: {url: ...}, core: {url: ...}}."
            reader.missing(document.line, "", "stores", fix)
        return {}
    found = reader.entries(node, "stores")
    if found is None:
        return {}
    stores: dict[Side, Store] = {}
    for name, (line, value) in found.items():
        key = join("stores", name)
        if name in tuple(Side):
            store = _store(reader, Side(name), value, key)
            if store is not None:
                stores[store.side] = store
            continue
        meant = nearest(name, Side)
        fix = f'Did you mean "{meant}"?' if meant else f"A store is {listed(Side)}."
        reader.note(line, key, f"Unknown store {shown(name)}.", fix)
    for side in Side:
        if side not in found:
            reader.missing(node.line, "stores", side, f"Add {side}: {{url: ...}}.")
    return stores


def _store(reader: Reader, side: Side, node: Node, key: str) -> Store | None:
    fields = reader.fields(node, key, _KEYS)
    if fields is None:
        return None
    if "url" not in fields:
        reader.missing(node.line, key, "url", 'Write url: "http://host:port".')
        return None
    url = _url(reader, fields["url"], join(key, "url"))
    adapter, release = (
        reader.text(fields[name], join(key, name)) if name in fields else None
        for name in ("adapter", "release")
    )
    most = None
    if "max_in_flight" in fields:
        place = join(key, "max_in_flight")
        most = reader.integer(fields["max_in_flight"], place, least=1, most=100_000)
    tls = _tls(reader, join(key, "tls"), fields.get("tls"))
    if "tls" in fields and url is not None and not url.startswith("https:"):
        what = "The store's address is http, so nothing is encrypted."
        reader.note(fields["tls"].line, f"{key}.tls", what, "Write an https url, or remove tls.")
    timeouts = _timeouts(reader, join(key, "timeouts"), fields.get("timeouts"))
    health = _health(reader, join(key, "health"), fields.get("health"))
    breaker = _breaker(reader, join(key, "breaker"), fields.get("breaker"))
    region = None
    if "region" in fields:
        region = parse_region(reader, join(key, "region"), fields["region"])
    if url is None:
        return None
    return Store(side, url, adapter, release, tls, timeouts, most, health, breaker, region)


def _url(reader: Reader, node: Node, key: str) -> str | None:
    text = reader.text(node, key)
    if text is None:
        return None
    found = _URL.fullmatch(text)
    if found is None or (found["port"] and not 0 < int(found["port"]) < 65_536):
        fix = "Write http://host, https://host:port or http://host:port/prefix."
        reader.note(node.line, key, f"{shown(text)} is no address of a store.", fix)
        return None
    return text.rstrip("/")


def _tls(reader: Reader, key: str, node: Node | None) -> StoreTls:
    names = ("ca", "certificate", "key", "server_name")
    fields = {} if node is None else reader.fields(node, key, names) or {}
    given = {name: reader.text(fields[name], f"{key}.{name}") for name in names if name in fields}
    if "key" in fields and "certificate" not in fields:
        what = "A private key without its certificate proves nothing."
        reader.note(fields["key"].line, f"{key}.key", what, "Add certificate: FILE.")
    return StoreTls(**given)


def _timeouts(reader: Reader, key: str, node: Node | None) -> StoreTimeouts:
    names = ("connect", "first_byte", "total")
    fields = {} if node is None else reader.fields(node, key, names) or {}
    connect_s, first_byte_s, total_s = (
        reader.duration(fields[name], f"{key}.{name}", least_s=_LEAST_S, most_s=_DAY_S)
        if name in fields
        else None
        for name in names
    )
    return StoreTimeouts(connect_s, first_byte_s, total_s)


def _health(reader: Reader, key: str, node: Node | None) -> HealthCheck | None:
    if node is None:
        return None
    names = ("path", "every", "timeout", "unhealthy_after", "healthy_after")
    fields = reader.fields(node, key, names)
    if fields is None:
        return None
    if "path" not in fields:
        reader.missing(node.line, key, "path", 'Write path: "/healthz".')
        return None
    path = reader.text(fields["path"], f"{key}.path")
    if path is not None and not _TARGET.fullmatch(path):
        what = f"{shown(path)} is no path to ask for."
        reader.note(fields["path"].line, f"{key}.path", what, 'Write it like "/healthz".')
    every_s, timeout_s = (
        reader.duration(fields[name], f"{key}.{name}", least_s=0.05, most_s=3_600)
        if name in fields
        else None
        for name in ("every", "timeout")
    )
    down, up = (
        reader.integer(fields[name], f"{key}.{name}", least=1, most=1_000)
        if name in fields
        else None
        for name in ("unhealthy_after", "healthy_after")
    )
    usual = HealthCheck(path or "/")
    return HealthCheck(
        path or "/",
        every_s or usual.every_s,
        timeout_s or usual.timeout_s,
        down or usual.unhealthy_after,
        up or usual.healthy_after,
    )


def _breaker(reader: Reader, key: str, node: Node | None) -> Breaker | None:
    if node is None:
        return None
    fields = reader.fields(node, key, ("failures", "min_requests", "window", "open"))
    if fields is None:
        return None
    failures_bp = least = None
    if "failures" in fields:
        place = f"{key}.failures"
        failures_bp = reader.share(fields["failures"], place, whole=BASIS_POINTS)
        if failures_bp == 0:
            what = "At 0 % the breaker would open without a failure."
            reader.note(fields["failures"].line, place, what, "Write 50%.")
    if "min_requests" in fields:
        place = f"{key}.min_requests"
        least = reader.integer(fields["min_requests"], place, least=1, most=1_000_000)
    window_s, open_s = (
        reader.duration(fields[name], f"{key}.{name}", least_s=0.1, most_s=3_600)
        if name in fields
        else None
        for name in ("window", "open")
    )
    usual = Breaker()
    return Breaker(
        failures_bp or usual.failures_bp,
        least or usual.min_requests,
        window_s or usual.window_s,
        open_s or usual.open_s,
    )
