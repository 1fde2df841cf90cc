"""Path templates, and the one reading of a path that a route cannot be dodged by.

A store may decode what a proxy does not: WSGI servers turn %2F into a slash, Java
servers cut ";jsessionid=…" off, many merge double slashes. So a path that is spelled
out of the ordinary is read twice, as it stands (`plain_path`) and as the most lenient
store would (`canonical_path`), and a route is found under either reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote_from_bytes, unquote_to_bytes

_KEPT = "!$&'()*+,-./:=@_~|^`\"<>[]{} #?"  # stays as it is in a canonical path
_SENT = "!$&'()*+,-./:=@_~"  # needs no escape in a path that is forwarded
_UNRESERVED = re.compile(rb"%(?:2[dDeE]|3\d|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")
_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}")
_NO_LITERAL = re.compile(r"[\x00-\x20\x7f\"<>^`|]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class SegmentKind(StrEnum):
    """How one part of a template matches, most specific first."""

    LITERAL = "literal"
    PARAMETER = "parameter"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a template. `text` is the literal, or the parameter's name."""

    kind: SegmentKind
    text: str


class TemplateError(ValueError):
    """A path template that cannot be used. `fix` says what to write."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


def is_ordinary(path: str) -> bool:
    """True when every store reads the path alike, so one reading is enough."""
    return path.isascii() and not (
        "%" in path or "//" in path or "/." in path or ";" in path or "\\" in path or "\0" in path
    )


def is_clear(path: str) -> bool:
    """True when its escapes hide nothing that stores treat differently, e.g. /caf%C3%A9."""
    if "//" in path or ";" in path or "\\" in path:
        return False
    octets = unquote_to_bytes(path.encode("utf-8", "surrogatepass"))
    if octets.count(b"/") != path.count("/") or b";" in octets:
        return False
    return not is_suspect(path)


def is_suspect(raw: str) -> bool:
    """True for what clients resolve or never send: dot segments, backslashes, NULs.

    Escaped ones count as well, since a store may decode first and resolve then.
    """
    octets = unquote_to_bytes(raw.encode("utf-8", "surrogatepass"))
    if b"\\" in octets or b"\0" in octets:
        return True
    if b"/." not in octets:
        return False
    return any(part.split(b";", 1)[0] in (b".", b"..") for part in octets.split(b"/"))


def canonical_path(raw: str) -> str:
    r"""The path as the most lenient store would read it. For matching, not for forwarding.

    Escapes are decoded once (a "%" stays "%25", so the result is a fixed point),
    "\" is a slash, everything from a NUL on and each segment's ";parameters" are cut,
    repeated slashes are one, "." and ".." segments are resolved and never climb above
    the root. Total: any text gives a path that starts with "/".
    """
    return quote_from_bytes(_lenient(raw), safe=_KEPT)


def canonical_to_send(raw: str) -> str:
    """The canonical path with all the escapes that a request line needs."""
    return quote_from_bytes(_lenient(raw), safe=_SENT)


def _lenient(raw: str) -> bytes:
    octets = unquote_to_bytes(raw.encode("utf-8", "surrogatepass"))
    octets = octets.split(b"\0", 1)[0].replace(b"\\", b"/")
    kept: list[bytes] = []
    segments = octets.split(b"/")
    for piece in segments:
        segment = piece.split(b";", 1)[0]
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment not in (b"", b"."):
            kept.append(segment)
    last = segments[-1].split(b";", 1)[0]
    closing = b"/" if kept and last in (b"", b".", b"..") else b""
    return b"/" + b"/".join(kept) + closing


def plain_path(raw: str) -> str:
    """The path as a strict store reads it: only needless escapes are undone (RFC 3986 6.2.2.2)."""
    octets = raw.encode("utf-8", "surrogatepass")
    octets = _UNRESERVED.sub(lambda found: bytes((int(found[0][1:], 16),)), octets)
    return quote_from_bytes(octets, safe=_KEPT + "%;\\")


def parse_template(text: str) -> tuple[Segment, ...]:
    """Split a template such as "/api/products/{id}/" into its segments.

    A trailing slash counts: "/a/" ends in an empty literal. Literals stand in canonical
    form, so "/caf%C3%A9" and "/café" are one template.

    Raises:
        TemplateError: it does not start with "/", has a query, an empty or a dot
            segment, or a parameter that is not a whole segment.
    """
    if not text.startswith("/"):
        raise TemplateError("A path starts with a slash.", f'Write "/{text}".')
    if "?" in text or "#" in text:
        raise TemplateError("A path has no query and no fragment.", "Leave out all from ? or # on.")
    parts = text[1:].split("/")
    names: set[str] = set()
    segments: list[Segment] = []
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        segment = _segment(part, is_last=is_last)
        if segment.kind is not SegmentKind.LITERAL:
            if segment.text in names:
                raise TemplateError(
                    f"The parameter {{{segment.text}}} stands twice.",
                    "Give each parameter its own name.",
                )
            names.add(segment.text)
        segments.append(segment)
    return tuple(segments)


def variables_of(template: str) -> frozenset[str]:
    """The names that a template's parameters have."""
    return frozenset(found[1] for found in _PARAMETER.finditer(template))


def _segment(part: str, *, is_last: bool) -> Segment:
    parameter = _PARAMETER.fullmatch(part)
    if parameter is None:
        return Segment(SegmentKind.LITERAL, _literal(part, is_last=is_last))
    if not parameter[2]:
        return Segment(SegmentKind.PARAMETER, parameter[1])
    if not is_last:
        raise TemplateError(f"{part} swallows all that follows.", "Put it at the path's end.")
    return Segment(SegmentKind.REST, parameter[1])


def _literal(part: str, *, is_last: bool) -> str:
    if not part and is_last:
        return ""
    for is_wrong, what, fix in (
        (not part, "The path has an empty segment.", "Write one slash between segments."),
        (
            "{" in part or "}" in part,
            f'"{part}" mixes a parameter with other text.',
            "A parameter is a whole segment: {id}, or {rest...} at the end.",
        ),
        (
            "*" in part,
            f'"{part}" has a star.',
            "Write {name} for one segment, {rest...} for all that follow.",
        ),
        (
            _BAD_ESCAPE.search(part),
            f'"{part}" has a broken escape.',
            "Write % and two hex digits.",
        ),
        (
            _NO_LITERAL.search(part),
            f'"{part}" has a character no path has.',
            "Escape it as %XX.",
        ),
        (
            ";" in part or canonical_path("/" + part).count("/") != 1 or part in (".", ".."),
            f'"{part}" is not one plain segment.',
            "Leave out dot segments, backslashes, escaped slashes and ;parameters.",
        ),
    ):
        if is_wrong:
            raise TemplateError(what, fix)
    canonical = canonical_path("/" + part)[1:]
    if not canonical:
        raise TemplateError(f'"{part}" is not one plain segment.', "Leave out dot segments.")
    return canonical
