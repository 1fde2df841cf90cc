"""Tickets, pins, GraphQL and spellings of paths, through a whole proxy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.proxy.harness import (
    OK,
    Answer,
    Client,
    Origin,
    Proxy,
    eventually,
    get,
    origin,
    proxy,
)

pytestmark = pytest.mark.integration
FAILED = b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"
TABLE = """
apiVersion: banyan/v1
stores:
  legacy: {{url: "{legacy}"}}
  core: {{url: "{core}"}}
shopper: [ticket]
graphql: {{max_body: 1KiB}}
domains:
  lists:
    owner: a
    stage: canary
    core_share: {share}
    routes: [{{path: "/lists/"}}]
  cart:
    owner: a
    stage: canary
    core_share: {share}
    pin: {{until: {{route: "POST /checkout/", at_most: 24h}}}}
    routes: [{{path: "/cart/", methods: [GET, POST]}}]
  checkout:
    owner: a
    stage: canary
    core_share: {share}
    cohort_with: cart
    routes: [{{path: "/checkout/", methods: [POST]}}]
  catalog:
    owner: a
    stage: legacy
    routes:
      - {{path: "/products/{{id}}"}}
      - {{path: "/graphql", methods: [GET, POST], graphql: {{fields: [product]}}}}
  orders:
    owner: a
    stage: core
    routes:
      - {{path: "/orders/{{id}}"}}
      - {{path: "/graphql", methods: [POST], graphql: {{fields: [placeOrder]}}}}
"""


@dataclass
class Shop:
    proxy: Proxy
    legacy: Origin
    core: Origin

    def ask(self, data: bytes) -> Answer:
        with Client(self.proxy) as client:
            return client.ask(data)

    def load(self, share: str) -> None:
        before = self.proxy.door_json("/readyz")["revision"]
        text = TABLE.format(legacy=self.legacy.url, core=self.core.url, share=share)
        if self.proxy.config.read_text() != text:
            self.proxy.config.write_text(text)
            assert eventually(
                lambda: self.proxy.door_json("/readyz")["revision"] not in (before, None)
            )

    def counted(self, name: str, **labels: str) -> float:
        return self.proxy.metric(f"banyan_{name}_total", **labels)


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with origin() as legacy, origin() as core:
        text = TABLE.format(legacy=legacy.url, core=core.url, share="100%")
        env = {"BANYAN_PROXY_TRUSTED_PEERS": "127.0.0.1"}
        with proxy(tmp_path_factory.mktemp("choices"), text, env=env) as running:
            yield Shop(running, legacy, core)


@pytest.fixture
def shopping(_running: Shop) -> Shop:
    _running.legacy.reset()
    _running.core.reset()
    _running.load("100%")
    return _running


def ticket_of(answer: Answer) -> str:
    """The cookie as a browser would send it back."""
    line = answer.value("set-cookie")
    assert line is not None
    return line.split(";")[0]


def post(path: str, *fields: str, body: bytes = b"x=1") -> bytes:
    head = get(path, *fields, f"Content-Length: {len(body)}").replace(b"GET", b"POST", 1)
    return head + body


# Tickets.


def test_a_first_visit_is_legacys_and_its_ticket_is_drawn_from_then_on(shopping: Shop) -> None:
    before = shopping.counted("tickets_issued", domain="lists")
    first = shopping.ask(get("/lists/"))
    again = shopping.ask(get("/lists/", f"Cookie: {ticket_of(first)}"))

    assert first.value("x-served-by") == "legacy"
    assert again.value("x-served-by") == "core"
    assert again.value("set-cookie") is None
    assert shopping.counted("tickets_issued", domain="lists") == before + 1


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(shopping: Shop) -> None:
    line = shopping.ask(get("/lists/")).value("set-cookie") or ""
    parts = {part.strip().partition("=")[0].lower() for part in line.split(";")}

    assert {"banyan", "httponly", "samesite", "path", "max-age"} <= parts
    assert "secure" not in parts


def test_behind_https_the_cookie_is_bound_to_host_and_tls(shopping: Shop) -> None:
    first = shopping.ask(get("/lists/", "X-Forwarded-Proto: https"))
    line = first.value("set-cookie") or ""
    again = shopping.ask(get("/lists/", "X-Forwarded-Proto: https", f"Cookie: {ticket_of(first)}"))

    assert line.startswith("__Host-banyan=")
    assert "secure" in line.lower()
    assert again.value("x-served-by") == "core"


def test_a_forged_ticket_picks_no_side_and_is_replaced(shopping: Shop) -> None:
    true = ticket_of(shopping.ask(get("/lists/")))
    forged = true[:-1] + ("A" if true[-1] != "A" else "B")
    for cookie in (forged, "banyan=1.me.cart:1:99999999999.AAAA", "banyan=", "__Host-banyan=x"):
        answer = shopping.ask(get("/lists/", f"Cookie: {cookie}"))
        assert answer.value("x-served-by") == "legacy", cookie
        assert answer.value("set-cookie") is not None


def test_stores_see_other_cookies_and_never_ours(shopping: Shop) -> None:
    ticket = ticket_of(shopping.ask(get("/lists/")))
    shopping.legacy.reset()
    shopping.ask(get("/lists/", f"Cookie: a=1; {ticket}; b=2"))
    shopping.ask(get("/lists/", f"Cookie: {ticket}"))
    shopping.ask(get("/elsewhere", "Cookie: __Host-banyan=x; c=3"))

    assert [seen.values("cookie") for seen in shopping.core.seen] == [["a=1; b=2"], []]
    assert [seen.values("cookie") for seen in shopping.legacy.seen] == [["c=3"]]


def carts(shopping: Shop) -> str:
    """A ticket whose cart is on the core."""
    visitor = ticket_of(shopping.ask(get("/lists/")))
    answer = shopping.ask(post("/cart/", f"Cookie: {visitor}"))
    assert answer.value("x-served-by") == "core"
    return ticket_of(answer)


def test_a_cart_stays_where_it_began_while_shares_move(shopping: Shop) -> None:
    ticket = carts(shopping)
    visitor = ticket_of(shopping.ask(get("/lists/")))
    shopping.load("0.01%")
    kept = [shopping.ask(get("/cart/", f"Cookie: {ticket}")) for _ in range(3)]
    lists = shopping.ask(get("/lists/", f"Cookie: {visitor}"))

    assert {answer.value("x-served-by") for answer in kept} == {"core"}
    assert lists.value("x-served-by") == "legacy"


def test_only_a_checkout_that_succeeds_ends_the_pin(shopping: Shop) -> None:
    ticket = carts(shopping)
    shopping.load("0.01%")
    shopping.core.reset(shopping.core.answering(FAILED))
    failed = shopping.ask(post("/checkout/", f"Cookie: {ticket}"))
    shopping.core.reset(shopping.core.answering(OK))
    done = shopping.ask(post("/checkout/", f"Cookie: {ticket}"))
    after = shopping.ask(get("/cart/", f"Cookie: {ticket_of(done)}"))

    assert (failed.status, failed.value("set-cookie")) == (500, None)
    assert (done.status, done.value("x-served-by")) == (200, "core")
    assert after.value("x-served-by") == "legacy"


# GraphQL.


def ask_graph(shopping: Shop, query: str, *fields: str) -> Answer:
    body = json.dumps({"query": query}).encode()
    return shopping.ask(post("/graphql", "Content-Type: application/json", *fields, body=body))


def test_root_fields_decide_and_the_body_arrives_whole(shopping: Shop) -> None:
    query = ask_graph(shopping, "{ product(id: 1) { name } }")
    mutation = ask_graph(shopping, "mutation { a: placeOrder { id } }")

    assert (query.value("x-served-by"), mutation.value("x-served-by")) == ("legacy", "core")
    assert json.loads(shopping.core.seen[0].body) == {"query": "mutation { a: placeOrder { id } }"}
    assert shopping.core.seen[0].values("content-length") == [str(len(shopping.core.seen[0].body))]


def test_a_query_in_the_target_needs_no_body(shopping: Shop) -> None:
    answer = shopping.ask(get("/graphql?query=%7Bproduct%7Bid%7D%7D"))

    assert answer.value("x-served-by") == "legacy"
    assert shopping.counted("requests", domain="catalog") >= 1


def test_a_chunked_body_is_looked_at_too(shopping: Shop) -> None:
    body = b'{"query": "mutation { placeOrder { id } }"}'
    head = get("/graphql", "Content-Type: application/json", "Transfer-Encoding: chunked")
    with Client(shopping.proxy) as client:
        client.send(head.replace(b"GET", b"POST", 1))
        for at in range(0, len(body), 7):
            piece = body[at : at + 7]
            client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        client.send(b"0\r\n\r\n")
        answer = client.read()

    assert answer.value("x-served-by") == "core"
    assert shopping.core.seen[0].body == body


def test_a_body_too_large_to_look_at_is_unread_and_arrives_whole(shopping: Shop) -> None:
    before = shopping.counted("requests", route="unread")
    query = "mutation { placeOrder { id } } #" + "x" * 300_000
    answer = ask_graph(shopping, query)

    assert answer.value("x-served-by") == "legacy"
    assert json.loads(shopping.legacy.seen[0].body) == {"query": query}
    assert shopping.counted("requests", route="unread") == before + 1


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(shopping: Shop) -> None:
    body = b'{"query": "mutation { placeOrder { id } }"}'
    head = get(
        "/graphql",
        "Content-Type: application/json",
        "Expect: 100-continue",
        f"Content-Length: {len(body)}",
    ).replace(b"GET", b"POST", 1)
    with Client(shopping.proxy) as client:
        client.send(head)
        asked = client.read_head()
        client.send(body)
        answer = client.read()

    assert asked.startswith(b"HTTP/1.1 100 ")
    assert answer.value("x-served-by") == "core"


def test_two_operations_on_one_connection_go_to_two_sides(shopping: Shop) -> None:
    queries = ["{ product { id } }", "mutation { placeOrder { id } }"] * 3
    bodies = [json.dumps({"query": query}).encode() for query in queries]
    with Client(shopping.proxy) as client:
        kind = "Content-Type: application/json"
        client.send(b"".join(post("/graphql", kind, body=body) for body in bodies))
        sides = [client.read().value("x-served-by") for _ in bodies]

    assert sides == ["legacy", "core"] * 3
    assert [seen.body for seen in shopping.core.seen] == bodies[1::2]


# Spellings.


@pytest.mark.parametrize(
    "path", ["/products/../orders/1", "/products/%2e%2e/orders/1", "/products/..%2forders%2f1"]
)
def test_an_ambiguous_path_is_refused_and_counted(shopping: Shop, path: str) -> None:
    before = shopping.counted("refused", status="400")
    with Client(shopping.proxy) as client:
        answer = client.ask(get(path))
        closed = client.is_closed()
    after = shopping.counted("refused", status="400")

    assert answer.status == 400
    assert answer.value("content-type") == "application/problem+json"
    assert closed
    assert after == before + 1
    assert not shopping.core.seen


def test_a_respelt_path_goes_on_in_the_form_that_was_matched(
    shopping: Shop, tmp_path: Path
) -> None:
    text = TABLE.format(legacy=shopping.legacy.url, core=shopping.core.url, share="100%")
    text = text.replace("domains:", "paths: {ambiguous: canonical}\ndomains:", 1)
    with proxy(tmp_path / "canonical", text) as running, Client(running) as client:
        answer = client.ask(get("/products/%2e%2e/orders/7?q=1"))

    assert answer.value("x-served-by") == "core"
    assert shopping.core.seen[0].line == "GET /orders/7?q=1 HTTP/1.1"
