"""Undo what the transport did to a body, and find out how it is to be read."""

from __future__ import annotations

import hashlib
from enum import StrEnum

from shadow_compare.core.answer import Answer
from shadow_compare.core.charsets import plain_text
from shadow_compare.core.documents import Document, quoted, read_json
from shadow_compare.core.encodings import unpacked
from shadow_compare.core.evidence import Leaf
from shadow_compare.core.forms import read_form, read_multipart
from shadow_compare.core.markup import read_html, read_xml

_TEXT_TYPES = ("javascript", "yaml", "graphql", "csv")
_HTML_STARTS = (b"<!doctype html", b"<html")


class BodyKind(StrEnum):
    """How a body is read."""

    EMPTY = "empty"
    JSON = "JSON"
    XML = "XML"
    HTML = "HTML"
    FORM = "form"
    MULTIPART = "multipart form"
    TEXT = "text"
    BINARY = "binary"


_KINDS = {
    "text/html": BodyKind.HTML,
    "application/x-www-form-urlencoded": BodyKind.FORM,
    "multipart/form-data": BodyKind.MULTIPART,
}


def decoded(answer: Answer) -> bytes:
    """The body as it was before the transport packed it.

    Raises:
        UnreadableError: as `unpacked` does.
    """
    return unpacked(answer.body, answer.header("content-encoding") or "")


def body_kind(answer: Answer, body: bytes) -> BodyKind:
    """How an unpacked body is to be read: as declared or, undeclared, as it looks."""
    if not body:
        return BodyKind.EMPTY
    kind = media_type(answer)
    if not kind:
        return _kind_by_looks(body)
    if is_json_type(kind):
        return BodyKind.JSON
    if kind in _KINDS:
        return _KINDS[kind]
    if kind.endswith(("/xml", "+xml")):
        return BodyKind.XML
    is_text = kind.startswith("text/") or kind.endswith(_TEXT_TYPES)
    return BodyKind.TEXT if is_text else BodyKind.BINARY


def _kind_by_looks(body: bytes) -> BodyKind:
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:40].lower()
    if start[:1] in (b"{", b"["):
        return BodyKind.JSON
    if start.startswith(b"<?xml"):
        return BodyKind.XML
    return BodyKind.HTML if start.startswith(_HTML_STARTS) else BodyKind.TEXT


def read_document(kind: BodyKind, answer: Answer, body: bytes) -> Document:
    """The tree in a body of a kind that is one: JSON, XML, HTML or a form.

    Raises:
        UnreadableError: the body is not what it is said to be.
    """
    if kind is BodyKind.JSON:
        return read_json(body)
    if kind is BodyKind.HTML:
        return Document(read_html(body, charset_of(answer)))
    if kind is BodyKind.XML:
        return Document(read_xml(body, charset_of(answer)))
    if kind is BodyKind.FORM:
        return Document(read_form(body))
    return Document(read_multipart(body, answer.header("content-type") or ""))


def media_type(answer: Answer) -> str:
    """Type and subtype in lower case; "" when the answer does not say."""
    return (answer.header("content-type") or "").partition(";")[0].strip().lower()


def content_type(value: str) -> str:
    """A content type in one form: case, quotes, spaces and order of parameters do not matter.

    JSON is UTF-8 by definition, so saying so says nothing. A boundary is made anew for
    every answer.
    """
    kind, *parameters = (part.strip() for part in value.split(";"))
    kind = kind.lower()
    found = []
    for parameter in parameters:
        name, _, setting = parameter.partition("=")
        name, setting = name.strip().lower(), setting.strip().strip('"')
        if name == "charset":
            setting = setting.lower()
            if setting == "utf-8" and is_json_type(kind):
                continue
        if name and not (name == "boundary" and kind.startswith("multipart/")):
            found.append(f"{name}={setting}")
    return ";".join([kind, *sorted(found)])


def is_json_type(kind: str) -> bool:
    """application/json and every type built on it."""
    return kind == "application/json" or kind.endswith("+json") or kind == "text/json"


def charset_of(answer: Answer) -> str:
    """The declared charset in lower case, or ""."""
    for parameter in (answer.header("content-type") or "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


def text_of(answer: Answer, body: bytes) -> str | None:
    """The text in a body, lines ended by line feeds; None when it cannot be read as such."""
    text = plain_text(body, charset_of(answer))
    return None if text is None else text.replace("\r\n", "\n").replace("\r", "\n")


def differing_text(legacy: str, core: str) -> Leaf | None:
    """None when equal, else the first line that differs."""
    if legacy == core:
        return None
    ours, theirs = legacy.split("\n"), core.split("\n")
    pairs = zip(ours, theirs, strict=False)
    line = next((at for at, (own, other) in enumerate(pairs) if own != other), None)
    if line is None:
        line = min(len(ours), len(theirs))
    return Leaf(f"body line {line + 1}", "body", "body", _line(ours, line), _line(theirs, line))


def differing_bytes(legacy: bytes, core: bytes) -> Leaf:
    """Two bodies that are not text, told apart by their hashes."""
    return Leaf("body", "body", "body", _digest(legacy), _digest(core))


def _line(lines: list[str], at: int) -> str | None:
    return quoted(lines[at][:500]) if at < len(lines) else None


def _digest(body: bytes) -> str:
    return quoted(f"sha256:{hashlib.sha256(body).hexdigest()[:16]}, {len(body)} bytes")
