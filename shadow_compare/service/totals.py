"""Business totals of both sides beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Sums = Mapping[tuple[str, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class TotalGap:
    """One line of totals that differs. A side without the line has None."""

    name: str
    of: tuple[str, ...]
    legacy: tuple[int, ...] | None
    core: tuple[int, ...] | None

    @property
    def sentence(self) -> str:
        """For people."""
        where = " ".join((self.name, *self.of))
        return f"{where}: legacy {_told(self.legacy)}, core {_told(self.core)}"


@dataclass(frozen=True, slots=True)
class TotalsCompared:
    """What came of one kind of totals."""

    name: str
    lines: int
    gaps: tuple[TotalGap, ...]


def compare_totals(name: str, legacy: Sums, core: Sums, *, zero: bool = False) -> TotalsCompared:
    """Every line that is not the same on both sides.

    Args:
        name: of the totals.
        legacy: of the one side.
        core: of the other.
        zero: whether every sum must be nothing as well, as of orphans.
    """
    every = sorted(legacy.keys() | core.keys())
    gaps = tuple(
        TotalGap(name, of, legacy.get(of), core.get(of))
        for of in every
        if legacy.get(of) != core.get(of)
        or (zero and (any(legacy.get(of, ())) or any(core.get(of, ()))))
    )
    return TotalsCompared(name, len(every), gaps)


def _told(sums: tuple[int, ...] | None) -> str:
    return "nothing" if sums is None else " ".join(map(str, sums))
