"""A bus in memory, as the one who fills it sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proxy.core.frame import Frame
from shadow_compare.core.note import Note
from shadow_compare.errors import BusUnavailable


@dataclass
class FakeSink:
    """Implements ports.FrameSink.

    Attributes:
        largest: bytes of a body that it takes.
        away: that many calls fail before one succeeds.
        stored: frames in the order in which they came first.
        sent: how often frames came, repeated ones too.
    """

    largest: int = 1_000
    away: int = 0
    stored: dict[tuple[str, int], Frame] = field(default_factory=dict)
    sent: int = 0
    told: dict[str, Note] = field(default_factory=dict)

    async def notes(self) -> Mapping[str, Note]:
        return dict(self.told)

    async def send(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        self._answer()
        self.sent += len(frames)
        taken = [frame for frame in frames if len(frame.body) <= self.largest]
        for frame in taken:
            self.stored.setdefault((frame.run, frame.seq), frame)
        return [frame for frame in frames if frame not in taken]

    async def tell(self, run: str, note: Note) -> None:
        self._answer()
        self.told[run] = note

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise BusUnavailable("out of order for a moment")


@dataclass
class FakeShipMeter:
    """Implements the shipper's ShipMeter."""

    frames: int = 0
    refused: int = 0
    problems: list[str] = field(default_factory=list)

    def sent(self, frames: int, refused: int) -> None:
        self.frames += frames
        self.refused += refused

    def lag(self, seconds: float) -> None:
        return

    def trouble(self, problem: str | None) -> None:
        if problem is not None:
            self.problems.append(problem)
