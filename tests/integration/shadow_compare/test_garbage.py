"""Garbage from either side costs its own frame, with a reason, and not the comparer."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy.storage.tables import load_routing
from shadow_compare.app import open_evidence
from shadow_compare.core.evidence import DomainEvidence
from tests.support.processes import spawn_process
from tests.support.stores import Worker, banyan, routing

pytestmark = pytest.mark.integration

HUGE_BYTES = 500 * 1024 * 1024
_PIECE = b"x" * (256 * 1024)
GOOD = b'{"id": 1}'
JSON = "Content-Type: application/json"


def whole(body: bytes, *fields: str) -> Iterator[bytes]:
    head = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *(fields or (JSON,))])
    yield head.encode() + b"\r\n\r\n" + body


def huge() -> Iterator[bytes]:
    """Made on the way, never held."""
    yield f"HTTP/1.1 200 OK\r\nContent-Length: {HUGE_BYTES}\r\n{JSON}\r\n\r\n".encode()
    for _ in range(HUGE_BYTES // len(_PIECE)):
        yield _PIECE


def drip() -> Iterator[bytes]:
    """A byte now and then; the server waits between them."""
    yield f"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n{JSON}\r\n\r\n".encode()
    for _ in range(1_000):
        yield b"{"


def endless_head() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    for number in range(200_000):
        yield b"X-%d: y\r\n" % number


# What the core says, and what becomes of the frame: a loss, or None for incomparable.
BOMB = gzip.compress(bytes(64 * 1024 * 1024))
GARBAGE: dict[str, tuple[Callable[[], Iterator[bytes]], str | None]] = {
    "broken": (lambda: whole(b'{"id": '), None),
    "nan": (lambda: whole(b'{"id": NaN}'), None),
    "deep": (lambda: whole(b"[" * 200_000 + b"]" * 200_000), None),
    "twice": (lambda: whole(b'{"id": 1, "id": 2}'), None),
    "charset": (lambda: whole('{"id": 1}'.encode("utf-16")), "shadow_opaque"),
    "coding": (lambda: whole(b"no gzip", JSON, "Content-Encoding: gzip"), "shadow_opaque"),
    "bomb": (lambda: whole(BOMB, JSON, "Content-Encoding: gzip"), "shadow_opaque"),
    "huge": (huge, "shadow_truncated"),
    "drip": (drip, "shadow_timeout"),
    "no http": (lambda: iter([b"\x00\xff garbage\r\n\r\n"]), "shadow_truncated"),
    "head": (endless_head, "shadow_truncated"),
}


@asynccontextmanager
async def garbage_store() -> AsyncIterator[str]:
    """Answers `/products/?id=NAME` with that garbage, anything else with `GOOD`."""

    serving: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving[asyncio.current_task()] = writer
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while line := (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0].decode():
                name = line.partition("id=")[2].partition(" ")[0].replace("%20", " ")
                say = GARBAGE[name][0] if name in GARBAGE else lambda: whole(GOOD)
                for piece in say():
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.05 if name == "drip" else 0)
                if name in ("no http", "head"):
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task, writer in serving.items():
            writer.transport.abort()
            if task is not None:
                task.cancel()
        await asyncio.gather(*filter(None, serving), return_exceptions=True)
        await asyncio.gather(
            *(writer.wait_closed() for writer in serving.values()), return_exceptions=True
        )
        await server.wait_closed()


def memory_bytes(pid: int) -> int:
    """What the process ever held at once."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def until(
    read: Callable[[], Awaitable[DomainEvidence]], holds: Callable[[DomainEvidence], bool]
) -> DomainEvidence:
    deadline = time.monotonic() + 30
    while True:
        found = await read()
        if holds(found):
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)


async def test_no_garbage_is_called_equal_and_none_of_it_stops_the_comparer(
    tmp_path: Path,
) -> None:
    headers = (("Content-Type", "application/json"),)
    live = {"nan": b'{"id": NaN}', "deep": b"[" * 5_000, "cut": b'{"id": "', "bytes": b"\xff\xfe{"}
    async with garbage_store() as core:
        config = routing(tmp_path / "routing.yaml", "http://127.0.0.1:1", core)
        config.write_text(config.read_text().replace("noise: 5%", "noise: 0%"))
        database = f"sqlite+aiosqlite:///{tmp_path}/evidence.sqlite3"
        worker = Worker(tmp_path / "spool", "20261122T000000-1-aaaaaa")

        def mirror(item: str, body: bytes = GOOD) -> None:
            now_s = time.time()  # noqa: TID251 - captured now
            target = f"/products/?id={item}".replace(" ", "%20")
            worker.mirror(at_s=now_s, target=target, body=body, headers=headers)

        async def read() -> DomainEvidence:
            async with open_evidence(database) as evidence:
                return await evidence.domain(load_routing(config).domain("catalog"))

        places = ("--config", config, "--spool", tmp_path / "spool", "--database", database)
        env = {"BANYAN_SHADOW_TIMEOUT_S": "2", "BANYAN_LOG_LEVEL": "INFO"}
        log = tmp_path / "comparer.log"
        with spawn_process(banyan("compare", *places), log=log, env=env) as process:
            mirror("good")
            await until(read, lambda found: found.accounting.compared == 1)
            before = memory_bytes(process.pid)
            for name in GARBAGE:
                mirror(name)
            for name, body in live.items():
                mirror(f"live-{name}", body)
            count = 1 + len(GARBAGE) + len(live)
            await until(read, lambda found: found.accounting.pending == 0)
            # The breaker may have closed meanwhile: good frames come until one is compared.
            for item in range(200):
                mirror(f"good-{item}")
                found = await read()
                if found.overall.matched > 1:
                    break
                await asyncio.sleep(0.1)
            found = await read()
            grown = memory_bytes(process.pid) - before
            alive = process.poll() is None
        worker.close()

    sys.stderr.write(f"{found}\n{log.read_text()}")
    assert alive
    assert found.overall.matched > 1
    assert found.overall.broken == 0
    losses = dict(found.accounting.losses)
    for _, loss in GARBAGE.values():
        if loss is not None:
            assert losses.get(loss, 0) >= 1
    assert found.overall.mismatched == 0
    assert found.overall.incomparable >= 4
    assert found.accounting.mirrored >= count
    assert grown < 120 * 1024 * 1024
