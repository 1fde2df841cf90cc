"""Hide what stands in the fields of forms: multipart bodies, and inputs in pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^;\s]{1,200}))', re.IGNORECASE)
_PART_NAME = re.compile(rb'(?i)[;\s](?:file)?name\*?=(?:"([^"\r\n]*)"|([^;\s]+))')
_INPUT = re.compile(rb"(?i)(<(?:input|textarea|option|select|meta)\b[^<>]*+>)([^<]*+)")
_NAME = re.compile(
    rb"(?i)[\s\"'](?:name|id|type|autocomplete)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>]++))"
)
_VALUE = re.compile(
    rb"(?i)([\s\"'](?:value|content)\s*+=\s*+)(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>\"']++))"
)

_TEXTAREA = re.compile(rb"(?i)<textarea\b")

Mark = Callable[[bytes], str]
NameTest = Callable[[str], bool]


def hide_parts(body: bytes, content_type: str, mark: Mark, is_sensitive: NameTest) -> bytes:
    """The parts of a multipart body whose names are sensitive; their contents become marks.

    Without a boundary that is in the body, every line that begins with two dashes counts
    as one.
    """
    found = _BOUNDARY.search(content_type)
    boundary = b"--" + (found[1] or found[2]).encode("latin-1", "replace") if found else b"\n--"
    if boundary not in body:
        boundary = b"\n--"
    return boundary.join([_part(part, mark, is_sensitive) for part in body.split(boundary)])


def _part(part: bytes, mark: Mark, is_sensitive: NameTest) -> bytes:
    head, gap, content = part.partition(b"\r\n\r\n")
    if not gap:
        head, gap, content = part.partition(b"\n\n")
    names = [(quoted or bare) for quoted, bare in _PART_NAME.findall(head)]
    value = content.rstrip(b"\r\n")
    if not value or not any(is_sensitive(_text(name)) for name in names):
        return part
    return head + gap + mark(value).encode() + content[len(value) :]


def hide_fields(page: bytes, mark: Mark, is_sensitive: NameTest) -> bytes:
    """Values of inputs in an HTML page, where the input's name is sensitive."""

    def hide(found: re.Match[bytes]) -> bytes:
        tag = found[1]
        if not any(is_sensitive(_text(a or b or c)) for a, b, c in _NAME.findall(tag)):
            return found[0]
        text = found[2]
        if text.strip() and _TEXTAREA.match(tag):
            text = mark(unescape(_text(text.strip())).encode()).encode()
        return (
            _VALUE.sub(
                lambda value: _attribute(value[1], value[2] or value[3] or value[4], mark), tag
            )
            + text
        )

    return _INPUT.sub(hide, page)


def map_scripts(page: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A page with the text between each script tag and its end tag changed."""
    lower = page.lower()
    out: list[bytes] = []
    done = 0
    while (start := lower.find(b"<script", done)) >= 0:
        start = lower.find(b">", start) + 1
        if not start:
            break
        end = lower.find(b"</script", start)
        if end < 0:
            end = len(page)
        out += (page[done:start], change(page[start:end]))
        done = end
    out.append(page[done:])
    return b"".join(out)


def _attribute(name: bytes, value: bytes | None, mark: Mark) -> bytes:
    return name + b'"' + (mark(value).encode() if value else b"") + b'"'


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
