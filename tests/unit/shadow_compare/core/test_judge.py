"""Two answers to one request: equal, accepted, different, or not to be compared."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import pytest
from deepdiff import DeepDiff
from hypothesis import assume, given
from hypothesis import strategies as st
from typing_extensions import override

from proxy.routing.model import Accept, Side
from shadow_compare.core.answer import Answer
from shadow_compare.core.verdict import MAX_LEAVES, Outcome
from tests.support.comparing import rule
from tests.support.judging import JSON, answer, places, verdict


@pytest.mark.parametrize(
    ("legacy", "core", "expected"),
    [
        pytest.param({"a": 1}, {"a": 2}, [("$.a", "value")], id="value"),
        pytest.param({"a": 1}, {"a": "1"}, [("$.a", "type")], id="type"),
        pytest.param({"a": 1}, {"a": True}, [("$.a", "type")], id="true is not 1"),
        pytest.param({"a": None}, {}, [("$.a", "missing")], id="null is not absent"),
        pytest.param({}, {"a": 1}, [("$.a", "added")], id="added"),
        pytest.param([1, 2, 3], [1, 3], [("$[1]", "missing")], id="element gone"),
        pytest.param([1, 3], [1, 2, 3], [("$[1]", "added")], id="element come"),
        pytest.param([1, 2, 3], [3, 1, 2], [("$", "order")], id="order"),
        pytest.param({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, [("$.a[0].b", "value")], id="deep"),
        pytest.param({"x y": 1}, {"x y": 2}, [("$['x y']", "value")], id="odd key"),
        pytest.param([], {}, [("$", "type")], id="array against object"),
        pytest.param("a", "b", [("$", "value")], id="bare value"),
    ],
)
def test_a_difference_is_named_by_place_and_kind(
    legacy: Any, core: Any, expected: list[tuple[str, str]]
) -> None:
    found = verdict(legacy, core)

    assert found.outcome is Outcome.MISMATCH
    assert places(found) == expected


@pytest.mark.parametrize(
    ("legacy", "core"),
    [
        pytest.param(b'{"a":1,"b":2}', b'{ "b": 2, "a": 1 }', id="order of members, spaces"),
        pytest.param(b"[1, 1.0, 10]", b"[1.0, 1e0, 1E1]", id="spelling of numbers"),
        pytest.param(b'"\\u00e9"', '"é"'.encode(), id="escapes"),
        pytest.param(b"\xef\xbb\xbf{}", b"{}", id="byte order mark"),
        pytest.param(b"[12345678901234567890123]", b"[12345678901234567890123.0]", id="big"),
    ],
)
def test_two_spellings_of_one_document_match(legacy: bytes, core: bytes) -> None:
    assert verdict(answer(legacy), answer(core)).outcome is Outcome.MATCH


@pytest.mark.parametrize(
    ("legacy", "core"),
    [
        pytest.param(b"[9007199254740993]", b"[9007199254740992]", id="past 2**53"),
        pytest.param(b"[0.1]", b"[0.10000000000000001]", id="past a double"),
        pytest.param(b"[1e400]", b"[1e401]", id="past a double's range"),
    ],
)
def test_numbers_that_a_double_would_round_together_differ(legacy: bytes, core: bytes) -> None:
    assert verdict(answer(legacy), answer(core)).outcome is Outcome.MISMATCH


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(b'{"a": 1, "a": 1}', 'the key "a" stands twice', id="duplicate key"),
        pytest.param(b"[NaN]", "NaN is not JSON", id="NaN"),
        pytest.param(b"[-Infinity]", "-Infinity is not JSON", id="infinity"),
        pytest.param(b"{", "not JSON", id="cut off"),
        pytest.param(b"\xff\xfe", "not UTF-8", id="not UTF-8"),
        pytest.param(b"[" * 101 + b"]" * 101, "nested deeper", id="deep"),
        pytest.param(b"[" * 90_000 + b"]" * 90_000, "nested deeper", id="very deep"),
        pytest.param(b"[1." + b"1" * 2_000 + b"]", "2002 characters", id="long number"),
        pytest.param(b"[" + b"1" * 5_000 + b"]", "not JSON", id="long integer"),
        pytest.param(b"[1e99999999999999999999]", "out of reach", id="exponent"),
    ],
)
def test_json_that_cannot_be_relied_on_is_not_compared(body: bytes, why: str) -> None:
    found = verdict(answer({"a": 1}), answer(body))

    assert found.outcome is Outcome.INCOMPARABLE
    assert found.reason is not None
    assert found.reason.startswith("the core's answer: ")
    assert why in found.reason


def test_documents_at_the_depth_limit_are_compared() -> None:
    deep = b"[" * 100 + b"%d" + b"]" * 100

    found = verdict(answer(deep % 1), answer(deep % 2))

    assert places(found) == [("$" + "[0]" * 100, "value")]


def test_differing_status_is_one_difference_whatever_the_bodies_say() -> None:
    found = verdict(answer({"a": 1}), answer({"b": 2}, status=404))

    assert places(found) == [("status", "status")]


def test_two_failures_prove_nothing() -> None:
    assert verdict(answer(1, status=502), answer(1, status=502)).outcome is Outcome.INCOMPARABLE


def test_a_side_that_fails_alone_is_a_mismatch() -> None:
    assert verdict(answer(1), answer(1, status=500)).outcome is Outcome.MISMATCH
    assert verdict(answer(1, status=503), answer(1, status=500)).outcome is Outcome.MISMATCH


def test_not_modified_against_a_page_is_not_compared() -> None:
    assert verdict(answer(b"", status=304), answer(1)).outcome is Outcome.INCOMPARABLE
    assert verdict(answer(b"", status=304), answer(b"", status=304)).outcome is Outcome.MATCH


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome"),
    [
        ("application/json", "Application/JSON; charset=UTF-8", Outcome.MATCH),
        ('text/html; charset="utf-8"', "text/html;charset=utf-8", Outcome.MATCH),
        ("text/html; a=1; b=2", "text/html; b=2; a=1", Outcome.MATCH),
        ("text/html; charset=utf-8", "text/html; charset=latin-1", Outcome.MISMATCH),
        ("application/json", "application/hal+json", Outcome.MISMATCH),
    ],
)
def test_content_types_are_compared_by_meaning(ours: str, theirs: str, outcome: Outcome) -> None:
    found = verdict(
        answer(b"1", headers=(("Content-Type", ours),)),
        answer(b"1", headers=(("content-type", theirs),)),
        headers=("content-type",),
    )

    assert found.outcome is outcome


def test_only_chosen_headers_count() -> None:
    ours = answer(1, headers=(*JSON, ("Server", "a"), ("Vary", "Accept"), ("Vary", "Cookie")))
    theirs = answer(1, headers=(*JSON, ("Server", "b"), ("vary", "Accept, Cookie")))

    assert verdict(ours, theirs, headers=("vary",)).outcome is Outcome.MATCH
    assert places(verdict(ours, theirs, headers=("server", "etag"))) == [
        ("header:server", "header")
    ]
    assert places(verdict(ours, answer(1), headers=("server",))) == [("header:server", "header")]


def test_a_head_request_is_judged_by_its_head() -> None:
    assert verdict(answer(b"1"), answer(b""), method="HEAD").outcome is Outcome.MATCH


def test_text_is_compared_line_by_line_whatever_ends_the_lines() -> None:
    page = (("Content-Type", "text/plain"),)
    ours = answer(b"a\r\nb\r\n", headers=page)

    assert verdict(ours, answer(b"a\nb\n", headers=page)).outcome is Outcome.MATCH
    found = verdict(ours, answer(b"a\nc\n", headers=page))
    assert places(found) == [("body line 2", "body")]
    assert (found.leaves[0].legacy, found.leaves[0].core) == ('"b"', '"c"')


@pytest.mark.parametrize("kind", ["image/png", "text/plain; charset=hex", "text/css; charset=é"])
def test_what_is_no_text_is_told_apart_by_its_hash(kind: str) -> None:
    ours, theirs = (answer(b, headers=(("Content-Type", kind),)) for b in (b"\xff1", b"\xff2"))

    found = verdict(ours, theirs)

    assert places(found) == [("body", "body")]
    assert "sha256:" in (found.leaves[0].legacy or "")


def test_json_against_a_page_or_against_nothing_is_a_mismatch() -> None:
    page = answer(b"<html>", headers=(("Content-Type", "text/html"),))

    assert places(verdict({"a": 1}, page)) == [("body", "body")]
    assert places(verdict({"a": 1}, answer(b""))) == [("body", "body")]


def test_a_body_without_a_type_is_read_as_json_when_it_looks_like_it() -> None:
    assert places(verdict(answer(b"[1]", headers=()), answer(b"[2]", headers=()))) == [
        ("$[0]", "value")
    ]


class TestRules:
    """What a rule accepts, and what it does not."""

    T1, T2 = "2026-01-01T10:00:00Z", "2026-02-01T10:00:00.123456+01:00"
    U1, U2 = "0b9de1a6-31d1-4f0e-9b7a-000000000001", "0b9de1a6-31d1-4f0e-9b7a-000000000002"

    @pytest.mark.parametrize(
        ("path", "accept", "legacy", "core"),
        [
            ("$.a", Accept.ANY, {"a": 1}, {"a": "x"}),
            ("$.a", Accept.ANY, {"a": {"deep": [1]}}, {}),
            ("$.a", Accept.ANY, {}, {"a": 1}),
            ("$..a", Accept.ANY, {"x": [{"a": 1}], "a": 2}, {"x": [{"a": 3}], "a": 4}),
            ("$[*].a", Accept.ANY, [{"a": 1}, {"a": 2}], [{"a": 3}, {"a": 4}]),
            ("$['a b']", Accept.ANY, {"a b": 1}, {"a b": 2}),
            ("$", Accept.ANY, 1, [2]),
            ("$.stock[*].n", Accept.ANY, {"stock": {"x": {"n": 1}}}, {"stock": {"x": {"n": 2}}}),
            ("$.t", Accept.TIMESTAMP, {"t": T1}, {"t": T2}),
            ("$.u", Accept.UUID, {"u": U1}, {"u": U2}),
            ("$.n", Accept.NULL_OR_ABSENT, {"n": None}, {}),
            ("$.n", Accept.NULL_OR_ABSENT, {}, {"n": None}),
            ("$.p", Accept.NUMBER_TEXT, {"p": 1.5}, {"p": "1.50"}),
            ("$.p", Accept.NUMBER_TEXT, {"p": "-7"}, {"p": -7}),
            ("$", Accept.UNORDERED, [1, 2, 3], [3, 2, 1]),
            ("$.a[*].b", Accept.UNORDERED, {"a": [{"b": [1, 2]}]}, {"a": [{"b": [2, 1]}]}),
        ],
    )
    def test_accepts(self, path: str, accept: Accept, legacy: Any, core: Any) -> None:
        bare, ruled = verdict(legacy, core), verdict(legacy, core, rule(path, accept))

        assert bare.outcome is Outcome.MISMATCH
        assert ruled.outcome is Outcome.ACCEPTED
        assert {one.rule for one in ruled.accepted} == {f"{accept} {path}"}

    @pytest.mark.parametrize(
        ("path", "accept", "legacy", "core"),
        [
            ("$.a", Accept.ANY, {"b": {"a": 1}}, {"b": {"a": 2}}),
            ("$.a", Accept.ANY, {"a": 1, "b": 1}, {"a": 2, "b": 2}),
            ("$[*].a", Accept.ANY, [{"a": 1}], [{"a": 1}, {"a": 2}]),
            ("$.t", Accept.TIMESTAMP, {"t": T1}, {"t": "yesterday"}),
            ("$.t", Accept.TIMESTAMP, {"t": T1}, {"t": "2026-13-01T10:00:00Z"}),
            ("$.t", Accept.TIMESTAMP, {"t": T1}, {"t": None}),
            ("$.t", Accept.TIMESTAMP, {"t": T1}, {}),
            ("$.t", Accept.TIMESTAMP, {"t": T1}, {"t": 1_700_000_000}),
            ("$.u", Accept.UUID, {"u": U1}, {"u": "7"}),
            ("$.n", Accept.NULL_OR_ABSENT, {"n": None}, {"n": 0}),
            ("$.n", Accept.NULL_OR_ABSENT, {"n": ""}, {}),
            ("$.p", Accept.NUMBER_TEXT, {"p": 1.5}, {"p": "1.51"}),
            ("$.p", Accept.NUMBER_TEXT, {"p": "1.5"}, {"p": "1.50"}),
            ("$.p", Accept.NUMBER_TEXT, {"p": True}, {"p": "1"}),
            ("$.p", Accept.NUMBER_TEXT, {"p": 1}, {"p": "one"}),
            ("$", Accept.UNORDERED, [1, 2, 3], [1, 2, 4]),
            ("$", Accept.UNORDERED, [1, 1, 2], [1, 2, 2]),
            ("$", Accept.UNORDERED, [1, 2], [1, 2, 2]),
            ("$", Accept.UNORDERED, [[1, 2]], [[2, 1]]),
            ("$.a", Accept.UNORDERED, {"a": {"x": 1}}, {"a": {"x": 2}}),
        ],
    )
    def test_does_not_accept(self, path: str, accept: Accept, legacy: Any, core: Any) -> None:
        assert verdict(legacy, core, rule(path, accept)).outcome is Outcome.MISMATCH

    def test_what_is_left_beside_an_accepted_difference_still_counts(self) -> None:
        found = verdict({"a": 1, "b": 1}, {"a": 2, "b": 2}, rule("$.a"))

        assert places(found) == [("$.b", "value")]
        assert [one.leaf.path for one in found.accepted] == ["$.a"]

    def test_rules_hold_within_elements_that_changed_places(self) -> None:
        ours = [{"id": 1, "at": self.T1}, {"id": 2, "at": self.T1}]
        theirs = [{"id": 2, "at": self.T2}, {"id": 1, "at": self.T2}]
        times = rule("$[*].at", Accept.TIMESTAMP)

        found = verdict(ours, theirs, rule("$", Accept.UNORDERED), times)

        assert found.outcome is Outcome.ACCEPTED
        assert {one.rule for one in found.accepted} == {"unordered $", "timestamp $[*].at"}

    def test_a_changed_element_of_a_set_is_named_by_what_changed(self) -> None:
        ours = [{"id": 1, "p": "1.00"}, {"id": 2, "p": "2.00"}]
        theirs = [{"id": 2, "p": "2.01"}, {"id": 1, "p": "1.00"}]

        found = verdict(ours, theirs, rule("$", Accept.UNORDERED))

        assert places(found) == [("$[1].p", "value")]


class TestNoise:
    """What the live side does to itself is no fault of the other."""

    def test_a_place_where_the_live_side_differs_from_itself_is_noise(self) -> None:
        found = verdict({"a": 1, "n": 1}, {"a": 1, "n": 9}, again={"a": 1, "n": 2})

        assert found.outcome is Outcome.ACCEPTED
        assert [leaf.path for leaf in found.noise] == ["$.n"]

    def test_only_that_place_of_that_request(self) -> None:
        found = verdict({"a": 1, "n": 1}, {"a": 2, "n": 9}, again={"a": 1, "n": 2})

        assert places(found) == [("$.a", "value")]

    def test_the_control_is_the_side_that_was_live(self) -> None:
        found = verdict({"n": 9}, {"n": 1}, again={"n": 2}, live=Side.CORE)

        assert found.outcome is Outcome.ACCEPTED

    def test_a_control_that_cannot_be_read_hides_nothing(self) -> None:
        again = answer(b"{", headers=JSON)

        assert verdict({"n": 1}, {"n": 2}, again=again).outcome is Outcome.MISMATCH


def test_differences_beyond_the_limit_are_not_named_but_still_differ() -> None:
    found = verdict(dict.fromkeys(map(str, range(9_999)), 1), {})

    assert found.outcome is Outcome.MISMATCH
    assert len(found.leaves) == MAX_LEAVES


def test_keys_that_are_ids_do_not_split_groups() -> None:
    found = verdict({"7": {"n": 1}, TestRules.U1: 1}, {"7": {"n": 2}, TestRules.U1: 2})

    assert [leaf.pattern for leaf in found.leaves] == ["$[*].n", "$[*]"]


def test_a_key_that_was_hidden_stands_in_no_pattern() -> None:
    mark = "[hmac:5944dd0a841805a2]"

    found = verdict({mark: {"n": 1}, f"phone {mark}": 1}, {mark: {"n": 2}, f"phone {mark}": 2})

    assert [leaf.pattern for leaf in found.leaves] == ["$[*].n", "$[*]"]
    assert mark in found.leaves[0].path


def test_a_fault_of_the_comparer_is_broken_and_never_a_match() -> None:
    class Surprise(bytes):
        @override
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("out of luck")

        __hash__ = bytes.__hash__

    found = verdict(Answer(200, JSON, Surprise(b"1")), answer(b"1"))

    assert found.outcome is Outcome.BROKEN
    assert found.reason == "RuntimeError('out of luck')"


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.text(max_size=5),
    st.floats(allow_nan=False, allow_infinity=False),
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=25,
)


@given(documents)
def test_every_document_matches_itself(document: Any) -> None:
    spaced = answer(json.dumps(document, indent=1).encode())

    assert verdict(document, copy.deepcopy(document)).outcome is Outcome.MATCH
    assert verdict(document, spaced).outcome is Outcome.MATCH


@given(documents, documents)
def test_whether_two_documents_differ_does_not_depend_on_who_is_who(one: Any, other: Any) -> None:
    assert verdict(one, other).outcome is verdict(other, one).outcome


@given(documents, documents)
def test_an_independent_tool_agrees_on_whether_documents_differ(one: Any, other: Any) -> None:
    assume(not _confuses_python(one) and not _confuses_python(other))

    differs = bool(
        DeepDiff(
            one,
            other,
            ignore_numeric_type_changes=True,
            number_format_notation="e",
            significant_digits=20,
        )
    )

    assert (verdict(one, other).outcome is Outcome.MISMATCH) is differs


def _confuses_python(value: Any) -> bool:
    """Documents on which the tool and JSON disagree: booleans and rounded numbers."""
    if isinstance(value, dict):
        return any(map(_confuses_python, value.values()))
    if isinstance(value, list):
        return any(map(_confuses_python, value))
    return isinstance(value, bool | float)


def nodes(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for key in value:
            found += nodes(value[key], (*path, key))
    if isinstance(value, list):
        for at, item in enumerate(value):
            found += nodes(item, (*path, at))
    return found


def changed(document: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    result = copy.deepcopy(document)
    spot = result
    for step in path[:-1]:
        spot = spot[step]
    spot[path[-1]] = new
    return result


@given(st.data(), documents, scalars)
def test_any_single_change_is_found_at_its_place(
    data: st.DataObject, document: Any, new: Any
) -> None:
    path = data.draw(st.sampled_from(nodes(document)))
    other = changed(document, path, new)
    assume(json.dumps(other, sort_keys=True) != json.dumps(document, sort_keys=True))
    assume(not _numerically_equal(document, other))

    found = verdict(document, other)

    assert found.outcome is Outcome.MISMATCH
    if not any(isinstance(step, int) for step in path):
        assert all(leaf.path.startswith(_spelt(path)) for leaf in found.leaves)


def _numerically_equal(one: Any, other: Any) -> bool:
    return bool(
        json.loads(json.dumps(one), parse_float=Decimal)
        == json.loads(json.dumps(other), parse_float=Decimal)
    ) and not _confuses_python_bool(one, other)


def _confuses_python_bool(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return any(_confuses_python_bool(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return any(map(_confuses_python_bool, one, other))
    return isinstance(one, bool) is not isinstance(other, bool)


def _spelt(path: tuple[Any, ...]) -> str:
    spelt = "$"
    for step in path:
        if isinstance(step, str) and step.isascii() and step.isidentifier():
            spelt += f".{step}"
        else:
            return spelt
    return spelt


@given(st.data(), st.dictionaries(st.sampled_from("abcdef"), documents, min_size=2), scalars)
def test_a_change_is_accepted_exactly_when_a_rule_covers_its_place(
    data: st.DataObject, document: dict[str, Any], new: Any
) -> None:
    key = data.draw(st.sampled_from(sorted(document)))
    other = changed(document, (key,), new)
    assume(verdict(document, other).outcome is Outcome.MISMATCH)
    covering, beside = rule(f"$.{key}"), [rule(f"$.{k}") for k in document if k != key]

    assert verdict(document, other, covering).outcome is Outcome.ACCEPTED
    assert verdict(document, other, *beside).outcome is Outcome.MISMATCH


@given(st.lists(documents, max_size=8), st.randoms(use_true_random=False), documents)
def test_a_set_may_be_shuffled_and_nothing_else(items: list[Any], dice: Any, more: Any) -> None:
    shuffled = list(items)
    dice.shuffle(shuffled)
    unordered = rule("$", Accept.UNORDERED)

    assert verdict(items, shuffled, unordered).outcome in (Outcome.MATCH, Outcome.ACCEPTED)
    assert verdict([*items, more], shuffled, unordered).outcome is Outcome.MISMATCH
    assert verdict(shuffled, [*items, more], unordered).outcome is Outcome.MISMATCH


@given(
    st.integers(100, 599),
    st.binary(max_size=200),
    st.binary(max_size=200),
    st.sampled_from(["application/json", "text/html; charset=x", "image/png", "\0;=", ""]),
    st.sampled_from(["", "gzip", "deflate", "br", "\xff"]),
)
def test_arbitrary_bytes_get_a_verdict_and_never_an_exception(
    status: int, ours: bytes, theirs: bytes, kind: str, coding: str
) -> None:
    headers = (("Content-Type", kind), ("Content-Encoding", coding))
    one = answer(ours, status=status, headers=headers)
    other = answer(theirs, status=200, headers=headers)

    found = verdict(one, other, rule("$..a"), headers=("content-type", "etag"), again=one)

    assert found.outcome is not Outcome.BROKEN


@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn\\u \n', max_size=60), documents)
def test_almost_json_gets_a_verdict_and_never_an_exception(text: str, document: Any) -> None:
    rules = [rule("$..a", accept) for accept in Accept]

    found = verdict(answer(text.encode()), document, *rules)

    assert found.outcome is not Outcome.BROKEN


class TestArrays:
    """Which elements are held against which."""

    def test_an_element_more_does_not_make_all_that_follow_it_differ(self) -> None:
        ours = [{"id": n, "at": TestRules.T1} for n in range(50)]
        theirs = [{**item, "at": TestRules.T2} for item in ours]
        theirs.insert(10, {"id": "new", "at": TestRules.T2})

        found = verdict(ours, theirs, rule("$[*].at", Accept.TIMESTAMP))

        assert places(found) == [("$[10]", "added")]
        assert len(found.accepted) == 50

    def test_what_a_rule_forgives_does_not_keep_elements_from_being_recognised(self) -> None:
        forgiven = [
            rule("$[*].u", Accept.UUID),
            rule("$[*].p", Accept.NUMBER_TEXT),
            rule("$[*].tags", Accept.UNORDERED),
            rule("$[*].n", Accept.NULL_OR_ABSENT),
            rule("$[*].any"),
        ]
        ours = [
            {"id": n, "u": TestRules.U1, "p": 1.5, "tags": [1, 2], "n": None, "any": n}
            for n in range(3)
        ]
        theirs = [{"id": n, "u": TestRules.U2, "p": "1.50", "tags": [2, 1]} for n in (2, 0, 1)]

        found = verdict(ours, theirs, rule("$", Accept.UNORDERED), *forgiven)

        assert found.outcome is Outcome.ACCEPTED
        assert len({one.rule for one in found.accepted}) == 6

    def test_elements_that_a_rule_forgives_whole_are_equal_to_each_other(self) -> None:
        found = verdict([1, [2], 3], ["a", "b", "c", "d"], rule("$[*]"))

        assert found.outcome is Outcome.ACCEPTED

    def test_a_set_of_unlike_elements_tells_what_is_gone_and_what_has_come(self) -> None:
        unordered = rule("$", Accept.UNORDERED)

        plain = verdict([1, 2, 3], [4, 3, 1], unordered)
        unlike = verdict([{"a": 1}], [{"b": 2}, {"c": 3}], unordered)

        assert places(plain) == [("$[1]", "value")]
        assert places(unlike) == [("$[0]", "missing"), ("$[0]", "added"), ("$[1]", "added")]

    def test_a_large_set_of_unlike_elements_is_paired_without_long_thought(self) -> None:
        ours = [{"id": n} for n in range(100)]
        theirs = [{"id": -n - 1} for n in range(101)]

        found = verdict(ours, theirs, rule("$", Accept.UNORDERED))

        assert len(found.leaves) == 101

    def test_arrays_that_would_take_long_to_align_are_compared_place_by_place(self) -> None:
        found = verdict([0, 1] * 1_000, [1, 1, 0, 0] * 480 + [0])

        assert found.outcome is Outcome.MISMATCH
        assert {leaf.kind for leaf in found.leaves} == {"value"}

    def test_times_must_look_like_times(self) -> None:
        found = verdict(
            ["20260101T100000.0Z", TestRules.T1],
            ["2026010110:00:00.0", TestRules.T2],
            rule("$[*]", Accept.TIMESTAMP),
        )

        assert places(found) == [("$[0]", "value")]


def test_what_differs_is_shown_as_it_was_written() -> None:
    found = verdict(answer(b'[{"a": 1.50, "b": [1, "\\ud800"]}]'), answer(b"[]"))

    assert found.leaves[0].legacy == '{"a": 1.50, "b": [1, "\\ud800"]}'
    assert verdict(answer(b"[0.0, 1e9999]"), answer(b"[1, -0]")).outcome is Outcome.MISMATCH
