"""What reconciliation needs: both sides of a domain, and books of what it found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from legacy_adapters.mapping.versions import Side
from shadow_compare.core.drift_class import Classifier, Clues, DriftClass
from shadow_compare.core.drift_record import Drift, DriftSample, DriftState
from shadow_compare.core.reconcile_judge import OtherState, OwnerState
from shadow_compare.core.reconcile_pass import PassRecord, Stretch


@dataclass(frozen=True, slots=True)
class FoundDrift:
    """A difference with what its fields held."""

    drift: Drift
    samples: tuple[DriftSample, ...]


@dataclass(frozen=True, slots=True)
class RepairRecord:
    """A repair, for whoever asks later.

    Attributes:
        ended_s: None while it runs, or when it was killed.
        stake: minor units by currency.
        repaired: of `keys`, those that were equal afterwards.
    """

    id: str
    domain: str
    owner: str
    said_by: str
    cause: str
    keys: int
    stake: Mapping[str, int]
    repaired: int
    started_s: float
    ended_s: float | None


class OwnerView(Protocol):
    """One state of the store that owns a domain. Open it for seconds, not for minutes.

    Raises, from any call:
        SidesUnavailable: a store did not answer; safe to try again with a new view.
    """

    @property
    def low(self) -> int:
        """Every commit up to here in the owner's log is in it."""
        ...

    async def high(self) -> int:
        """No commit behind here is in what was read until now. Call it after reading."""
        ...

    async def page(
        self, kind: str, after: str | None, size: int, *, to: str | None = None
    ) -> Sequence[OwnerState]:
        """The next aggregates by key: those behind key `after`, up to and with key `to`."""
        ...

    async def some(self, kind: str, keys: Collection[str]) -> Mapping[str, OwnerState]:
        """Aggregates by key, with a state without a document for each that is not there."""
        ...

    async def present(self, kind: str, keys: Collection[str]) -> frozenset[str]:
        """Which of these keys the owner has."""
        ...

    async def count(self, kind: str) -> int:
        """How many aggregates there are, or a good guess of it."""
        ...

    async def splits(self, kind: str, parts: int) -> Sequence[str]:
        """Up to `parts` - 1 keys that cut the kind into parts of about equal size."""
        ...


class ComparedSides(Protocol):
    """Both sides of one domain, the owner's as what is right.

    Raises, from any call:
        SidesUnavailable: a store did not answer; safe to try again.
    """

    @property
    def domain(self) -> str: ...
    @property
    def owner(self) -> Side: ...
    @property
    def kinds(self) -> Sequence[str]: ...

    @property
    def restless(self) -> frozenset[str]:
        """Kinds that no fence holds still: a store writes them where it only answers a read."""
        ...

    def view(self) -> AbstractAsyncContextManager[OwnerView]:
        """The owner's state now."""
        ...

    def classifier(self, kind: str) -> Classifier:
        """What names the differences of a kind."""
        ...

    async def passed(self) -> int:
        """Up to where in the owner's log its stream has been read; -1 before it ever ran."""
        ...

    async def through(self) -> int:
        """Up to where in the owner's log everything is read and applied: no version up to there
        is applied later. -1 before the stream ever ran.
        """
        ...

    async def waiting(self, kind: str, keys: Collection[str]) -> frozenset[str]:
        """Which of these are read from the log and not applied yet. Nothing will move what is
        parked: its difference is one, however long it is looked at.
        """
        ...

    async def other(self, kind: str, owner: Sequence[OwnerState]) -> Mapping[str, OtherState]:
        """The other side's state of each of these, by the owner's key; what is not there is
        absent.
        """
        ...

    async def unstaged(self, kind: str, owner: Sequence[OwnerState]) -> frozenset[str]:
        """Keys of those whose rows the stage does not hold as the owner does: the check that
        needs no mapping. None of them where there is no stage to ask.
        """
        ...

    async def across(
        self, kind: str, after: str | None, size: int
    ) -> Sequence[tuple[str, str | None]]:
        """The next aggregates of the other side: a place to go on from, and the owner's key;
        None of what is nobody's.
        """
        ...

    async def changed(
        self, kind: str, behind: int, after: str | None, size: int
    ) -> Sequence[tuple[str, str]]:
        """The next aggregates to which a version behind a position of the owner's log was
        applied: a place to go on from, and the owner's key.
        """
        ...

    async def clues(
        self, kind: str, pairs: Sequence[tuple[OwnerState, OtherState]]
    ) -> Mapping[str, Clues]:
        """What else is known of differences, by the owner's key."""
        ...

    async def take_across(self, kind: str, keys: Collection[str], reason: str) -> int:
        """Have the applier project and write these anew, from fresh rows of the owner."""
        ...


class ReconcileBooks(Protocol):
    """Passes, differences and repairs, in the evidence. Safe to share between tasks.

    Raises, from any call:
        EvidenceUnavailable: nothing was stored; safe to try again.
    """

    async def begin(self, wanted: PassRecord, stretches: Sequence[Stretch]) -> PassRecord:
        """Take up the domain's unfinished pass of this kind and owner, or begin the wanted one.

        Raises:
            PassBusy: another process is at it, or was a moment ago.
        """
        ...

    async def beat(self, record: PassRecord) -> None:
        """Say that this process is still at it; at least every few seconds.

        Raises:
            PassBusy: another process has taken the pass over.
        """
        ...

    async def stretches(self, pass_id: str) -> Sequence[Stretch]:
        """Its parts, as last kept."""
        ...

    async def keep(
        self,
        record: PassRecord,
        stretch: Stretch,
        found: Sequence[FoundDrift],
        unsettled: Sequence[str],
    ) -> None:
        """Move a stretch on, with what was found until there, in one transaction.

        Raises:
            PassBusy: another process has taken the pass over; nothing was stored.
        """
        ...

    async def end(self, record: PassRecord) -> PassRecord:
        """Close a pass. Differences of the domain that it looked at and did not find again are
        gone; says whether it is clean.
        """
        ...

    async def give_up(self, record: PassRecord, problem: str) -> None:
        """Let go of a pass, so that it can be taken up at once."""
        ...

    async def last(
        self, domain: str, owner: Side, *, clean: bool = False, whole: bool = False
    ) -> PassRecord | None:
        """The newest pass that came to its end while this side owned the domain.

        Args:
            domain: whose.
            owner: the side.
            clean: of the clean ones.
            whole: of those that looked at every aggregate, not only at what had changed.
        """
        ...

    async def unsettled(self, pass_id: str) -> Sequence[tuple[str, str]]:
        """Kind and key of what a pass could not tell."""
        ...

    async def drifts(
        self,
        domain: str | None = None,
        *,
        drift: DriftClass | None = None,
        state: DriftState | None = DriftState.OPEN,
        limit: int = 100_000,
    ) -> Sequence[Drift]:
        """Differences, those with the most money first."""
        ...

    async def drift(self, drift_id: str) -> tuple[Drift, Sequence[DriftSample]] | None:
        """One difference (any unambiguous beginning will do) with what its fields held."""
        ...

    async def move(self, ids: Collection[str], state: DriftState, said_by: str, reason: str) -> int:
        """Put differences into a state. Returns how many were in another one."""
        ...

    async def note_repair(self, repair: RepairRecord) -> None:
        """Keep a line of what a repair did, or replace it with what came of it."""
        ...

    async def repairs(self, domain: str | None, limit: int) -> Sequence[RepairRecord]:
        """The newest first."""
        ...
