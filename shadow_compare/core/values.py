"""Values of two answers: whether they are the same, and what a rule forgives."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from proxy.routing import Accept, CompareRule
from shadow_compare.core.documents import Json, canonical, number, quoted
from shadow_compare.core.rules import RuleState

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,400})(\.\d{1,400})?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_TIME_AT_LEAST = len("2026-01-01T00:00")


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
    return {dict: "object", list: "array", str: "string"}[type(value)]


def forgiving_rule(legacy: Json, core: Json, state: RuleState) -> CompareRule | None:
    """The rule that accepts two values, both present, that are not the same."""
    if rule := state.accepts(Accept.ANY):
        return rule
    if (rule := state.accepts(Accept.TIMESTAMP)) and is_time(legacy) and is_time(core):
        return rule
    if (rule := state.accepts(Accept.UUID)) and is_uuid(legacy) and is_uuid(core):
        return rule
    if (rule := state.accepts(Accept.NUMBER_TEXT)) and _same_number(legacy, core):
        return rule
    return None


def rule_for_absence(present: Json, state: RuleState) -> CompareRule | None:
    """The rule that accepts a value that only one side has."""
    if rule := state.accepts(Accept.ANY):
        return rule
    return state.accepts(Accept.NULL_OR_ABSENT) if present is None else None


def is_time(value: Json) -> bool:
    """An ISO 8601 date and time that exists."""
    if not isinstance(value, str) or not _TIME_AT_LEAST <= len(value) <= 40:
        return False
    if value[10] not in "Tt ":
        return False
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True


def is_uuid(value: Json) -> bool:
    """A UUID, with or without dashes."""
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        return False
    return bool(UUID(value))


def masked(value: Json, state: RuleState) -> str:
    """The canonical text of a value with what rules forgive taken out.

    Two elements of an array with the same masked text belong together.
    """
    if state.silent:
        return canonical(value)
    if state.accepts(Accept.ANY):
        return "*"
    if isinstance(value, dict):
        return "{" + ",".join(_masked_members(value, state)) + "}"
    if isinstance(value, list):
        items = [masked(item, state.element()) for item in value]
        return "[" + ",".join(sorted(items) if state.accepts(Accept.UNORDERED) else items) + "]"
    return _masked_scalar(value, state)


def _masked_members(members: dict[str, Json], state: RuleState) -> list[str]:
    texts = []
    for key in sorted(members):
        below = state.member(key)
        if rule_for_absence(members[key], below) is None:
            texts.append(f"{quoted(key)}:{masked(members[key], below)}")
    return texts


def _masked_scalar(value: str | int | Decimal | bool | None, state: RuleState) -> str:
    if state.accepts(Accept.TIMESTAMP) and is_time(value):
        return "<time>"
    if state.accepts(Accept.UUID) and is_uuid(value):
        return "<uuid>"
    if state.accepts(Accept.NUMBER_TEXT) and isinstance(value, str) and _NUMBER.fullmatch(value):
        return number(Decimal(value))
    return canonical(value)


def _same_number(legacy: Json, core: Json) -> bool:
    """A number on one side, the same number as text on the other."""
    text, other = (legacy, core) if isinstance(legacy, str) else (core, legacy)
    if not isinstance(text, str) or json_type(other) != "number":
        return False
    return bool(_NUMBER.fullmatch(text)) and Decimal(text) == other
