"""Shoppers who count what they did not get. Each is a thread with real sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

REQUEST = b"GET /api/products/1/ HTTP/1.1\r\nHost: shop.example\r\n\r\n"


@dataclass
class Load:
    """What happened so far. `failures` say what, in words."""

    port: int
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _ending: threading.Event = field(default_factory=threading.Event)
    _progress: threading.Condition = field(default_factory=threading.Condition)

    def wait_for_more(self, count: int, timeout_s: float = 20) -> bool:
        """Until this many more were answered."""
        with self._progress:
            goal = self.answered + count
            return self._progress.wait_for(lambda: self.answered >= goal, timeout_s)

    def keep_asking(self, *, is_kept: bool) -> None:
        """One shopper: on one connection as long as it is offered, or always on a fresh one."""
        sock: socket.socket | None = None
        while not self._ending.is_set():
            try:
                if sock is None:
                    sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
                sock.sendall(REQUEST)
                head = self._answer(sock)
            except OSError as exc:
                if not self._ending.is_set():
                    with self._guard:
                        self.failures.append(repr(exc))
                head = b"connection: close"
            else:
                self._count(head)
            if sock is not None and (not is_kept or b"connection: close" in head.lower()):
                sock.close()
                sock = None
        if sock is not None:
            sock.close()

    def end(self) -> None:
        self._ending.set()

    def _count(self, head: bytes) -> None:
        with self._progress:
            if head.startswith(b"HTTP/1.1 200"):
                self.answered += 1
                self._progress.notify_all()
            else:
                self.failures.append(head.split(b"\r\n", 1)[0].decode())

    @staticmethod
    def _answer(sock: socket.socket) -> bytes:
        """Head of an answer whose body is the two bytes of `harness.OK`."""
        data = b""
        while b"\r\n\r\n" not in data or len(data) < data.index(b"\r\n\r\n") + 6:
            part = sock.recv(65_536)
            if not part:
                raise ConnectionError("closed without an answer")
            data += part
        return data.partition(b"\r\n\r\n")[0]


@contextlib.contextmanager
def load(port: int, *, kept: int = 3, fresh: int = 3) -> Iterator[Load]:
    """Shoppers who ask until the block ends."""
    running = Load(port)
    threads = [
        threading.Thread(target=running.keep_asking, kwargs={"is_kept": n < kept})
        for n in range(kept + fresh)
    ]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.end()
        for thread in threads:
            thread.join(15)
