"""One writer at a time, over all processes of this machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class FileTurn:
    """Implements ports.Turn with a lock that the kernel frees when its holder dies.

    Attributes:
        now_s: a monotonic clock.
    """

    path: Path
    now_s: Callable[[], float]
    sleep: Callable[[float], None]

    @contextmanager
    def take(self, *, wait_s: float) -> Iterator[bool]:
        handle = self._open()
        if handle is None:
            # No lock file can be made (a full disk, say). Swaps still compare before
            # they replace, so the turn is a courtesy then, not a need.
            yield True
            return
        try:
            yield self._wait(handle, wait_s)
        finally:
            os.close(handle)

    def _open(self) -> int | None:
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return None

    def _wait(self, handle: int, wait_s: float) -> bool:
        give_up_s = self.now_s() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if self.now_s() >= give_up_s:
                    return False
                self.sleep(_POLL_S)
            else:
                return True
