"""The dialect of JSONPath that compare rules are written in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import JsonPathError, JsonStep, StepKind, parse_json_path

MEMBER, EVERY, ANYWHERE = StepKind.MEMBER, StepKind.EVERY, StepKind.ANYWHERE


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("$.date_updated", (JsonStep(MEMBER, "date_updated"),)),
        (
            "$.children[*].url",
            (JsonStep(MEMBER, "children"), JsonStep(EVERY), JsonStep(MEMBER, "url")),
        ),
        ("$..url", (JsonStep(ANYWHERE, "url"),)),
        ("$['a b'][\"c'd\"]", (JsonStep(MEMBER, "a b"), JsonStep(MEMBER, "c'd"))),
        (r"$['it\'s']", (JsonStep(MEMBER, "it's"),)),
        ("$[*][*]", (JsonStep(EVERY), JsonStep(EVERY))),
    ],
)
def test_a_path_is_split_into_its_steps(text: str, steps: tuple[JsonStep, ...]) -> None:
    assert parse_json_path(text) == steps


@pytest.mark.parametrize(
    ("text", "at"),
    [("", 0), ("a", 0), ("$a", 1), ("$.", 1), ("$[0]", 1), ("$.a[1:2]", 3), ("$.a[?(@.b)]", 3)],
)
def test_what_the_dialect_lacks_is_refused_at_its_place(text: str, at: int) -> None:
    with pytest.raises(JsonPathError) as caught:
        parse_json_path(text)

    assert caught.value.at == at


@given(st.text(alphabet="$.[]'\"*ab\\ 0"))
def test_any_text_is_a_path_or_a_json_path_error(text: str) -> None:
    try:
        parse_json_path(text)
    except JsonPathError as exc:
        at = exc.at
    else:
        at = 0

    assert 0 <= at <= len(text)
