"""Look at captures as they come, beside the comparer that owns them. Takes nothing away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cutover.core.load_traffic import Recorded
from proxy.core.frame import Frame
from proxy.core.marks import PURGED
from proxy.storage.runs import runs
from proxy.storage.segments import START, Position, frames

#: Of one recording; a busy shop reaches it in minutes, and more would say nothing new.
MOST_REQUESTS = 200_000
_CHUNK_BYTES = 1024 * 1024
_LOOK_S = 0.25


@dataclass(slots=True)
class Recorder:
    """Reads the frames of a domain out of a spool.

    Attributes:
        found: its requests so far.
        missed: frames of any domain that were taken away before they were seen.
    """

    spool: Path
    domain: str
    found: list[Recorded] = field(default_factory=list)
    missed: int = 0
    _at: dict[str, Position] = field(default_factory=dict)
    _seq: dict[str, int] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether it has all that it takes."""
        return len(self.found) >= MOST_REQUESTS

    def skip(self) -> None:
        """Pass over what is there now."""
        for _ in self._frames():
            pass
        self.found.clear()
        self.missed = 0

    def look(self) -> None:
        """Take what came since the last look."""
        for frame in self._frames():
            if frame.domain == self.domain and frame.redaction != PURGED:
                self.found.append(_recorded(frame))
            if self.is_full:
                return

    def _frames(self) -> Iterator[Frame]:
        for run in runs(self.spool):
            for position, frame in frames(run, self._at.get(run.name, START), _CHUNK_BYTES):
                self._at[run.name] = position
                if frame is None:
                    continue
                # What the comparer took away before this run was first seen counts for nothing.
                last = self._seq.get(run.name, frame.seq - 1)
                self.missed += max(frame.seq - last - 1, 0)
                self._seq[run.name] = frame.seq
                yield frame


def follow(
    recorder: Recorder,
    for_s: float,
    now_s: Callable[[], float],
    sleep: Callable[[float], None],
    tell: Callable[[float, int], None],
) -> float:
    """Record what comes within a span. Returns how long was recorded, in seconds.

    Ctrl-C ends it early, and what was recorded is kept.
    """
    recorder.skip()
    began_s = now_s()
    try:
        while not recorder.is_full and (passed_s := now_s() - began_s) < for_s:
            sleep(min(_LOOK_S, for_s - passed_s))
            recorder.look()
            tell(now_s() - began_s, len(recorder.found))
    except KeyboardInterrupt:
        recorder.look()
    return now_s() - began_s


def _recorded(frame: Frame) -> Recorded:
    return Recorded(
        at_us=frame.at_us,
        elapsed_us=frame.elapsed_us,
        method=frame.method,
        route=frame.route,
        target=frame.target,
        status=frame.status,
        shopper=frame.shopper,
    )
