"""An exchange's life in any order of events: what must hold after each of them."""

from __future__ import annotations

import re

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from proxy.routing import RoutingTable, Side
from proxy.storage.tables import parse_routing
from tests.fakes.data_plane import Plane, Wire
from tests.support.http_messages import answers_in, requests_in

_NUMBER = re.compile(rb"/x/\?n=(\d+) ")
_JUNK = b"SSH-2.0-nothing\r\n\r\n"
_STAGES = ("legacy", "shadow", "core")


def table(stage: str, fallback: str) -> RoutingTable:
    return parse_routing(
        f"""
apiVersion: banyan/v1
stores:
  legacy: {{url: "http://127.0.0.1:1"}}
  core: {{url: "http://127.0.0.1:2", timeouts: {{first_byte: 5s, total: 20s}}}}
shopper: ["header:Session-Id"]
domains:
  catalog:
    owner: merchandising
    stage: {stage}
    fallback: {fallback}
    routes: [{{path: "/x/", methods: [GET, POST, PUT]}}]
""".encode(),
        "routing.yaml",
    )


TABLES = [table(stage, fallback) for stage in _STAGES for fallback in ("none", "legacy")]


class Shopper:
    """A client, what it asked for, and what of its last request it has not sent yet."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.asked: list[tuple[int, str]] = []
        self.unsent = b""


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.plane = Plane(TABLES[0])
        self.shoppers: list[Shopper] = []
        self.methods: dict[int, str] = {}
        self.unsent: dict[Wire, bytes] = {}
        self.answered: dict[Wire, int] = {}
        self.comes()

    # Shoppers.

    @precondition(lambda self: len(self.shoppers) < 2)
    @rule()
    def comes(self) -> None:
        self.shoppers.append(Shopper(self.plane.client(high_bytes=300)))

    @precondition(lambda self: self.shoppers)
    @rule(method=st.sampled_from(("GET", "POST")), kind=st.sampled_from(("whole", "half")))
    def asks_and_is_answered(self, method: str, kind: str) -> None:
        """The ordinary course, so that it is frequent."""
        for dialer in self.plane.dialers.values():
            dialer.takes_all = True
        self.asks(0, method, 0, is_chunked=False)
        for n in range(len(self._stores())):
            self.answers(n, kind)

    @precondition(lambda self: self.shoppers)
    @rule(
        which=st.integers(0, 2),
        method=st.sampled_from(("GET", "GET", "HEAD", "POST", "POST", "PUT")),
        is_chunked=st.booleans(),
        cut=st.integers(0, 12),
    )
    def asks(self, which: int, method: str, cut: int, *, is_chunked: bool) -> None:
        shopper = self.shoppers[which % len(self.shoppers)]
        self.sends_the_rest(which)
        number = len(self.methods)
        self.methods[number] = method
        head = b"%b /x/?n=%d HTTP/1.1\r\nHost: shop\r\n" % (method.encode(), number)
        if method in ("GET", "HEAD"):
            body = head + b"\r\n"
            cut = 0
        elif is_chunked:
            body = head + b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"
        else:
            body = head + b"Content-Length: 8\r\n\r\nabcdefgh"
        shopper.asked.append((number, method))
        at = len(body) - min(cut, 8)
        shopper.unsent = body[at:]
        shopper.wire.send(body[:at])

    @precondition(lambda self: self.shoppers)
    @rule(which=st.integers(0, 2))
    def sends_the_rest(self, which: int) -> None:
        shopper = self.shoppers[which % len(self.shoppers)]
        data, shopper.unsent = shopper.unsent, b""
        if data:
            shopper.wire.send(data)

    @precondition(lambda self: self.shoppers)
    @rule(which=st.integers(0, 2))
    def breaks_its_body(self, which: int) -> None:
        shopper = self.shoppers[which % len(self.shoppers)]
        if shopper.unsent:
            shopper.unsent = b""
            # Where its length is filled up, the rest is a request of its own: refused.
            shopper.asked.append((-1, "GET"))
            shopper.wire.send(b"\x00\r\n" * 4)

    @precondition(lambda self: self.shoppers)
    @rule(which=st.integers(0, 2), is_polite=st.booleans())
    def leaves(self, which: int, *, is_polite: bool) -> None:
        shopper = self.shoppers.pop(which % len(self.shoppers))
        shopper.wire.eof() if is_polite else shopper.wire.lose()
        assert shopper.wire.wrongs == []

    @precondition(lambda self: self.shoppers)
    @rule(which=st.integers(0, 2), reads=st.booleans())
    def reads(self, which: int, *, reads: bool) -> None:
        wire = self.shoppers[which % len(self.shoppers)].wire
        wire.read_all() if reads else wire.read_slowly()

    # Stores.

    @rule(side=st.sampled_from(Side), takes=st.booleans())
    def takes_connections(self, side: Side, *, takes: bool) -> None:
        self.plane.dialers[side].takes_all = takes

    @precondition(lambda self: any(d.attempts for d in self.plane.dialers.values()))
    @rule(side=st.sampled_from(Side), takes=st.booleans())
    def ends_an_attempt(self, side: Side, *, takes: bool) -> None:
        self.plane.dialers[side].answer(takes=takes)

    @precondition(lambda self: self._stores())
    @rule(
        which=st.integers(0, 5), kind=st.sampled_from(("whole", "half", "hints", "busy", "close"))
    )
    def answers(self, which: int, kind: str) -> None:
        wire = self._store(which)
        if wire is None:
            return
        if rest := self.unsent.pop(wire, b""):
            wire.send(rest)
            return
        number = self._open_request(wire)
        if number is None:
            return
        tag = b"n=%d;" % number
        status = b"503 Busy" if kind == "busy" else b"200 OK"
        head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n" % (status, len(tag) * 50)
        head += b"Connection: close\r\n\r\n" if kind == "close" else b"\r\n"
        body = b"" if self.methods[number] == "HEAD" else tag * 50
        self.answered[wire] = self.answered.get(wire, 0) + 1
        if kind == "hints":
            wire.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        data = head + body
        if kind == "half":
            self.unsent[wire] = data[30:]
            data = data[:30]
        wire.send(data)

    @precondition(lambda self: self._stores())
    @rule(which=st.integers(0, 5))
    def sends_what_nobody_asked_for(self, which: int) -> None:
        if (wire := self._store(which)) is not None and wire not in self.unsent:
            wire.send(_JUNK)
            assert wire.is_ended or wire.is_paused

    @precondition(lambda self: self._stores())
    @rule(which=st.integers(0, 5), is_polite=st.booleans())
    def closes(self, which: int, *, is_polite: bool) -> None:
        if (wire := self._store(which)) is not None:
            wire.eof() if is_polite else wire.lose()

    # The operator, and time.

    @rule(seconds=st.sampled_from((0.06, 3.0, 6.0, 70.0)))
    def time_passes(self, seconds: float) -> None:
        self.plane.loop.advance(seconds)
        self.plane.sweep()

    @rule(seconds=st.sampled_from((1.0, 20.0)))
    def holds(self, seconds: float) -> None:
        self.plane.context.holds.hold("catalog", self.plane.loop.time() + seconds)

    @precondition(lambda self: self.plane.context.holds.is_active)
    @rule()
    def releases(self) -> None:
        self.plane.release("catalog")

    @rule(rules=st.sampled_from(TABLES))
    def swaps(self, rules: RoutingTable) -> None:
        self.plane.swap(rules)

    @precondition(lambda self: len(self.methods) > 4 and not self.plane.context.is_draining)
    @rule()
    def drains(self) -> None:
        self.plane.context.is_draining = True
        for client in tuple(self.plane.context.clients):
            self.plane.loop.act(client.drain)

    # What holds always.

    @invariant()
    def nothing_is_written_after_the_end(self) -> None:
        assert [wire.wrongs for wire in self.plane.wires if wire.wrongs] == []
        assert [shopper.wire.wrongs for shopper in self.shoppers if shopper.wire.wrongs] == []

    @invariant()
    def what_may_not_go_twice_goes_once(self) -> None:
        for number, method in self.methods.items():
            if method == "POST":
                mark = b"/x/?n=%d " % number
                assert sum(wire.out.count(mark) for wire in self.plane.wires) <= 1

    @invariant()
    def answers_belong_to_their_requests(self) -> None:
        for shopper in self.shoppers:
            answers, _ = answers_in(shopper.wire.out, [method for _, method in shopper.asked])
            assert len(answers) <= len(shopper.asked)
            for answer, (number, method) in zip(answers, shopper.asked, strict=False):
                if answer.value(b"X-Served-By") and method != "HEAD":
                    assert answer.body == b"n=%d;" % number * 50

    @invariant()
    def kept_connections_are_clean(self) -> None:
        for target in self.plane.context.rules.stores.values():
            for connection in target.pool._idle:
                wire = next(w for w in self.plane.wires if w.serves(connection))
                requests, rest = requests_in(wire.out)
                assert rest == b""
                assert len(requests) == self.answered.get(wire, 0)
                assert wire not in self.unsent
                assert connection._asker is None

    @invariant()
    def each_exchange_ends_at_most_once(self) -> None:
        ended = [facts.request_id for facts in self.plane.ends.facts]
        assert len(ended) == len(set(ended))

    @override
    def teardown(self) -> None:
        plane = self.plane
        try:
            for shopper in self.shoppers:
                shopper.wire.lose()
            plane.release("catalog")
            plane.loop.advance(60.0)
            facts = [fact for fact in plane.ends.facts if fact.method]
            account = plane.account
            assert plane.in_flight == 0
            assert account.total("requests") == sum(fact.status > 0 for fact in facts)
            assert account.total("client_gone") == sum(f.ended == "client_gone" for f in facts)
            assert account.total("mirrored") - account.total("dropped") == len(
                plane.context.captures
            )
            ended = {int(f.target.partition(b"=")[2]) for f in facts}
            seen = {int(n) for wire in plane.wires for n in _NUMBER.findall(wire.out)}
            assert len(ended) == len(facts)
            assert seen <= ended
        finally:
            plane.close()

    def _stores(self) -> list[Wire]:
        return [wire for dialer in self.plane.dialers.values() for wire in dialer.open_wires]

    def _store(self, which: int) -> Wire | None:
        wires = self._stores()
        return wires[which % len(wires)] if wires else None

    def _open_request(self, wire: Wire) -> int | None:
        """The request on a connection that has no answer yet."""
        numbers = _NUMBER.findall(wire.out)
        return int(numbers[-1]) if len(numbers) > self.answered.get(wire, 0) else None


TestLife = Life.TestCase
TestLife.settings = settings(stateful_step_count=30)
