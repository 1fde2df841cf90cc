"""Examples as an HTTP archive (HAR 1.2), for tools that read those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from proxy.core import is_redacted
from proxy.routing import Side
from shadow_compare.core.evidence import Example
from shadow_compare.core.repeat import curl_of

Headers = Sequence[tuple[str, str]]
_UNKNOWN_SIZE = -1


def har(examples: Sequence[Example], urls: Mapping[Side, str], *, version: str) -> dict[str, Any]:
    """Both sides of each example as entries, legacy before the core.

    Bodies are as they are stored: unpacked, redacted, and cut at 64 KiB. Sizes on the wire
    and the parts of a time are not known and said to be so, as HAR lets one say it.

    Args:
        examples: in the order they are to stand in.
        urls: each store's own address.
        version: of this program.
    """
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "Banyan", "version": version},
            "pages": [],
            "entries": [_entry(example, side, urls[side]) for example in examples for side in Side],
        }
    }


def _entry(example: Example, side: Side, url: str) -> dict[str, Any]:
    is_legacy = side is Side.LEGACY
    took_us = example.legacy_us if is_legacy else example.core_us
    took_ms = took_us / 1_000
    live = example.live_side == side.value
    told = f"{side.value}, {'live: it answered the shopper' if live else 'shadow'}"
    caveats = "; ".join(curl_of(example, url).caveats)
    return {
        "startedDateTime": _moment(example, took_us),
        "time": took_ms,
        "request": _request(example, url),
        "response": _response(example, is_legacy=is_legacy),
        "cache": {},
        "timings": {
            "blocked": -1,
            "dns": -1,
            "connect": -1,
            "ssl": -1,
            "send": 0,
            "wait": took_ms,
            "receive": 0,
            "comment": "only the whole is known" if took_us else "not known",
        },
        "comment": f"{told}; {example.request_id}" + (f"; {caveats}" if caveats else ""),
        "_side": side.value,
        "_requestId": example.request_id,
    }


def _moment(example: Example, took_us: int) -> str:
    """When it began: the live answer was complete at `at_s`."""
    began = datetime.fromtimestamp(example.at_s - took_us / 1_000_000, UTC)
    return began.isoformat(timespec="milliseconds")


def _request(example: Example, url: str) -> dict[str, Any]:
    return {
        "method": example.method,
        "url": url.rstrip("/") + example.target,
        "httpVersion": "HTTP/1.1",
        "cookies": _request_cookies(example.request_headers),
        "headers": _headers(example.request_headers),
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(
                urlsplit("//x" + example.target).query, keep_blank_values=True, max_num_fields=1_000
            )
        ],
        "headersSize": _UNKNOWN_SIZE,
        "bodySize": _UNKNOWN_SIZE,
    }


def _response(example: Example, *, is_legacy: bool) -> dict[str, Any]:
    headers = example.legacy_headers if is_legacy else example.core_headers
    body = example.legacy_body if is_legacy else example.core_body
    named = {name.lower(): value for name, value in headers}
    return {
        "status": example.legacy_status if is_legacy else example.core_status,
        "statusText": "",
        "httpVersion": "HTTP/1.1",
        "cookies": [
            _cookie(value.partition(";")[0])
            for name, value in headers
            if name.lower() == "set-cookie"
        ],
        "headers": _headers(headers),
        "content": {
            "size": len(body.encode("utf-8", "surrogatepass")),
            "mimeType": named.get("content-type", "application/octet-stream"),
            "text": body,
            "comment": "as stored: unpacked and redacted",
        },
        "redirectURL": named.get("location", ""),
        "headersSize": _UNKNOWN_SIZE,
        "bodySize": _UNKNOWN_SIZE,
    }


def _headers(headers: Headers) -> list[dict[str, str]]:
    return [
        {"name": name, "value": value} | ({"comment": "redacted"} if is_redacted(value) else {})
        for name, value in headers
    ]


def _request_cookies(headers: Headers) -> list[dict[str, str]]:
    return [
        _cookie(part)
        for name, value in headers
        if name.lower() == "cookie" and not is_redacted(value)
        for part in value.split(";")
        if part.strip()
    ]


def _cookie(pair: str) -> dict[str, str]:
    name, _, value = pair.strip().partition("=")
    return {"name": name, "value": value}
