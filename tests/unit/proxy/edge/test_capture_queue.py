"""The queue of captures: bounded, accounted for, and quick to give up."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.core.frame import Frame
from proxy.core.limits import CaptureLimits
from proxy.core.redaction import Redactor
from proxy.edge.capture import Capture, CaptureQueue, SpoolThread
from proxy.edge.counters import Counters
from proxy.routing import Decision, RequestHead, decide
from proxy.storage import SpoolReader, SpoolWriter, read_accounts
from proxy.storage.tables import parse_routing

RUN = "20261122T012000-1-aaaaaa"
REDACTOR = Redactor(b"k" * 32)
TABLE = parse_routing(
    b"""
apiVersion: banyan/v1
stores:
  legacy: {url: "http://127.0.0.1:1"}
  core: {url: "http://127.0.0.1:2"}
shopper: ["header:Session-Id"]
domains:
  catalog:
    owner: merchandising
    stage: shadow
    routes:
      - {path: "/x/", methods: [GET]}
""",
    "routing.yaml",
)


def decision() -> Decision:
    return decide(RequestHead(method="GET", path="/x/", headers={}, request_id="r1"), TABLE)


class Desk:
    """A queue, its writer, and a thread that a test turns by hand."""

    def __init__(self, folder: Path, limits: CaptureLimits) -> None:
        self.folder = folder
        self.writer = SpoolWriter(folder, RUN)
        self.queue = CaptureQueue(limits, Counters(self.writer.account))
        self.thread = SpoolThread(self.queue, self.writer, RUN)

    def capture(self, body: bytes = b"{}", lines: bytes = b"") -> Capture:
        room = self.queue.body_bytes - len(body)
        capture = Capture(decision(), REDACTOR, "r1", room)
        capture.body = [body]
        capture.method, capture.target, capture.status = "GET", b"/x/", 200
        capture.request_head = b"GET /x/ HTTP/1.1\r\nHost: shop\r\nX-Request-ID: r1\r\n\r\n"
        capture.answer_lines = lines
        return capture

    def turn(self) -> None:
        self.thread._drain(float("inf"))
        self.queue.settle()

    def counts(self) -> dict[str, int]:
        counters = read_accounts(self.folder)[RUN].counters
        return {
            name.replace("|catalog|GET /x/", ""): count for name, count in counters.items() if count
        }

    def frames(self) -> list[Frame]:
        with SpoolReader(self.folder) as reader:
            return [frame for _, frame in reader.read()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, CaptureLimits(queue_frames=4, queue_bytes=200_000, body_bytes=100_000))
    yield made
    made.writer.close()


def test_a_complete_exchange_is_counted_and_spooled(desk: Desk) -> None:
    desk.queue.take(desk.capture(b'{"email": "ann"}', b"Content-Type: application/json\r\n"))
    desk.turn()

    (frame,) = desk.frames()
    assert (frame.run, frame.domain, frame.route, frame.stage) == (
        RUN, "catalog", "GET /x/", "shadow")  # fmt: skip
    assert frame.request_headers == (("Host", "shop"), ("X-Request-ID", "r1"))
    assert frame.body.startswith(b'{"email": "[hmac:')
    assert desk.counts() == {"mirrored": 1, "spooled": 1}


def test_every_exchange_is_counted_as_mirrored_and_ends_once(desk: Desk) -> None:
    desk.queue.take(desk.capture())
    desk.queue.lose(decision(), "client_gone")
    desk.queue.lose(decision(), "upstream_error")
    desk.turn()

    assert desk.counts() == {
        "mirrored": 3, "spooled": 1, "dropped|client_gone": 1, "dropped|upstream_error": 1,
    }  # fmt: skip


def test_the_newest_goes_when_nobody_writes(desk: Desk) -> None:
    for _ in range(7):
        desk.queue.take(desk.capture())
    waiting = len(desk.queue)
    is_woken = desk.queue.wake.is_set()
    desk.turn()

    assert waiting == 4
    assert is_woken
    assert desk.counts() == {"mirrored": 7, "spooled": 4, "dropped|queue_full": 3}


def test_bytes_are_bounded_and_given_back(desk: Desk) -> None:
    for _ in range(2):
        for _ in range(3):
            desk.queue.take(desk.capture(b"x" * 80_000))
        desk.turn()

    assert desk.counts() == {"mirrored": 6, "spooled": 4, "dropped|queue_full": 2}
    assert desk.queue._put_bytes == desk.queue._taken_bytes


def test_a_large_body_waits_for_the_thread_and_a_small_one_does_not(desk: Desk) -> None:
    bomb = gzip.compress(b"a" * 1_000_000)
    desk.queue.take(desk.capture(b"x" * 50_000))
    desk.queue.take(desk.capture(bomb, b"Content-Encoding: gzip\r\n"))
    desk.queue.take(desk.capture())
    large, ready = len(desk.queue._large), len(desk.queue._ready)
    desk.turn()

    assert (large, ready) == (2, 1)
    assert desk.counts() == {"mirrored": 3, "spooled": 3}


@pytest.mark.parametrize("size", [3, 40_000])
def test_a_body_that_cannot_be_looked_into_is_dropped_for_its_reason(desk: Desk, size: int) -> None:
    desk.queue.take(desk.capture(b"a" * size, b"Content-Encoding: br\r\n"))
    desk.turn()

    assert desk.counts() == {"mirrored": 1, "dropped|opaque_encoding": 1}


def test_a_defect_costs_its_frame_only(desk: Desk) -> None:
    for size in (10, 40_000):
        broken = desk.capture(b"x" * size)
        broken.target = None  # type: ignore[assignment]
        desk.queue.take(broken)
    desk.queue.take(desk.capture())
    desk.turn()

    assert desk.counts() == {"mirrored": 3, "spooled": 1, "dropped|redaction_error": 2}


def test_a_spool_without_room_saves_the_work_until_it_is_tried_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, CaptureLimits())
    desk.writer._room._total_bytes = 10
    desk.queue.take(desk.capture())
    desk.turn()
    blocked = desk.queue.blocked
    desk.queue.take(desk.capture())
    waiting = len(desk.queue)

    desk.writer._room._total_bytes = 10**6
    desk.thread._look(desk.thread._blocked_at + 1)
    desk.queue.take(desk.capture())
    desk.turn()

    assert (blocked, waiting) == ("spool_full", 0)
    assert desk.counts() == {"mirrored": 3, "dropped|spool_full": 2, "spooled": 1}
    desk.writer.close()
