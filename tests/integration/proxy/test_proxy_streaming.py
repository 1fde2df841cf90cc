"""Large bodies pass through in constant memory, both ways, and arrive whole."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from tests.integration.proxy.harness import Client, Connection, Origin, Proxy, get

pytestmark = pytest.mark.integration

MIB = 1024 * 1024
SIZE = 256 * MIB
PIECE = bytes(range(256)) * 1024  # 256 KiB
GROWTH = 48 * MIB


def rss_bytes(pid: int) -> int:
    """Largest resident size so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError(pid)


def digest_of(size: int) -> str:
    digest = hashlib.blake2b()
    for _ in range(size // len(PIECE)):
        digest.update(PIECE)
    return digest.hexdigest()


def read_digest(connection: Connection, size: int) -> str:
    digest = hashlib.blake2b(connection.buffer)
    left = size - len(connection.buffer)
    connection.buffer = b""
    while left:
        data = connection.sock.recv(min(left, MIB))
        if not data:
            raise ConnectionError
        digest.update(data)
        left -= len(data)
    return digest.hexdigest()


@pytest.mark.timeout(240)
def test_a_download_of_256_mib_takes_no_more_memory_than_a_small_one(
    shop: Proxy, legacy: Origin
) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // len(PIECE)):
            connection.send(PIECE)

    legacy.reset(script)
    (pid,) = shop.worker_pids()
    before = rss_bytes(pid)

    with Client(shop) as client:
        client.send(get("/big/"))
        client.read_head()
        digest = read_digest(client._connection, SIZE)

    assert digest == digest_of(SIZE)
    assert rss_bytes(pid) - before < GROWTH


@pytest.mark.timeout(240)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_an_upload_of_256_mib_to_a_slow_store_takes_no_more_memory(
    is_chunked: bool, shop: Proxy, legacy: Origin
) -> None:
    found: list[str] = []
    digest = hashlib.blake2b()

    def script(connection: Connection) -> None:
        connection.read_until(b"\r\n\r\n")
        if is_chunked:
            while size := int(connection.read_until(b"\r\n"), 16):
                digest.update(connection.read_exactly(size + 2)[:-2])
            connection.read_until(b"\r\n")
            found.append(digest.hexdigest())
        else:
            found.append(read_digest(connection, SIZE))
        connection.send(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    legacy.reset(script)
    (pid,) = shop.worker_pids()
    before = rss_bytes(pid)
    framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % SIZE

    with Client(shop) as client:
        client.send(b"PUT /big/ HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n")

        def upload() -> None:
            for _ in range(SIZE // len(PIECE)):
                if is_chunked:
                    client.send(b"%x\r\n" % len(PIECE) + PIECE + b"\r\n")
                else:
                    client.send(PIECE)
            if is_chunked:
                client.send(b"0\r\n\r\n")

        client.sock.settimeout(120)
        sender = threading.Thread(target=upload)
        sender.start()
        answer = client.read()
        sender.join()

    assert answer.status == 201
    assert found == [digest_of(SIZE)]
    assert rss_bytes(pid) - before < GROWTH


def test_pieces_arrive_as_they_are_sent(shop: Proxy, legacy: Origin) -> None:
    go_on = threading.Event()

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        connection.send(b"Transfer-Encoding: chunked\r\n\r\n7\r\ndata: 1\r\n")
        go_on.wait(10)
        connection.send(b"7\r\ndata: 2\r\n0\r\n\r\n")

    legacy.reset(script)

    with Client(shop) as client:
        client.send(get("/events/"))
        client.read_head()
        first = client._connection.read_until(b"data: 1")
        go_on.set()
        rest = client._connection.read_until(b"0\r\n\r\n")

    assert first.endswith(b"data: 1")
    assert b"data: 2" in rest
