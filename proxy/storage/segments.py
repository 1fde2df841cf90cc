"""Where the frames of a run lie, and reading them from a place on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proxy.core.frame import Frame
from proxy.storage.records import decode, wanted_bytes
from proxy.storage.runs import segment_path, segments


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a run is to be read on: a segment's number and a byte offset in it."""

    segment: int
    offset: int


START = Position(1, 0)


def frames(run: Path, after: Position, chunk_bytes: int) -> Iterator[tuple[Position, Frame | None]]:
    """Every record behind `after` that is whole now; None for a damaged one."""
    # 1. the last segment is read to its end, 2. the worker appends to it and begins the
    # next, 3. the next is seen and read: what was appended in 2 would be skipped. So the
    # segments are listed before any is read; what comes later is found by the next call.
    for number in segments(run):
        if number < after.segment:
            continue
        offset = after.offset if number == after.segment else 0
        try:
            fd = os.open(segment_path(run, number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            for end, frame in _records(fd, offset, chunk_bytes):
                yield Position(number, end), frame
        finally:
            os.close(fd)


def _records(fd: int, offset: int, chunk_bytes: int) -> Iterator[tuple[int, Frame | None]]:
    size = chunk_bytes
    while data := os.pread(fd, size, offset):
        done = 0
        for done, frame in decode(data):
            yield offset + done, frame
        offset += done
        wanted = wanted_bytes(data, done)
        if done == 0 and (wanted is None or wanted <= len(data) or len(data) < size):
            return
        size = max(chunk_bytes, wanted or 0)
