"""Hide the value of a cookie that an answer sets, and keep what can be compared."""

from __future__ import annotations

import re
from collections.abc import Callable

_NAME = re.compile(r"(?!(.*\d){5})[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)

# Nothing that a store makes up may hide in what is kept.
_ATTRIBUTE = re.compile(
    r"\s*(secure|httponly|partitioned|samesite=(lax|strict|none)|max-age=-?\d{1,10}"
    r"|path=/[a-z/_-]{0,40}|domain=[a-z.-]{1,100}|priority=(low|medium|high)"
    r"|expires=[a-z]{3,9}, \d{1,2}[ -][a-z]{3}[ -](\d{4}|\d{2}) [\d:]{8} gmt)\s*",
    re.IGNORECASE | re.ASCII,
)


def hide_cookie(value: str, mark: Callable[[bytes], str]) -> str:
    """A Set-Cookie value with a mark in place of the cookie's value.

    The name and the known attributes in their usual forms stay; an attribute of another
    form is left out. A name with many digits or odd signs could be a value itself: such a line
    is hidden whole.
    """
    first, *rest = value.split(";")
    name, equals, content = first.partition("=")
    if not equals or not _NAME.fullmatch(name):
        return mark(value.encode("latin-1", "replace"))
    content = content.strip(" \t")
    hidden = mark(content.encode("latin-1", "replace")) if content else ""
    return ";".join([f"{name}={hidden}", *(part for part in rest if _ATTRIBUTE.fullmatch(part))])
