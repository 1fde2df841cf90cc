"""However the network cuts a stream into pieces, the same messages come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import Side
from proxy.storage.tables import parse_routing
from tests.fakes.data_plane import Plane, Wire
from tests.support.http_messages import Message, answers_in, requests_in

TABLE = parse_routing(
    b"""
apiVersion: banyan/v1
stores: {legacy: {url: "http://127.0.0.1:1"}, core: {url: "http://127.0.0.1:2"}}
shopper: ["header:Session-Id"]
domains:
  catalog:
    owner: merchandising
    stage: shadow
    routes: [{path: "/x/", methods: [GET, POST, PUT, DELETE]}]
""",
    "routing.yaml",
)
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: shop\r\n\r\n"


@dataclass(frozen=True)
class Asked:
    """A request, the answer that its store gives, and what both say."""

    method: str
    body: bytes
    pieces: tuple[bytes, ...] | None
    trailer: bytes
    expects: bool
    status: int
    answer: bytes
    answer_pieces: tuple[bytes, ...] | None
    answer_trailer: bytes
    interim: bool
    closes: bool

    def request(self, number: int) -> bytes:
        head = b"%b /x/?n=%d HTTP/1.1\r\nHost: shop\r\n" % (self.method.encode(), number)
        if self.expects:
            head += b"Expect: 100-continue\r\n"
        if self.pieces is not None:
            return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(self.pieces, self.trailer)
        length = b"Content-Length: %d\r\n" % len(self.body) if self.body else b""
        return head + length + b"\r\n" + self.body

    def reply(self) -> bytes:
        out = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" if self.interim else b""
        out += b"HTTP/1.1 %d What\r\n" % self.status
        if self.closes:
            out += b"Connection: close\r\n"
        if self.status == 204:
            return out + b"\r\n"
        if self.answer_pieces is not None:
            out += b"Transfer-Encoding: chunked\r\n\r\n"
            return (
                out
                if self.method == "HEAD"
                else out + chunked(self.answer_pieces, self.answer_trailer)
            )
        out += b"Content-Length: %d\r\n\r\n" % len(self.answer)
        return out if self.method == "HEAD" else out + self.answer

    @property
    def sent(self) -> bytes:
        return b"".join(self.pieces) if self.pieces is not None else self.body

    @property
    def told(self) -> bytes:
        if self.method == "HEAD" or self.status == 204:
            return b""
        return b"".join(self.answer_pieces) if self.answer_pieces is not None else self.answer


def chunked(pieces: Sequence[bytes], trailer: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n" + trailer + b"\r\n"


payloads = st.one_of(st.binary(max_size=40), st.just(SMUGGLED), st.just(b"0\r\n\r\n"))
pieces = st.one_of(st.none(), st.lists(payloads.filter(bool), max_size=3).map(tuple))
trailers = st.sampled_from((b"", b"X-Sum: 1\r\n"))


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    method = draw(st.sampled_from(("GET", "HEAD", "POST", "PUT", "DELETE")))
    has_body = method in ("POST", "PUT")
    return Asked(
        method,
        draw(payloads) if has_body else b"",
        draw(pieces) if has_body else None,
        draw(trailers),
        has_body and draw(st.booleans()),
        draw(st.sampled_from((200, 204, 404, 500))),
        draw(payloads),
        draw(pieces),
        draw(trailers),
        draw(st.booleans()),
        draw(st.booleans()),
    )


@dataclass
class Cuts:
    """Where a stream is cut: sizes, used in turn."""

    sizes: list[int]
    at: int = 0

    def cut(self, data: bytes) -> list[bytes]:
        if not self.sizes:
            return [data]
        out = []
        while data:
            size = self.sizes[self.at % len(self.sizes)]
            self.at += 1
            out.append(data[:size])
            data = data[size:]
        return out


@dataclass
class Store:
    """Answers requests in the order in which they came, on whatever connection."""

    plane: Plane
    replies: list[bytes]
    cuts: Cuts
    seen: list[Message] = field(default_factory=list)
    read: dict[Wire, int] = field(default_factory=dict)

    def work(self) -> None:
        is_moving = True
        while is_moving:
            is_moving = False
            for wire in tuple(self.plane.dialers[Side.LEGACY].wires):
                messages, _ = requests_in(wire.out)
                for message in messages[self.read.get(wire, 0) :]:
                    self.read[wire] = self.read.get(wire, 0) + 1
                    self.seen.append(message)
                    is_moving = True
                    for piece in self.cuts.cut(self.replies[len(self.seen) - 1]):
                        wire.send(piece)


def played(exchanges: list[Asked], client_cuts: list[int], store_cuts: list[int]) -> tuple[
    list[Message], list[Message], bytes, Plane
]:  # fmt: skip
    plane = Plane(TABLE)
    try:
        store = Store(plane, [one.reply() for one in exchanges], Cuts(store_cuts))
        client = plane.client()
        stream = b"".join(one.request(n) for n, one in enumerate(exchanges))
        for piece in Cuts(client_cuts).cut(stream):
            client.send(piece)
            store.work()
        answers, rest = answers_in(client.out, [one.method for one in exchanges])
        assert client.wrongs == []
        assert not client.is_ended
        assert plane.in_flight == 0
        assert plane.account.total("mirrored") - plane.account.total("dropped") == len(
            plane.context.captures
        )
        return store.seen, answers, rest, plane
    finally:
        plane.close()


cuts = st.lists(st.integers(1, 90), min_size=1, max_size=6)


@given(st.lists(asked(), min_size=1, max_size=5), cuts, cuts)
def test_cuts_change_neither_what_stores_nor_what_clients_get(
    exchanges: list[Asked], client_cuts: list[int], store_cuts: list[int]
) -> None:
    seen, answers, rest, plane = played(exchanges, client_cuts, store_cuts)
    whole_seen, whole_answers, _, _ = played(exchanges, [], [])

    assert rest == b""
    assert (seen, answers) == (whole_seen, whole_answers)
    assert [message.line.split(b" ")[:2] for message in seen] == [
        [one.method.encode(), b"/x/?n=%d" % n] for n, one in enumerate(exchanges)
    ]
    assert [message.body for message in seen] == [one.sent for one in exchanges]
    assert [b"".join(message.trailer) for message in seen] == [
        one.trailer[:-2] if one.pieces is not None else b"" for one in exchanges
    ]
    assert [message.trailer for message in answers] == [()] * len(exchanges)
    assert [message.status for message in answers] == [one.status for one in exchanges]
    assert [message.body for message in answers] == [one.told for one in exchanges]
    assert [facts.status for facts in plane.ends.facts] == [one.status for one in exchanges]


@given(
    st.one_of(
        st.binary(max_size=300),
        st.tuples(
            st.lists(asked(), min_size=1, max_size=3),
            st.integers(0, 400),
            st.binary(max_size=6),
            st.integers(0, 6),
        ).map(lambda made: spoilt(*made)),
    ),
    cuts,
)
def test_garbage_is_forwarded_cleanly_or_refused_and_raises_nothing(
    data: bytes, client_cuts: list[int]
) -> None:
    plane = Plane(TABLE)
    try:
        store = Store(plane, [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"] * 50, Cuts([]))
        client = plane.client()
        for piece in Cuts(client_cuts).cut(data):
            client.send(piece)
            store.work()
        client.eof()
        begun = len(plane.ends.facts)
        methods = [message.line.split(b" ")[0].decode() for message in store.seen]
        answers, rest = answers_in(client.out, methods)
        refusals = [answer for answer in answers if answer.status >= 400]
        assert client.wrongs == []
        assert rest == b""
        assert len(refusals) <= 1
        assert answers[-1:] == refusals or not refusals
        assert len(answers) <= begun
        assert len(store.seen) == len(answers) - len(refusals)
        assert plane.in_flight == 0
    finally:
        plane.close()


def spoilt(exchanges: list[Asked], at: int, junk: bytes, gone: int) -> bytes:
    stream = b"".join(one.request(n) for n, one in enumerate(exchanges))
    at %= len(stream)
    return stream[:at] + junk + stream[at + gone :]


@given(st.binary(max_size=200), asked(), cuts, st.integers(0, 300))
def test_a_stores_garbage_is_never_a_second_answer(
    junk: bytes, one: Asked, store_cuts: list[int], at: int
) -> None:
    plane = Plane(TABLE)
    try:
        reply = one.reply()
        at %= len(reply)
        store = Store(plane, [reply[:at] + junk + reply[at:]], Cuts(store_cuts))
        client = plane.client()
        client.send(one.request(0))
        store.work()
        for wire in tuple(plane.wires):
            wire.eof()
        answers, _ = answers_in(client.out, [one.method])
        assert client.wrongs == []
        assert len(answers) <= 1
        assert len(plane.ends.facts) == 1
        assert plane.in_flight == 0
    finally:
        plane.close()
