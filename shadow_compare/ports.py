"""What the services of this package need from the outside, as they see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy.core.frame import Frame
from proxy.routing.model import Domain, Side
from shadow_compare.core.answer import Answer
from shadow_compare.core.batch import Batch, Checkpoint
from shadow_compare.core.evidence import (
    DomainEvidence,
    Example,
    Latency,
    MismatchGroup,
    TrendPoint,
)


class EvidenceReader(Protocol):
    """Reads the evidence. Gates, pages and the command line see only this.

    Every method answers from committed data. Raises EvidenceUnavailable when the store
    does not answer; safe to try again.
    """

    async def domain(self, domain: Domain) -> DomainEvidence:
        """Evidence of the epoch that this domain's rules and releases are in."""
        ...

    async def groups(
        self, domain: str | None = None, *, current_only: bool = True, limit: int = 50
    ) -> Sequence[MismatchGroup]:
        """Groups by count, greatest first."""
        ...

    async def group(self, fingerprint: str) -> tuple[MismatchGroup, Sequence[Example]] | None:
        """One group (any unambiguous prefix will do) with its examples, newest first."""
        ...

    async def trend(self, domain: str, *, points: int = 60) -> Sequence[TrendPoint]:
        """The latest intervals in which something was compared, oldest first."""
        ...

    async def latency(self, domain: str) -> Sequence[Latency]:
        """Answer times per side and role over the last hour with data."""
        ...


class EvidenceWriter(Protocol):
    """Stores what the comparer finds. One comparer per spool uses it, one task at a time."""

    async def checkpoints(self) -> Mapping[str, Checkpoint]:
        """How far each run was read, closed runs included.

        Raises:
            EvidenceUnavailable: safe to try again.
        """
        ...

    async def commit(self, batch: Batch) -> None:
        """Store all of the batch, or nothing of it.

        Raises:
            EvidenceUnavailable: nothing was stored; the same batch may be tried again.
        """
        ...


@dataclass(frozen=True, slots=True)
class RunState:
    """One worker's life. `counters` are the proxy's own, by name."""

    alive: bool
    counters: Mapping[str, int]


class FrameSource(Protocol):
    """Captured exchanges, read by one comparer at a time. Calls block but never wait."""

    def read(self, max_frames: int) -> Sequence[tuple[Checkpoint, Frame]]:
        """The next frames, in order within each run, each with the place behind it.

        When there are fewer than asked for, every run that is not among them is read to
        its present end.
        """
        ...

    def runs(self) -> Mapping[str, RunState]:
        """Every run the spool holds, with its counters as they are now."""
        ...

    def release(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        """Everything before these places is stored for good and may be deleted."""
        ...

    def forget(self, run: str) -> None:
        """Remove what is left of a dead run that was read to its end; or leave it."""
        ...

    def close(self) -> None:
        """Let another comparer read."""
        ...


class Asker(Protocol):
    """Asks a store what it would have answered."""

    async def ask(self, side: Side, frame: Frame) -> Answer:
        """Send the frame's request to `side`, marked as a shadow.

        Raises:
            AskError: there is no answer to compare; it says what to book the loss under.
        """
        ...
