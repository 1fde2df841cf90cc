"""A spool and the other side, in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from proxy.core.frame import Frame
from proxy.routing import Side
from shadow_compare.core.answer import Answer
from shadow_compare.core.batch import Batch, Checkpoint, Judged
from shadow_compare.errors import AskError
from shadow_compare.ports import RunState


@dataclass
class FakeRun:
    """A worker's life: its frames, of which `released` are deleted, and its counters."""

    frames: list[Frame] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    alive: bool = True
    released: int = 0

    def count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1


@dataclass
class FakeSpool:
    """Runs by name. What a reader has read it keeps to itself, in `FakeSource`."""

    runs: dict[str, FakeRun] = field(default_factory=dict)


class FakeSource:
    """Implements ports.FrameSource: a checkpoint's offset counts frames."""

    removed = "spool_removed"

    def __init__(self, spool: FakeSpool, checkpoints: Mapping[str, Checkpoint]) -> None:
        self._spool = spool
        self._at = {run: checkpoint.offset for run, checkpoint in checkpoints.items()}
        self.closed = False

    async def read(self, max_frames: int) -> Sequence[tuple[Checkpoint, Frame]]:
        out: list[tuple[Checkpoint, Frame]] = []
        names = sorted(self._spool.runs)
        for turn, name in enumerate(names):
            run = self._spool.runs[name]
            at = max(self._at.get(name, 0), run.released)
            # Every run has its share, so that none waits for another to be read out.
            share = -(-(max_frames - len(out)) // (len(names) - turn))
            for frame in run.frames[at : at + share]:
                at += 1
                out.append((Checkpoint(1, at), frame))
            self._at[name] = at
        return out

    async def runs(self) -> Mapping[str, RunState]:
        return {
            name: RunState(run.alive, dict(run.counters)) for name, run in self._spool.runs.items()
        }

    async def release(self, batch: Batch) -> None:
        for name, checkpoint in batch.checkpoints.items():
            if name in self._spool.runs:
                self._spool.runs[name].released = checkpoint.offset

    async def forget(self, run: str) -> None:
        self._spool.runs.pop(run, None)

    async def close(self) -> None:
        self.closed = True


@dataclass
class FakeAsker:
    """Implements ports.Asker with an answer that is computed from the frame."""

    answer: Callable[[Side, Frame], Answer]
    asked: list[tuple[Side, Frame]] = field(default_factory=list)
    dry_runs: int = 0

    async def ask(self, side: Side, frame: Frame, *, dry_run: bool = False) -> Answer:
        self.dry_runs += dry_run
        self.asked.append((side, frame))
        return self.answer(side, frame)


def same_answer(_side: Side, frame: Frame) -> Answer:
    """What the live side said."""
    return Answer(frame.status, frame.headers, frame.body, 1_000)


def no_answer(_side: Side, _frame: Frame) -> Answer:
    """Nothing."""
    raise AskError("shadow_unreachable", "down")


@dataclass
class FakeClock:
    """Time that moves when told to, or when someone sleeps."""

    time_s: float

    def now_s(self) -> float:
        return self.time_s

    def tick_s(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> Awaitable[None]:
        self.time_s += seconds
        return _at_once()


async def _at_once() -> None:
    return


@dataclass
class FakeMeter:
    """Implements the comparer's Meter."""

    frames: list[Judged] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)

    def ended(self, frames: Sequence[Judged]) -> None:
        self.frames.extend(frames)

    def lag(self, seconds: float) -> None:
        self.lags.append(seconds)
