"""Read forms: fields by name, the same name again in order."""

from __future__ import annotations

import hashlib
from email.message import Message
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from shadow_compare.core.charsets import plain_text
from shadow_compare.errors import UnreadableError

if TYPE_CHECKING:
    from shadow_compare.core.documents import Json

MAX_FIELDS = 10_000
_MAX_HEAD_BYTES = 16_384


def read_form(body: bytes) -> Json:
    """A form in URL encoding: name to value, or to the list of its values.

    Raises:
        UnreadableError: not UTF-8 when decoded, or more than 10,000 fields.
    """
    pairs = [pair for pair in body.strip(b"\r\n").split(b"&") if pair]
    if len(pairs) > MAX_FIELDS:
        raise UnreadableError(f"a form of {len(pairs)} fields")
    found: list[tuple[str, Json]] = []
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        found.append((_unquoted(name), _unquoted(value)))
    return _by_name(found)


def read_multipart(body: bytes, content_type: str) -> Json:
    """A form in parts: name to text, or for a file to its name, type, size and hash.

    Raises:
        UnreadableError: no boundary, a part without a name, or cut off.
    """
    boundary = _parameter(content_type, "content-type", "boundary").encode("latin-1", "replace")
    if not boundary:
        raise UnreadableError("a multipart body without a boundary")
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise UnreadableError("the multipart body is cut off")
    if len(parts) > MAX_FIELDS:
        raise UnreadableError(f"a form of {len(parts)} parts")
    return _by_name([_part(part) for part in parts[1:-1]])


def _part(part: bytes) -> tuple[str, Json]:
    head, blank, content = part.lstrip(b" \t").removeprefix(b"\r\n").partition(b"\r\n\r\n")
    if not blank or len(head) > _MAX_HEAD_BYTES:
        raise UnreadableError("a part without a head")
    fields = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    disposition = fields.get("content-disposition", "")
    name = _parameter(disposition, "content-disposition", "name")
    if not name:
        raise UnreadableError("a part without a name")
    file = _parameter(disposition, "content-disposition", "filename")
    kind = fields.get("content-type", "")
    if not file and (not kind or kind.lower().startswith("text/")):
        text = plain_text(content, _parameter(kind, "content-type", "charset"))
        if text is not None:
            return name, text
    digest = hashlib.sha256(content).hexdigest()[:16]
    return name, {
        "filename": file,
        "type": kind.lower(),
        "bytes": len(content),
        "sha256": digest,
    }


def _by_name(pairs: list[tuple[str, Json]]) -> Json:
    values: dict[str, list[Json]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def _parameter(value: str, header: str, name: str) -> str:
    message = Message()
    message[header] = value.replace("\r", " ").replace("\n", " ")
    found = message.get_param(name, "", header)
    return found if isinstance(found, str) else found[2]


def _unquoted(text: bytes) -> str:
    try:
        return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as exc:
        raise UnreadableError("the form is not UTF-8") from exc
