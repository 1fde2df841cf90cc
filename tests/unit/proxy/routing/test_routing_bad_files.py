"""The keys of hosts, conditions, pins and stores: what they mean, and each mistake's one line."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from proxy.errors import Problem, RoutingFileError
from proxy.routing import (
    AmbiguousPaths,
    Breaker,
    Conditions,
    GraphQLCondition,
    GraphQLLimits,
    HealthCheck,
    KeyKind,
    OperationType,
    PinPolicy,
    Place,
    RequestHead,
    RoutingTable,
    ShopperKey,
    Side,
    Store,
    StoreTimeouts,
    StoreTls,
    ValueCondition,
    decide,
)
from proxy.storage.tables import parse_routing

FILE = """\
apiVersion: banyan/v1
stores:
  legacy: {url: "http://127.0.0.1:8083", max_in_flight: 200}
  core:
    url: "https://core.internal:8443/facade"
    tls: {ca: ca.pem, certificate: me.pem, key: me.key, server_name: core}
    timeouts: {connect: 250ms, first_byte: 5s, total: 2m}
    health: {path: "/healthz?f=1", every: 3s, timeout: 0.5s, unhealthy_after: 4, healthy_after: 5}
    breaker: {failures: 12.5%, min_requests: 30, window: 1m, open: 7s}
shopper: ["header:X-Customer-Id", ticket]
ticket: {max_age: 12h}
paths: {ambiguous: canonical}
graphql: {max_body: 8KiB, max_tokens: 500}
domains:
  cart:
    owner: checkout
    stage: canary
    core_share: 10%
    pin: {until: {route: "POST /pay", at_most: 2h}}
    fallback: legacy
    routes:
      - path: "/cart/{id}"
        host: "*.Example.com"
        methods: [POST]
        headers: {X-App: ios, X-Build: {prefix: "9."}}
        cookies: {beta: {present: true}}
        query: {preview: 1}
        content_type: [Application/JSON]
      - {path: /g, methods: [GET, POST], graphql: {type: mutation, operations: [A], fields: [add]}}
  checkout:
    owner: checkout
    stage: legacy
    cohort_with: cart
    routes: [{path: "/pay", methods: [POST]}]
  lists:
    owner: me
    stage: legacy
    pin: {until: 30m}
    routes: [{path: "/lists"}]
"""


def load(text: str) -> RoutingTable:
    return parse_routing(text.encode(), "routing.yaml")


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(RoutingFileError) as caught:
        load(text)
    return caught.value.problems


def test_every_key_of_stores_is_read() -> None:
    found = load(FILE)

    assert found.stores[Side.LEGACY] == Store(
        Side.LEGACY, "http://127.0.0.1:8083", max_in_flight=200
    )
    assert found.stores[Side.CORE] == Store(
        Side.CORE,
        "https://core.internal:8443/facade",
        tls=StoreTls("ca.pem", "me.pem", "me.key", "core"),
        timeouts=StoreTimeouts(0.25, 5.0, 120.0),
        health=HealthCheck("/healthz?f=1", 3.0, 0.5, 4, 5),
        breaker=Breaker(1_250, 30, 60.0, 7.0),
    )


def test_every_key_of_the_top_is_read() -> None:
    found = load(FILE)

    assert found.shopper == (
        ShopperKey(KeyKind.HEADER, "x-customer-id"),
        ShopperKey(KeyKind.TICKET),
    )
    assert found.ticket_max_age_s == 43_200
    assert found.ambiguous_paths is AmbiguousPaths.CANONICAL
    assert found.graphql == GraphQLLimits(8_192, 500)


def test_every_key_of_a_route_and_of_a_cohort_is_read() -> None:
    found = load(FILE)

    one, two = found.domain("cart").routes
    assert (one.path, one.methods, one.host) == ("/cart/{id}", ("POST",), "*.example.com")
    assert one.conditions == Conditions(
        (
            ValueCondition(Place.COOKIE, "beta"),
            ValueCondition(Place.HEADER, "x-app", "ios"),
            ValueCondition(Place.HEADER, "x-build", prefix="9."),
            ValueCondition(Place.QUERY, "preview", "1"),
        ),
        frozenset(("application/json",)),
    )
    assert two.conditions.graphql == GraphQLCondition(
        OperationType.MUTATION, frozenset(("A",)), frozenset(("add",))
    )
    assert found.domain("cart").pin == PinPolicy(7_200, "POST /pay")
    assert found.domain("lists").pin == PinPolicy(1_800)
    assert found.domain("checkout").cohort_with == "cart"
    assert (found.domain("cart").fallback, found.domain("lists").fallback) == (True, False)


def test_what_is_left_out_is_off_or_has_a_default() -> None:
    found = load("""\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b", health: {path: /h}, breaker: {}}}
domains: {}
""")

    assert found.stores[Side.LEGACY] == Store(Side.LEGACY, "http://a")
    assert found.stores[Side.CORE].health == HealthCheck("/h")
    assert found.stores[Side.CORE].breaker == Breaker()
    assert found.ambiguous_paths is AmbiguousPaths.REFUSE
    assert (found.uses_tickets, found.looks_ahead, found.names_hosts) == (False, False, False)


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "what", "fix"),
    [
        # stores
        (
            "max_in_flight: 200",
            "max_in_flight: 0",
            3,
            "stores.legacy.max_in_flight",
            "no such",
            "1",
        ),
        ("max_in_flight: 200", "tls: {ca: x}", 3, "stores.legacy.tls", "http", "https"),
        ("https://core", "spdy://core", 5, "stores.core.url", "no address", "https://"),
        ("ca: ca.pem", "cafile: ca.pem", 6, "stores.core.tls.cafile", "Unknown", "ca"),
        ("certificate: me.pem, ", "", 6, "stores.core.tls.key", "without", "certificate"),
        ("ca: ca.pem", "ca: ", 6, "stores.core.tls.ca", "Text is", "word"),
        ("250ms", "250", 7, "stores.core.timeouts.connect", "no duration", "250s"),
        ("250ms", "quick", 7, "stores.core.timeouts.connect", "no duration", "250ms"),
        ("250ms", "0ms", 7, "stores.core.timeouts.connect", "out of bounds", "1ms to 1d"),
        ("total: 2m", "total: 2d", 7, "stores.core.timeouts.total", "out of bounds", "1d"),
        ("first_byte", "firstbyte", 7, "stores.core.timeouts.firstbyte", "Unknown", "first_byte"),
        ('"/healthz?f=1"', "healthz", 8, "stores.core.health.path", "no path", "/healthz"),
        ('path: "/healthz?f=1", ', "", 8, "stores.core.health.path", "missing", "/healthz"),
        ("every: 3s", "every: 1ms", 8, "stores.core.health.every", "out of bounds", "50ms to 1h"),
        ("after: 4", "after: many", 8, "stores.core.health.unhealthy_after", "no such", "1"),
        ("12.5%", "0%", 9, "stores.core.breaker.failures", "without a failure", "50%"),
        ("12.5%", "12", 9, "stores.core.breaker.failures", "no percentage", "12%"),
        ("window: 1m", "window: 1w", 9, "stores.core.breaker.window", "no duration", "5s"),
        # the top
        ("ticket]", "ticket, ticket]", 10, "shopper[2]", "never looked at", "last"),
        ("ticket]", "tickets]", 10, "shopper[1]", "no shopper key", "ticket"),
        ("max_age: 12h", "max_age: 1s", 11, "ticket.max_age", "out of bounds", "1m to 400d"),
        ("ambiguous: can", "ambiguous: Can", 12, "paths.ambiguous", "none of", "canonical"),
        ("{ambiguous", "{ambigous", 12, "paths.ambigous", "Unknown", '"ambiguous"'),
        ("8KiB", "8k", 13, "graphql.max_body", "no such size", "1KiB to 1024KiB"),
        ("8KiB", "8MiB", 13, "graphql.max_body", "no such size", "1KiB to 1024KiB"),
        ("max_tokens: 500", "max_tokens: 1", 13, "graphql.max_tokens", "no such", "10"),
        # pins and cohorts
        ('"POST /pay"', '"POST /pey"', 19, "domains.cart.pin.until.route", "No route", "/pay"),
        ('"POST /pay"', '"GET /pay"', 19, "domains.cart.pin.until.route", "No route", "POST /pay"),
        ('route: "POST /pay", ', "", 19, "domains.cart.pin.until.route", "missing", "POST"),
        ("at_most: 2h", "at_most: 2y", 19, "domains.cart.pin.until.at_most", "no dur", "2m"),
        ("{until: 30m}", "{until: 90d}", 38, "domains.lists.pin.until", "out of", "1s to 30d"),
        ("{until: 30m}", "{}", 38, "domains.lists.pin.until", "missing", "30m"),
        ("fallback: legacy", "fallback: core", 20, "domains.cart.fallback", "cannot", "none"),
        (
            "cohort_with: cart",
            "cohort_with: card",
            33,
            "domains.checkout.cohort_with",
            "no",
            '"cart"',
        ),
        ("with: cart", "with: checkout", 33, "domains.checkout.cohort_with", "another", "Remove"),
        # routes
        ('"*.Example.com"', '"http://x"', 23, "domains.cart.routes[0].host", "no name", "scheme"),
        ('"*.Example.com"', '"x.com:80"', 23, "domains.cart.routes[0].host", "no name", "port"),
        ('"*.Example.com"', "a." * 127 + "com", 23, "domains.cart.routes[0].host", "no name", "*."),
        ('"*.Example.com"', '"a.*.com"', 23, "domains.cart.routes[0].host", "no name", "*."),
        ("X-App: ios", "X App: ios", 25, "domains.cart.routes[0].headers.X App", "no name", "name"),
        ("X-App: ios", "X-App: {}", 25, "domains.cart.routes[0].headers.X-App", "One", "prefix"),
        (
            "X-App: ios",
            "X-App: {is: a}",
            25,
            "domains.cart.routes[0].headers.X-App.is",
            "Un",
            "pre",
        ),
        ("X-App: ios", "x-build: 9", 25, "domains.cart.routes[0].headers.X-Build", "twice", "one"),
        (
            "present: true",
            "present: no",
            26,
            "domains.cart.routes[0].cookies.beta.present",
            "not",
            "",
        ),
        ("{preview: 1}", "{}", 27, "domains.cart.routes[0].query", "says nothing", "remove"),
        ("{preview: 1}", "[a]", 27, "domains.cart.routes[0].query", "mapping", "key"),
        (
            "[Application/JSON]",
            "[json]",
            28,
            "domains.cart.routes[0].content_type[0]",
            "no media",
            "/",
        ),
        ("[Application/JSON]", "[]", 28, "domains.cart.routes[0].content_type", "empty", "json"),
        ("methods: [GET, POST], g", "g", 29, "domains.cart.routes[1].methods", "missing", "POST"),
        (
            "[GET, POST]",
            "[PUT]",
            29,
            "domains.cart.routes[1].methods",
            "GET or POST",
            "[GET, POST]",
        ),
        (
            "type: mutation",
            "type: mutate",
            29,
            "domains.cart.routes[1].graphql.type",
            "none",
            "mut",
        ),
        (
            "fields: [add]",
            "fields: [a-b]",
            29,
            "domains.cart.routes[1].graphql.fields[0]",
            "no na",
            "_",
        ),
        (
            "fields: [add]",
            "fields: [a, a]",
            29,
            "domains.cart.routes[1].graphql.fields[1]",
            "tw",
            "one",
        ),
        (
            "fields: [add]",
            "fields: []",
            29,
            "domains.cart.routes[1].graphql.fields",
            "empty",
            "rem",
        ),
        (
            "fields: [add]",
            "field: [a]",
            29,
            "domains.cart.routes[1].graphql.field",
            "Unkn",
            "fields",
        ),
    ],
)
def test_a_mistake_in_the_newer_keys_is_named_with_line_key_and_fix(
    old: str, new: str, line: int, key: str, what: str, fix: str
) -> None:
    assert old in FILE

    problems = problems_of(FILE.replace(old, new, 1))

    found = [p for p in problems if p.key == key and p.line == line]
    assert found, problems
    assert what in found[0].what
    assert fix in found[0].fix
    assert "\n" not in str(found[0])


def test_an_empty_graphql_condition_is_refused() -> None:
    broken = FILE.replace("{type: mutation, operations: [A], fields: [add]}", "{}")

    (problem,) = problems_of(broken)

    assert (problem.line, problem.key) == (29, "domains.cart.routes[1].graphql")


def test_cohorts_form_no_chains_and_no_circles() -> None:
    chain = FILE.replace("    pin: {until: 30m}\n", "    cohort_with: checkout\n")
    circle = FILE.replace("    fallback: legacy\n", "    cohort_with: checkout\n")

    (chained,) = problems_of(chain)
    circled = problems_of(circle)

    assert (chained.line, chained.key) == (38, "domains.lists.cohort_with")
    assert "cohort of cart (routing.yaml:33)" in chained.what
    assert chained.fix == 'Write "cart".'
    assert [p.line for p in circled if "itself shares" in p.what] == [20, 33]


def test_a_pin_stands_at_the_domain_that_others_name() -> None:
    (problem,) = problems_of(
        FILE.replace("cohort_with: cart\n", "cohort_with: cart\n    pin: {until: 5m}\n")
    )

    assert (problem.line, problem.key) == (34, "domains.checkout.pin")
    assert problem.fix == "Move it to cart."


def test_a_header_that_stands_twice_in_another_case_is_refused() -> None:
    twice = FILE.replace(
        "    fallback: legacy\n", "    pilots: [{header: {X-P: a, x-p: b}}]\n    fallback: legacy\n"
    )

    (problem,) = problems_of(twice)

    assert (problem.line, problem.key) == (20, "domains.cart.pilots[0].header.x-p")


def test_a_share_may_be_drawn_by_tickets_alone() -> None:
    only = FILE.replace('["header:X-Customer-Id", ticket]', "[ticket]")

    assert load(only).draws_by_ticket
    assert not load(only.replace("[ticket]", '["cookie:c"]')).draws_by_ticket


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from _places(value[key], (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*path, index))


def _put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a place; REMOVED takes the key away."""
    if not path:
        return value
    document = copy.copy(document)
    if value is REMOVED and len(path) == 1:
        del document[path[0]]
    else:
        document[path[0]] = _put(document[path[0]], path[1:], value)
    return document


REMOVED = object()
WHOLE = (
    FILE
    + """\
  whole:
    owner: o
    stage: shadow
    pilots: [{header: {X-Banyan-Pilot: internal}}]
    routes: [{path: "/w/{id}"}]
    shadow: {sample: 50%, noise: 0.5%, writes: never}
    compare:
      headers: [Content-Type]
      rules:
        - {path: $.a, accept: any, owner: o, reason: r, expires: 2027-06-30, routes: ["/w/{id}"]}
    gates: {parity: {min: 99.95%, confidence: 95%, samples: 3000, loss: 0.5%}}
"""
)
DOCUMENT = yaml.load(WHOLE, Loader=yaml.BaseLoader)  # noqa: S506 - it builds text alone


@pytest.mark.parametrize(
    "path", list(_places(DOCUMENT))[1:], ids=lambda path: ".".join(map(str, path))
)
def test_a_value_of_any_wrong_shape_is_a_problem_or_legal_and_never_a_crash(
    path: tuple[Any, ...],
) -> None:
    for value in (
        "",
        "x y",
        [],
        {},
        [[]],
        [{}],
        {"a": "b"},
        {"a": []},
        ["x", "x"],
        0,
        None,
        REMOVED,
    ):
        text = yaml.safe_dump(_put(DOCUMENT, path, value))

        try:
            found = load(text)
        except RoutingFileError as exc:
            problems = exc.problems
        else:
            assert decide(RequestHead("GET", "/cart/1", {}), found).revision == found.revision
            continue
        assert problems
        for problem in problems:
            assert problem.fix
            assert "\n" not in str(problem)
            assert 1 <= problem.line <= len(text.splitlines())


def test_problems_stand_at_the_place_that_is_wrong() -> None:
    for path in list(_places(DOCUMENT))[1:]:
        key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)[1:]
        # Two lists in one can be no value anywhere in a routing file.
        text = yaml.safe_dump(_put(DOCUMENT, path, [[[]]]))

        keys = {problem.key for problem in problems_of(text)}

        assert any(one.startswith(key) for one in keys), (key, keys)
