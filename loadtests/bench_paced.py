"""An open-loop client: requests at a fixed rate, whatever the answers do.

A closed-loop client, such as wrk, asks less often while answers are slow, and so leaves
out of its figures what a real crowd would have waited (coordinated omission). Here each
request has a time at which it is due; if all connections are busy then, it waits, and the
wait counts as latency.
"""

from __future__ import annotations

import gc
import math
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

MAX_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How to ask.

    Attributes:
        request: bytes of the n-th request.
        connections: kept open; a request that finds all of them busy waits.
        timeout_s: an answer that takes longer is an error.
    """

    port: int
    rate: float
    seconds: float
    request: Callable[[int], bytes]
    connections: int = 32
    timeout_s: float = 5.0


@dataclass(slots=True)
class Pace:
    """What came of it.

    Attributes:
        latencies_us: of good answers, from when a request was due to its last byte.
        errors: requests without a good answer, by what went wrong.
    """

    asked: int = 0
    latencies_us: list[int] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def quantile_ms(self, share: float) -> float:
        """A quantile of the latencies; not a number when there are none."""
        return quantile(self.latencies_us, share) / 1_000


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not pass."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def answer_end(data: bytes | bytearray) -> tuple[int, int] | None:
    """(status, size) of the answer at the beginning of `data`, None while it is not whole.

    Raises:
        ValueError: no HTTP answer of a known length.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > MAX_ANSWER_BYTES:
            raise ValueError("endless head")
        return None
    head = bytes(data[:end]).lower()
    if not head.startswith(b"http/1."):
        raise ValueError("no HTTP answer")
    status = int(head[9:12])
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        raise ValueError("an answer without Content-Length")
    size = end + 4 + int(head[at + 17 :].split(b"\r\n", 1)[0])
    return (status, size) if len(data) >= size else None


class _Line:
    """One kept connection and the request on it."""

    __slots__ = ("data", "due", "sent", "sock")

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.data = bytearray()
        self.due = 0.0
        self.sent = 0.0


class PacedClient:
    """Runs one plan; belongs to one thread."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._result = Pace()
        self._idle: list[_Line] = []
        self._busy: dict[int, _Line] = {}

    def run(self) -> Pace:
        """Ask for `seconds`, then wait for the last answers.

        Raises:
            OSError: the first connections cannot be made.
        """
        plan = self._plan
        self._idle = [_Line(plan.port) for _ in range(plan.connections)]
        gc.collect()
        gc.disable()  # a pause of ours would look like one of theirs
        try:
            self._ask()
        finally:
            gc.enable()
            for line in (*self._idle, *self._busy.values()):
                line.sock.close()
        return self._result

    def _ask(self) -> None:
        plan, clock = self._plan, time.perf_counter
        total, every_s = int(plan.rate * plan.seconds), 1 / plan.rate
        start, came = clock(), 0
        waiting: deque[float] = deque()
        while True:
            now = clock()
            while came < total and start + came * every_s <= now:
                waiting.append(start + came * every_s)
                came += 1
            while waiting and self._idle:
                self._send(self._idle.pop(), waiting.popleft())
            if came == total and not waiting and not self._busy:
                return
            next_s = start + came * every_s - clock() if came < total else 0.1
            # select and not epoll: its timeout is in microseconds.
            ready, _, _ = select.select(tuple(self._busy), (), (), max(0.0, min(next_s, 0.1)))
            for number in ready:
                self._read(self._busy[number])
            self._give_up(clock())

    def _send(self, line: _Line, due: float) -> None:
        self._result.asked += 1
        line.due, line.sent = due, time.perf_counter()
        try:
            line.sock.send(self._plan.request(self._result.asked))
        except OSError as exc:
            self._lost(line, type(exc).__name__)
        else:
            self._busy[line.sock.fileno()] = line

    def _read(self, line: _Line) -> None:
        try:
            data = line.sock.recv(262_144)
            if not data:
                raise ConnectionResetError
            line.data += data
            found = answer_end(line.data)
        except BlockingIOError:
            return
        except (OSError, ValueError) as exc:
            self._lost(line, str(exc) if isinstance(exc, ValueError) else type(exc).__name__)
            return
        if found is None:
            return
        status, size = found
        del self._busy[line.sock.fileno()]
        if status == 200 and size == len(line.data):
            elapsed_us = round((time.perf_counter() - line.due) * 1e6)
            self._result.latencies_us.append(elapsed_us)
        else:
            self._result.errors[f"status {status}, {len(line.data) - size} bytes too many"] += 1
        line.data.clear()
        self._idle.append(line)

    def _give_up(self, now: float) -> None:
        for line in [one for one in self._busy.values() if now - one.sent > self._plan.timeout_s]:
            self._lost(line, "timeout")

    def _lost(self, line: _Line, why: str) -> None:
        self._result.errors[why] += 1
        self._busy.pop(line.sock.fileno(), None)
        line.sock.close()
        try:
            self._idle.append(_Line(self._plan.port))
        except OSError as exc:
            # The others go on; without any, what is due stays unasked and counts below.
            self._result.errors[f"no new connection: {type(exc).__name__}"] += 1
            if not self._idle and not self._busy:
                raise
