"""Read JSON strictly: what two programs could understand differently is not read at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import MAX_EMAX, MIN_EMIN, Decimal, InvalidOperation, localcontext
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import NamedTuple, TypeAlias

import msgspec

from shadow_compare.core.elements import Element, markup
from shadow_compare.errors import UnreadableError

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | Decimal | bool | Element | None"

MAX_DEPTH = 100
_MAX_NUMBER = 1_000

# Wide enough to take any number that is read to its canonical form without rounding.
_EXACT_DIGITS = 2 * _MAX_NUMBER


class Document(NamedTuple):
    """A document that was read.

    Attributes:
        value: what it holds, numbers exact.
        packed: bytes that only equal documents share; None where there is no such form.
            Equal documents may have different ones.
    """

    value: Json
    packed: bytes | None = None


def read_json(body: bytes) -> Document:
    """The document in a body.

    Raises:
        UnreadableError: it is not JSON, or JSON that cannot be relied on: a key twice in
            one object, NaN or infinity, nesting deeper than 100, a number of more than
            1,000 characters (integers: 4,300).
    """
    return _read_fast(body) or Document(read_strictly(body))


def _read_fast(body: bytes) -> Document | None:
    """The same by a quick reader; None where the strict one has to decide.

    The quick reader takes the last of two equal keys without a word. But what it dropped
    is missing when the document is written again: each dropped pair takes at least the
    two quotes of its key along. Quotes within texts are written alike in both, each behind
    a backslash, but for those that were spelled by their number.
    """
    if b"\\u0022" in body:
        return None
    try:
        value: Json = _DECODER.decode(body)
        packed = _ENCODER.encode(value)
    except (ValueError, RecursionError, OverflowError, msgspec.MsgspecError):
        return None
    if packed.count(b'"') != body.count(b'"'):
        return None
    # Only a document with that many brackets can be that deep; most are spared the walk.
    if packed.count(b"[") + packed.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    return Document(value, packed)


def read_strictly(body: bytes) -> Json:
    """What `read_json` reads, by a reader that sees every pair of every object."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise UnreadableError("the JSON is not UTF-8") from exc
    try:
        document: Json = json.loads(
            text,
            parse_float=_decimal,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except RecursionError as exc:
        raise UnreadableError(f"nested deeper than {MAX_DEPTH} levels") from exc
    except ValueError as exc:
        raise UnreadableError(f"not JSON: {exc}") from exc
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(document)
    return document


def canonical(value: Json) -> str:
    """The same text for equal values: members sorted, numbers by value, no spaces."""
    if isinstance(value, dict):
        members = (f"{quoted(key)}:{canonical(value[key])}" for key in sorted(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join([canonical(item) for item in value]) + "]"
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    return _canonical_element(value) if isinstance(value, Element) else number(value)


_WORDS = {None: "null", True: "true", False: "false"}


def spelled(values: Sequence[Json]) -> list[str]:
    """Quick texts that only equal values share; equal numbers may be spelled differently."""
    try:
        return [_ENCODER.encode(value).decode() for value in values]
    except (TypeError, ValueError, msgspec.MsgspecError):
        return [canonical(value) for value in values]


def _canonical_element(node: Element) -> str:
    names = sorted(node.attributes)
    attributes = (f"{quoted(name)}={quoted(node.attributes[name])}" for name in names)
    inside = (canonical(child) for child in node.children)
    return f"<{quoted(node.name)}{quoted(node.space)} {' '.join(attributes)}>{''.join(inside)}</>"


def number(value: int | Decimal) -> str:
    """The same text for equal numbers: 1, 1.0 and 1e0 are one."""
    if isinstance(value, int):
        return str(value)
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = _EXACT_DIGITS, MAX_EMAX, MIN_EMIN
        plain = value.normalize()
    if not plain:
        return "0"
    exponent = plain.as_tuple().exponent
    if isinstance(exponent, int) and 0 <= exponent <= _MAX_NUMBER:
        return str(int(plain))
    return str(plain)


def as_written(value: Json) -> str:
    """Text to show: like `canonical`, but numbers as the store wrote them (1.50, not 1.5)."""
    if isinstance(value, dict):
        members = (f"{quoted(key)}: {as_written(item)}" for key, item in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join([as_written(item) for item in value]) + "]"
    if isinstance(value, Element):
        text = None if value.attributes else value.text
        return quoted(markup(value) if text is None else text)
    return str(value) if isinstance(value, Decimal) else canonical(value)


def quoted(text: str) -> str:
    """A JSON string; letters stay readable, halves of surrogate pairs are escaped."""
    if text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text):
        return encode_basestring(text)
    return encode_basestring_ascii(text)


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for at, key in enumerate(keys) if key in keys[:at])
        raise UnreadableError(f"the key {quoted(twice)} stands twice in one object")
    return members


def _decimal(text: str) -> Decimal:
    if len(text) > _MAX_NUMBER:
        raise UnreadableError(f"a number of {len(text)} characters")
    try:
        value = Decimal(text)
    except InvalidOperation as exc:
        raise UnreadableError(f"the number {text} is out of reach") from exc
    if not value.is_finite():
        raise UnreadableError(f"the number {text} is out of reach")
    return value


def _constant(text: str) -> Json:
    raise UnreadableError(f"{text} is not JSON")


def _check_depth(document: Json) -> None:
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        containers = [value for value in level if isinstance(value, dict | list)]
        if not containers:
            return
        level = []
        for value in containers:
            level.extend(value.values() if isinstance(value, dict) else value)
    raise UnreadableError(f"nested deeper than {MAX_DEPTH} levels")


_DECODER = msgspec.json.Decoder(float_hook=_decimal)
_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="number")
