"""Hosts, headers, cookies, parameters and media types: who takes a request, and ties."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import RoutingFileError
from proxy.routing import (
    AmbiguousPaths,
    Conditions,
    Domain,
    GraphQLCondition,
    GraphQLOperation,
    GraphQLProblem,
    KeyKind,
    OperationType,
    Pin,
    PinPolicy,
    Place,
    RequestHead,
    Route,
    RoutingTable,
    ShopperKey,
    Side,
    Stage,
    Ticket,
    Unread,
    ValueCondition,
    decide,
    explanation,
    killed,
    parse_kill,
)
from proxy.storage.tables import parse_routing
from tests.support.routing_tables import STORES, domain, table

HEADER, COOKIE, QUERY = Place.HEADER, Place.COOKIE, Place.QUERY


def owned(name: str, *routes: Route, share: int = 0) -> Domain:
    stage = Stage.CANARY if share else Stage.LEGACY
    return replace(domain(name, stage, share, pilots=()), routes=routes)


def route(
    name: str,
    *values: ValueCondition,
    path: str = "/p/{id}",
    host: str | None = None,
    methods: tuple[str, ...] = ("GET",),
    types: frozenset[str] = frozenset(),
) -> Route:
    return Route(name, path, methods, host, Conditions(values, types))


def asked(
    *, path: str = "/p/1", method: str = "GET", host: str = "", query: str = "", **headers: str
) -> RequestHead:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return RequestHead(method, path, fields, query, "r-1", host)


APP = ValueCondition(HEADER, "x-app", "ios")
IOS = ValueCondition(HEADER, "x-app", prefix="ios/")
IOS_9 = ValueCondition(HEADER, "x-app", prefix="ios/9")
ANY_APP = ValueCondition(HEADER, "x-app")
BETA = ValueCondition(COOKIE, "beta", "1")
ANY_BETA = ValueCondition(COOKIE, "beta")
PREVIEW = ValueCondition(QUERY, "preview", "yes please")


@pytest.mark.parametrize(
    ("condition", "head", "holds"),
    [
        (APP, asked(x_app="ios"), True),
        (APP, asked(x_app="ios/9"), False),
        (APP, asked(), False),
        (IOS, asked(x_app="ios/9"), True),
        (IOS, asked(x_app="ios"), False),
        (ANY_APP, asked(x_app=""), True),
        (ANY_APP, asked(), False),
        (BETA, asked(cookie="a=2; beta=1"), True),
        (BETA, asked(cookie="xbeta=1; beta=2"), False),
        (BETA, asked(cookie="beta=2; beta=1"), False),
        (PREVIEW, asked(query="a=1&preview=yes+please"), True),
        (PREVIEW, asked(query="%70review=yes%20please"), True),
        (PREVIEW, asked(query="preview=no&preview=yes+please"), False),
        (PREVIEW, asked(query="xpreview=yes+please"), False),
        (ValueCondition(QUERY, "preview"), asked(query="preview"), True),
    ],
)
def test_a_condition_looks_at_the_first_value_of_its_name(
    condition: ValueCondition, head: RequestHead, *, holds: bool
) -> None:
    rules = table(owned("plain", route("plain")), owned("asked", route("asked", condition)))

    assert decide(head, rules).domain == ("asked" if holds else "plain")


def test_a_media_type_is_compared_without_its_parameters() -> None:
    rules = table(owned("images", route("images", types=frozenset(("image/png", "image/jpeg")))))

    assert decide(asked(content_type="Image/PNG; q=1"), rules).domain == "images"
    assert decide(asked(content_type="image/gif"), rules).domain is None
    assert decide(asked(), rules).domain is None


@pytest.mark.parametrize(
    ("host", "owner"),
    [
        ("shop.example.com", "exact"),
        ("SHOP.example.com:8080", "exact"),
        ("shop.example.com.", "exact"),
        ("eu.shop.example.com", "narrow"),
        ("a.eu.shop.example.com", "narrow"),
        ("other.example.com", "wide"),
        ("example.com", "any"),
        ("evilexample.com", "any"),
        ("", "any"),
        ("[::1]:80", "address"),
        (".example.com", "any"),
        ("." * 9_000 + "example.com", "any"),
    ],
)
def test_an_exact_host_goes_before_a_wildcard_and_that_before_none(host: str, owner: str) -> None:
    rules = table(
        owned("any", route("any")),
        owned("wide", route("wide", host="*.example.com")),
        owned("narrow", route("narrow", host="*.shop.example.com")),
        owned("exact", route("exact", host="shop.example.com")),
        owned("address", route("address", host="[::1]")),
    )

    for _ in range(2):  # the second time from memory
        assert decide(asked(host=host), rules).domain == owner


def test_a_host_goes_before_a_path_and_leaves_other_paths_to_the_rest() -> None:
    rules = table(
        owned("any", route("any", path="/p/1")),
        owned("host", route("host", path="/{all...}", host="a.example.com", methods=("POST",))),
    )

    assert decide(asked(host="a.example.com", method="POST"), rules).domain == "host"
    assert decide(asked(host="a.example.com"), rules).domain == "any"


def test_a_host_whose_conditions_do_not_hold_leaves_the_request_to_any_host() -> None:
    rules = table(owned("any", route("any")), owned("host", route("host", APP, host="a.b")))

    assert decide(asked(host="a.b", x_app="ios"), rules).domain == "host"
    assert decide(asked(host="a.b"), rules).domain == "any"


def test_the_order_is_path_then_conditions_then_how_much_they_say() -> None:
    names = ("two", "exact", "long", "short", "present", "plain")
    sets = ((APP, BETA), (APP,), (IOS_9,), (IOS,), (ANY_APP,), ())
    domains = [owned(n, route(n, *values)) for n, values in zip(names, sets, strict=True)]
    heads = {
        "two": asked(x_app="ios", cookie="beta=1"),
        "exact": asked(x_app="ios"),
        "long": asked(x_app="ios/9.1"),
        "short": asked(x_app="ios/8"),
        "present": asked(x_app="android"),
        "plain": asked(cookie="beta=1"),
    }

    for order in permutations(domains):
        rules = table(*order)
        assert {name: decide(head, rules).domain for name, head in heads.items()} == {
            name: name for name in names
        }


def test_a_more_exact_path_goes_before_any_condition() -> None:
    rules = table(
        owned("exact", route("exact", path="/p/1")), owned("asked", route("asked", APP, BETA))
    )

    assert decide(asked(x_app="ios", cookie="beta=1"), rules).domain == "exact"


def test_head_falls_back_to_get_where_the_route_that_names_head_does_not_hold() -> None:
    rules = table(
        owned("get", route("get", BETA)), owned("head", route("head", APP, methods=("HEAD",)))
    )

    both = asked(method="HEAD", x_app="ios", cookie="beta=1")
    assert decide(both, rules).domain == "head"
    assert decide(asked(method="HEAD", cookie="beta=1"), rules).domain == "get"


@pytest.mark.parametrize(
    ("mine", "theirs", "tie"),
    [
        (route("a", APP), route("b", BETA), True),
        (route("a", APP), route("b", APP), True),
        (route("a", ANY_APP), route("b", ValueCondition(QUERY, "q")), True),
        (route("a", APP), route("b", ValueCondition(HEADER, "x-app", "web")), False),
        (route("a", IOS), route("b", ValueCondition(HEADER, "x-app", prefix="web/")), False),
        (route("a", APP), route("b", ANY_APP), False),
        (route("a", APP, ANY_BETA), route("b", ANY_APP, BETA), True),
        (route("a", APP, ANY_BETA), route("b", IOS, BETA), False),
        (route("a", IOS, BETA), route("b", APP, ANY_BETA), False),
        (route("a", APP, BETA), route("b", APP), False),
        (route("a", host="a.example.com"), route("b", host="*.example.com"), False),
        (route("a", host="a.example.com"), route("b", host="a.example.com"), True),
        (route("a", types=frozenset(("x/y",))), route("b", types=frozenset(("x/z",))), False),
        (route("a", types=frozenset(("x/y",))), route("b", types=frozenset(("x/y", "z/z"))), True),
        (route("a", APP), route("b", BETA, methods=("POST",)), False),
    ],
)
def test_routes_that_may_take_one_request_equally_well_tie(
    mine: Route, theirs: Route, *, tie: bool
) -> None:
    if tie:
        with pytest.raises(ValueError, match="is owned by a"):
            table(owned("a", mine), owned("b", theirs))
    else:
        assert table(owned("a", mine), owned("b", theirs)).domains


VALUES = st.builds(
    ValueCondition,
    st.sampled_from([HEADER, COOKIE, QUERY]),
    st.sampled_from(["x", "y"]),
    st.none() | st.sampled_from(["", "i", "io", "ios"]),
    st.just(None),
) | st.builds(
    ValueCondition,
    st.sampled_from([HEADER, QUERY]),
    st.sampled_from(["x", "y"]),
    st.just(None),
    st.sampled_from(["i", "io", "w"]),
)
TEXTS = st.sampled_from(["", "i", "io", "ios", "w", "web"])
HEADS = st.builds(
    lambda headers, query: RequestHead(
        "GET",
        "/p/1",
        headers,
        "&".join(f"{name}={value}" for name, value in query),
    ),
    st.dictionaries(st.sampled_from(["x", "y"]), TEXTS),
    st.lists(st.tuples(st.sampled_from(["x", "y"]), TEXTS), max_size=3),
)


@given(
    sets=st.lists(st.lists(VALUES, max_size=3, unique_by=lambda v: (v.place, v.name)), max_size=5),
    head=HEADS,
)
def test_of_the_routes_that_fit_one_alone_is_the_most_specific(
    sets: list[list[ValueCondition]], head: RequestHead
) -> None:
    routes = [route(f"d{n}", *values) for n, values in enumerate(sets)]
    domains = [owned(f"d{n}", one) for n, one in enumerate(routes)]
    try:
        rules = table(*domains)
    except ValueError:
        return

    fitting = [one for one in routes if all(v.hold(head) for v in one.conditions.values)]
    best = sorted(fitting, key=lambda one: one.conditions.rank, reverse=True)

    assert len({one.conditions.rank for one in best[:2]}) == len(best[:2])
    assert decide(head, rules).domain == (best[0].domain if best else None)
    assert decide(head, table(*reversed(domains))).domain == decide(head, rules).domain


@given(share=st.integers(1, 10_000), other=st.integers(1, 10_000), app=st.booleans())
def test_a_share_never_changes_which_route_matches(share: int, other: int, *, app: bool) -> None:
    def made(left: int, right: int) -> RoutingTable:
        return table(owned("a", route("a", APP), share=left), owned("b", route("b"), share=right))

    head = asked(x_app="ios" if app else "web", x_customer_id="c")

    assert decide(head, made(share, other)).route == decide(head, made(other, share)).route


def _lines(rules: RoutingTable, head: RequestHead) -> int:
    decide(head, rules)  # the path is remembered from here on
    seen = 0

    def count(_frame: object, event: str, _arg: object) -> Any:
        nonlocal seen
        seen += event == "line"
        return count

    before = sys.gettrace()
    gc.disable()  # what a collection runs would be counted as well
    sys.settrace(count)
    try:
        decide(head, rules)
    finally:
        sys.settrace(before)
        gc.enable()
    return seen


def test_a_table_of_five_thousand_routes_takes_no_more_steps_than_one_of_five() -> None:
    def made(count: int, *values: ValueCondition, host: str | None = None) -> RoutingTable:
        return table(
            *(
                owned(f"d{n}", route(f"d{n}", *values, path=f"/p{n}/{{id}}", host=host))
                for n in range(count)
            )
        )

    head = asked(path="/p3/7", x_app="ios", host="a.example.com")

    assert _lines(made(5), head) == _lines(made(5_000), head)
    assert _lines(made(5, APP), head) == _lines(made(5_000, APP), head)
    assert _lines(made(5, host="a.example.com"), head) == _lines(
        made(5_000, host="a.example.com"), head
    )


def test_a_table_without_conditions_pays_nothing_for_them() -> None:
    plain = table(owned("a", route("a")))
    elsewhere = table(owned("a", route("a")), owned("b", route("b", APP, path="/other")))

    assert _lines(elsewhere, asked()) == _lines(plain, asked())


def test_the_table_says_which_headers_it_looks_at() -> None:
    rules = table(
        domain(),
        owned("a", route("a", APP, BETA, PREVIEW)),
        owned("b", route("b", path="/b", types=frozenset(("x/y",)))),
    )

    assert rules.wanted == {
        "x-banyan-shadow",
        "x-customer-id",
        "cookie",
        "x-banyan-pilot",
        "x-app",
        "content-type",
    }
    assert table(owned("a", route("a"))).wanted == {"x-banyan-shadow", "x-customer-id", "cookie"}


def test_explain_names_the_conditions_that_held() -> None:
    rules = table(owned("a", route("a", APP, PREVIEW, host="*.example.com")))
    head = asked(host="x.example.com", query="preview=yes+please", x_app="ios")

    told = explanation(decide(head, rules))

    assert told["conditions"] == ["header x-app=ios", "query preview=yes please"]
    assert told["route"] == (
        "GET *.example.com/p/{id} [header x-app=ios; query preview=yes please]"
    )


def test_conditions_count_under_any_spelling_of_a_path() -> None:
    rules = table(owned("plain", route("plain")), owned("asked", route("asked", APP)))

    assert decide(asked(path="/p/a%2Fb", x_app="ios"), rules).domain == "asked"
    assert decide(asked(path="//p/a"), rules).domain == "plain"
    assert decide(asked(path="/p/" + "a" * 500), rules).domain == "plain"


def test_what_is_remembered_of_hosts_is_bounded_and_changes_nothing() -> None:
    rules = table(owned("any", route("any")), owned("wide", route("wide", host="*.example.com")))

    owners = {decide(asked(host=f"h{n}.example.com"), rules).domain for n in range(3_000)}

    assert owners == {"wide"}
    assert len(rules._places) <= 1_024
    assert len(rules._groups) == 1


@given(
    head=st.builds(
        RequestHead,
        st.sampled_from(["GET", "POST", "HEAD", "BREW", ""]),
        st.sampled_from(["/p/1", "/graphql", "/cart", "/pay"]) | st.text(max_size=20),
        st.dictionaries(
            st.sampled_from(["x-app", "cookie", "content-type", "x-customer-id", "x-banyan-pilot"]),
            st.text(max_size=20),
        ),
        st.text(max_size=30),
        st.text(max_size=5),
        st.text(max_size=20) | st.just("a.example.com"),
        st.none()
        | st.builds(GraphQLProblem, st.sampled_from(Unread))
        | st.builds(
            GraphQLOperation,
            st.none() | st.sampled_from(OperationType),
            st.none() | st.sampled_from(["A", "B"]),
            st.lists(st.sampled_from(["a", "b", "c"])).map(tuple),
        ),
        st.none()
        | st.builds(
            Ticket,
            st.text(max_size=5),
            st.lists(st.builds(Pin, st.text(max_size=5), st.sampled_from(Side), st.integers())).map(
                tuple
            ),
        ),
        st.text(max_size=5),
        st.integers(),
    ),
    stages=st.tuples(*[st.sampled_from(Stage)] * 3),
    policy=st.sampled_from(AmbiguousPaths),
    kill=st.sampled_from(["", "all", "canary", "shadow", "domain:a", "shadow:b"]),
)
def test_deciding_with_all_there_is_never_fails(
    head: RequestHead, stages: tuple[Stage, ...], policy: AmbiguousPaths, kill: str
) -> None:
    def graphql(name: str) -> Conditions:
        return Conditions(graphql=GraphQLCondition(fields=frozenset((name,))))

    both = ("GET", "POST")
    a, b, c = (
        replace(domain(name, stage, 5_000 if stage is Stage.CANARY else 0), fallback=True)
        for name, stage in zip("abc", stages, strict=True)
    )
    rules = RoutingTable(
        (
            replace(
                a,
                pin=PinPolicy(60, "POST /pay"),
                routes=(
                    Route("a", "/cart", both),
                    Route("a", "/graphql", both, None, graphql("a")),
                ),
            ),
            replace(
                b,
                cohort_with="a",
                routes=(
                    Route("b", "/pay", ("POST",)),
                    Route("b", "/graphql", both, None, graphql("b")),
                ),
            ),
            replace(c, routes=(route("c"), route("c", APP), route("c", host="*.example.com"))),
        ),
        STORES,
        (ShopperKey(KeyKind.HEADER, "x-customer-id"), ShopperKey(KeyKind.TICKET)),
        "r",
        policy,
    )

    decision = decide(head, killed(rules, parse_kill(kill)))

    assert rules.look_ahead(head) in (0, 65_536)
    assert decision == decide(head, killed(rules, parse_kill(kill)))
    assert decision.shadow is not decision.side
    assert (decision.shadow is None) == (decision.unmirrored is not None)
    assert decision.reason.endswith(".")
    assert not decision.fallback or decision.side is Side.CORE
    assert explanation(decision)["revision"] == decision.revision
    if kill == "all" and Stage.RETIRED not in stages:
        assert decision.side is Side.LEGACY


def test_a_tie_of_conditions_names_both_places_in_the_file() -> None:
    text = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
domains:
  one:
    owner: o
    stage: legacy
    routes:
      - {path: "/p/{id}", headers: {X-App: ios}}
  two:
    owner: o
    stage: legacy
    routes:
      - {path: "/p/{other}", query: {preview: {present: true}}, cookies: {beta: 1}}
      - {path: "/p/{other}", cookies: {beta: 1}}
"""
    with pytest.raises(RoutingFileError) as caught:
        parse_routing(text.encode(), "routing.yaml")

    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (14, "domains.two.routes[1]")
    assert '"GET /p/{id} [header x-app=ios]" of domain one (routing.yaml:8)' in problem.what
