"""The spool as a worker writes it.

writer = SpoolWriter(directory, "20261122T012000-4711-a1b2c3")
writer.write([frame])
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from proxy.core.frame import Frame
from proxy.storage.account import DROPPED, SPOOLED, counter_name
from proxy.storage.records import HEAD_BYTES, checksum, payload_of, stamp
from proxy.storage.room import SpoolRoom
from proxy.storage.runs import ALIVE, begin_run, segment_path

MIB = 1024 * 1024
_BUSY_S = 0.002
_BUSY_TRIES = 500


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Sizes in bytes. The total is over all segments of all runs and is never passed."""

    segment_bytes: int = 8 * MIB
    total_bytes: int = 1024 * MIB


class Packed(NamedTuple):
    """A frame on its way to the disk.

    Attributes:
        payload: what `records.pack` made, without its seq.
        checksum: of the payload.
        slot: index of its spooled counter in the account.
    """

    payload: bytes
    checksum: int
    slot: int


@dataclass(frozen=True)
class Written:
    """How far an append came.

    Attributes:
        count: how many frames were written and counted as spooled.
        reason: why the rest was not: spool_full; spool_error when the disk refused;
            "" when there is no rest, or another worker is writing: try again.
    """

    count: int
    reason: str = ""


class SpoolWriter:
    """Appends one run's frames. `append`, `write` and `close` belong to one thread.

    Attributes:
        account: this run's counters.
        next_seq: what the next frame's `seq` will be.
    """

    def __init__(self, directory: Path, run: str, limits: SpoolLimits | None = None) -> None:
        """Begin a run.

        Raises:
            OSError: the directory cannot be written.
        """
        self.next_seq = 1
        self._run = directory / run
        self._limits = limits or SpoolLimits()
        self._lock, self.account = begin_run(directory, run)
        self._room = SpoolRoom(directory, self._limits.total_bytes)
        self._segment = 0
        self._fd: int | None = None
        self._offset = 0

    def write(self, frames: Sequence[Frame]) -> int:
        """Append frames whose `seq` run on from `next_seq`; never raises for a full disk.

        Returns:
            How many were written. The rest, from the first that found no room, was
            dropped and counted: spool_full, or spool_error when the disk refused.
        """
        packed = [self._packed(frame) for frame in frames]
        written, reason, tries = 0, "", 0
        while written < len(frames) and not reason:
            done = self.append(packed[written:])
            written, reason = written + done.count, done.reason
            if not done.count and not reason:  # another worker is writing
                tries += 1
                reason = "spool_error" if tries == _BUSY_TRIES else ""
                time.sleep(_BUSY_S)
        for frame in frames[written:]:
            self.account.add(counter_name(DROPPED, frame.domain, frame.route, reason))
        return written

    def append(self, frames: Sequence[Packed]) -> Written:
        """Give packed frames their seq and append them, as many as there is room for."""
        written, reason = 0, ""
        with self._room.held() as is_mine:
            while is_mine and written < len(frames) and not reason:
                batch, count = self._batch(frames, written)
                reason = self._append(batch) if count else "spool_full"
                if not reason:
                    self._count(frames[written : written + count])
                    written += count
        return Written(written, reason)

    def is_lost(self) -> bool:
        """Whether somebody took the run's folder away: nobody will read what is written."""
        try:
            there = os.stat(self._run / ALIVE)  # noqa: PTH116 - compared with fstat
        except OSError:
            return True
        mine = os.fstat(self._lock)
        return (there.st_ino, there.st_dev) != (mine.st_ino, mine.st_dev)

    def close(self) -> None:
        """End the run: its lock is free, a reader may finish it."""
        self._end_segment()
        self._room.close()
        self.account.close()
        os.close(self._lock)

    def _packed(self, frame: Frame) -> Packed:
        payload = payload_of(frame)
        slot = self.account.slot(counter_name(SPOOLED, frame.domain, frame.route))
        return Packed(payload, checksum(payload), slot)

    def _batch(self, frames: Sequence[Packed], first: int) -> tuple[list[bytes], int]:
        """As many records as fit into the current segment and the total; at least one when
        there is any room, because a segment may grow past its size by one frame.
        """
        room = self._room.left()
        if self._offset >= self._limits.segment_bytes:
            self._end_segment()
        until = self._limits.segment_bytes - self._offset
        seq, size = self.next_seq, 0
        batch: list[bytes] = []
        for at in range(first, len(frames)):
            payload, check, _ = frames[at]
            size += HEAD_BYTES + len(payload)
            if size > room:
                break
            batch.append(stamp(len(payload), check, seq))
            batch.append(payload)
            seq += 1
            if size >= until:
                break
        return batch, seq - self.next_seq

    def _append(self, batch: list[bytes]) -> str:
        """Write whole records or none. Returns why not."""
        data = b"".join(batch)
        self._room.take(len(data))
        try:
            fd = self._open_segment()
            done = os.write(fd, data)
            if done == len(data):
                self._offset += done
                return ""
            # A short write is a disk about to be full; what was half written is cut off.
            os.ftruncate(fd, self._offset)
            reason = "spool_full"
        except OSError as exc:
            reason = "spool_full" if exc.errno in (errno.ENOSPC, errno.EDQUOT) else "spool_error"
            self._end_segment()
        self._room.take(-len(data))
        return reason

    def _open_segment(self) -> int:
        if self._fd is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            # A number is never tried twice: one that is in the way must not stop all.
            self._segment += 1
            self._fd = os.open(segment_path(self._run, self._segment), flags, 0o600)
            self._offset = 0
        return self._fd

    def _end_segment(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self._offset = 0

    def _count(self, frames: Sequence[Packed]) -> None:
        # Counted after it was written, in the order of seq: whenever the process is
        # killed, the frames counted are exactly those up to some seq, and a reader can
        # count the rest (see SpoolReader).
        values = self.account.values
        for frame in frames:
            values[frame[2]] += 1
        self.next_seq += len(frames)
