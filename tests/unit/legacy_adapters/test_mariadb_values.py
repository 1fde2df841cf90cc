"""Bytes of MariaDB's log as cells."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.mapping.rows import Broken, Column, ColumnKind, plain


@given(
    st.sampled_from(ColumnKind),
    st.one_of(st.integers(), st.text(), st.binary(), st.floats(), st.dates(), st.datetimes()),
)
def test_every_value_is_a_cell_whatever_its_column_holds(kind: ColumnKind, value: Any) -> None:
    cell = plain(Column(kind, 2), value)

    assert isinstance(cell, bool | int | str | Broken)


def test_a_number_that_is_no_truth_is_broken() -> None:
    assert plain(Column(ColumnKind.BOOLEAN), 2) == Broken("2")
