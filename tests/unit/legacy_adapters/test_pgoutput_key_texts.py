"""Key texts, taken apart again; and cells as SQLite's triggers write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.capture.key_texts import key_parts
from legacy_adapters.capture.sqlite_triggers import cells, condition_of
from legacy_adapters.mapping.rows import Column, ColumnKind, Table, key_text

_INTEGER, _TEXT = Column(ColumnKind.INTEGER), Column(ColumnKind.TEXT)
THREE = Table("three", ("a", "b", "c"), {"a": _INTEGER, "b": _TEXT, "c": _INTEGER})
TWO_TEXTS = Table("two", ("a", "b"), {"a": _TEXT, "b": _TEXT})


@given(first=st.integers(), middle=st.text(alphabet="|ab"), last=st.integers())
def test_a_key_text_gives_back_its_parts(first: int, middle: str, last: int) -> None:
    text = key_text(THREE, {"a": first, "b": middle, "c": last})

    assert key_parts(THREE, text) == (str(first), middle, str(last))


@pytest.mark.parametrize("text", ["", "1", "a|b|c"])
def test_a_key_text_that_could_be_two_keys_or_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        key_parts(TWO_TEXTS, text)


def _quote(cell: object) -> bytes:
    if cell is None:
        return b"NULL"
    if isinstance(cell, bytes):
        return f"X'{cell.hex().upper()}'".encode()
    if isinstance(cell, str):
        return b"'" + cell.replace("'", "''").encode() + b"'"
    return repr(cell).encode()


_CELLS = st.one_of(
    st.none(), st.integers(), st.binary(), st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8")),
)  # fmt: skip


@given(row=st.lists(_CELLS, min_size=1))
def test_a_logged_row_gives_back_its_cells(row: list[object]) -> None:
    assert cells(b",".join(_quote(cell) for cell in row)) == row


@pytest.mark.parametrize(
    ("sql", "condition"),
    [
        ("CREATE UNIQUE INDEX i ON t (a)", ""),
        ("CREATE UNIQUE INDEX i ON t (a) WHERE a > 0", "a > 0"),
        ('create unique index "a WHERE (" on [t(] (a)\nwhere b IN (1, 2)', "b IN (1, 2)"),
        ("CREATE UNIQUE INDEX i ON t (a COLLATE nocase) WHERE x = ' where '", "x = ' where '"),
        ("", ""),
    ],
)
def test_the_condition_of_a_partial_index_is_found(sql: str, condition: str) -> None:
    assert condition_of(sql) == condition
