"""Read how a domain is mirrored, and how the other side is asked."""

from __future__ import annotations

import re

from proxy.routing.model import (
    BASIS_POINTS,
    Credentials,
    KeyKind,
    ShadowPolicy,
    ShopperKey,
    Stage,
    VerifyRead,
    Writes,
)
from proxy.routing.nodes import Node, Scalar
from proxy.routing.parse_pause import MOST_PAUSE_S, parse_pause
from proxy.routing.parse_route import PlacedRoute
from proxy.routing.paths import variables_of
from proxy.routing.values import Reader, join, nearest, shown

_KEYS = ("sample", "noise", "writes", "when", "after", "recheck", "credentials", "verify")
_VERIFY_AFTER_S = 1.0
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_VARIABLE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)", re.ASCII)
# What the asker says itself; a rule that said it too would break the request's framing.
_OWN = frozenset(("host", "content-length", "transfer-encoding", "connection", "cookie"))


def parse_shadow(
    reader: Reader,
    key: str,
    node: Node | None,
    routes: tuple[PlacedRoute, ...],
    stage: Stage | None,
) -> ShadowPolicy:
    """Read `shadow` of a domain with these routes. Problems go to the reader."""
    fields = {} if node is None else reader.fields(node, key, _KEYS) or {}
    sample, noise = (
        reader.share(fields[name], f"{key}.{name}", whole=BASIS_POINTS) if name in fields else None
        for name in ("sample", "noise")
    )
    writes = _writes(reader, f"{key}.writes", fields, stage)
    when, after_s = parse_pause(reader, key, fields)
    recheck_s = None
    if "recheck" in fields:
        place = f"{key}.recheck"
        recheck_s = reader.duration(fields["recheck"], place, least_s=0.1, most_s=MOST_PAUSE_S)
    return ShadowPolicy(
        BASIS_POINTS if sample is None else sample,
        noise or 0,
        writes,
        when,
        after_s,
        recheck_s,
        _credentials(reader, f"{key}.credentials", fields.get("credentials")),
        _verify(reader, key, fields, routes, writes),
    )


def _writes(reader: Reader, key: str, fields: dict[str, Node], stage: Stage | None) -> Writes:
    if "writes" not in fields:
        return Writes.NEVER
    writes = reader.choice(fields["writes"], key, Writes) or Writes.NEVER
    if writes is Writes.DRY_RUN and stage is Stage.CORE:
        what = "In stage core the other side is legacy, and legacy cannot take a write back."
        reader.note(fields["writes"].line, key, what, "Write verify, or never.")
    return writes


def _credentials(reader: Reader, key: str, node: Node | None) -> Credentials:
    fields = {} if node is None else reader.fields(node, key, ("forward", "set")) or {}
    forward: list[ShopperKey] = []
    if "forward" in fields:
        for index, item in enumerate(reader.items(fields["forward"], f"{key}.forward")):
            found = _forwarded(reader, f"{key}.forward[{index}]", item)
            if found is not None and found in forward:
                what = f"{shown(str(found))} stands twice."
                reader.note(item.line, f"{key}.forward[{index}]", what, "Keep one of them.")
            elif found is not None:
                forward.append(found)
    replace: list[tuple[str, str]] = []
    if "set" in fields:
        for name, (line, value) in (reader.entries(fields["set"], f"{key}.set") or {}).items():
            place = join(f"{key}.set", name)
            variable = _variable(reader, place, value)
            if not _is_free(reader, Scalar(line, name), place, name) or variable is None:
                continue
            replace.append((name.lower(), variable))
    return Credentials(tuple(forward), tuple(sorted(replace)))


def _forwarded(reader: Reader, key: str, node: Node) -> ShopperKey | None:
    text = reader.text(node, key)
    if text is None or not isinstance(node, Scalar):
        return None
    kind, colon, name = text.partition(":")
    if not colon or kind not in (KeyKind.HEADER, KeyKind.COOKIE):
        fix = 'Write "cookie:sessionid" or "header:Authorization".'
        reader.note(node.line, key, f"{shown(text)} is no header or cookie.", fix)
        return None
    if kind == KeyKind.COOKIE:
        found = reader.header(node, key, name)
        return None if found is None else ShopperKey(KeyKind.COOKIE, name)
    return ShopperKey(KeyKind.HEADER, name.lower()) if _is_free(reader, node, key, name) else None


def _is_free(reader: Reader, node: Scalar, key: str, name: str) -> bool:
    if reader.header(node, key, name) is None:
        return False
    lower = name.lower()
    if lower in _OWN or lower.startswith(("x-banyan-", "banyan-")):
        fix = "Name cookies one by one." if lower == "cookie" else "Leave it out."
        reader.note(node.line, key, f"{shown(name)} is not to be set by a rule.", fix)
        return False
    return True


def _variable(reader: Reader, key: str, node: Node) -> str | None:
    text = reader.text(node, key)
    if text is None:
        return None
    found = _VARIABLE.fullmatch(text)
    if found is None:
        what = "A secret does not stand in this file."
        reader.note(node.line, key, what, "Write env:NAME, a variable of the comparer.")
        return None
    return found[1]


def _verify(
    reader: Reader,
    key: str,
    fields: dict[str, Node],
    routes: tuple[PlacedRoute, ...],
    writes: Writes,
) -> tuple[VerifyRead, ...]:
    if "verify" not in fields:
        if writes is Writes.VERIFY:
            fix = 'Write verify: [{read: "/api/baskets/{id}/", after: 1s}].'
            reader.missing(fields["writes"].line, key, "verify", fix)
        return ()
    place = f"{key}.verify"
    if writes is not Writes.VERIFY:
        what = "Reads are compared after writes only with writes: verify."
        reader.note(fields["verify"].line, place, what, "Write writes: verify, or leave this out.")
    empty = ("Nothing would be compared.", "Name a read.")
    found = [
        _verify_read(reader, f"{place}[{index}]", item, routes)
        for index, item in enumerate(reader.items(fields["verify"], place, empty=empty))
    ]
    return tuple(read for read in found if read is not None)


def _verify_read(
    reader: Reader, key: str, node: Node, routes: tuple[PlacedRoute, ...]
) -> VerifyRead | None:
    fields = reader.fields(node, key, ("read", "after"))
    if fields is None:
        return None
    if "read" not in fields:
        reader.missing(node.line, key, "read", 'Write read: "/api/baskets/{id}/".')
        return None
    after_s: float | None = _VERIFY_AFTER_S if "after" not in fields else None
    if "after" in fields:
        after_s = reader.duration(fields["after"], f"{key}.after", least_s=0.1, most_s=MOST_PAUSE_S)
    read = reader.text(fields["read"], f"{key}.read")
    if read is None or after_s is None:
        return None
    place, line = f"{key}.read", fields["read"].line
    reads = {one.route.path for one in routes if "GET" in one.route.methods}
    if read not in reads:
        meant = nearest(read, reads)
        fix = f'Did you mean "{meant}"?' if meant else "Write the path of one, as it stands there."
        reader.note(line, place, f"{shown(read)} is no GET route of this domain.", fix)
        return None
    wanted = variables_of(read)
    if not any(wanted <= variables_of(one.route.path) for one in routes if _writes_to(one)):
        what = f"No write of this domain says what {shown(read)} is to be filled with."
        reader.note(line, place, what, "Use the names that a write's path uses.")
        return None
    return VerifyRead(read, after_s)


def _writes_to(placed: PlacedRoute) -> bool:
    return placed.route.has_effects or not _SAFE.issuperset(placed.route.methods)
