"""How a stored request is asked again by hand, and what of it cannot be."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from proxy.core import is_redacted
from shadow_compare.core.evidence import Example

_CURLS_OWN = frozenset(
    ("accept-encoding", "connection", "content-length", "transfer-encoding", "via", "x-request-id")
)


@dataclass(frozen=True, slots=True)
class Command:
    """A shell command that asks one store again.

    Attributes:
        left_out: names of headers whose values were redacted, so that it cannot send them.
        caveats: why the answer may differ from the stored one, one sentence each.
    """

    text: str
    left_out: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()


def curl_of(example: Example, store_url: str) -> Command:
    """The stored request as a curl command, every part quoted for a POSIX shell.

    Left out is what was redacted, what curl does itself, and what would make the answer
    unreadable. Nothing in a request can turn into an option, a pattern or a file name.
    """
    parts = ["curl", "-sS", "-i"]
    if example.method == "HEAD":
        parts = ["curl", "-sS", "-I"]
    elif example.method != "GET":
        parts += ["-X", example.method]
    left_out: dict[str, None] = {}
    for name, value in example.request_headers:
        if is_redacted(value):
            left_out[name] = None
        elif name.lower() not in _CURLS_OWN:
            # curl takes "Name:" for a header to be removed, "Name;" for an empty one.
            parts += ["-H", f"{name}: {value}" if value else f"{name};"]
    if any(sign in example.target for sign in "[]{}"):
        parts.append("--globoff")
    if "/." in example.target:
        parts.append("--path-as-is")
    parts.append(store_url.rstrip("/") + example.target)
    text = " ".join(shlex.quote(part) for part in parts)
    return Command(text, tuple(left_out), _caveats(example, tuple(left_out)))


def _caveats(example: Example, left_out: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    if left_out:
        found.append(f"redacted, so left out: {', '.join(left_out)}")
    if is_redacted(example.target):
        found.append("the target holds redacted parts ([hmac:…]), so it asks something else")
    if has_body(example):
        found.append("the request had a body, which is not stored")
    return tuple(found)


def has_body(example: Example) -> bool:
    """Whether the request carried a body, as far as its headers tell."""
    named = {name.lower(): value.strip() for name, value in example.request_headers}
    return named.get("content-length", "0") != "0" or "transfer-encoding" in named


def unrepeatable(example: Example) -> str | None:
    """Why a request must not or cannot be sent again by a program; None when it can."""
    if example.method not in ("GET", "HEAD"):
        return f"{example.method} is not repeated, it may change something"
    if is_redacted(example.target):
        return "the target holds redacted parts"
    if has_body(example):
        return "the request had a body, which is not stored"
    return None
