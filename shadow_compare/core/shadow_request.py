"""What the other side is sent: the shopper's question, marked, with nobody's session unless
a rule says whose.
"""

from __future__ import annotations

from collections.abc import Mapping

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
    named = {
        token.strip().lower()
        for name, value in frame.request_headers
        if name.lower() == "connection"
        for token in value.split(",")
    }
    gone = _HOP_BY_HOP | _OURS | named | replaced.keys()
    headers = [
        (name, _codings(value) if name.lower() == "accept-encoding" else value)
        for name, value in frame.request_headers
        if name.lower() not in gone and not is_redacted(value)
    ]
    headers += [(name, value) for name, value in opened if name.lower() not in replaced]
    headers += replaced.items()
    present = {name.lower(): value for name, value in headers}
    defaults = {
        "X-Forwarded-Host": present.get("host", ""),
        "X-Forwarded-Proto": "http",
        "X-Request-ID": frame.request_id,
    }
    headers += [
        (name, value) for name, value in defaults.items() if value and name.lower() not in present
    ]
    return [*headers, ("X-Banyan-Shadow", frame.request_id)]


def _codings(value: str) -> str:
    offered = (part.strip() for part in value.split(","))
    kept = [part for part in offered if part.partition(";")[0].strip().lower() in _READ_CODINGS]
    return ", ".join(kept) or "identity"
