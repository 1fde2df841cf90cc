"""What kind of difference stands between the owner and the other side, and what it may cost."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from legacy_adapters.mapping.aggregates import Loss
from legacy_adapters.mapping.versions import Side
from shadow_compare.core.drift_class_fields import FieldGap, Unlike, field_gaps
from shadow_compare.core.reconcile_judge import OtherState, OwnerState

Money = tuple[int, str]
MoneyOf = Callable[[Any], Money | None]


class DriftClass(StrEnum):
    """MISSING: the owner has it and the other side, which is named, lacks it. EXTRA: the other
    side has what the owner has no more, or never had. VALUE, PRECISION, TEXT, ORDER: fields
    differ, by their gravest one. STALE: an event of the owner never reached the stage. ORPHAN:
    it is missing together with what it points at. DUP_ID: its id belongs to another aggregate.
    ROGUE_WRITE: somebody wrote on the side that does not own. LOSSY_ACCEPTED: only fields
    differ that the mapping says it loses. UNMAPPED: it cannot be read as a document.
    """

    MISSING_CORE = "MISSING_CORE"
    MISSING_LEGACY = "MISSING_LEGACY"
    EXTRA_CORE = "EXTRA_CORE"
    EXTRA_LEGACY = "EXTRA_LEGACY"
    VALUE = "VALUE"
    PRECISION = "PRECISION"
    TEXT = "TEXT"
    STALE = "STALE"
    ORPHAN = "ORPHAN"
    DUP_ID = "DUP_ID"
    ROGUE_WRITE = "ROGUE_WRITE"
    ORDER = "ORDER"
    LOSSY_ACCEPTED = "LOSSY_ACCEPTED"
    UNMAPPED = "UNMAPPED"


@dataclass(frozen=True, slots=True)
class Clues:
    """What was found out about a difference beside the two documents.

    Attributes:
        staged: whether the stage holds the rows that the owner has; None where there is no
            stage to ask.
        known_as: the owner's key that its core id is known by; None when it is known by none.
        missing_parents: what the owner's document points at and the other side lacks.
        is_rogue: whether somebody wrote it on the side that does not own.
    """

    staged: bool | None = None
    known_as: str | None = None
    missing_parents: tuple[str, ...] = ()
    is_rogue: bool = False


@dataclass(frozen=True, slots=True)
class Classed:
    """A difference with its name.

    Attributes:
        gaps: fields that differ, where both sides have the aggregate.
        stake: money that is wrong: the whole of what one side lacks, else by how much the
            amounts differ; None for what is no money, or whose money is equal.
        note: a sentence for people; "" where the class says all.
    """

    drift: DriftClass
    gaps: tuple[FieldGap, ...] = ()
    stake: Money | None = None
    note: str = ""


_STALE_ONLY = "the stage alone differs: an event was lost that the other side does not show"
_MISSING = {Side.CORE: DriftClass.MISSING_CORE, Side.LEGACY: DriftClass.MISSING_LEGACY}
_EXTRA = {Side.CORE: DriftClass.EXTRA_CORE, Side.LEGACY: DriftClass.EXTRA_LEGACY}
_BY_FIELDS = {
    Unlike.VALUE: DriftClass.VALUE,
    Unlike.ORDER: DriftClass.ORDER,
    Unlike.PRECISION: DriftClass.PRECISION,
    Unlike.TEXT: DriftClass.TEXT,
}


@dataclass(frozen=True, slots=True)
class Classifier:
    """Names differences of one kind of aggregates. Pure and total.

    Attributes:
        side: the owner.
        money_of: what a document is about.
    """

    side: Side
    money_of: MoneyOf
    losses: Collection[Loss] = ()

    def classify(self, owner: OwnerState, other: OtherState, clues: Clues) -> Classed | None:
        """What differs; None when nothing does."""
        if owner.corrupt:
            return Classed(DriftClass.UNMAPPED, (), self._money(other.document), owner.corrupt)
        gaps = self._gaps(owner, other)
        stake = self.stake(owner.document, other.document)
        if (owner.document is None) == (other.document is None) and not gaps:
            is_stale = clues.staged is False
            return Classed(DriftClass.STALE, (), None, _STALE_ONLY) if is_stale else None
        named = self._by_clues(owner, clues)
        if named is not None:
            return Classed(named[0], gaps, stake, named[1])
        if owner.document is None:
            return Classed(_EXTRA[self.side.other], gaps, stake, _lost(clues))
        is_there = other.document is not None
        return self._differing(gaps, stake, clues) if is_there else self._missing(stake, clues)

    def stake(self, owner: Any | None, other: Any | None) -> Money | None:
        """Money that is wrong between two documents of which one may be missing."""
        ours, theirs = self._money(owner), self._money(other)
        if ours is None or theirs is None:
            return ours or theirs
        if ours[1] != theirs[1]:
            return ours
        gap = abs(ours[0] - theirs[0])
        return (gap, ours[1]) if gap else None

    def _money(self, document: Any | None) -> Money | None:
        found = None if document is None else self.money_of(document)
        return None if found is None else (abs(found[0]), found[1])

    @staticmethod
    def _gaps(owner: OwnerState, other: OtherState) -> tuple[FieldGap, ...]:
        if owner.document is None or other.document is None:
            return ()
        return field_gaps(owner.document, other.document)

    @staticmethod
    def _by_clues(owner: OwnerState, clues: Clues) -> tuple[DriftClass, str] | None:
        if clues.known_as is not None and clues.known_as != owner.key:
            return DriftClass.DUP_ID, f"its id is known as {clues.known_as}"
        if clues.is_rogue:
            return DriftClass.ROGUE_WRITE, "written on the side that does not own it"
        return None

    def _missing(self, stake: Money | None, clues: Clues) -> Classed:
        if clues.missing_parents:
            parents = ", ".join(clues.missing_parents)
            return Classed(DriftClass.ORPHAN, (), stake, f"missing with what it needs: {parents}")
        return Classed(_MISSING[self.side.other], (), stake, _lost(clues))

    def _differing(self, gaps: tuple[FieldGap, ...], stake: Money | None, clues: Clues) -> Classed:
        lossy = {loss.where for loss in self.losses}
        if all(_plain(gap) in lossy for gap in gaps):
            return Classed(DriftClass.LOSSY_ACCEPTED, gaps, stake)
        if clues.staged is False:
            return Classed(DriftClass.STALE, gaps, stake, _lost(clues))
        grave = [gap for gap in gaps if _plain(gap) not in lossy]
        worst = min((gap.unlike for gap in grave), key=list(Unlike).index)
        return Classed(_BY_FIELDS[worst], gaps, stake)


def _plain(gap: FieldGap) -> str:
    return gap.pattern.replace("[]", "")


def _lost(clues: Clues) -> str:
    return "the stage never got the owner's rows" if clues.staged is False else ""
