"""What reaches the store and the shopper, byte for byte."""

from __future__ import annotations

import pytest

from tests.integration.proxy.harness import (
    OK,
    Client,
    Connection,
    Origin,
    Proxy,
    eventually,
    get,
    origin,
    proxy,
    routing,
)

pytestmark = pytest.mark.integration

CORE_SHOPPER = "X-Banyan-Pilot: internal"


def answer_with(*lines: str, body: bytes = b"") -> bytes:
    return ("\r\n".join(["HTTP/1.1 200 OK", *lines]) + "\r\n\r\n").encode("latin-1") + body


def test_fields_keep_their_order_case_and_repetitions(shop: Proxy, legacy: Origin) -> None:
    sent = ["x-LOWER: 1", "ACCEPT: a", "Accept: b", "X-Tab:\tvalue ", "X-Empty:", "X-Utf: ä"]

    with Client(shop) as client:
        client.ask(get("/api/products/1/", *sent))

    ours = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Request-ID", "Via")
    assert legacy.seen[0].fields == [
        ("Host", "shop.example"),
        ("x-LOWER", "1"),
        ("ACCEPT", "a"),
        ("Accept", "b"),
        ("X-Tab", "value"),
        ("X-Empty", ""),
        ("X-Utf", "ä"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "shop.example"),
        *[f for f in legacy.seen[0].fields if f[0] in ours[3:]],
    ]


def test_hop_by_hop_fields_stay_on_their_connection(shop: Proxy, legacy: Origin) -> None:
    request = get(
        "/api/products/1/",
        "Connection: close, X-Private",
        "Connection: X-Other",
        "X-Private: 1",
        "x-other: 2",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic eA==",
        "TE: gzip",
        "Trailer: X-T",
        "Upgrade: h2c",
        "X-End: stays",
    )

    with Client(shop) as client:
        answer = client.ask(request)
        is_closed = client.is_closed()

    names = [name.lower() for name, _ in legacy.seen[0].fields]
    assert "x-end" in names
    assert not {
        "connection", "x-private", "x-other", "keep-alive", "proxy-connection",
        "proxy-authorization", "te", "trailer", "upgrade",
    } & set(names)  # fmt: skip
    assert answer.value("connection") == "close"
    assert is_closed


def test_connection_cannot_name_what_the_answer_depends_on(shop: Proxy, legacy: Origin) -> None:
    request = get(
        "/api/products/1/",
        "Connection: Host, Authorization, Cookie, Content-Type, X-Forwarded-For, X-Request-ID",
        "Authorization: Bearer t",
        "Cookie: a=1",
        "Content-Type: text/plain",
    )

    with Client(shop) as client:
        answer = client.ask(request)

    seen = legacy.seen[0]
    assert seen.values("host") == ["shop.example"]
    assert seen.values("authorization") == ["Bearer t"]
    assert seen.values("cookie") == ["a=1"]
    assert seen.values("content-type") == ["text/plain"]
    assert seen.values("x-forwarded-for") == ["127.0.0.1"]
    assert seen.values("x-request-id") == [answer.value("x-request-id")]


def test_answers_lose_hop_by_hop_fields_and_gain_ours(shop: Proxy, legacy: Origin) -> None:
    legacy.reset(
        legacy.answering(
            answer_with(
                "Set-Cookie: a=1",
                "Connection: keep-alive, X-Hop",
                "X-Hop: 1",
                "Keep-Alive: timeout=5",
                "Set-Cookie: b=2",
                "X-Request-ID: theirs",
                "X-Served-By: theirs",
                "X-Banyan-Secret: 1",
                "Via: 1.1 cache",
                "Content-Length: 2",
                body=b"ok",
            )
        )
    )

    with Client(shop) as client:
        answer = client.ask(get("/api/products/1/", "X-Request-ID: abc-1"))

    assert answer.fields == [
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("Via", "1.1 cache"),
        ("Content-Length", "2"),
        ("Via", "1.1 banyan"),
        ("X-Request-ID", "abc-1"),
        ("X-Served-By", "legacy"),
    ]
    assert answer.body == b"ok"


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        (["X-Request-ID: a.b-c_1:2/3=+~"], True),
        (["X-Request-ID: " + "a" * 128], True),
        (["X-Request-ID: " + "a" * 129], False),
        (["X-Request-ID: a b"], False),
        (["X-Request-ID: ann@example.org"], False),
        (["X-Request-ID: "], False),
        (["X-Request-ID: a", "X-Request-ID: b"], False),
        (["X_Request_ID: a"], False),
    ],
)
def test_a_usable_request_id_is_kept_and_any_other_is_replaced(
    given: list[str], is_kept: bool, shop: Proxy, legacy: Origin
) -> None:
    with Client(shop) as client:
        answer = client.ask(get("/api/products/1/", *given))

    seen = legacy.seen[0]
    assert seen.values("x-request-id") == [answer.value("x-request-id")]
    assert (f"X-Request-ID: {answer.value('x-request-id')}" in given) is is_kept
    assert seen.values("x_request_id") == []


def test_what_clients_say_of_forwarding_and_of_us_is_not_passed_on(
    shop: Proxy, legacy: Origin
) -> None:
    request = get(
        "/api/products/1/",
        "X-Forwarded-For: 1.2.3.4",
        "X-Forwarded-Proto: https",
        "x-forwarded-host: evil.example",
        "X_Forwarded_For: 1.2.3.4",
        "X-Forwarded-Prefix: /x",
        "Forwarded: for=1.2.3.4",
        "X-Real-IP: 1.2.3.4",
        "X-Banyan-Anything: 1",
        "x_banyan_shadow: 1",
    )

    with Client(shop) as client:
        client.ask(request)

    seen = legacy.seen[0]
    assert seen.values("x-forwarded-for") == ["127.0.0.1"]
    assert seen.values("x-forwarded-proto") == ["http"]
    assert seen.values("x-forwarded-host") == ["shop.example"]
    assert "1.2.3.4" not in seen.head.decode("latin-1")
    assert "banyan" not in seen.head.decode("latin-1").lower().replace("via: 1.1 banyan", "")


def test_a_pilot_gets_the_core_and_its_header_ends_here(
    shop: Proxy, legacy: Origin, core: Origin
) -> None:
    with Client(shop) as client:
        answer = client.ask(get("/api/products/7/?a=b%20c", CORE_SHOPPER))

    assert answer.value("x-served-by") == "core"
    assert legacy.seen == []
    assert core.seen[0].line == "GET /facade/oscar/api/products/7/?a=b%20c HTTP/1.1"
    assert core.seen[0].values("host") == ["shop.example"]
    assert core.seen[0].values("x-banyan-pilot") == []


def test_trusted_peers_are_believed_and_added_to(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    request = get(
        "/",
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: shop.example.org",
        "Forwarded: for=192.0.2.1",
    )
    with (
        origin() as store,
        proxy(
            tmp_path_factory.mktemp("trusting"),
            routing(store.url, store.url),
            env={"BANYAN_PROXY_TRUSTED_PEERS": "10.0.0.0/8, 127.0.0.1"},
        ) as trusting,
        Client(trusting) as client,
    ):
        client.ask(request)
        seen = store.seen[0]

    assert seen.values("x-forwarded-for") == ["192.0.2.1, 10.0.0.1, 127.0.0.1"]
    assert seen.values("x-forwarded-proto") == ["https"]
    assert seen.values("x-forwarded-host") == ["shop.example.org"]
    assert seen.values("forwarded") == ["for=192.0.2.1"]


def test_absolute_targets_are_made_relative(shop: Proxy, legacy: Origin) -> None:
    with Client(shop) as client:
        client.ask(
            b"GET http://SHOP.example/api/products/1/ HTTP/1.1\r\nHost: shop.example\r\n\r\n"
        )
        client.ask(b"GET http://shop.example?q=1 HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        client.ask(b"OPTIONS * HTTP/1.1\r\nHost: shop.example\r\n\r\n")

    assert [seen.line for seen in legacy.seen] == [
        "GET /api/products/1/ HTTP/1.1",
        "GET /?q=1 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
    ]


def test_connections_to_stores_are_kept_and_used_again(shop: Proxy, legacy: Origin) -> None:
    for _ in range(3):
        with Client(shop) as client:
            client.ask(get())
            client.ask(get())

    assert len(legacy.seen) == 6
    assert legacy.connections <= 1


def test_pipelined_requests_are_answered_in_order(shop: Proxy, legacy: Origin) -> None:
    answers = [answer_with("Content-Length: 3", body=b"%03d" % n) for n in range(200)]
    legacy.reset(legacy.answering(*answers))

    with Client(shop) as client:
        client.send(b"".join(get(f"/api/products/{n}/") for n in range(200)))
        bodies = [client.read().body for _ in range(200)]

    assert bodies == [b"%03d" % n for n in range(200)]
    assert [seen.line.split("/")[3] for seen in legacy.seen] == [str(n) for n in range(200)]


def test_pipelined_bodies_are_told_apart(shop: Proxy, legacy: Origin) -> None:
    post = b"POST /basket/ HTTP/1.1\r\nHost: x\r\n"

    with Client(shop) as client:
        client.send(
            post + b"Content-Length: 3\r\n\r\none"
            + post + b"Transfer-Encoding: chunked\r\n\r\n"
            + b"1\r\nt\r\n2;x=y\r\nwo\r\n0\r\nX-T: 1\r\n\r\n"
            + post + b"Content-Length: 0\r\n\r\n"
            + get()
        )  # fmt: skip
        statuses = [client.read().status for _ in range(4)]

    assert statuses == [200] * 4
    assert [seen.body for seen in legacy.seen] == [b"one", b"two", b"", b""]
    assert all(not seen.values("x-t") for seen in legacy.seen)
    assert legacy.seen[1].values("transfer-encoding") == ["chunked"]
    assert legacy.seen[1].values("content-length") == []


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_bodiless_answers_leave_the_connection_usable(
    status: bytes, shop: Proxy, legacy: Origin
) -> None:
    first = b"HTTP/1.1 " + status + b'\r\nETag: "x"\r\n\r\n'
    legacy.reset(legacy.answering(first, OK))

    with Client(shop) as client:
        empty, full = client.ask(get()), client.ask(get())

    assert empty.head.startswith(b"HTTP/1.1 " + status)
    assert empty.value("etag") == '"x"'
    assert full.body == b"ok"
    assert legacy.connections <= 1


def test_head_answers_keep_their_length_and_have_no_body(shop: Proxy, legacy: Origin) -> None:
    head_answer = answer_with("Content-Length: 5000")
    legacy.reset(legacy.answering(head_answer, OK))

    with Client(shop) as client:
        head = client.ask(get().replace(b"GET", b"HEAD", 1))
        full = client.ask(get())

    assert head.value("content-length") == "5000"
    assert full.body == b"ok"


def test_chunked_answers_are_framed_anew_and_lose_their_trailer(
    shop: Proxy, legacy: Origin
) -> None:
    chunked = b"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Late: 1\r\nContent-Length: 3\r\n\r\n"
    legacy.reset(legacy.answering(answer_with("Transfer-Encoding: chunked", body=chunked), OK))

    with Client(shop) as client:
        first, second = client.ask(get()), client.ask(get())

    assert first.body == b"hello world"
    assert first.value("transfer-encoding") == "chunked"
    assert first.value("x-late") is None
    assert second.body == b"ok"


def test_answers_that_end_with_the_connection_are_framed_for_new_clients(
    shop: Proxy, legacy: Origin
) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.0 200 Fine\r\nContent-Type: text/plain\r\n\r\nuntil the end")

    legacy.reset(script)

    with Client(shop) as client:
        first, second = client.ask(get()), client.ask(get())

    assert first.head.startswith(b"HTTP/1.1 200 Fine\r\n")
    assert (first.body, second.body) == (b"until the end", b"until the end")
    assert first.value("transfer-encoding") == "chunked"


def test_old_clients_get_no_chunks(shop: Proxy, legacy: Origin) -> None:
    chunked = answer_with("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n")
    legacy.reset(legacy.answering(chunked))

    with Client(shop) as client:
        client.send(b"GET /api/products/1/ HTTP/1.0\r\n\r\n")
        head = client.read_head()
        body = client.rest()

    assert b"chunked" not in head
    assert b"Connection: close" in head
    assert body == b"hello"
    assert legacy.seen[0].values("host") == [f"127.0.0.1:{legacy.port}"]
    assert legacy.seen[0].values("via") == ["1.0 banyan"]


def test_old_clients_may_ask_to_be_kept(shop: Proxy, legacy: Origin) -> None:
    request = b"GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"

    with Client(shop) as client:
        first, second = client.ask(request), client.ask(request)

    assert first.value("connection") == "keep-alive"
    assert second.status == 200


def test_interim_answers_reach_the_client_before_it_sends_its_body(
    shop: Proxy, legacy: Origin
) -> None:
    def script(connection: Connection) -> None:
        head = connection.read_until(b"\r\n\r\n")
        assert b"Expect: 100-continue" in head
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = connection.read_exactly(5)
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        connection.send(answer_with("Content-Length: 5", body=body[::-1]))

    legacy.reset(script)

    with Client(shop) as client:
        client.send(
            b"PUT /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        go_on = client.read_head()
        client.send(b"hello")
        hints = client.read_head()
        answer = client.read()

    assert go_on == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert hints.startswith(b"HTTP/1.1 103 ")
    assert answer.body == b"olleh"


def test_unmatched_requests_go_to_legacy_and_are_counted(shop: Proxy, legacy: Origin) -> None:
    before = shop.metric("banyan_unmatched_total")

    with Client(shop) as client:
        answer = client.ask(get("/nowhere/"))

    assert answer.value("x-served-by") == "legacy"
    assert legacy.seen[0].line == "GET /nowhere/ HTTP/1.1"
    assert eventually(lambda: shop.metric("banyan_unmatched_total") == before + 1)


def test_a_shopper_stays_on_one_side(shop: Proxy, legacy: Origin, core: Origin) -> None:
    sides: dict[int, set[str | None]] = {}

    with Client(shop) as client:
        for shopper in (*range(30), *range(30)):
            answer = client.ask(get("/api/products/1/", f"Session-Id: s{shopper}"))
            sides.setdefault(shopper, set()).add(answer.value("x-served-by"))

    assert all(len(side) == 1 for side in sides.values())
    assert len(set.union(*sides.values())) == 2
