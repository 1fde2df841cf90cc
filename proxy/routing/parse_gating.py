"""Read the gates on data, latency and other systems' word, and which gates only watch."""

from __future__ import annotations

import re

from proxy.routing.gating import DataGate, ErrorsGate, GateName, LatencyGate, WebhookGate
from proxy.routing.model import PPM
from proxy.routing.nodes import Node
from proxy.routing.values import Reader, shown

_DAY_S = 86_400.0
_MOST = 10**9
_TIMES = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?x", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_URL = re.compile(r"https?://[^\s/?#@]+(?:[/?][^\s#]*)?", re.ASCII)


def parse_data_gate(reader: Reader, key: str, node: Node) -> DataGate | None:
    """Read `gates.data`."""
    fields = reader.fields(node, key, ("drift", "lag", "pass", "ready"))
    if fields is None:
        return None
    drift: int | None = 0
    if "drift" in fields:
        drift = reader.integer(fields["drift"], f"{key}.drift", least=0, most=_MOST)
    lag_s = pass_s = None
    if "lag" in fields:
        lag_s = reader.duration(fields["lag"], f"{key}.lag", least_s=0.01, most_s=_DAY_S)
    if "pass" in fields:
        pass_s = reader.duration(fields["pass"], f"{key}.pass", least_s=60, most_s=90 * _DAY_S)
    ready = _ready(reader, f"{key}.ready", fields["ready"]) if "ready" in fields else False
    if drift is None:
        return None
    return DataGate(drift, lag_s, pass_s, ready)


def _ready(reader: Reader, key: str, node: Node) -> bool:
    text = reader.text(node, key)
    if text is not None and text not in ("required", "no"):
        reader.note(node.line, key, f"{shown(text)} says nothing.", "Write required, or no.")
    return text == "required"


def parse_latency_gate(reader: Reader, key: str, node: Node) -> LatencyGate | None:
    """Read `gates.latency`."""
    names = ("p50", "p95", "p99")
    fields = reader.fields(node, key, (*names, "requests"))
    if fields is None:
        return None
    if not any(name in fields for name in names):
        reader.missing(node.line, key, "p99", "Write p99: 1.2x.")
        return None
    read = {
        name: parse_times(reader, fields[name], f"{key}.{name}") for name in names if name in fields
    }
    requests: int | None = LatencyGate().requests
    if "requests" in fields:
        place = f"{key}.requests"
        requests = reader.integer(fields["requests"], place, least=1, most=_MOST)
    if requests is None or None in read.values():
        return None
    return LatencyGate(read.get("p50"), read.get("p95"), read.get("p99"), requests)


def parse_times(reader: Reader, node: Node, key: str) -> int | None:
    """A factor as it is written, 1.2x, in thousandths."""
    text = reader.text(node, key)
    if text is None:
        return None
    found = _TIMES.fullmatch(text)
    thousandths = int(found[1]) * 1_000 + int((found[2] or "").ljust(3, "0")) if found else 0
    if not thousandths:
        reader.note(node.line, key, f"{shown(text)} is no factor.", "Write it like 1.2x.")
        return None
    return thousandths


def parse_errors_gate(reader: Reader, key: str, node: Node) -> ErrorsGate | None:
    """Read `gates.errors`."""
    fields = reader.fields(node, key, ("max_excess", "min_requests"))
    if fields is None:
        return None
    if "max_excess" not in fields:
        reader.missing(node.line, key, "max_excess", "Write max_excess: 0.1%.")
        return None
    excess = reader.share(fields["max_excess"], f"{key}.max_excess", whole=PPM)
    requests: int | None = ErrorsGate(0).requests
    if "min_requests" in fields:
        place = f"{key}.min_requests"
        requests = reader.integer(fields["min_requests"], place, least=1, most=_MOST)
    return None if excess is None or requests is None else ErrorsGate(excess, requests)


def parse_webhook_gate(reader: Reader, key: str, node: Node) -> WebhookGate | None:
    """Read `gates.webhook`."""
    fields = reader.fields(node, key, ("url", "timeout", "secret_env"))
    if fields is None:
        return None
    if "url" not in fields:
        reader.missing(node.line, key, "url", "Write url: https://checks.example.com/banyan.")
        return None
    url = reader.text(fields["url"], f"{key}.url")
    if url is not None and not _URL.fullmatch(url):
        fix = "Write a whole http or https address, without a user or a fragment."
        reader.note(fields["url"].line, f"{key}.url", f"{shown(url)} is no such address.", fix)
        return None
    timeout_s: float | None = 5.0
    if "timeout" in fields:
        place = f"{key}.timeout"
        timeout_s = reader.duration(fields["timeout"], place, least_s=0.1, most_s=30)
    secret_env = None
    if "secret_env" in fields:
        secret_env = _secret_env(reader, f"{key}.secret_env", fields["secret_env"])
    return None if url is None or timeout_s is None else WebhookGate(url, timeout_s, secret_env)


def _secret_env(reader: Reader, key: str, node: Node) -> str | None:
    text = reader.text(node, key)
    if text is None:
        return None
    # What is refused may be a secret after all, and is not said again.
    if text.startswith("whsec_") or not _VARIABLE.fullmatch(text):
        what = "A secret does not stand in this file, only the name of its variable."
        reader.note(node.line, key, what, "Write it like BANYAN_CHANGE_SECRET.")
        return None
    return text


def parse_observed(reader: Reader, key: str, node: Node) -> frozenset[GateName]:
    """Read `gates.observe`."""
    found: set[GateName] = set()
    for index, item in enumerate(reader.items(node, key)):
        place = f"{key}[{index}]"
        name = reader.choice(item, place, GateName)
        if name is None:
            continue
        if name in found:
            reader.note(item.line, place, f"{shown(name)} stands twice.", "Keep one of them.")
        found.add(name)
    return frozenset(found)
