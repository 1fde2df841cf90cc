"""The access log: a JSON line for each exchange, written behind the shopper's back."""

from __future__ import annotations

import logging
import os
import stat
import time
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from urllib.parse import quote_from_bytes

import msgspec

from proxy.core.shapes import without_shapes
from proxy.edge.observer import ExchangeFacts

log = logging.getLogger(__name__)

_FILE_BATCH_BYTES = 256 * 1024
# A pipe takes this much whole; more may be torn by the lines of another worker.
_PIPE_BATCH_BYTES = 4_096
_STDOUT = 1
_VISIBLE = "".join(map(chr, range(33, 127)))


class Addresses(StrEnum):
    """How much of a client's address is kept: its network, all, or nothing."""

    MASKED = "masked"
    FULL = "full"
    NONE = "none"


class _Line(msgspec.Struct, omit_defaults=True):
    at: str
    request_id: str
    method: str
    path: str
    status: int
    bytes_in: int
    bytes_out: int
    elapsed_ms: float
    ended: str
    domain: str | None = None
    route: str | None = None
    side: str | None = None
    stage: str | None = None
    upstream_ms: float | None = None
    held_ms: float | None = None
    bucket: int | None = None
    retry: bool = False
    fallback: bool = False
    client: str | None = None
    trace_id: str | None = None


class AccessLog:
    """Writes batches of lines to a file or to standard output. Belongs to one thread.

    A file that was moved away (logrotate) is noticed by its number and made anew.
    """

    def __init__(self, target: str, addresses: Addresses) -> None:
        """Take a path, or "-" for standard output. Nothing is opened yet."""
        self._path = None if target == "-" else Path(target)
        self._addresses = addresses
        self._fd: int | None = None
        self._second = -1
        self._prefix = ""
        self._is_torn = False
        self._is_failing = False

    def take(self, batch: list[ExchangeFacts]) -> str | None:
        """Write a batch; None, or why it was lost."""
        data = b"".join(self.line(facts) for facts in batch)
        try:
            fd, size = self._open()
            for piece in _pieces(data, size):
                self._write(fd, piece)
        except OSError as exc:
            if not self._is_failing:
                log.error("the access log cannot be written: %s", exc)  # noqa: TRY400
            self._is_failing = True
            return "write_error"
        self._is_failing = False
        return None

    def line(self, facts: ExchangeFacts) -> bytes:
        """The line of one exchange, with its end."""
        decision, trace = facts.decision, facts.trace
        line = _Line(
            at=self._at(facts.began_ns),
            request_id=without_shapes(facts.request_id.encode()).decode(),
            method=facts.method,
            # Queries carry names, searches and tokens; they are not kept.
            path=_path(facts.target),
            status=facts.status,
            bytes_in=facts.bytes_in,
            bytes_out=facts.bytes_out,
            elapsed_ms=facts.elapsed_us / 1_000,
            ended=facts.ended,
            upstream_ms=facts.upstream_us / 1_000 if facts.upstream_us >= 0 else None,
            held_ms=facts.held_us / 1_000 or None,
            retry=facts.is_retried,
            fallback=facts.is_fallback,
            client=_shown(facts.peer, self._addresses),
            trace_id=None if trace is None else f"{trace.span.trace_id:032x}",
        )
        if decision is not None:
            line.domain, line.route = decision.domain, decision.route
            line.side, line.stage = str(decision.side), str(decision.stage)
            line.bucket = decision.bucket
        return msgspec.json.encode(line) + b"\n"

    def _at(self, began_ns: int) -> str:
        second, rest_ns = divmod(began_ns, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{rest_ns // 1_000_000:03}Z"

    def _open(self) -> tuple[int, int]:
        """The descriptor to write to, and how much it takes in one piece."""
        if self._path is None:
            is_file = stat.S_ISREG(os.fstat(_STDOUT).st_mode)
            return _STDOUT, _FILE_BATCH_BYTES if is_file else _PIPE_BATCH_BYTES
        if self._fd is not None and not self._is_in_place(self._fd, self._path):
            os.close(self._fd)
            self._fd, self._is_torn = None, False
        if self._fd is None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        return self._fd, _FILE_BATCH_BYTES

    @staticmethod
    def _is_in_place(fd: int, path: Path) -> bool:
        try:
            there = path.stat()
        except FileNotFoundError:
            return False
        here = os.fstat(fd)
        return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)

    def _write(self, fd: int, data: bytes) -> None:
        # 1. the disk takes half a line and is full, 2. there is room again: without an
        # end of the half line first, the next would be lost with it.
        if self._is_torn:
            data = b"\n" + data
        view = memoryview(data)
        while view:
            written = os.write(fd, view)
            view = view[written:]
            self._is_torn = bool(view)


def _pieces(data: bytes, size: int) -> list[bytes]:
    """Cut at ends of lines, into pieces of at most `size` bytes where lines allow."""
    pieces = []
    start = 0
    while len(data) - start > size:
        end = data.rfind(b"\n", start, start + size) + 1 or data.index(b"\n", start) + 1
        pieces.append(data[start:end])
        start = end
    return [*pieces, data[start:]] if start < len(data) else pieces


def _path(target: bytes) -> str:
    path = without_shapes(target.partition(b"?")[0])
    if path.isascii():
        return path.decode("ascii")
    # Raw bytes would be taken for ends of lines by some readers, and for nothing by others.
    return quote_from_bytes(path, safe=_VISIBLE)


@lru_cache(4_096)
def _shown(peer: bytes, addresses: Addresses) -> str | None:
    text = peer.decode("latin-1")
    if addresses is Addresses.FULL:
        return text
    if addresses is Addresses.NONE:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    bits = 24 if isinstance(address, IPv4Address) else 48
    return str(ip_network(f"{address}/{bits}", strict=False).network_address)
