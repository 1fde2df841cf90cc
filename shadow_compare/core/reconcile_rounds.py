"""What is looked at again, when, and when enough was seen to say so."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shadow_compare.core.reconcile_judge import Standing


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long something is looked at.

    Attributes:
        first_s: before something hot is looked at again; doubled each time.
        longest_s: between two looks.
        looks: at something hot, before it is left for the compare on frozen data.
        confirm_s: before a difference is looked at once more.
        room: how many wait at most; the caller reads nothing new while it is full.
    """

    first_s: float = 0.5
    longest_s: float = 15.0
    looks: int = 9
    confirm_s: float = 1.0
    room: int = 5_000

    def pause_s(self, looks: int) -> float:
        """After so many looks at something hot."""
        return min(self.first_s * 2.0 ** min(max(looks - 1, 0), 32), self.longest_s)


@dataclass(frozen=True, slots=True)
class Round:
    """What a round of looks decided.

    Attributes:
        same: keys that are equal.
        different: keys whose difference was seen and confirmed.
        unsettled: keys that never stood still.
    """

    same: tuple[str, ...]
    different: tuple[str, ...]
    unsettled: tuple[str, ...]


@dataclass(slots=True)
class _Looked:
    hot: int = 0
    differed: int = 0


@dataclass(slots=True)
class Rounds:
    """Remembers the keys of one kind that no verdict was reached on. No I/O, no clock.

    A difference counts when two looks one after the other say so; a look in between that
    finds it hot begins anew.
    """

    patience: Patience
    _looked: dict[str, _Looked] = field(default_factory=dict)
    _due: list[tuple[float, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._looked)

    def take_up(self, keys: Sequence[str], now_s: float) -> None:
        """Keys that somebody before was not done with; they are due at once."""
        for key in keys:
            self._looked[key] = _Looked()
            heapq.heappush(self._due, (now_s, key))

    def keys(self) -> tuple[str, ...]:
        """All that waits for a verdict."""
        return tuple(self._looked)

    @property
    def is_full(self) -> bool:
        """Whether what waits must be settled before anything new is read."""
        return len(self._looked) >= self.patience.room

    def next_due_s(self) -> float | None:
        """When something has to be looked at again; None when nothing waits."""
        return self._due[0][0] if self._due else None

    def due(self, now_s: float, limit: int) -> Sequence[str]:
        """Take keys whose time has come, at most so many. Tell `heard` of each of them."""
        found: list[str] = []
        while self._due and self._due[0][0] <= now_s and len(found) < limit:
            found.append(heapq.heappop(self._due)[1])
        return found

    def heard(self, standings: Mapping[str, Standing], now_s: float) -> Round:
        """Take in what a look found, of new keys and of those that were due."""
        same: list[str] = []
        different: list[str] = []
        unsettled: list[str] = []
        for key, standing in standings.items():
            if standing is Standing.SAME:
                self._looked.pop(key, None)
                same.append(key)
            elif standing is Standing.DIFFERENT:
                self._differs(key, now_s, different)
            else:
                self._is_hot(key, now_s, unsettled)
        return Round(tuple(same), tuple(different), tuple(unsettled))

    def _differs(self, key: str, now_s: float, different: list[str]) -> None:
        looked = self._looked.setdefault(key, _Looked())
        looked.differed += 1
        if looked.differed > 1:
            del self._looked[key]
            different.append(key)
        else:
            heapq.heappush(self._due, (now_s + self.patience.confirm_s, key))

    def _is_hot(self, key: str, now_s: float, unsettled: list[str]) -> None:
        looked = self._looked.setdefault(key, _Looked())
        looked.hot += 1
        looked.differed = 0
        if looked.hot >= self.patience.looks:
            del self._looked[key]
            unsettled.append(key)
        else:
            heapq.heappush(self._due, (now_s + self.patience.pause_s(looked.hot), key))
