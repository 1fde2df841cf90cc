"""What a mismatch is called: one name for mismatches that look the same, and a sentence."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace

from shadow_compare.core.batch import Finding
from shadow_compare.core.evidence import Leaf

VERSION = "v1"
_SIGNATURE = "s1"

_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?\s?(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_LINK = re.compile(r"https?://\S+", re.ASCII)
_TEXT_SHAPES = (
    (_TIME, "time"),
    (_DATE, "date"),
    (_UUID, "UUID"),
    (_NUMBER, "number in text"),
    (_LINK, "link"),
)


def fingerprint(domain: str, route: str, leaves: Sequence[Leaf], statuses: tuple[int, int]) -> str:
    """Name the set of differences: "v1:" and 16 hex digits.

    Two mismatches share a name when the same places differ in the same way: values,
    indexes and order do not matter, the shapes of the values do. The version is part of
    the name, so that a better recipe does not quietly regroup what people have triaged.
    """
    places = sorted({(leaf.pattern, leaf.kind, *shapes(leaf)) for leaf in leaves})
    text = json.dumps([VERSION, domain, route, places, statuses])
    return f"{VERSION}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def signatures(domain: str, leaves: Sequence[Leaf]) -> tuple[str, ...]:
    """A name for each single difference, its place and kind: "s1:" and 16 hex digits.

    Groups that share one are siblings: most likely one defect shows in all of them, also
    on several routes of the domain.
    """
    places = sorted({(leaf.pattern, leaf.kind) for leaf in leaves})
    texts = (json.dumps([_SIGNATURE, domain, *place]) for place in places)
    return tuple(f"{_SIGNATURE}:{hashlib.sha256(text.encode()).hexdigest()[:16]}" for text in texts)


def crowd(domain: str, route: str, finding: Finding) -> Finding:
    """The group of mismatches that are too many and too unlike to be told apart."""
    text = json.dumps([VERSION, domain, route, "crowd"])
    name = f"{VERSION}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    title = "many other differences, each of its own kind"
    return replace(finding, fingerprint=name, title=title, patterns=(), signatures=())


def shapes(leaf: Leaf) -> tuple[str, str]:
    """The shapes of legacy's and the core's value."""
    return shape(leaf.legacy), shape(leaf.core)


def shape(value: str | None) -> str:
    """What kind of value a canonical JSON text holds, in a word."""
    if value is None:
        return "absent"
    if value.startswith('"'):
        return _text_shape(value[1:-1])
    named = _EXACT_SHAPES.get(value) or _OPENING_SHAPES.get(value[:1])
    if named is not None:
        return named
    return "whole number" if value.lstrip("-").isdigit() else "decimal number"


_EXACT_SHAPES = {
    "true": "truth value",
    "false": "truth value",
    "null": "null",
    "{}": "empty object",
    "[]": "empty list",
}
_OPENING_SHAPES = {"{": "object", "[": "list"}


def _text_shape(text: str) -> str:
    if not text:
        return "empty text"
    return next((name for form, name in _TEXT_SHAPES if form.fullmatch(text)), "text")


def title(leaves: Sequence[Leaf]) -> str:
    """One plain sentence: what differs, where."""
    if not leaves:
        return "nothing differs"
    leading = gravest(leaves)
    first = sentence(leading)
    others = len({leaf.pattern for leaf in leaves} - {leading.pattern})
    if not others:
        return first
    return f"{first}, and {others} more {'place differs' if others == 1 else 'places differ'}"


def gravest(leaves: Sequence[Leaf]) -> Leaf:
    """The difference that is told first; there must be one."""
    return min(leaves, key=lambda leaf: (_RANK.get(leaf.kind, 9), leaf.pattern))


_RANK = {"status": 0, "type": 1, "missing": 2, "value": 3, "body": 4, "added": 5, "order": 6}


def sentence(leaf: Leaf) -> str:
    """One difference in words."""
    legacy, core = shapes(leaf)
    form = _SENTENCES.get(leaf.kind, "{at} differs ({legacy} against {core})")
    return form.format(
        at=leaf.pattern.removeprefix("header:"),
        legacy=legacy,
        core=core,
        legacy_value=leaf.legacy,
        core_value=leaf.core,
    )


_SENTENCES = {
    "status": "legacy answers {legacy_value}, the core {core_value}",
    "header": "header {at} differs",
    "missing": "{at} is missing in the core ({legacy})",
    "added": "{at} is only in the core ({core})",
    "order": "{at} holds the same in another order",
    "length": "{at} differs in length ({legacy_value} against {core_value})",
    "body": "the body differs",
}
