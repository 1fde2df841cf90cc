"""Whether a value fits its attribute."""

from __future__ import annotations

import math
from datetime import date, datetime

from new_core.domain.catalog import AttributeContent, AttributeDef, ValueType
from new_core.errors import InvalidValue

LONGEST_TEXT = 10_000
_MOST_INTEGER = 2**53
"""Beyond it JSON readers in browsers give another number."""


def checked(attribute: AttributeDef, content: AttributeContent) -> AttributeContent:
    """The content, in the one form in which it is kept; None is no value.

    Raises:
        InvalidValue: it does not fit, with the attribute's code.
    """
    if content is None:
        return None
    problem = _problem(attribute.value_type, content)
    if problem is not None:
        raise InvalidValue(f"attributes.{attribute.code}", problem)
    return content


def _problem(kind: ValueType, content: AttributeContent) -> str | None:
    fits: bool
    match kind:
        case ValueType.BOOLEAN:
            fits, wanted = isinstance(content, bool), "true or false"
        case ValueType.INTEGER:
            fits, wanted = _is_integer(content), f"an integer of at most {_MOST_INTEGER}"
        case ValueType.NUMBER:
            fits, wanted = _is_number(content), "a number"
        case ValueType.CHOICES:
            fits = isinstance(content, tuple) and all(0 < len(one) <= 255 for one in content)
            wanted = "a list of labels"
        case ValueType.DATE | ValueType.DATETIME:
            return _no_time(kind, content)
        case _:
            fits = isinstance(content, str) and len(content) <= LONGEST_TEXT
            wanted = f"text of at most {LONGEST_TEXT} characters"
    return None if fits else f"must be {wanted}"


def _is_integer(content: AttributeContent) -> bool:
    number = isinstance(content, int) and not isinstance(content, bool)
    return number and abs(content) <= _MOST_INTEGER  # type: ignore[arg-type]  # an int by now


def _is_number(content: AttributeContent) -> bool:
    if isinstance(content, bool) or not isinstance(content, int | float):
        return False
    return isinstance(content, int) or math.isfinite(content)


def _no_time(kind: ValueType, content: AttributeContent) -> str | None:
    reads = date.fromisoformat if kind is ValueType.DATE else datetime.fromisoformat
    try:
        reads(content)  # type: ignore[arg-type]  # a TypeError is an answer here
    except (TypeError, ValueError):
        return f"must be an ISO 8601 {kind.value}"
    return None
