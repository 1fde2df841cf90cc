"""Two answers laid line against line."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cutover.api.sidebyside import MAX_LINES, Row, SideBySide, side_by_side
from shadow_compare.core.evidence import Leaf

KEYS = st.text("abc", min_size=1, max_size=2)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def leaf(path: str) -> Leaf:
    return Leaf(path, path, "value", "1", "2")


def rows(found: SideBySide) -> list[Row]:
    return [row for block in found.blocks for row in block.rows]


def text(found: SideBySide, side: str) -> str:
    cells = [getattr(row, side) for row in rows(found)]
    return "\n".join(cell.head + cell.value for cell in cells if cell is not None)


@given(body=JSON)
def test_equal_answers_show_no_difference_and_lose_nothing(body: Any) -> None:
    found = side_by_side(json.dumps(body), json.dumps(body), [])

    assert not any(row.differs for row in rows(found))
    assert json.loads(text(found, "legacy")) == body


@given(legacy=JSON, core=JSON)
def test_a_difference_shows_exactly_when_there_is_one(legacy: Any, core: Any) -> None:
    left, right = json.dumps(legacy), json.dumps(core)

    found = side_by_side(left, right, [])

    same = json.dumps(legacy, sort_keys=True) == json.dumps(core, sort_keys=True)
    assert any(row.differs for row in rows(found)) == (not same)


def test_the_differing_leaf_is_marked_in_place_and_the_rest_folded() -> None:
    before = {f"k{n:02}": n for n in range(20)}
    legacy, core = before | {"price": "13.08"}, before | {"price": "13.07"}

    found = side_by_side(json.dumps(legacy), json.dumps(core), [leaf("$.price")])

    marked = [row for row in rows(found) if row.counted]
    assert [(row.path, row.legacy and row.legacy.value) for row in marked] == [
        ("$.price", '"13.08"')
    ]
    assert found.blocks[0].folded
    assert len(found.blocks[0].rows) == 19


def test_a_difference_that_a_rule_accepts_shows_but_does_not_count() -> None:
    found = side_by_side('{"at": 1, "n": 1}', '{"at": 2, "n": 2}', [leaf("$.n")])

    assert [(row.path, row.counted) for row in rows(found) if row.differs] == [
        ("$.at", False),
        ("$.n", True),
    ]


def test_a_leaf_with_quoted_key_finds_its_place() -> None:
    found = side_by_side('{"a b": [{"x": 1}]}', '{"a b": [{"x": 2}]}', [leaf("$['a b'][0].x")])

    assert [row.path for row in rows(found) if row.counted] == ["$.a b[0].x"]


def test_what_one_side_lacks_stands_against_nothing() -> None:
    found = side_by_side('{"a": {"b": [1]}}', "{}", [leaf("$.a")])

    alone = [row for row in rows(found) if row.core is None]
    assert [row.legacy.value for row in alone if row.legacy] == ["{", "[", "1", "]", "}"]
    assert all(row.counted for row in alone)


def test_a_number_keeps_the_digits_it_was_written_with() -> None:
    found = side_by_side('{"n": 1.50}', '{"n": 1.5}', [])

    assert [row.legacy.value for row in rows(found) if row.differs and row.legacy] == ["1.50"]


def test_text_that_is_not_json_is_compared_by_lines() -> None:
    found = side_by_side("<p>\none\n</p>", "<p>\ntwo\n</p>", [])

    assert [row.differs for row in rows(found)] == [False, True, False]


def test_an_answer_nested_beyond_reading_is_still_shown() -> None:
    deep = "[" * 100_000

    found = side_by_side(deep, "[]", [])

    assert any(row.differs for row in rows(found))


def test_a_huge_answer_is_cut_and_says_by_how_much() -> None:
    body = json.dumps(list(range(MAX_LINES + 500)))

    found = side_by_side(body, body, [])

    assert found.cut == 502
    assert len(rows(found)) == MAX_LINES
