"""The capture frame: one sampled exchange, as it leaves the proxy for a comparer."""

from __future__ import annotations

import msgspec

Headers = tuple[tuple[str, str], ...]


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """A request, the live answer to it, and the decision that produced it.

    Everything personal is already redacted (proxy.core.redaction).

    Attributes:
        run: id of the worker's life; with `seq` it names the frame for ever.
        seq: 1, 2, 3 … within the run, without gaps, over all domains.
        at_us: when the answer was complete, microseconds since the epoch, UTC.
        side: who answered the shopper ("legacy" or "core").
        shadow: who is to be asked.
        noise: ask the live side again too.
        shopper: keyed hash of the shopper key, or None.
        target: path and query as forwarded, without a store's URL prefix.
        elapsed_us: from the request's last byte to the answer's last byte.
        sealed: what the domain lets through of the shopper's credentials, encrypted for
            the comparer; b"" for nothing.
        redaction: `Redactor.id` of what hid its values; "" when that is not known.
    """

    run: str
    seq: int
    at_us: int
    request_id: str
    domain: str
    route: str
    stage: str
    side: str
    shadow: str
    noise: bool
    bucket: int | None
    shopper: str | None
    revision: str
    method: str
    target: str
    request_headers: Headers
    request_body: bytes
    status: int
    headers: Headers
    body: bytes
    elapsed_us: int
    sealed: bytes = b""
    redaction: str = ""
