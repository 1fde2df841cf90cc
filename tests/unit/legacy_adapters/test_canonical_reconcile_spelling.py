"""The one spelling of documents stays what it was: digests in the evidence are compared to it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import msgspec
import pytest

from legacy_adapters.mapping.canonical import canonical_bytes


class Colour(StrEnum):
    RED = "red"


class Inner(msgspec.Struct, frozen=True):
    b: int
    a: str


class Outer(msgspec.Struct, frozen=True):
    id: UUID
    inner: Inner
    more: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, b"N"),
        ("ü", b"S2:\xc3\xbc"),
        ("", b"S0:"),
        (True, b"T1:1"),
        (0, b"I1:0"),
        (-12, b"I3:-12"),
        (Colour.RED, b"S3:red"),
        (UUID(int=1), b"U16:" + UUID(int=1).bytes),
        (date(2026, 1, 31), b"Y10:2026-01-31"),
        (datetime(2026, 1, 31, 9, tzinfo=UTC), b"M32:2026-01-31T09:00:00.000000+00:00"),
        (Decimal("7.90"), b"D3:7.9"),
        (b"x", b"B1:x"),
        ([1, "a"], b"L2:I1:1S1:a"),
        ({"b": 1, "a": None}, b"O2:S1:aNS1:bI1:1"),
        (Inner(1, "x"), b"O2:S1:aS1:xS1:bI1:1"),
        (
            Outer(UUID(int=1), Inner(1, "x"), (Inner(2, "y"),)),
            b"O3:S2:idU16:" + UUID(int=1).bytes + b"S5:innerO2:S1:aS1:xS1:bI1:1"
            b"S4:moreL1:O2:S1:aS1:yS1:bI1:2",
        ),
    ],
)
def test_a_value_is_spelled_so(value: object, wanted: bytes) -> None:
    assert canonical_bytes(value) == wanted


@pytest.mark.parametrize("value", [1.5, {1, 2}, object()])
def test_what_has_no_one_spelling_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_bytes([value])
