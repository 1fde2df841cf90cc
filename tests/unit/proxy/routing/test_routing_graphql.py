"""Which operation a request asks for, and who takes it."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import (
    Conditions,
    Domain,
    GraphQLCondition,
    GraphQLOperation,
    GraphQLProblem,
    OperationType,
    RequestHead,
    Route,
    RoutingTable,
    Side,
    Stage,
    Unmirrored,
    Unread,
    Why,
    bucket,
    decide,
    explanation,
    read_operation,
)
from tests.support.routing_tables import domain, table

QUERY, MUTATION = OperationType.QUERY, OperationType.MUTATION
Read = GraphQLOperation | GraphQLProblem | None


def post(content_type: str = "application/json", **body: object) -> Read:
    return read_operation("POST", content_type, "", json.dumps(body).encode())


@pytest.mark.parametrize(
    ("document", "kind", "name", "fields"),
    [
        ("{product {id}}", QUERY, None, ("product",)),
        ("query Q {a: product b: product c: cart}", QUERY, "Q", ("cart", "product")),
        ("mutation M {pay(id: 1) {ok}}", MUTATION, "M", ("pay",)),
        ("subscription {stock}", OperationType.SUBSCRIPTION, None, ("stock",)),
        (
            "{...F} fragment F on Query {cart ...G} fragment G on Query {x}",
            QUERY,
            None,
            ("cart", "x"),
        ),
        ("{... on Query {cart ... {x}}}", QUERY, None, ("cart", "x")),
        ("{...F a} fragment F on Query {...F b}", QUERY, None, ("a", "b")),
        ("{...Missing a}", QUERY, None, ("a",)),
        ("{a @skip(if: true) b @include(if: false)}", QUERY, None, ("a", "b")),
        ("{__typename product}", QUERY, None, ("product",)),
        ("{__typename}", QUERY, None, ("__typename",)),
        ('# {comment}\n{a(x: "}{")}', QUERY, None, ("a",)),
    ],
)
def test_root_fields_are_found_through_fragments_and_aliases(
    document: str, kind: OperationType, name: str | None, fields: tuple[str, ...]
) -> None:
    expected = GraphQLOperation(kind, name, fields)

    assert post(query=document) == expected
    assert post("application/graphql-response+json; charset=utf-8", query=document) == expected
    assert read_operation("GET", None, f"x=1&query={quote(document)}", b"") == expected
    assert read_operation("POST", "application/graphql", "", document.encode()) == expected


def test_the_name_picks_one_of_several_operations() -> None:
    document = "query A {a} mutation B {b}"

    assert post(query=document, operationName="B") == GraphQLOperation(MUTATION, "B", ("b",))
    assert post(query=document) == GraphQLProblem(Unread.WHICH)
    assert post(query=document, operationName="C") == GraphQLProblem(Unread.WHICH)
    assert post(query="{a}", operationName=None) == GraphQLOperation(QUERY, None, ("a",))
    assert post(query="{a}", operationName="") == GraphQLOperation(QUERY, None, ("a",))


def test_a_stored_document_is_known_by_its_name_alone() -> None:
    stored = {"persistedQuery": {"version": 1, "sha256Hash": "ab"}}
    expected = GraphQLOperation(None, "GetCart")

    assert post(operationName="GetCart", extensions=stored) == expected
    assert post(operationName="GetCart", documentId="ab") == expected
    query = f"operationName=GetCart&extensions={quote(json.dumps(stored))}"
    assert read_operation("GET", None, query, b"") == expected


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (post(query="{a"), Unread.SYNTAX),
        (post(query="fragment F on Q {a}"), Unread.WHICH),
        (post(query="type Q {a: Int}"), Unread.WHICH),
        (post(query=""), Unread.NO_DOCUMENT),
        (post(query="{...Missing}"), Unread.NO_DOCUMENT),
        (post(), Unread.NO_DOCUMENT),
        (post(query=7), Unread.NOT_JSON),
        (post("text/plain", query="{a}"), Unread.CONTENT_TYPE),
        (post("multipart/form-data; boundary=x", query="{a}"), Unread.CONTENT_TYPE),
        (read_operation("POST", None, "", b"{}"), Unread.CONTENT_TYPE),
        (read_operation("POST", "application/json", "", b' \n[{"query": "{a}"}]'), Unread.BATCH),
        (read_operation("POST", "application/json", "", b"{"), Unread.NOT_JSON),
        (read_operation("POST", "application/json", "", b"\xff"), Unread.NOT_JSON),
        (read_operation("POST", "application/json", "", b'{"x":' * 9_000), Unread.NOT_JSON),
        (read_operation("POST", "application/graphql", "", b"\xff"), Unread.SYNTAX),
        (read_operation("POST", "application/json", "query={a}", b'{"query":"{b}"}'), Unread.WHICH),
        (read_operation("GET", None, "query={a}&query={b}", b""), Unread.WHICH),
        (read_operation("GET", None, "extensions=[]", b""), Unread.NOT_JSON),
        (read_operation("GET", None, "a&" * 100 + "query={a}", b""), Unread.TOO_LARGE),
        (post(query="{a}", operationName="x" * 300), Unread.TOO_LARGE),
        (post(query="{" + "a " * 3_000 + "}"), Unread.TOO_LARGE),
        (post(query="{a" * 900 + "}" * 900), Unread.TOO_LARGE),
        (post(query="{a(x: " + "[" * 900 + "]" * 900 + ")}"), Unread.TOO_LARGE),
    ],
)
def test_what_cannot_be_told_is_a_problem_and_never_an_error(found: Read, kind: Unread) -> None:
    assert found == GraphQLProblem(kind)


@pytest.mark.parametrize(
    ("method", "query"), [("GET", ""), ("GET", "page=2"), ("GET", "id=7"), ("DELETE", "query={a}")]
)
def test_a_request_without_a_sign_of_graphql_is_none(method: str, query: str) -> None:
    assert read_operation(method, None, query, b"") is None


@given(
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["application/json", "application/graphql", "x/y", None]),
    st.text(max_size=60) | st.text("query=&%7B{}a+[]", max_size=30),
    st.binary(max_size=60) | st.text('{}[]"querya:,\\ ', max_size=60).map(str.encode),
)
def test_whatever_comes_is_read_without_failing(
    method: str, content_type: str | None, query: str, body: bytes
) -> None:
    found = read_operation(method, content_type, query, body)

    assert found is None or isinstance(found, GraphQLOperation | GraphQLProblem)


@given(st.text('{}()[]:$@!.#"\\abc \n', max_size=80))
def test_any_document_is_read_without_failing(document: str) -> None:
    assert post(query=document) is not None


def owned(name: str, stage: Stage, *asked: GraphQLCondition | None, share: int = 0) -> Domain:
    routes = tuple(
        Route(name, "/graphql", ("GET", "POST"), None, Conditions(graphql=one)) for one in asked
    )
    return replace(domain(name, stage, share, pilots=()), routes=routes)


def fields(*names: str) -> GraphQLCondition:
    return GraphQLCondition(fields=frozenset(names))


def asked(
    document: str | None = None, read: Read = None, shopper: str | None = None
) -> RequestHead:
    headers = {} if shopper is None else {"x-customer-id": shopper}
    operation = post(query=document) if document is not None else read
    return RequestHead("POST", "/graphql", headers, operation=operation)


SHOP = table(
    owned("catalog", Stage.CORE, fields("product", "products")),
    owned("cart", Stage.LEGACY, fields("cart"), GraphQLCondition(MUTATION)),
    owned("staff", Stage.CORE, GraphQLCondition(operations=frozenset(("Report",)))),
)


@pytest.mark.parametrize(
    ("document", "owner"),
    [
        ("{product}", "catalog"),
        ("{product products}", "catalog"),
        ("{cart}", "cart"),
        ("mutation {pay}", "cart"),
        ("mutation {pay ship}", "cart"),
        ("query Report {cart}", "staff"),
        ("query Report {cart x}", "staff"),
        ("{other}", None),
    ],
)
def test_an_operation_goes_to_the_domain_of_its_name_or_its_root_fields(
    document: str, owner: str | None
) -> None:
    assert decide(asked(document), SHOP).domain == owner
    get = RequestHead("GET", "/graphql", {}, f"query={quote(document)}")
    if "mutation" not in document:
        assert decide(get, SHOP).domain == owner


def test_a_mixed_operation_is_legacys_unless_the_core_would_answer_all_of_it() -> None:
    mixed = decide(asked("{product cart}"), SHOP)
    unowned = decide(asked("{product other}"), SHOP)
    both = decide(
        asked("{product price}"),
        table(
            owned("catalog", Stage.CORE, fields("product")),
            owned("price", Stage.RETIRED, fields("price")),
        ),
    )

    for decision in (mixed, unowned, both):
        assert (decision.why, decision.route) == (Why.MIXED, "mixed")
        assert (decision.shadow, decision.unmirrored) == (None, Unmirrored.NO_ROUTE)
        assert "several domains" in decision.reason
    assert (mixed.domain, mixed.side) == ("cart", Side.LEGACY)
    assert (unowned.domain, unowned.side) == (None, Side.LEGACY)
    assert both.side is Side.CORE


def test_fields_of_one_domain_are_not_mixed_whatever_routes_name_them() -> None:
    rules = table(owned("catalog", Stage.CORE, fields("product"), fields("price")))

    decision = decide(asked("{product price}"), rules)

    assert (decision.domain, decision.why) == ("catalog", Why.STAGE)


@given(
    shopper=st.text("abc", min_size=1, max_size=8), shares=st.tuples(*[st.integers(0, 10_000)] * 2)
)
def test_a_mixed_operation_of_two_canaries_is_cores_only_where_both_are(
    shopper: str, shares: tuple[int, int]
) -> None:
    rules = table(
        owned("a", Stage.CANARY, fields("a"), share=shares[0]),
        owned("b", Stage.CANARY, fields("b"), share=shares[1]),
    )

    side = decide(asked("{a b}", shopper=shopper), rules).side

    is_core = bucket("a", shopper) < shares[0] and bucket("b", shopper) < shares[1]
    assert side is (Side.CORE if is_core else Side.LEGACY)


@pytest.mark.parametrize("kind", list(Unread))
def test_an_unread_operation_is_legacys_and_counted_apart(kind: Unread) -> None:
    decision = decide(asked(read=GraphQLProblem(kind)), SHOP)

    assert (decision.side, decision.route, decision.why) == (Side.LEGACY, "unread", Why.UNREAD)
    assert "could not be read" in decision.reason
    assert explanation(decision)["operation"] == {"unread": kind}


def test_an_unread_operation_is_cores_where_every_operation_is() -> None:
    rules = table(owned("all", Stage.CORE, fields("a"), None))

    assert decide(asked(read=GraphQLProblem(Unread.BATCH)), rules).side is Side.CORE


def test_an_unread_operation_is_legacys_where_some_belong_to_nobody() -> None:
    rules = table(owned("graph", Stage.CORE, fields("a")))

    decision = decide(asked(read=GraphQLProblem(Unread.BATCH)), rules)

    assert (decision.domain, decision.side) == (None, Side.LEGACY)


def test_a_request_that_is_no_operation_goes_to_the_route_without_conditions() -> None:
    rules = table(owned("graph", Stage.CORE, fields("a")), owned("page", Stage.LEGACY, None))

    assert decide(RequestHead("GET", "/graphql", {}), rules).domain == "page"
    assert decide(asked("{b}"), rules).domain == "page"
    assert decide(asked("{a}"), rules).domain == "graph"


def test_a_body_is_asked_for_only_where_it_decides() -> None:
    plain = table(domain("cart", paths=("/cart",)))
    rules = table(
        owned("graph", Stage.CORE, fields("a")), domain("cart", paths=("/cart",), methods=("POST",))
    )

    assert (plain.looks_ahead, rules.looks_ahead) == (False, True)
    assert rules.look_ahead(asked()) == rules.graphql.look_ahead_bytes == 64 * 1024
    assert rules.look_ahead(RequestHead("POST", "//graphql", {})) == 64 * 1024
    assert rules.look_ahead(RequestHead("GET", "/graphql", {})) == 0
    assert rules.look_ahead(RequestHead("POST", "/cart", {})) == 0
    assert plain.look_ahead(asked()) == 0
    assert "content-type" in rules.wanted


def test_explain_shows_the_operation() -> None:
    told = explanation(decide(asked("query Q {a: product}"), SHOP))

    assert told["operation"] == {"type": "query", "name": "Q", "fields": ["product"]}
    assert told["conditions"] == ["graphql operation fields product,products"]


def test_a_document_that_was_read_before_is_not_parsed_again() -> None:
    # Longer than the limit, the second time: only one that was parsed could be known.
    body = json.dumps({"query": "{" + "once " * 40 + "}"}).encode()

    first = read_operation("POST", "application/json", "", body, max_tokens=50)
    parsed = json.dumps({"query": "{" + "once " * 60 + "}"}).encode()

    assert isinstance(first, GraphQLOperation)
    assert read_operation("POST", "application/json", "", body, max_tokens=50) is first
    assert read_operation("POST", "application/json", "", parsed, max_tokens=50) == GraphQLProblem(
        Unread.TOO_LARGE
    )


def test_routes_of_different_types_may_share_their_fields() -> None:
    rules = table(
        owned("read", Stage.CORE, GraphQLCondition(QUERY, None, frozenset(("x",)))),
        owned("write", Stage.CORE, GraphQLCondition(MUTATION, None, frozenset(("x",)))),
    )

    assert decide(asked("{x}"), rules).domain == "read"
    assert decide(asked("mutation {x}"), rules).domain == "write"


def test_a_table_cannot_hold_two_routes_for_one_field() -> None:
    with pytest.raises(ValueError, match="is owned by a"):
        RoutingTable(
            (owned("a", Stage.CORE, fields("x", "y")), owned("b", Stage.CORE, fields("y"))),
            SHOP.stores,
            (),
            "r",
        )
