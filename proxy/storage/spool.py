"""The spool as its one reader sees it.

with SpoolReader(directory) as reader:
    for position, frame in reader.read(500):
        ...
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from proxy.core.frame import Frame
from proxy.errors import SpoolBusy
from proxy.storage.account import (
    SPOOLED,
    Account,
    AccountError,
    RunAccount,
    counter_name,
    read_account,
    split_name,
)
from proxy.storage.lag import publish
from proxy.storage.runs import (
    ACCOUNT,
    is_alive,
    read_accounts,
    remove_run,
    runs,
    segment_path,
    segments,
)
from proxy.storage.segments import START, Position, frames

MIB = 1024 * 1024
_READER_LOCK = "reader.lock"
_READ_BYTES = MIB
_MOST_BYTES = 64 * MIB


class SpoolReader:
    """The one reader of a spool directory. Not thread-safe.

    The reader keeps its positions itself, in the same transaction as what it made of the
    frames, and passes them in when it starts. Until then frames are only looked at:
    nothing is deleted but by `release` and `forget`.
    """

    def __init__(self, directory: Path, positions: Mapping[str, Position] | None = None) -> None:
        """Take the spool.

        Args:
            directory: made when it is not there yet.
            positions: per run, where to read on; runs that are not named start at their
                beginning.

        Raises:
            SpoolBusy: another reader holds it.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._at: dict[str, Position] = dict(positions or {})
        self._done: dict[str, Position] = dict(positions or {})
        self._settled: set[str] = set()
        self._turn = 0
        self.corrupt_records = 0
        self._lock = os.open(directory / _READER_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(self._lock)
            raise SpoolBusy(f"another reader holds {directory}") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let another reader have the spool."""
        os.close(self._lock)

    def read(self, max_frames: int = 1_000) -> list[tuple[Position, Frame]]:
        """Return the next frames, in order per run, runs taking turns; [] when there are none.

        Each frame comes with the position behind it: store that one when the frame is
        done with. Damaged records are passed over and counted in `corrupt_records`; a
        torn end of a dead run is passed over (its frame was never counted as spooled).
        Large bodies make it fewer than `max_frames`, but at least one of every run that
        has any, unless `max_frames` are there before.
        """
        found = runs(self._directory)
        out: list[tuple[Position, Frame]] = []
        for turn in range(len(found)):
            if len(out) >= max_frames:
                break
            run = found[(self._turn + turn) % len(found)]
            share = -(-(max_frames - len(out)) // (len(found) - turn))
            out += self._read_run(run, share, _MOST_BYTES // len(found))
        self._turn += 1
        return out

    def release(self, positions: Mapping[str, Position]) -> None:
        """Delete the segments that lie wholly before these (committed) positions, and tell
        those who watch how far reading has come.
        """
        for name, position in positions.items():
            run = self._directory / name
            for number in segments(run):
                if number < position.segment:
                    segment_path(run, number).unlink(missing_ok=True)
        self._done |= positions
        publish(self._directory, self._done)

    def accounts(self) -> Mapping[str, RunAccount]:
        """Every run's counters; those of dead runs are final and exact.

        Of a dead run `pending` is what was lost with it. Frames that were damaged on
        disk count as spooled, though they are never read.
        """
        for run in runs(self._directory):
            if run.name not in self._settled and not is_alive(run):
                with contextlib.suppress(FileNotFoundError, AccountError):
                    _settle(run)
                self._settled.add(run.name)
        return read_accounts(self._directory)

    def finished(self, run: str, position: Position) -> bool:
        """Whether a run is dead and holds no frame behind `position`."""
        path = self._directory / run
        if is_alive(path):
            return False
        return not any(frames(path, position, MIB))

    def forget(self, run: str) -> bool:
        """Delete a dead run that has been read to its end.

        Returns:
            False when it was left alone: alive, gone, or not read to its end by this
            reader's positions.
        """
        if not self.finished(run, self._at.get(run, START)):
            return False
        self._at.pop(run, None)
        self._done.pop(run, None)
        self._settled.discard(run)
        with contextlib.suppress(FileNotFoundError):
            remove_run(self._directory / run)
            return True
        return False

    def _read_run(self, run: Path, max_frames: int, max_bytes: int) -> list[tuple[Position, Frame]]:
        if run.name not in self._settled and not is_alive(run):
            # Counts are put right before the first frame of a dead run can be released.
            self.accounts()
        out: list[tuple[Position, Frame]] = []
        size_bytes = 0
        for position, frame in frames(run, self._at.get(run.name, START), _READ_BYTES):
            self._at[run.name] = position
            if frame is None:
                self.corrupt_records += 1
                continue
            out.append((position, frame))
            size_bytes += len(frame.body) + len(frame.request_body)
            if len(out) == max_frames or size_bytes >= max_bytes:
                break
        return out


def _settle(run: Path) -> None:
    """Count the frames that a killed worker had written but not come to count.

    Frames are counted in the order of seq, so the sum of the counts is the seq of the
    last one counted. The worker counts after each append to one segment, so what is
    missing lies in the last segment. Killed in here, the next reader goes on.
    """
    numbers = segments(run)
    account = Account.open(run / ACCOUNT)
    try:
        names = read_account(run / ACCOUNT)[0]
        counted = sum(n for name, n in names.items() if split_name(name)[0] == SPOOLED)
        for _, frame in frames(run, Position(numbers[-1], 0) if numbers else START, MIB):
            if frame is not None and frame.seq > counted:
                account.add(counter_name(SPOOLED, frame.domain, frame.route))
    finally:
        account.close()
