"""Totals of both sides beside each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.mapping.versions import Side
from legacy_adapters.oscar.totals import ALL, statement
from shadow_compare.service.totals import compare_totals

SUMS = st.dictionaries(st.tuples(st.sampled_from("abc")), st.tuples(st.integers(0, 2)))


@given(SUMS, SUMS)
def test_every_line_that_differs_is_told_once(
    legacy: dict[tuple[str, ...], tuple[int, ...]], core: dict[tuple[str, ...], tuple[int, ...]]
) -> None:
    found = compare_totals("orders", legacy, core)

    every = legacy.keys() | core.keys()
    assert found.lines == len(every)
    assert {gap.of for gap in found.gaps} == {of for of in every if legacy.get(of) != core.get(of)}


def test_orphans_that_are_equal_on_both_sides_are_a_gap_all_the_same() -> None:
    found = compare_totals("orphans", {(): (1, 0)}, {(): (1, 0)}, zero=True)

    assert [gap.sentence for gap in found.gaps] == ["orphans: legacy 1 0, core 1 0"]


def test_no_orphans_are_no_gap() -> None:
    assert compare_totals("orphans", {(): (0, 0)}, {(): (0, 0)}, zero=True).gaps == ()


def test_a_line_that_one_side_lacks_is_told() -> None:
    found = compare_totals("stock", {("A-1",): (1, 5)}, {})

    assert [gap.sentence for gap in found.gaps] == ["stock A-1: legacy 1 5, core nothing"]


def test_every_statement_has_a_spelling_for_every_database() -> None:
    for totals in ALL:
        for side in Side:
            for dialect in ("sqlite", "postgresql", "mysql"):
                assert "{" not in statement(totals, side, dialect)
