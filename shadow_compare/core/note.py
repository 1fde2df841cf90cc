"""What travels beside the frames: how far a run was sent, and what the proxy counted.

The books must balance where no one can look into the proxy's spool, so each run's counters
go over the bus too, together with how many frames of each route were sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from proxy.core.frame import Frame
from shadow_compare.core.batch import Checkpoint, Passed
from shadow_compare.core.ledger import SENT, Kind

TOO_LARGE = "bus_too_large"


@dataclass(frozen=True, slots=True)
class Note:
    """One run, as its shipper last told of it.

    Attributes:
        segment, offset: the checkpoint in the spool behind the last frame sent.
        seq: every frame up to this one was stored by the bus, or is counted in `refused`.
        sent: counters named `sent|DOMAIN|ROUTE`, over the run's life.
        refused: counters named `dropped|DOMAIN|ROUTE|bus_too_large`, likewise.
        counters: the proxy's own.
        complete: the worker is gone and nothing more will be sent.
        ends: the loss that frames which were never sent are booked under when complete.
    """

    segment: int = 1
    offset: int = 0
    seq: int = 0
    sent: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    complete: bool = False
    ends: str = "crash"

    @property
    def checkpoint(self) -> Checkpoint:
        """Where to read on."""
        return Checkpoint(self.segment, self.offset)

    @property
    def passed(self) -> Passed:
        """What has left the bus once no frame up to `seq` is on it."""
        return Passed(self.seq, self.sent)

    @property
    def account(self) -> dict[str, int]:
        """The counters for the books: what was too large counts as dropped."""
        return _sum(self.counters, self.refused)

    def after(
        self, checkpoint: Checkpoint, sent: Iterable[Frame], refused: Iterable[Frame]
    ) -> Note:
        """The note when these frames, the next of the run, were sent or refused."""
        sent, refused = tuple(sent), tuple(refused)
        return replace(
            self,
            segment=checkpoint.segment,
            offset=checkpoint.offset,
            seq=max([self.seq, *(frame.seq for frame in (*sent, *refused))]),
            sent=_sum(self.sent, Counter(_name(SENT, frame) for frame in sent)),
            refused=_sum(
                self.refused, Counter(_name(Kind.DROPPED, frame, TOO_LARGE) for frame in refused)
            ),
        )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _name(kind: str, frame: Frame, *more: str) -> str:
    """A counter as the proxy names its own: a `|` within a label is written %7C."""
    return "|".join((kind, *(s.replace("|", "%7C") for s in (frame.domain, frame.route, *more))))
