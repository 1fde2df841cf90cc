"""Templates, readings of a path, and which route a path belongs to."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.routing import (
    AmbiguousPaths,
    Refusal,
    Side,
    Stage,
    canonical_path,
    decide,
    parse_template,
)
from proxy.routing.matcher import Matcher
from proxy.routing.paths import TemplateError, is_ordinary
from tests.support.routing_tables import domain, head, table


def _numbered(text: str) -> str:
    parts = text.split("/")
    return "/".join(f"{{p{n}}}" if part == "{x}" else part for n, part in enumerate(parts))


TEMPLATES = st.builds(
    lambda parts, rest: "/" + "/".join([*parts, *rest]),
    st.lists(st.sampled_from(["a", "b", "{x}"]), min_size=1, max_size=3),
    st.sampled_from([[], ["{rest...}"], [""]]),
).map(_numbered)


def _value(matcher: Matcher[str], method: str, path: str) -> str | None:
    found = matcher.find(method, path)
    return found[0].value if found else None


def _fits(template: str, path: str) -> bool:
    """What a template means, said in the slow and obvious way."""
    want, got = template.split("/")[1:], path.split("/")[1:]
    for index, part in enumerate(want):
        if part.endswith("...}"):
            return "/".join(got[index:]) != ""
        if index >= len(got):
            return False
        if part.startswith("{"):
            if not got[index]:
                return False
        elif part != got[index]:
            return False
    return len(want) == len(got)


def _rank(template: str) -> list[int]:
    return [
        2 if part.endswith("...}") else 1 if part.startswith("{") else 0
        for part in template.split("/")[1:]
    ]


@given(
    templates=st.lists(TEMPLATES, min_size=1, max_size=8, unique_by=lambda t: str(_shape(t))),
    path=st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=5).map(
        lambda parts: "/" + "/".join(parts)
    ),
)
@example(templates=["/a/{p2}/b", "/{p1}/b/{p3}", "/{rest...}"], path="/a/b/c")
def test_the_most_specific_template_that_fits_is_found(templates: list[str], path: str) -> None:
    matcher: Matcher[str] = Matcher()
    for template in templates:
        assert matcher.add(parse_template(template), ("GET",), template) is None

    found = _value(matcher, "GET", path)

    fitting = sorted((t for t in templates if _fits(t, path)), key=_rank)
    assert found == (fitting[0] if fitting else None)


def _shape(template: str) -> list[str]:
    return [
        "..." if part.endswith("...}") else "{}" if part.startswith("{") else part
        for part in template.split("/")
    ]


def test_templates_of_one_shape_tie_whatever_their_parameters_are_called() -> None:
    matcher: Matcher[str] = Matcher()
    matcher.add(parse_template("/a/{id}"), ("GET", "POST"), "first")

    tie = matcher.add(parse_template("/a/{name}"), ("POST", "PUT"), "second")

    assert tie == "first"
    assert _value(matcher, "POST", "/a/1") == "first"
    assert _value(matcher, "PUT", "/a/1") == "second"


@pytest.mark.parametrize("explicit_first", [True, False])
def test_get_answers_head_unless_the_same_shape_names_head(*, explicit_first: bool) -> None:
    matcher: Matcher[str] = Matcher()
    steps = [(("HEAD",), "head"), (("GET",), "get")]
    for methods, value in steps if explicit_first else reversed(steps):
        assert matcher.add(parse_template("/a"), methods, value) is None
    matcher.add(parse_template("/b"), ("GET",), "b")

    assert _value(matcher, "HEAD", "/a") == "head"
    assert _value(matcher, "HEAD", "/b") == "b"


def test_a_more_specific_route_without_the_method_leaves_the_request_to_the_next() -> None:
    matcher: Matcher[str] = Matcher()
    matcher.add(parse_template("/a/new"), ("POST",), "new")
    matcher.add(parse_template("/a/{id}"), ("GET",), "one")

    assert _value(matcher, "GET", "/a/new") == "one"
    assert _value(matcher, "POST", "/a/new") == "new"
    assert _value(matcher, "DELETE", "/a/new") is None


def test_ten_thousand_routes_take_no_more_steps_than_ten() -> None:
    def steps(count: int) -> int:
        matcher: Matcher[int] = Matcher()
        for n in range(count):
            matcher.add(parse_template(f"/shop{n}/{{id}}/price/"), ("GET",), n)
        seen = 0

        def count_line(_frame: object, event: str, _arg: object) -> Any:
            nonlocal seen
            seen += event == "line"
            return count_line

        before = sys.gettrace()
        gc.disable()  # what a collection runs would be counted as well
        sys.settrace(count_line)
        try:
            matcher.find("GET", "/shop7/1/price/")
        finally:
            sys.settrace(before)
            gc.enable()
        return seen

    assert 0 < steps(10_000) == steps(10)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("/api/products/7/", "/api/products/7/"),
        ("/api//products///7/", "/api/products/7/"),
        ("/%61pi/products/%37/", "/api/products/7/"),
        ("/api%2Fproducts%2f7/", "/api/products/7/"),
        ("/api/x/../products/./7/", "/api/products/7/"),
        ("/api/x/%2e%2E/products/7/", "/api/products/7/"),
        ("/../../api", "/api"),
        ("/api/products/7/.", "/api/products/7/"),
        ("\\api\\products/%5c7/", "/api/products/7/"),
        ("/api;v=1/products/7/;jsessionid=3", "/api/products/7/"),
        ("/api/products/7/%00.png", "/api/products/7/"),
        ("/a%252Fb", "/a%252Fb"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/café", "/caf%C3%A9"),
        ("", "/"),
        ("*", "/*"),
        ("/\ud800", "/%ED%A0%80"),
    ],
)
def test_a_path_is_read_as_the_most_lenient_store_would(raw: str, canonical: str) -> None:
    assert canonical_path(raw) == canonical


@given(st.text(st.characters() | st.sampled_from("/.%;\\25eEfF\0"), max_size=40))
def test_the_canonical_path_of_anything_is_a_fixed_point(raw: str) -> None:
    canonical = canonical_path(raw)

    assert canonical.startswith("/")
    assert canonical.isascii()
    assert canonical_path(canonical) == canonical
    assert ".." not in canonical.split("/")


@given(st.lists(st.text("abc0-_~.", min_size=1, max_size=3), max_size=5))
def test_an_ordinary_path_is_its_own_canonical_form(parts: list[str]) -> None:
    path = "/" + "/".join(parts)

    assert not is_ordinary(path) or canonical_path(path) == path


@pytest.mark.parametrize(
    "spelling",
    [
        "/checkout/pay",
        "//checkout/pay",
        "/checkout//pay",
        "/checkout%2Fpay",
        "/checkou%74/pay",
        "/x/../checkout/pay",
        "/checkout/%2e/pay",
        "/checkout/pay;v=1",
        "/checkout/pay%00",
        "\\checkout\\pay",
        "/checkout/../catalog/7",
        "/catalog/..%2fcheckout%2fpay",
    ],
)
def test_no_spelling_brings_a_request_of_the_core_back_to_legacy(spelling: str) -> None:
    rules = table(
        domain("checkout", Stage.CORE, paths=("/checkout/{rest...}",)),
        domain("catalog", Stage.LEGACY, paths=("/catalog/{rest...}",)),
    )

    for policy in AmbiguousPaths:
        decision = decide(head(spelling), replace(rules, ambiguous_paths=policy))

        # Or it leaves in a form that no store can take for a checkout.
        is_mended = decision.path == "/catalog/7"
        assert decision.side is Side.CORE or is_mended or isinstance(decision.path, Refusal)


def test_a_literal_is_found_under_every_spelling_of_it() -> None:
    rules = table(domain("cafe", Stage.CORE, paths=("/café/a%20b",)))

    for spelling in ("/café/a%20b", "/caf%C3%A9/a%20b", "/caf%c3%a9/%61%20b", "/%63af%c3%a9/a%20b"):
        decision = decide(head(spelling), rules)
        assert (decision.domain, decision.path) == ("cafe", None)


@pytest.mark.parametrize(
    ("template", "part"),
    [
        ("api", "starts with a slash"),
        ("/a?b", "no query"),
        ("/a#b", "no query"),
        ("/a//b", "empty segment"),
        ("/a/./b", "plain segment"),
        ("/a/../b", "plain segment"),
        ("/a/%2e%2e/b", "plain segment"),
        ("/a%2Fb", "plain segment"),
        ("/a\\b", "plain segment"),
        ("/a;v=1", "plain segment"),
        ("/a/%00", "plain segment"),
        ("/a/%zz", "broken escape"),
        ("/a/{id}.json", "mixes"),
        ("/a/{}", "mixes"),
        ("/a/{id", "mixes"),
        ("/a/*", "star"),
        ("/a/{r...}/b", "swallows"),
        ("/a/{id}/{id}", "twice"),
        ("/a b", "character"),
        ("/a|b", "character"),
    ],
)
def test_a_bad_template_is_refused_with_its_way_out(template: str, part: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(template)

    assert part in caught.value.what
    assert caught.value.fix


@given(st.text(max_size=30))
def test_any_text_is_a_template_or_a_template_error(text: str) -> None:
    try:
        segments = parse_template("/" + text)
    except TemplateError:
        return

    assert segments


SHOP = table(
    domain("products", Stage.CORE, paths=("/products/{slug}",)),
    domain("price", Stage.LEGACY, paths=("/products/{slug}/price",)),
    domain("images", Stage.CORE, paths=("/img/{rest...}",)),
)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/products/red-shoe", "products"),
        ("/products/red%20shoe", "products"),
        ("/products/10%25-off", "products"),
        ("/products/sch%C3%B6n", "products"),
        ("/products/schön", "products"),
        ("/products/a%2Fb", "products"),
        ("/products/a;v=1", "products"),
        ("/products//a", "products"),
        ("/img/https://cdn/x.png", "images"),
        ("/.well-known/acme%2Dchallenge", None),
        ("/elsewhere//a", None),
    ],
)
def test_a_path_that_belongs_to_one_domain_at_most_is_forwarded_as_it_came(
    path: str, owner: str | None
) -> None:
    decision = decide(head(path), SHOP)

    assert (decision.domain, decision.path) == (owner, None)


@pytest.mark.parametrize(
    ("path", "canonical", "owner"),
    [
        ("/products/x%2Fprice", "/products/x/price", "price"),
        ("/products/x/price;a", "/products/x/price", "price"),
        ("/products/../img/a", "/img/a", "images"),
        ("/products/%2e%2e/img/a", "/img/a", "images"),
        ("/products\\a", "/products/a", "products"),
        ("/products/a%5Cb", "/products/a/b", None),
        ("/products/a%00.png", "/products/a", "products"),
        ("/products/./a%3Fb%20c%23", "/products/a%3Fb%20c%23", "products"),
        ("/elsewhere/../x", "/x", None),
    ],
)
def test_a_doubtful_path_is_refused_or_brought_into_one_form(
    path: str, canonical: str, owner: str | None
) -> None:
    refused, mended, kept = (
        decide(head(path), replace(SHOP, ambiguous_paths=policy)) for policy in AmbiguousPaths
    )

    if path != "/products/x/price;a":
        assert isinstance(refused.path, Refusal)
        assert refused.reason.endswith("so the request is refused.")
        assert (mended.path, mended.domain) == (canonical, owner)
    assert kept.path is None


def test_two_domains_that_one_side_answers_are_no_reason_to_refuse_a_path() -> None:
    rules = table(
        domain("products", Stage.SHADOW, paths=("/products/{slug}",)),
        domain("price", Stage.LEGACY, paths=("/products/{slug}/price",)),
    )

    assert decide(head("/products/x%2Fprice"), rules).path is None


def test_a_path_that_only_its_canonical_form_owns_is_forwarded_in_that_form_on_request() -> None:
    rules = replace(SHOP, ambiguous_paths=AmbiguousPaths.CANONICAL)

    assert decide(head("//products//a"), rules).path == "/products/a"
    assert decide(head("//products//a"), SHOP).path is None


@given(st.text(st.characters() | st.sampled_from("/.%;\\25eEfF\0 ?#"), max_size=40))
def test_a_mended_path_can_stand_in_a_request_line_and_means_what_was_matched(raw: str) -> None:
    rules = replace(SHOP, ambiguous_paths=AmbiguousPaths.CANONICAL)

    sent = decide(head("/" + raw), rules).path

    if sent is not None:
        assert isinstance(sent, str)
        assert not set(sent) & set(" ?#\\;\0\r\n")
        assert sent.isascii()
        assert decide(head(sent), rules).path is None
        assert decide(head(sent), rules).domain == decide(head("/" + raw), rules).domain


@given(st.text("abz019-_~!$&'()*+,:=@", max_size=12), st.sampled_from(list(AmbiguousPaths)))
def test_an_ordinary_path_is_never_touched(slug: str, policy: AmbiguousPaths) -> None:
    assert decide(head(f"/products/{slug}"), replace(SHOP, ambiguous_paths=policy)).path is None


def test_what_is_remembered_of_paths_is_bounded_and_changes_nothing() -> None:
    rules = table(domain("products", Stage.CORE, paths=("/products/{slug}",)))

    owners = {decide(head(f"/products/{n}"), rules).domain for n in range(10_000)}
    for n in range(3_000):
        decide(head("/x", method=f"M{n}"), rules)

    assert owners == {"products"}
    assert len(rules.memos) == 7
    assert all(len(memo) <= 4_096 for memo in rules.memos.values())


def test_two_canaries_may_differ_for_a_shopper_so_their_paths_are_told_apart() -> None:
    rules = table(
        domain("products", Stage.CANARY, 5_000, paths=("/products/{slug}",)),
        domain("price", Stage.CANARY, 5_000, paths=("/products/{slug}/price",)),
    )

    assert isinstance(decide(head("/products/x%2Fprice"), rules).path, Refusal)
