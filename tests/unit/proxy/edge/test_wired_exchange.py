"""Exchanges in their odd moments: what fails, moves or leaves while something else goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from proxy.core.limits import Timeouts
from proxy.routing import RoutingTable, Side
from proxy.storage.tables import parse_routing
from tests.fakes.data_plane import Plane

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
GET = b"GET /x/ HTTP/1.1\r\nHost: shop\r\n\r\n"
POST = b"POST /x/ HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\nabc"


def table(stage: str = "core", fallback: str = "legacy", total: str = "") -> RoutingTable:
    timeouts = f", timeouts: {{{total}}}" if total else ""
    return parse_routing(
        f"""
apiVersion: banyan/v1
stores:
  legacy: {{url: "http://127.0.0.1:1"}}
  core: {{url: "http://127.0.0.1:2"{timeouts}}}
shopper: ["header:Session-Id"]
domains:
  catalog:
    owner: merchandising
    stage: {stage}
    fallback: {fallback}
    routes:
      - {{path: "/x/", methods: [GET, POST, PUT]}}
      - {{path: "/graphql", methods: [POST], graphql: {{fields: [product]}}}}
""".encode(),
        "routing.yaml",
    )


Make = Callable[..., Plane]


@pytest.fixture
def plane() -> Iterator[Make]:
    made: list[Plane] = []

    def make(rules: RoutingTable | None = None, timeouts: Timeouts | None = None) -> Plane:
        made.append(Plane(rules or table(), timeouts=timeouts))
        return made[-1]

    yield make
    for one in made:
        one.close()


def statuses(out: bytes) -> list[int]:
    return [int(part[:3]) for part in out.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("data", [POST, POST.replace(b"POST", b"GET", 1)])
def test_what_legacy_may_not_answer_gets_the_503_of_the_core(plane: Make, data: bytes) -> None:
    made = plane()
    client = made.client()
    client.send(data)
    made.loop.settle()
    made.dialers[Side.CORE].wires[0].send(BUSY)

    assert statuses(client.out) == [503]
    assert client.out.endswith(b"busy")
    assert made.dialers[Side.LEGACY].wires == []
    assert made.in_flight == 0


def test_a_read_that_the_core_answers_with_503_is_answered_by_legacy(plane: Make) -> None:
    made = plane()
    client = made.client()
    client.send(GET)
    made.loop.settle()
    made.dialers[Side.CORE].wires[0].send(BUSY)
    made.loop.settle()
    made.dialers[Side.LEGACY].wires[0].send(OK)

    assert statuses(client.out) == [200]
    assert b"X-Served-By: legacy" in client.out
    assert made.account.total("fallback") == 1
    assert made.dialers[Side.CORE].wires[0].is_reset
    assert made.in_flight == 0


def test_a_connect_that_fails_late_does_not_fail_the_store_that_stepped_in(plane: Make) -> None:
    # 1. the core does not take the connection in `first_byte`, 2. legacy is asked in its
    # place, 3. the core's connect fails at last.
    made = plane(table(total="first_byte: 100ms"))
    core, legacy = made.dialers[Side.CORE], made.dialers[Side.LEGACY]
    core.takes_all = False
    client = made.client()
    client.send(GET)
    made.loop.advance(0.2)
    made.sweep()
    core.answer(takes=False)
    made.loop.advance(0.06)
    core.answer(takes=False)
    legacy.wires[0].send(OK)

    assert statuses(client.out) == [200]
    assert [facts.status for facts in made.ends.facts] == [200]
    assert made.in_flight == 0


def test_the_cores_total_time_does_not_bound_legacy_in_its_place(plane: Make) -> None:
    made = plane(table(total="total: 1s"))
    client = made.client()
    client.send(GET)
    made.loop.advance(1.1)
    made.sweep()
    made.loop.advance(0.5)
    made.sweep()
    made.dialers[Side.LEGACY].wires[0].send(OK)

    assert statuses(client.out) == [200]


def test_a_store_that_leaves_before_it_was_asked_is_noticed(plane: Make) -> None:
    # 1. the store takes the connection, 2. and closes it, 3. the exchange that waited for
    # it comes to its turn.
    made = plane(table(fallback="none"))
    core = made.dialers[Side.CORE]
    core.takes_all = False
    client = made.client()
    client.send(GET)
    made.loop.settle()

    core.closes_at_once = True
    core.answer(takes=True)

    assert statuses(client.out) == [502]


def test_a_held_request_whose_body_breaks_is_not_sent_when_the_hold_ends(plane: Make) -> None:
    made = plane()
    made.context.holds.hold("catalog", made.loop.time() + 10)
    client = made.client()
    client.send(
        b"POST /x/ HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\nnonsense\r\n"
    )
    made.loop.settle()
    told = client.out
    waiting = made.context.holds.waiting()["catalog"].requests
    made.release("catalog")

    assert statuses(told) == [400]
    assert waiting == 0
    assert client.out == told
    assert made.wires == []
    assert made.in_flight == 0
    assert [facts.status for facts in made.ends.facts] == [400]


def test_a_body_that_is_looked_at_is_asked_for(plane: Make) -> None:
    body = b'{"query": "{ product { id } }"}'
    made = plane()
    client = made.client()
    client.send(
        b"POST /graphql HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    made.loop.settle()
    asked_for = client.out
    client.send(body)
    made.loop.settle()
    made.dialers[Side.CORE].wires[0].send(OK)

    assert asked_for == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert statuses(client.out) == [100, 200]


def test_a_client_that_does_not_read_gets_no_second_answer_into_memory(plane: Make) -> None:
    made = plane(table(fallback="none"))
    client = made.client(high_bytes=1_000)
    client.read_slowly()
    client.send(GET * 2)
    made.loop.settle()
    store = made.dialers[Side.CORE].wires[0]
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    store.send(large + b"x" * 100_000)
    made.loop.settle()
    if store.out.count(b"GET /x/") == 2:
        store.send(large)
        for _ in range(10):
            store.send(b"y" * 10_000)
    before = client.unread_bytes
    client.read_all()
    made.loop.settle()

    assert before < 120_000
    assert sum(wire.out.count(b"GET /x/") for wire in made.wires) == 2


def test_empty_lines_before_a_request_cost_one_look(plane: Make) -> None:
    made = plane(table(fallback="none"))
    client = made.client()
    client.send(b"\r\n" * 20_000 + GET)
    made.loop.settle()
    made.dialers[Side.CORE].wires[0].send(OK)

    assert statuses(client.out) == [200]


def test_a_connect_that_times_out_late_does_not_fail_legacy_either(plane: Make) -> None:
    made = plane(table(total="first_byte: 100ms"))
    made.dialers[Side.CORE].takes_all = False
    client = made.client()
    client.send(GET)
    made.loop.advance(0.2)
    made.sweep()
    made.loop.advance(3.0)
    made.dialers[Side.LEGACY].wires[0].send(OK)

    assert statuses(client.out) == [200]
    assert made.in_flight == 0


def test_a_connection_that_comes_late_is_kept_for_the_next_and_asks_nothing(plane: Make) -> None:
    made = plane(table(total="first_byte: 100ms"))
    core, legacy = made.dialers[Side.CORE], made.dialers[Side.LEGACY]
    core.takes_all = False
    client = made.client()
    client.send(GET)
    made.loop.advance(0.2)
    made.sweep()
    core.answer(takes=True)
    late = core.wires[0]
    legacy.wires[0].send(OK)

    assert statuses(client.out) == [200]
    assert b"X-Served-By: legacy" in client.out
    assert late.out == b""
    assert not late.is_ended
    assert made.context.rules.stores[Side.CORE].pool.idle == 1


def test_a_connection_whose_request_was_cut_short_is_not_kept(plane: Make) -> None:
    made = plane(table(fallback="none"))
    client = made.client()
    client.send(POST[:-1])
    made.loop.settle()
    store = made.dialers[Side.CORE].wires[0]
    store.send(OK)

    assert statuses(client.out) == [200]
    assert b"Connection: close" in client.out
    assert store.is_ended
    assert made.account.total("early_answers") == 1


def test_a_held_write_goes_where_the_new_table_says(plane: Make) -> None:
    made = plane(table("legacy", "none"))
    made.context.holds.hold("catalog", made.loop.time() + 10)
    client = made.client()
    client.send(POST)
    made.swap(table("core", "none"))
    made.release("catalog")
    core = made.dialers[Side.CORE].wires[0]
    core.send(OK)

    assert b"X-Served-By: core" in client.out
    assert core.out.endswith(b"\r\n\r\nabc")
    assert made.dialers[Side.LEGACY].wires == []


@pytest.mark.parametrize("how", ["leaves", "is cut off"])
def test_a_capture_that_is_given_up_is_counted_once_and_as_lost(plane: Make, how: str) -> None:
    made = plane(table("shadow", "none"))
    client = made.client()
    client.send(GET)
    made.loop.settle()
    store = made.dialers[Side.LEGACY].wires[0]
    if how == "leaves":
        client.eof()
    else:
        store.send(OK[:-1])
        store.eof()

    reason = "client_gone" if how == "leaves" else "upstream_error"
    assert made.account.total("mirrored") == 1
    dropped = [name for name in made.account.names if name.startswith("dropped|")]
    assert [name.rpartition("|")[2] for name in dropped] == [reason]
    assert made.account.total("dropped") == 1
    assert len(made.context.captures) == 0


def test_a_capture_of_the_core_is_lost_when_legacy_steps_in(plane: Make) -> None:
    made = plane()
    client = made.client()
    client.send(GET)
    made.loop.settle()
    made.dialers[Side.CORE].wires[0].send(BUSY)
    made.loop.settle()
    made.dialers[Side.LEGACY].wires[0].send(OK)

    assert (made.account.total("mirrored"), made.account.total("dropped")) == (1, 1)
    assert len(made.context.captures) == 0


@pytest.mark.parametrize(
    ("data", "again"),
    [(GET, 1), (POST, 0), (POST.replace(b"POST", b"PUT", 1), 0)],
    ids=["GET", "POST", "PUT with a body"],
)
def test_only_what_is_read_goes_again_when_a_kept_connection_ends(
    plane: Make, data: bytes, again: int
) -> None:
    made = plane(table(fallback="none"))
    core = made.dialers[Side.CORE]
    client = made.client()
    client.send(GET)
    made.loop.settle()
    core.wires[0].send(OK)
    client.send(data.replace(b"/x/", b"/x/?2"))
    core.wires[0].lose()
    for wire in core.wires[1:]:
        wire.lose()

    assert sum(wire.out.count(b"/x/?2") for wire in core.wires) == 1 + again
    assert statuses(client.out) == [200, 502]


def test_a_client_that_reads_again_gets_what_it_asked_for_meanwhile(plane: Make) -> None:
    made = plane(table(fallback="none"))
    client = made.client(high_bytes=10)
    client.read_slowly()
    client.send(GET)
    made.loop.settle()
    store = made.dialers[Side.CORE].wires[0]
    store.send(OK)
    client.send(GET * 3_000)
    is_paused, asked = client.is_paused, store.out.count(b"GET")
    client.read_all()
    made.loop.settle()

    assert (is_paused, asked) == (True, 1)
    assert store.out.count(b"GET") == 2


def test_an_answer_that_breaks_off_ends_the_clients_connection_with_a_reset(plane: Make) -> None:
    made = plane(table(fallback="none"))
    client = made.client()
    client.send(GET * 2)
    made.loop.settle()
    store = made.dialers[Side.CORE].wires[0]
    store.send(OK[:-1])
    store.eof()

    assert client.is_reset
    assert statuses(client.out) == [200]
    assert [facts.ended for facts in made.ends.facts] == ["cut_off"]


def test_a_client_that_still_sends_can_read_its_early_answer(plane: Make) -> None:
    made = plane(table(fallback="none"))
    client = made.client()
    client.send(POST[:-1])
    made.loop.settle()
    made.dialers[Side.CORE].wires[0].send(OK)
    told = client.out
    client.send(b"c" + GET)
    made.loop.advance(3.0)
    before = client.is_ended
    made.sweep()

    assert client.has_eof
    assert not before
    assert client.is_ended
    assert client.out == told
    assert sum(wire.out.count(b"GET") for wire in made.wires) == 0


def test_a_tunnel_carries_bytes_until_one_side_ends_it(plane: Make) -> None:
    made = plane(table(fallback="legacy"))
    client = made.client()
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    client.send(GET[:-2] + upgrade + b"early")
    made.loop.settle()
    store = made.dialers[Side.CORE].wires[0]
    store.send(b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade + b"hello")
    client.send(b"late")
    in_flight = made.in_flight
    store.eof()

    assert client.out.endswith(b"\r\n\r\nhello")
    assert store.out.endswith(b"\r\n\r\nearlylate")
    assert in_flight == 1
    assert client.is_ended
    assert made.in_flight == 0
    assert made.account.total("upgrades") == 1
    assert made.account.total("fallback") == 0
    assert [(facts.status, facts.ended) for facts in made.ends.facts] == [(101, "tunnel_ended")]


def test_a_client_that_leaves_a_tunnel_is_heard_out(plane: Make) -> None:
    made = plane()
    client = made.client()
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    client.send(GET[:-2] + upgrade)
    made.loop.settle()
    store = made.dialers[Side.CORE].wires[0]
    store.send(b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade)
    client.send(b"goodbye")
    client.eof()

    # A reset would throw away what still waits to be sent.
    assert store.out.endswith(b"goodbye")
    assert (store.is_ended, store.is_reset) == (True, False)


@pytest.mark.parametrize("is_full", [True, False])
def test_a_tunnel_waits_for_the_side_that_does_not_read(plane: Make, *, is_full: bool) -> None:
    made = plane(table(fallback="none"))
    client = made.client(high_bytes=100)
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    client.send(GET[:-2] + upgrade)
    made.loop.settle()
    store = made.dialers[Side.CORE].wires[0]
    store.send(b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade)
    client.read_slowly()
    store.send(b"x" * 200)
    paused = store.is_paused
    if not is_full:
        client.read_all()
    store.send(b"y")

    assert paused
    assert client.out.endswith(b"x") is is_full


def test_a_tunnel_in_which_nothing_moves_is_ended(plane: Make) -> None:
    made = plane(timeouts=Timeouts(tunnel_idle_s=5.0))
    client = made.client()
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    client.send(GET[:-2] + upgrade)
    made.loop.settle()
    store = made.dialers[Side.CORE].wires[0]
    store.send(b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade)
    made.loop.advance(4.0)
    client.send(b"x")
    made.loop.advance(4.0)
    made.sweep()
    is_kept = not store.is_ended
    made.loop.advance(2.0)
    made.sweep()

    assert is_kept
    assert client.is_ended
    assert store.is_ended
    assert made.in_flight == 0


@pytest.mark.parametrize("when", ["with the answer", "while it waits"])
def test_bytes_that_nobody_asked_for_cost_the_connection_and_reach_nobody(
    plane: Make, when: str
) -> None:
    made = plane(table(fallback="none"))
    core = made.dialers[Side.CORE]
    client = made.client()
    client.send(GET)
    made.loop.settle()
    if when == "with the answer":
        core.wires[0].send(OK + OK)
    else:
        core.wires[0].send(OK)
        core.wires[0].send(OK)
    before = client.out
    client.send(GET)
    made.loop.settle()

    assert statuses(before) == [200]
    assert core.wires[0].is_ended
    assert len(core.wires) == 2
    core.wires[1].send(OK)
    assert statuses(client.out) == [200, 200]
