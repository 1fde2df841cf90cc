"""Undo what the transport did to a body, and find out how it is to be read."""

from __future__ import annotations

import codecs
import hashlib
import zlib

from shadow_compare.core.answer import Answer
from shadow_compare.core.documents import quoted
from shadow_compare.core.evidence import Leaf
from shadow_compare.errors import UnreadableError

MAX_DECODED_BYTES = 8 * 1024 * 1024

_GZIP_BITS, _ZLIB_BITS, _RAW_BITS = 31, 15, -15
_TEXT_TYPES = ("xml", "javascript", "yaml", "x-www-form-urlencoded", "graphql", "csv")


def decoded(answer: Answer) -> bytes:
    """The body as it was before the transport packed it.

    Raises:
        UnreadableError: a coding other than gzip and deflate, more than one, a damaged
            one, or more than 8 MiB.
    """
    coding = (answer.header("content-encoding") or "").lower()
    if coding in ("", "identity") or not answer.body:
        return answer.body
    if coding in ("gzip", "x-gzip"):
        return _inflate(answer.body, _GZIP_BITS)
    if coding != "deflate":
        raise UnreadableError(f"the coding {coding} is not read")
    # The standard says zlib; a good part of the servers say deflate and mean it bare.
    try:
        return _inflate(answer.body, _ZLIB_BITS)
    except UnreadableError:
        return _inflate(answer.body, _RAW_BITS)


def _inflate(body: bytes, bits: int) -> bytes:
    inflater = zlib.decompressobj(bits)
    try:
        plain = inflater.decompress(body, MAX_DECODED_BYTES)
    except zlib.error as exc:
        raise UnreadableError(f"the coding is damaged: {exc}") from exc
    if inflater.unconsumed_tail:
        raise UnreadableError("unpacked it is larger than 8 MiB")
    if not inflater.eof:
        raise UnreadableError("the packed body is cut off")
    return plain


def media_type(answer: Answer) -> str:
    """Type and subtype in lower case; "" when the answer does not say."""
    return (answer.header("content-type") or "").partition(";")[0].strip().lower()


def content_type(value: str) -> str:
    """A content type in one form: case, quotes, spaces and order of parameters do not matter.

    JSON is UTF-8 by definition, so saying so says nothing.
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
        if name:
            found.append(f"{name}={setting}")
    return ";".join([kind, *sorted(found)])


def is_json_type(kind: str) -> bool:
    """application/json and every type built on it."""
    return kind == "application/json" or kind.endswith("+json") or kind == "text/json"


def is_json(answer: Answer, body: bytes) -> bool:
    """Declared as JSON or, when nothing is declared, looking like it."""
    kind = media_type(answer)
    return is_json_type(kind) if kind else body.lstrip()[:1] in (b"{", b"[")


def text_of(answer: Answer, body: bytes) -> str | None:
    """The text in a body, lines ended by line feeds; None when it is not text."""
    kind = media_type(answer)
    if kind and not kind.startswith("text/") and not kind.endswith(_TEXT_TYPES):
        return None
    declared = content_type(answer.header("content-type") or "").partition("charset=")[2]
    try:
        codec = codecs.lookup(declared.partition(";")[0] or "utf-8")
        # Not every codec of Python reads text; those that do not raise LookupError here.
        text = body.decode(codec.name)
    except (LookupError, ValueError):
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


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
