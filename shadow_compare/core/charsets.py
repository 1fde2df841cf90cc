"""What letters a body is written in."""

from __future__ import annotations

import codecs
import re

from shadow_compare.errors import UnreadableError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_META = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9._-]{1,40})""", re.IGNORECASE
)
_META_WITHIN = 1_024


def xml_text(body: bytes, charset: str) -> str:
    """The text of XML: a byte order mark goes before the header, that before the prolog.

    Raises:
        UnreadableError: not written in the charset that is declared.
    """
    found = _DECLARED.match(body)
    return _text(body, charset or (found[1].decode("ascii") if found else "utf-8"))


def html_text(body: bytes, charset: str) -> str:
    """The text of a page: mark, header, meta element, UTF-8, in this order.

    Raises:
        UnreadableError: not written in the charset that is declared.
    """
    found = _META.search(body, 0, _META_WITHIN)
    return _text(body, charset or (found[1].decode("ascii") if found else "utf-8"))


def plain_text(body: bytes, charset: str) -> str | None:
    """The text in a body; None when it is not written in the charset (UTF-8 if none)."""
    try:
        # Not every codec of Python reads text; those that do not raise LookupError here.
        return body.decode(codecs.lookup(charset or "utf-8").name)
    except (LookupError, ValueError):
        return None


def _text(body: bytes, charset: str) -> str:
    for mark, name in _MARKS:
        if body.startswith(mark):
            body, charset = body[len(mark) :], name
            break
    text = plain_text(body, charset)
    if text is None:
        raise UnreadableError(f"it is not written in {charset[:40]}, as it says")
    return text
