"""How far an exchange may be repeated, and what is read after a write."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from proxy.core.frame import Headers
from proxy.routing import Route, ShadowPolicy, Side, Writes
from proxy.routing.paths import SegmentKind, canonical_path, parse_template

_READS = frozenset(("GET", "HEAD"))
_OF_A_BODY = frozenset(
    ("content-type", "content-encoding", "content-length", "if-match", "if-unmodified-since")
)


class Way(StrEnum):
    """How the other side is asked about an exchange.

    read: the same question. dry_run: the same, to be taken back. verify: reads after it.
    none: not at all, because the table in force does not allow it any more.
    """

    READ = "read"
    DRY_RUN = "dry_run"
    VERIFY = "verify"
    NONE = "none"


def way_of(method: str, route: Route, policy: ShadowPolicy, shadow: Side) -> Way:
    """The only way in which an exchange of this route may be repeated on `shadow`.

    What changes something is never sent plainly, and never sent to legacy.
    """
    if method in _READS and not route.has_effects:
        return Way.READ
    if policy.writes is Writes.VERIFY:
        return Way.VERIFY
    if policy.writes is Writes.DRY_RUN and shadow is Side.CORE:
        return Way.DRY_RUN
    return Way.NONE


def bound(template: str, target: str) -> dict[str, str] | None:
    """What a target's path puts in a template's variables, as spelled; None if it does not fit."""
    segments = parse_template(template)
    parts = target.partition("?")[0].removeprefix("/").split("/")
    found: dict[str, str] = {}
    for n, segment in enumerate(segments):
        if segment.kind is SegmentKind.REST:
            found[segment.text] = "/".join(parts[n:])
            return found if found[segment.text] else None
        if n >= len(parts):
            return None
        if segment.kind is SegmentKind.PARAMETER:
            if not parts[n]:
                return None
            found[segment.text] = parts[n]
        elif canonical_path("/" + parts[n]).removeprefix("/") != segment.text:
            return None
    return found if len(parts) == len(segments) else None


def filled(template: str, values: Mapping[str, str]) -> str | None:
    """The path that a template makes of values; None when one is missing."""
    parts = []
    for segment in parse_template(template):
        if segment.kind is SegmentKind.LITERAL:
            parts.append(segment.text)
        elif segment.text in values:
            parts.append(values[segment.text])
        else:
            return None
    return "/" + "/".join(parts)


def headers_of_a_read(headers: Headers) -> Headers:
    """A write's headers without those that speak of its body."""
    return tuple((name, value) for name, value in headers if name.lower() not in _OF_A_BODY)
