"""Many connections that have been used once and wait."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from loadtests.bench_paced import answer_end
from loadtests.bench_peers import SAME_PATH
from loadtests.bench_processes import BenchError

# One source address has some 28,000 ports, fewer while others wait for their end.
_PER_SOURCE = 2_500
_REQUEST = f"GET {SAME_PATH} HTTP/1.1\r\nHost: shop.example\r\n\r\n".encode()


@contextlib.contextmanager
def idle_connections(port: int, count: int) -> Iterator[None]:
    """Hold `count` connections, each with one request answered, until the block ends.

    Raises:
        BenchError: one was refused or not answered.
    """
    with contextlib.ExitStack() as stack:
        for n in range(count):
            source = f"127.0.0.{2 + n // _PER_SOURCE}"
            try:
                sock = socket.create_connection(
                    ("127.0.0.1", port), timeout=10, source_address=(source, 0)
                )
                stack.enter_context(sock)
                _ask_once(sock)
            except (OSError, ValueError) as exc:
                raise BenchError(f"idle connection {n + 1} of {count}: {exc}") from exc
        yield


def _ask_once(sock: socket.socket) -> None:
    sock.sendall(_REQUEST)
    data = bytearray()
    while (found := answer_end(data)) is None:
        piece = sock.recv(65_536)
        if not piece:
            raise ConnectionResetError("closed without an answer")
        data += piece
    if found[0] != 200:
        raise ValueError(f"status {found[0]}")
