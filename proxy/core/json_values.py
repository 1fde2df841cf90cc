"""Find keys in JSON bytes, and hide the values that belong to some of them.

Works on the bytes, without parsing to objects and writing them again: what is not hidden
keeps its spelling, its order and its white space, and text that is not quite JSON is
still searched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection

# A string is consumed whole, as a key or as a value: a quote inside one never starts
# another. One without an end is consumed to the end of the text. Nothing is ever tried in
# a second way (`*+`), so the time is linear whatever the text: a store's broken answer
# must not hold up a shop.
_TEXT = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_KEYS = re.compile(rb'"(' + _TEXT + rb')(?:"\s*+:|("|\\?\Z))', re.DOTALL)
_STRING_RE = re.compile(rb'"' + _TEXT + rb'"', re.DOTALL)
# The same keys found backwards, from a colon to the quote before its quote: half as dear,
# and right as long as no quote is escaped.
_KEYS_BACKWARDS = re.compile(rb':\s*+"(?=([^"]*+))')
_BRACKETS = re.compile(rb'[{}\[\]]|"' + _TEXT + rb'(?:"|\\?\Z)', re.DOTALL)
_SCALAR = re.compile(rb'[^\s,\]}\[{"]+')
_KEY_END = re.compile(rb"\s*:")
_KEPT = (b"null", b"true", b"false")

Mark = Callable[[bytes], str]


def json_keys(body: bytes) -> set[bytes]:
    """All object keys in the text, as spelled, without quotes."""
    return {found[1] for found in _KEYS.finditer(body) if found[2] is None}


def backward_keys(body: bytes) -> list[bytes]:
    """All object keys in a text without escaped quotes, each spelled backwards, and now
    and then something that is none. One that has no quote before it runs to the start.
    """
    return _KEYS_BACKWARDS.findall(body[::-1])


def hide_json_values(body: bytes, keys: Collection[bytes], mark: Mark) -> bytes:
    """Replace the values of these keys: strings and numbers by `mark`'s answer, objects
    and arrays by themselves with every scalar inside replaced. null, booleans and empty
    strings stay: they tell nothing of anyone, and a comparer wants to see them.
    """
    out: list[bytes] = []
    done = 0
    found = _KEYS.search(body)
    while found is not None:
        at = found.end()
        if found[2] is None and found[1] in keys:
            at = _start_of_value(body, at)
            out.append(body[done:at])
            at = done = _hide_value(body, at, mark, out)
        found = _KEYS.search(body, at)
    out.append(body[done:])
    return b"".join(out)


def hide_json_names(
    body: bytes, persons: Collection[bytes], keys: Collection[bytes], mark: Mark
) -> bytes:
    """The same for these keys where they stand in an object or array below one of `persons`,
    however deep.
    """
    out: list[bytes] = []
    done = 0
    found = _KEYS.search(body)
    while found is not None:
        at = found.end()
        if found[2] is None and found[1] in persons:
            at = _start_of_value(body, at)
            if body[at : at + 1] in (b"{", b"["):
                end = _end_of_value(body, at)
                out += (body[done:at], hide_json_values(body[at:end], keys, mark))
                at = done = end
        found = _KEYS.search(body, at)
    out.append(body[done:])
    return b"".join(out)


def _end_of_value(body: bytes, at: int) -> int:
    """Where an object or array ends that begins at `at`; one without an end ends with the text."""
    depth = 0
    for found in _BRACKETS.finditer(body, at):
        sign = found[0][:1]
        if sign in (b"{", b"["):
            depth += 1
        elif sign != b'"':
            depth -= 1
            if depth == 0:
                return found.end()
    return len(body)


def _start_of_value(body: bytes, at: int) -> int:
    while body[at : at + 1].isspace():
        at += 1
    return at


def _hide_value(body: bytes, at: int, mark: Mark, out: list[bytes]) -> int:
    """Append the hidden value that starts at `at`; return where it ends."""
    depth = 0
    while at < len(body):
        char = body[at : at + 1]
        if char in b"{[":
            depth += 1
            out.append(char)
            at += 1
        elif char in b"}]":
            if depth == 0:
                return at
            depth -= 1
            out.append(char)
            at += 1
        elif char == b'"':
            at = _hide_string(body, at, mark, out, is_inside=depth > 0)
        elif char in b", \t\r\n:":
            if depth == 0:
                return at
            out.append(char)
            at += 1
        else:
            at = _hide_scalar(body, at, mark, out)
        if depth == 0:
            return at
    return at


def _hide_string(body: bytes, at: int, mark: Mark, out: list[bytes], *, is_inside: bool) -> int:
    found = _STRING_RE.match(body, at)
    if found is None:  # cut off in the middle: nothing behind it is safe to show
        out.append(b'"' + mark(body[at + 1 :]).encode() + b'"')
        return len(body)
    text = found[0]
    if len(text) == 2 or (is_inside and _KEY_END.match(body, found.end())):
        out.append(text)
    else:
        out.append(b'"' + mark(_value(text)).encode() + b'"')
    return found.end()


def _hide_scalar(body: bytes, at: int, mark: Mark, out: list[bytes]) -> int:
    found = _SCALAR.match(body, at)
    assert found is not None  # noqa: S101 - every other first character was handled
    text = found[0]
    out.append(text if text in _KEPT else b'"' + mark(b"number " + text).encode() + b'"')
    return found.end()


def _value(text: bytes) -> bytes:
    """The string that a JSON spelling stands for, so that all its spellings get one mark."""
    if b"\\" not in text:
        return text[1:-1]
    try:
        return str(json.loads(text)).encode("utf-8", "surrogatepass")
    except ValueError:
        return text[1:-1]
