"""Empty frames where they lie, without moving what stands behind them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from proxy.storage.records import HEAD_BYTES, checksum, emptied, payloads, stamp
from proxy.storage.runs import runs, segment_path, segments
from proxy.storage.spool import SpoolReader


def empty_frames(directory: Path, holds: Callable[[bytes], bool], *, dry_run: bool = False) -> int:
    """Overwrite every frame whose packed bytes `holds` says yes to; returns how many.

    The frame stays, with its number and its place, and without anything of the exchange:
    a worker may append behind it meanwhile, and who reads it counts it.

    1. a frame is half overwritten, 2. the machine fails: its checksum is wrong, so it is
    passed over as damaged and booked as lost with its run. What it held is gone either way.

    Raises:
        SpoolBusy: a reader holds the spool. It may have frames in its hands that could not
            be reached, and store them afterwards.
        OSError: a segment cannot be read or written.
    """
    if not directory.is_dir():
        return 0
    count = 0
    reader = SpoolReader(directory)
    try:
        for run in runs(directory):
            for number in segments(run):
                count += _empty_segment(segment_path(run, number), holds, dry_run=dry_run)
    finally:
        reader.close()
    return count


def _empty_segment(path: Path, holds: Callable[[bytes], bool], *, dry_run: bool) -> int:
    count = 0
    fd = os.open(path, (os.O_RDONLY if dry_run else os.O_RDWR) | os.O_CLOEXEC)
    try:
        for at, seq, payload in payloads(_content(fd)):
            if not holds(payload):
                continue
            count += 1
            if not dry_run:
                empty = emptied(payload)
                record = stamp(len(empty), checksum(empty), seq) + empty
                os.pwrite(fd, record, at - HEAD_BYTES)
        if count and not dry_run:
            os.fsync(fd)
    finally:
        os.close(fd)
    return count


def _content(fd: int) -> bytes:
    """The whole of a segment; its size is bounded by BANYAN_PROXY_SEGMENT_BYTES."""
    size = os.fstat(fd).st_size
    parts: list[bytes] = []
    at = 0
    while at < size and (part := os.pread(fd, size - at, at)):
        parts.append(part)
        at += len(part)
    return b"".join(parts)
