"""Cookies that an answer sets, by name.

Captures hold the hash of a cookie's value, and its attributes as they were.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.core import is_redacted
from shadow_compare.core.answer import Answer
from shadow_compare.core.documents import quoted
from shadow_compare.core.evidence import Leaf
from shadow_compare.core.findings import Findings
from shadow_compare.errors import UnreadableError

# What deletes a cookie: the beginning of one or the other computer's time.
_LONG_GONE = re.compile(r"[ -](0001|1601|1969|1970|70)[ -]", re.ASCII)

_HIDDEN = ""


@dataclass(frozen=True, slots=True)
class _Cookie:
    value: str
    attributes: dict[str, str]


def compare_cookies(
    names: Sequence[str], values: frozenset[str], legacy: Answer, core: Answer, found: Findings
) -> None:
    """Note how the named cookies differ: set or not, attributes, and for some the value.

    Raises:
        UnreadableError: an answer sets cookies whose names are hidden, so that nobody can
            say it does not set one of these.
    """
    ours, theirs = _cookies(legacy), _cookies(core)
    for name in names:
        if found.census:
            found.census.count((f"cookie:{name}",), None)
        own, other = ours.get(name, []), theirs.get(name, [])
        if (not own and _HIDDEN in ours) or (not other and _HIDDEN in theirs):
            raise UnreadableError(f"the cookie {name} may be among those with a hidden name")
        if len(own) != len(other):
            _note(name, "", _told(own), _told(other), found)
            continue
        for one, two in zip(own, other, strict=True):
            _compare(name, one, two, name in values, found)


def _compare(name: str, legacy: _Cookie, core: _Cookie, counts: bool, found: Findings) -> None:
    if counts and legacy.value != core.value:
        _note(name, "", legacy.value, core.value, found)
    for key in sorted(legacy.attributes.keys() | core.attributes.keys()):
        own, other = legacy.attributes.get(key), core.attributes.get(key)
        if own != other:
            _note(name, f";{key}", own, other, found)


def _note(name: str, part: str, legacy: str | None, core: str | None, found: Findings) -> None:
    place = f"cookie:{name}{part}"
    kind = "missing" if core is None else "added" if legacy is None else "value"
    told = (None if value is None else quoted(value) for value in (legacy, core))
    found.note(Leaf(place, place, kind, *told), None)


def _told(cookies: list[_Cookie]) -> str | None:
    if not cookies:
        return None
    return "set" if len(cookies) == 1 else f"set {len(cookies)} times"


def _cookies(answer: Answer) -> dict[str, list[_Cookie]]:
    cookies: dict[str, list[_Cookie]] = {}
    for key, line in answer.headers:
        if key.lower() != "set-cookie":
            continue
        first, *rest = line.split(";")
        name, equals, value = first.partition("=")
        if not equals and is_redacted(first):
            name = _HIDDEN
        attributes = {}
        for part in rest:
            attribute, _, setting = part.partition("=")
            if attribute.strip():
                attributes[attribute.strip().lower()] = setting.strip().strip('"')
        cookies.setdefault(name.strip(), []).append(_Cookie(value.strip(), _plain(attributes)))
    return cookies


def _plain(attributes: dict[str, str]) -> dict[str, str]:
    """Attributes by meaning: a day to come moves with the clock, one long gone deletes."""
    plain = dict(attributes)
    if "expires" in plain:
        gone = _LONG_GONE.search(plain["expires"])
        plain["expires"] = "in the past" if gone else "in future"
    if "samesite" in plain:
        plain["samesite"] = plain["samesite"].lower()
    if "domain" in plain:
        plain["domain"] = plain["domain"].lower().lstrip(".")
    return plain
