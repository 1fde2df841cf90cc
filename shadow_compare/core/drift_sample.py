"""What the fields of a difference held, without anybody's personal data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec

from proxy.core.names import Names
from shadow_compare.core.drift_class_fields import ABSENT_FIELD, FieldGap
from shadow_compare.core.drift_record import DriftSample
from shadow_compare.core.text import short

Hide = Callable[[str], str]
"""Text to the mark that stands for it; equal texts have equal marks."""

MOST_SAMPLES = 20
_MOST_CHARS = 120
#: States, currencies, codes, dates and amounts: words nobody is known by.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,31}")
_STEPS = re.compile(r"[.\[\]0-9]+")
_NAMES = Names()


def hidden(_text: str) -> str:
    """Where no key of marks is known: nothing of the text is told."""
    return "[hidden]"


def samples_of(gaps: Sequence[FieldGap], hide: Hide) -> tuple[DriftSample, ...]:
    """The first fields of a difference, at most `MOST_SAMPLES`."""
    return tuple(
        DriftSample(gap.path, masked(gap.path, gap.owner, hide), masked(gap.path, gap.other, hide))
        for gap in gaps[:MOST_SAMPLES]
    )


def masked(path: str, value: Any, hide: Hide) -> str:
    """A value as it may be kept: numbers, moments and codes as they are, other texts hidden,
    and all of it where a name in the path says that it is a person's.
    """
    plain = value.value if isinstance(value, Enum) else value
    if plain is None or isinstance(plain, bool):
        return {None: "null", True: "true", False: "false"}[plain]
    is_personal = any(_is_personal(name) for name in _STEPS.split(path) if name)
    if not is_personal and isinstance(plain, int | Decimal | date | UUID):
        return short(str(plain), _MOST_CHARS)
    if isinstance(plain, str):
        return _masked_text(plain, hide, is_personal=is_personal)
    return _masked_whole(plain, hide)


def _masked_text(text: str, hide: Hide, *, is_personal: bool) -> str:
    if text == "":
        return '""'
    is_code = not is_personal and _CODE.fullmatch(text) is not None
    return text if is_code else f"{hide(text)} ({len(text)} characters)"


def _masked_whole(value: Any, hide: Hide) -> str:
    if value is ABSENT_FIELD:
        return "(absent)"
    if isinstance(value, msgspec.Struct | Mapping):
        return "(present)"
    is_list = isinstance(value, Sequence) and not isinstance(value, bytes)
    return f"({len(value)} in another order)" if is_list else hide(str(value))


def _is_personal(name: str) -> bool:
    return _NAMES.is_sensitive(name) or _NAMES.is_person(name) or _NAMES.is_field(name)
