"""What the other side is sent: the shopper's question, marked, with nobody's session unless
a rule says whose.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from proxy.core.frame import Frame, Headers
from proxy.core.redaction import is_redacted
from proxy.routing import SHADOW_HEADER

DRY_RUN_HEADER = "Banyan-Dry-Run"
READS = frozenset(("GET", "HEAD"))
_HOP_BY_HOP = frozenset(
    (
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_OURS = frozenset((SHADOW_HEADER, DRY_RUN_HEADER.lower()))
_NEVER = _HOP_BY_HOP | _OURS
_READ_CODINGS = frozenset(("gzip", "x-gzip", "deflate", "identity"))


def shadow_headers(
    frame: Frame, opened: Headers = (), replaced: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """The shopper's headers as the other side may see them, marked as a shadow.

    What the proxy redacted is left out: a hash is no session. Codings that cannot be
    compared are not offered. The forwarded headers are those that the live side got.

    Args:
        frame: whose request it is.
        opened: credentials that the frame brought sealed.
        replaced: values that a rule sets, by lower-case name; they go before all others.
    """
    replaced = replaced or {}
    asked = [(name.lower(), name, value) for name, value in frame.request_headers]
    named = {
        token.strip().lower()
        for lower, _, value in asked
        if lower == "connection"
        for token in value.split(",")
    }
    gone = _NEVER.union(named, replaced) if named or replaced else _NEVER
    headers = []
    present = {}
    for lower, name, value in asked:
        if lower in gone or is_redacted(value):
            continue
        shown = _codings(value) if lower == "accept-encoding" else value
        headers.append((name, shown))
        present[lower] = shown
    added = [(name, value) for name, value in opened if name.lower() not in replaced]
    for name, value in (*added, *replaced.items()):
        headers.append((name, value))
        present[name.lower()] = value
    for lower, name, default in (
        ("x-forwarded-host", "X-Forwarded-Host", present.get("host", "")),
        ("x-forwarded-proto", "X-Forwarded-Proto", "http"),
        ("x-request-id", "X-Request-ID", frame.request_id),
    ):
        if default and lower not in present:
            headers.append((name, default))
    headers.append(("X-Banyan-Shadow", frame.request_id))
    return headers


@lru_cache(maxsize=256)
def _codings(value: str) -> str:
    offered = (part.strip() for part in value.split(","))
    kept = [part for part in offered if part.partition(";")[0].strip().lower() in _READ_CODINGS]
    return ", ".join(kept) or "identity"
