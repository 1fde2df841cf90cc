"""Values of two answers: whether they are the same, and of which type."""

from __future__ import annotations

from decimal import Decimal

from shadow_compare.core.documents import Json
from shadow_compare.core.elements import Element


def same(legacy: Json, core: Json) -> bool:
    """Equal as JSON: 1 and 1.0 are, 1 and true are not, members in any order."""
    # Python's own comparison is fast and only ever too kind: to it, true is 1.
    return legacy == core and _truly(legacy, core)


def _truly(legacy: Json, core: Json) -> bool:
    if isinstance(legacy, dict) and isinstance(core, dict):
        return all(_truly(value, core[key]) for key, value in legacy.items())
    if isinstance(legacy, list) and isinstance(core, list):
        return all(map(_truly, legacy, core))
    return isinstance(legacy, bool) is isinstance(core, bool)


def json_type(value: Json) -> str:
    """JSON's word for the type of a value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | Decimal):
        return "number"
    if value is None:
        return "null"
    return {dict: "object", list: "array", str: "string", Element: "element"}[type(value)]
