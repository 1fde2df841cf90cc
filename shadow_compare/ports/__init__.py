"""What the services of this package need from the outside, as they see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy.core.frame import Frame
from proxy.routing.model import Domain, Side
from shadow_compare.core.answer import Answer
from shadow_compare.core.batch import Batch, Checkpoint, Passed
from shadow_compare.core.drift import Drift
from shadow_compare.core.evidence import (
    Answered,
    DomainEvidence,
    DomainReading,
    Example,
    MismatchGroup,
)
from shadow_compare.core.groups import GroupQuery, GroupStory, Kept
from shadow_compare.core.life import Wish
from shadow_compare.core.note import Note
from shadow_compare.core.pairs import RecordedPair
from shadow_compare.core.rule_use import RuleUse


class EvidenceReader(Protocol):
    """Reads the evidence. Gates, pages and the command line see only this.

    Every method answers from committed data. Raises EvidenceUnavailable when the store
    does not answer; safe to try again.
    """

    async def domain(self, domain: Domain) -> DomainEvidence:
        """Evidence of the epoch that this domain's rules and releases are in."""
        ...

    async def readings(
        self, domains: Sequence[Domain], *, points: int, groups: int
    ) -> Mapping[str, DomainReading]:
        """What is to be shown of each of these domains, by name, all of one moment.

        Of 200 domains it asks the store no more often than of one. At most so many points
        of each one's trend and so many of its groups are given; 0 for none.
        """
        ...

    async def groups(
        self, domain: str | None = None, *, current_only: bool = True, limit: int = 50
    ) -> Sequence[MismatchGroup]:
        """Groups by count, greatest first."""
        ...

    async def group(self, fingerprint: str) -> tuple[MismatchGroup, Sequence[Example]] | None:
        """One group (any unambiguous prefix will do) with its examples, newest first."""
        ...

    async def find(self, query: GroupQuery) -> Sequence[MismatchGroup]:
        """The groups that a query wants, in its order."""
        ...

    async def story(self, fingerprint: str) -> GroupStory:
        """A group's journal and siblings, by its whole name; empty for an unknown one."""
        ...

    async def examples(
        self, domain: str | None, from_s: float, to_s: float, *, limit: int
    ) -> Sequence[Kept]:
        """Stored examples of a span of time, whatever the epoch, oldest first.

        Each exchange stands once; of more than `limit` the latest are given.
        """
        ...

    async def answered(self, domain: str) -> Sequence[Answered]:
        """Answers and errors per side and role over the last hour with data."""
        ...


class EvidenceWriter(Protocol):
    """Stores what the comparer finds. One task at a time; comparers of one bus share a store."""

    async def checkpoints(self) -> Mapping[str, Checkpoint]:
        """How far each run was read, closed runs included.

        Raises:
            EvidenceUnavailable: safe to try again.
        """
        ...

    async def commit(self, batch: Batch) -> Batch:
        """Store all of the batch, or nothing of it.

        Returns:
            What of it was new. A frame is counted once: when it was stored before, by this
            comparer or by another that was handed it too, it is missing here.

        Raises:
            EvidenceUnavailable: nothing was stored; the same batch may be tried again.
        """
        ...


class GroupKeeper(Protocol):
    """Moves mismatch groups for people. Safe to share between tasks of one event loop."""

    async def grant(self, fingerprint: str, wish: Wish) -> MismatchGroup:
        """Do what a person wants with a group (any unambiguous prefix names it).

        The move and its line in the journal are stored together. Returns the group after it.

        Raises:
            NoSuchGroup: no group, or more than one, is called so.
            WishRefused: the group's state does not allow it, or something is missing; says
                what to do instead.
            EvidenceUnavailable: nothing was stored; safe to try again.
        """
        ...


class ProofStore(Protocol):
    """What rules are proven by. Every method raises EvidenceUnavailable when the store does
    not answer, holds no evidence yet, or is of another release; safe to try again.
    """

    async def pairs(self, domain: str, *, limit: int = 1_000) -> Sequence[RecordedPair]:
        """Recorded pairs between the releases that are compared now, an equal share of
        each route and status class first.
        """
        ...

    async def uses(self, domain: str) -> Mapping[str, RuleUse]:
        """Id of each rule that was ever in force to its use."""
        ...

    async def drifts(self, domain: str) -> Sequence[Drift]:
        """What calibration saw between the releases that are compared now."""
        ...

    async def put_drifts(self, domain: str, drifts: Sequence[Drift], at_s: float) -> None:
        """Replace what was known of the routes and sides that these are about."""
        ...


@dataclass(frozen=True, slots=True)
class RunState:
    """One worker's life.

    Attributes:
        alive: more frames of it may come.
        counters: the proxy's own, by name.
        passed: what the bus has let go of, when the source is a bus.
        ends: the loss that frames which never came are booked under once it is not alive.
    """

    alive: bool
    counters: Mapping[str, int]
    passed: Passed | None = None
    ends: str = "crash"


class FrameSource(Protocol):
    """Captured exchanges. One task at a time.

    A frame may come again until it is released, here or at another comparer of the same
    source; the evidence counts it once.

    Attributes:
        removed: the loss for a run that is no longer held and was not seen to end; None
            when another comparer may have seen it.
    """

    @property
    def removed(self) -> str | None: ...

    async def read(self, max_frames: int) -> Sequence[tuple[Checkpoint, Frame]]:
        """The next frames, in order within each run, each with the place behind it.

        Waits a moment at most when there are none.

        When there are fewer than asked for, every run that is not among them is read to
        its present end.
        """
        ...

    async def runs(self) -> Mapping[str, RunState]:
        """Every run that the source holds, with its counters as they are now or were a
        moment ago.
        """
        ...

    async def release(self, batch: Batch) -> None:
        """The frames of this batch are stored for good and may be deleted."""
        ...

    async def forget(self, run: str) -> None:
        """Remove what is left of a dead run that was read to its end; or leave it."""
        ...

    async def close(self) -> None:
        """Let another comparer read."""
        ...


class FrameSink(Protocol):
    """A bus as the one who fills it sees it. One task at a time."""

    async def notes(self) -> Mapping[str, Note]:
        """What was last told of each run.

        Raises:
            BusUnavailable: safe to try again.
        """
        ...

    async def send(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Store frames; safe to repeat with the same ones, which are stored once.

        Returns:
            Those that are larger than the bus takes, and were left out.

        Raises:
            BusUnavailable: some of them may be stored, send all of them again.
            BusRefused: trying again will not help.
        """
        ...

    async def tell(self, run: str, note: Note) -> None:
        """Store what is known of a run, in the place of what was told before.

        Raises:
            BusUnavailable, BusRefused: as above.
        """
        ...


class Asker(Protocol):
    """Asks a store what it would have answered."""

    async def ask(self, side: Side, frame: Frame, *, dry_run: bool = False) -> Answer:
        """Send the frame's request to `side`, marked as a shadow.

        Args:
            side: who is asked.
            frame: whose request is sent. One that is no GET or HEAD needs `dry_run`.
            dry_run: ask to run it and take it back. It is only sent to a side that has
                proven that it can, and an answer that does not say that it did is none.

        Raises:
            AskError: there is no answer to compare; it says what to book the loss under.
        """
        ...
