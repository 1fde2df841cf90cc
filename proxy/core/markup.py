"""Hide what stands in elements and attributes of XML whose names say that it is personal."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from proxy.core.names import Names

Mark = Callable[[bytes], str]

# A tag, a comment, a CDATA section or a declaration, each consumed whole: linear time.
_TAG = re.compile(
    rb"<!\[CDATA\[(?P<data>.*?)(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)"
    rb"|<(?P<end>/?)(?P<name>[A-Za-z_\x80-\xff][^\s<>/\"']*+)(?P<rest>[^<>]*+)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rb"([A-Za-z_][^\s=<>\"']*+)(\s*+=\s*+)(?:\"([^\"]*+)\"|'([^']*+)')")


def hide_elements(body: bytes, mark: Mark, names: Names) -> bytes:
    """The texts of elements, however deep, and the values of attributes. Tags stay.

    Elements without an end tag count as open to the end of the text.
    """
    out: list[bytes] = []
    done = 0
    # Per open element, from the outermost on: hides its texts; is a person.
    open_tags: list[tuple[bool, bool]] = [(False, False)]
    for tag in _TAG.finditer(body):
        out.append(_text(body[done : tag.start()], mark, is_hidden=open_tags[-1][0]))
        done = tag.end()
        name = tag["name"]
        if name is None:
            out.append(_section(tag, mark, is_hidden=open_tags[-1][0]))
        elif tag["end"]:
            if len(open_tags) > 1:
                open_tags.pop()
            out.append(tag[0])
        else:
            out.append(_start(tag, mark, names))
            if not tag["rest"].endswith(b"/"):
                open_tags.append(_state(name, open_tags[-1], names))
    out.append(_text(body[done:], mark, is_hidden=open_tags[-1][0]))
    return b"".join(out)


def _state(name: bytes, parent: tuple[bool, bool], names: Names) -> tuple[bool, bool]:
    word = _local(name)
    hides, is_person = parent
    if is_person and word.lower() == "name":
        hides = True
    return hides or names.is_sensitive(word), is_person or names.is_person(word)


def _local(name: bytes) -> str:
    return name.rpartition(b":")[2].decode("utf-8", "replace")


def _start(tag: re.Match[bytes], mark: Mark, names: Names) -> bytes:
    def hide(found: re.Match[bytes]) -> bytes:
        value = found[3] if found[3] is not None else found[4]
        if not value or not names.is_sensitive(_local(found[1])):
            return found[0]
        return found[1] + found[2] + b'"' + mark(_plain(value)).encode() + b'"'

    rest = tag["rest"]
    return b"<" + tag["name"] + (_ATTRIBUTE.sub(hide, rest) if b"=" in rest else rest) + b">"


def _section(tag: re.Match[bytes], mark: Mark, *, is_hidden: bool) -> bytes:
    data = tag["data"]
    return mark(data.strip()).encode() if is_hidden and data and data.strip() else tag[0]


def _text(text: bytes, mark: Mark, *, is_hidden: bool) -> bytes:
    bare = text.strip()
    if not is_hidden or not bare:
        return text
    before, _, after = text.partition(bare)
    return before + mark(_plain(bare)).encode() + after


def _plain(text: bytes) -> bytes:
    """The text itself, so that it gets the same mark here and in JSON."""
    return unescape(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
