"""How much room the spool has left, over all workers that write to it."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from pathlib import Path

from proxy.storage.runs import spool_bytes

_FILE = "room"
_BYTES = 16
_USED, _MEASURED_AT_NS = 0, 1
_MEASURE_EVERY_NS = 1_000_000_000


class SpoolRoom:
    """One number that all workers of a spool share: bytes in use. Belongs to one thread.

    Whoever writes holds the lock from asking to having written, so the bound is never
    passed. Once a second one of them measures anew:

    1. a worker takes room, 2. it is killed before it has written: the number is too high
    until the next measure, never too low. A reader that deletes segments makes it too high
    in the same way.
    """

    def __init__(self, directory: Path, total_bytes: int) -> None:
        """Raises:
        OSError: the directory cannot be written.
        """
        self._directory = directory
        self._total_bytes = total_bytes
        self._fd = os.open(directory / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(self._fd).st_size < _BYTES:
                os.ftruncate(self._fd, _BYTES)
            self._map = mmap.mmap(self._fd, _BYTES)
        except OSError:
            os.close(self._fd)
            raise
        self._words = memoryview(self._map).cast("q")

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the lock; yields False when another worker does."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def left(self) -> int:
        """Bytes that may be written now, by the holder of the lock."""
        now = time.monotonic_ns()
        words = self._words
        # The clock starts anew with the machine; the file does not.
        if not 0 <= now - words[_MEASURED_AT_NS] < _MEASURE_EVERY_NS:
            self.measure()
            words[_MEASURED_AT_NS] = now
        return self._total_bytes - words[_USED]

    def measure(self) -> None:
        """Look at the disk."""
        self._words[_USED] = spool_bytes(self._directory)

    def take(self, size_bytes: int) -> None:
        """Take room before it is written to; a negative size gives it back."""
        self._words[_USED] += size_bytes

    def close(self) -> None:
        """Leave the number to the others."""
        self._words.release()
        self._map.close()
        os.close(self._fd)
