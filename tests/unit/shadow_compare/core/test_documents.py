"""The quick reader of JSON never says more than the strict one."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow_compare.core.documents import Json, read_json, read_strictly
from shadow_compare.errors import UnreadableError

keys = st.sampled_from(["a", "b", "\\u0061", '\\"', "\\\\", "é", "", "\\u0022"])
numbers = st.sampled_from(
    ["0", "-0", "1", "1.0", "1e0", "1E400", "-1.50", "9007199254740993", "1" * 30, "NaN", "01"]
)
words = st.sampled_from(["true", "false", "null", "Infinity", '"x"', '"\\""', '"\\ud800"', '"\n"'])


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f'"{key}":{value}' for key, value in pairs) + "}"


spelt = st.recursive(
    numbers | words | keys.map(lambda key: f'"{key}"'),
    lambda inner: (
        st.lists(st.tuples(keys, inner), max_size=4).map(_object)
        | st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]")
    ),
    max_leaves=12,
)


def _read(read: Any, body: bytes) -> Any:
    try:
        return read(body)
    except UnreadableError:
        return UnreadableError


def _exact(value: Json) -> Any:
    """The value with what Python takes for equal told apart."""
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    return type(value).__name__, str(value)


@given(spelt, st.sampled_from(["", " ", "\ufeff", "x", "]"]))
def test_both_readers_agree_on_every_text(text: str, around: str) -> None:
    body = (around + text).encode("utf-8", "surrogatepass")

    quick, strict = _read(read_json, body), _read(read_strictly, body)

    if strict is UnreadableError:
        assert quick is UnreadableError
    else:
        assert _exact(quick.value) == _exact(strict)


@given(spelt, spelt)
def test_what_packs_alike_is_equal(one: str, other: str) -> None:
    first, second = (_read(read_json, text.encode()) for text in (one, other))

    if UnreadableError not in (first, second) and first.packed and first.packed == second.packed:
        assert _exact(first.value) == _exact(second.value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "\\u0061": 1}',
        b'{"a": "\\u0022\\u0022", "a": 1}',
        b'{"x": "\\u0022", "y": "\\u0022", "a": 1, "a": 2}',
        b'[{"a": {"b": 1, "b": {"c": "\\""}}}]',
        b'{"": 0, "": 0}',
    ],
)
def test_a_key_that_stands_twice_is_seen_however_it_is_spelled(body: bytes) -> None:
    with pytest.raises(UnreadableError, match="stands twice"):
        read_json(body)


def test_numbers_come_exact_from_the_quick_reader() -> None:
    found = read_json(b'{"a": [1.10, 12345678901234567890123, -0, 1e2, true]}')

    assert found.packed is not None
    assert _exact(found.value) == _exact(
        {"a": [Decimal("1.10"), 12345678901234567890123, 0, Decimal("1e2"), True]}
    )


@pytest.mark.parametrize("depth", [100, 101, 600, 5_000, 100_000])
def test_nesting_has_an_end(depth: int) -> None:
    body = b"[" * depth + b"]" * depth

    if depth <= 100:
        assert json.dumps(read_json(body).value) == body.decode()
    else:
        with pytest.raises(UnreadableError, match="nested deeper"):
            read_json(body)
