"""The proxy's spool as a source of frames."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from proxy.core.frame import Frame
from proxy.storage import DROPPED, MIRRORED, Position, SpoolReader, split_name
from shadow_compare.core.batch import Batch, Checkpoint
from shadow_compare.ports import RunState

log = logging.getLogger(__name__)


class SpoolSource:
    """Implements ports.FrameSource; disk work is done in threads, one at a time.

    Raises:
        SpoolBusy: another comparer reads this spool.
    """

    removed = "spool_removed"

    def __init__(self, directory: Path, checkpoints: Mapping[str, Checkpoint]) -> None:
        self._reader = SpoolReader(directory, _positions(checkpoints))
        self._damaged = 0

    async def read(self, max_frames: int) -> Sequence[tuple[Checkpoint, Frame]]:
        return await asyncio.to_thread(self._read, max_frames)

    async def runs(self) -> Mapping[str, RunState]:
        return await asyncio.to_thread(self._runs)

    async def release(self, batch: Batch) -> None:
        await asyncio.to_thread(self._reader.release, _positions(batch.checkpoints))

    async def forget(self, run: str) -> None:
        await asyncio.to_thread(self._reader.forget, run)

    async def close(self) -> None:
        self._reader.close()

    def _read(self, max_frames: int) -> Sequence[tuple[Checkpoint, Frame]]:
        frames = self._reader.read(max_frames)
        if self._reader.corrupt_records > self._damaged:
            self._damaged = self._reader.corrupt_records
            log.warning("%d frames were damaged on disk so far and are lost", self._damaged)
        return [
            (Checkpoint(position.segment, position.offset), frame) for position, frame in frames
        ]

    def _runs(self) -> Mapping[str, RunState]:
        return {
            run: RunState(account.alive, _counted(account.counters))
            for run, account in self._reader.accounts().items()
        }


def _positions(checkpoints: Mapping[str, Checkpoint]) -> dict[str, Position]:
    return {run: Position(*checkpoint) for run, checkpoint in checkpoints.items()}


def _counted(counters: Mapping[str, int]) -> dict[str, int]:
    """The counters of the books; a worker has many more."""
    return {
        name: count
        for name, count in counters.items()
        if split_name(name)[0] in (MIRRORED, DROPPED)
    }
