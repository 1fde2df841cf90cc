"""What a backfill tells at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from new_core.ports import Parked

SHOWN = 20
"""Most keys and parked rows that are named one by one."""


@dataclass(slots=True)
class EntityCheck:
    """One kind of thing, compared row by row between map(legacy) and the core.

    Attributes:
        legacy, core: rows on each side, parked ones left out.
        legacy_sum, core_sum: sums of all digests; the order of rows does not matter.
        differing: external ids of rows that are missing or not equal, at most SHOWN.
        differences: how many there are in all.
    """

    entity: str
    legacy: int = 0
    core: int = 0
    parked: int = 0
    legacy_sum: int = 0
    core_sum: int = 0
    differences: int = 0
    differing: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether counts, checksums and every row agree."""
        same_sum = self.legacy_sum == self.core_sum
        return not self.differences and self.legacy == self.core and same_sum

    def differs(self, external_id: str) -> None:
        """Note a row that is not equal."""
        self.differences += 1
        if len(self.differing) < SHOWN:
            self.differing.append(external_id)


@dataclass(frozen=True, slots=True)
class Total:
    """A sum that each side's database worked out by itself."""

    name: str
    legacy: int
    core: int

    @property
    def equal(self) -> bool:
        """Whether both sides agree."""
        return self.legacy == self.core


@dataclass(frozen=True, slots=True)
class Check:
    """The comparison at the end.

    Attributes:
        recopied: rows that had changed in the legacy since they were copied, copied again.
    """

    entities: tuple[EntityCheck, ...]
    totals: tuple[Total, ...]
    recopied: int

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return all(one.equal for one in self.entities) and all(one.equal for one in self.totals)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole backfill.

    Attributes:
        resumed: whether it went on where an earlier one was stopped.
        parked: at most SHOWN of the rows parked now; parked_count says how many there are.
    """

    resumed: bool
    written: int
    unchanged: int
    removed: int
    parked: tuple[Parked, ...]
    parked_count: int
    check: Check
    elapsed_s: float

    @property
    def complete(self) -> bool:
        """Whether the core holds all of the legacy, and equally."""
        return self.check.equal and not self.parked_count
