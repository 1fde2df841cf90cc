"""The summary of a run, as a file that can be read at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from loadtests.floor import Floor

Summary = dict[str, object]


class Report:
    """Builds the summary and keeps the file up to date.

    Attributes:
        clock: wall clock, seconds since the epoch.
    """

    def __init__(self, floor: Floor, path: Path | None, clock: Callable[[], float]) -> None:
        self._floor = floor
        self._path = path
        self._clock = clock
        self._started_at = clock()

    def write(self, *, final: bool) -> Summary:
        """Write the summary of this moment; a reader never sees half a file."""
        now = self._clock()
        duration_s = max(now - self._started_at, 0.001)
        summary = {
            "final": final,
            "started_at": self._started_at,
            "at": now,
            "duration_s": round(duration_s, 3),
            "requests_per_s": round(self._floor.tally.requests / duration_s, 1),
            **self._floor.as_json(),
        }
        if self._path is not None:
            draft = self._path.with_name(f".{self._path.name}.draft")
            draft.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
            os.replace(draft, self._path)  # noqa: PTH105 - one atomic step, said plainly
        return summary

    def progress_line(self) -> str:
        """How it goes, for people."""
        tally = self._floor.tally
        elapsed_s = max(self._clock() - self._started_at, 0.001)
        median_ms = tally.total.times.quantile_ms(0.5) or 0.0
        return (
            f"{elapsed_s:6.0f} s  {tally.requests} requests  "
            f"{tally.requests / elapsed_s:.0f}/s  {tally.failures} failed  "
            f"p50 {median_ms:.0f} ms  {self._floor.sides.changes} side changes"
        )
