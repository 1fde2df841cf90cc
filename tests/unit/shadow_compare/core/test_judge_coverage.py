"""A judge says what it compared and which rules mattered; cookies are compared by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from proxy.routing import Accept, CompareRule
from shadow_compare.core.answer import Answer
from shadow_compare.core.judge import Exchange, Judge
from shadow_compare.core.verdict import Coverage, FieldCoverage, Outcome, Verdict
from tests.support.comparing import rule
from tests.support.judging import JSON, answer, verdict
from tests.unit.shadow_compare.core.test_forgiving import KINDS, trees


def coverage(legacy: Any, core: Any, *rules: CompareRule, headers: Any = ()) -> Coverage:
    ours, theirs = (one if isinstance(one, Answer) else answer(one) for one in (legacy, core))
    return Judge(headers, rules).coverage(Exchange("GET", ours, theirs))


def counts(found: Coverage) -> dict[str, tuple[int, int, int]]:
    return {one.pattern: (one.compared, one.accepted, one.unseen) for one in found.fields}


def test_every_value_is_counted_as_compared_accepted_or_unseen() -> None:
    ours = {
        "id": 1,
        "at": "2026-01-01T00:00:00Z",
        "any": {"x": [1, 2]},
        "rows": [{"n": 1}, {"n": 2}, {}],
    }
    theirs = {**ours, "at": "2026-01-02T00:00:00Z", "any": {"x": [1, 3]}, "rows": [{"n": 1}]}

    found = coverage(ours, theirs, rule("$.at", Accept.TIMESTAMP), rule("$.any"))

    assert counts(found) == {
        "status": (1, 0, 0),
        "$.id": (1, 0, 0),
        "$.at": (0, 1, 0),
        "$.any.x[*]": (0, 0, 2),
        "$.rows[*].n": (2, 0, 0),
        "$.rows[*]": (1, 0, 0),
    }
    assert FieldCoverage("$.at", 0, 1, 0, ("timestamp $.at",)) in found.fields


def test_what_an_any_rule_covers_is_unseen_also_where_nothing_differs() -> None:
    document = {"a": {"b": 1}, "c": [{"d": 1}, {"d": 2}]}

    found = coverage(document, document, rule("$.a"), rule("$.c[*].d"))

    assert counts(found) == {"status": (1, 0, 0), "$.a.b": (0, 0, 1), "$.c[*].d": (0, 0, 2)}


def test_pages_texts_and_heads_are_counted_too() -> None:
    page = (("Content-Type", "text/html"), ("Vary", "Cookie"))
    text = (("Content-Type", "text/plain"),)

    ours = answer(b"<p class=a>x", headers=page)
    assert counts(coverage(ours, ours, headers=("vary",))) == {
        "status": (1, 0, 0),
        "header:vary": (1, 0, 0),
        "$.html.body.p['@class']": (1, 0, 0),
        "$.html.body.p": (1, 0, 0),
    }
    plain = answer(b"x", headers=text)
    assert counts(coverage(plain, plain)) == {"status": (1, 0, 0), "body": (1, 0, 0)}


def test_what_cannot_be_compared_has_no_coverage_but_a_reason() -> None:
    assert coverage(answer(b"{"), {}).reason is not None
    assert coverage(answer(b"", status=500), answer(b"", status=500)).fields == ()


@given(trees, trees)
def test_coverage_never_fails_and_covers_whatever_is_there(one: Any, other: Any) -> None:
    found = coverage(one, other, *KINDS, rule("$.b"))

    assert found.reason is None
    assert len(found.fields) >= 2


def test_the_rules_that_mattered_are_named_once() -> None:
    ours, theirs = [{"a": 1, "b": 1}] * 3, [{"a": 2, "b": 1}] * 3

    found = verdict(ours, theirs, rule("$[*].a"), rule("$[*].b"))

    assert found.used == ("any $[*].a",)


def setting(*cookies: str) -> Answer:
    return answer({}, headers=(*JSON, *(("Set-Cookie", one) for one in cookies)))


def judged(legacy: Answer, core: Answer, *values: str) -> Verdict:
    return Judge((), (), ("sid", "cur"), values).judge(Exchange("GET", legacy, core))


A, B = "[hmac:00000000000000aa]", "[hmac:00000000000000bb]"


@pytest.mark.parametrize(
    ("legacy", "core", "values", "expected"),
    [
        ((f"sid={A}; Path=/",), (f"sid={B}; path=/",), (), []),
        ((f"sid={A}; Path=/; Secure",), (f"sid={A}; Secure; Path=/",), (), []),
        ((f"sid={A}",), (f"sid={B}",), ("sid",), [("cookie:sid", "value")]),
        ((f"sid={A}",), (), (), [("cookie:sid", "missing")]),
        ((), (f"cur={A}",), (), [("cookie:cur", "added")]),
        ((f"other={A}",), (), (), []),
        ((f"sid={A}; Secure",), (f"sid={A}",), (), [("cookie:sid;secure", "missing")]),
        (
            (f"sid={A}; SameSite=Lax",),
            (f"sid={A}; SameSite=None",),
            (),
            [("cookie:sid;samesite", "value")],
        ),
        (
            (f"sid={A}; Expires=Sun, 06 Dec 2026 07:38:04 GMT",),
            (f"sid={A}; Expires=Mon, 07 Dec 2026 07:38:04 GMT",),
            (),
            [],
        ),
        (
            (f"sid={A}; Expires=Sun, 06 Dec 2026 07:38:04 GMT",),
            ("sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",),
            (),
            [("cookie:sid;expires", "value")],
        ),
        ((f"sid={A}", f"sid={B}"), (f"sid={A}",), (), [("cookie:sid", "value")]),
    ],
)
def test_cookies_are_compared_by_name(
    legacy: tuple[str, ...],
    core: tuple[str, ...],
    values: tuple[str, ...],
    expected: list[tuple[str, str]],
) -> None:
    found = judged(setting(*legacy), setting(*core), *values)

    assert [(leaf.path, leaf.kind) for leaf in found.leaves] == expected
    assert found.outcome is (Outcome.MISMATCH if expected else Outcome.MATCH)


def test_a_cookie_that_may_be_hidden_with_its_name_is_not_called_absent() -> None:
    assert judged(setting(A), setting(f"sid={A}")).outcome is Outcome.INCOMPARABLE
