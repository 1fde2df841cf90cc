"""What a comparison has found so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from proxy.routing import Accept, CompareRule, Side
from shadow_compare.core.evidence import Leaf
from shadow_compare.core.places import Spot
from shadow_compare.core.verdict import MAX_LEAVES, Accepted, Coverage, FieldCoverage


class EnoughError(Exception):
    """No more differences need to be named."""


@dataclass(slots=True)
class _Field:
    compared: int = 0
    accepted: int = 0
    unseen: int = 0
    rules: set[str] = field(default_factory=set)


class Census:
    """Counts what became of every value, by pattern."""

    def __init__(self) -> None:
        self._fields: dict[str, _Field] = {}

    def count(self, patterns: Iterable[str], rule: CompareRule | None) -> None:
        """Book values as compared, or under the rule that their difference fell to."""
        for pattern in patterns:
            found = self._fields.setdefault(pattern, _Field())
            if rule is None:
                found.compared += 1
                continue
            found.rules.add(rule.name)
            if rule.accept is Accept.ANY:
                found.unseen += 1
            else:
                found.accepted += 1

    def coverage(self) -> Coverage:
        """All of it, by pattern."""
        return Coverage(
            tuple(
                FieldCoverage(
                    pattern, one.compared, one.accepted, one.unseen, tuple(sorted(one.rules))
                )
                for pattern, one in sorted(self._fields.items())
            )
        )


class Findings:
    """Collects differences.

    Attributes:
        live: who answered the shopper.
        leaves: differences that no rule accepts, in document order.
        spots: of each of them, which place of the live answer it is, as `At.spot` tells.
        accepted: differences that a rule accepts.
        used: the rules that mattered, by name.
        census: counts every value, where somebody asked for that.
    """

    def __init__(self, census: Census | None = None, live: Side = Side.LEGACY) -> None:
        self.live = live
        self.leaves: list[Leaf] = []
        self.spots: list[Spot] = []
        self.accepted: list[Accepted] = []
        self.used: dict[str, CompareRule] = {}
        self.census = census

    def note(self, leaf: Leaf, rule: CompareRule | None, spot: Spot | None = None) -> None:
        """Keep a difference; `spot` where its path alone does not tell the place.

        Raises:
            EnoughError: that was the last one that is kept.
        """
        if rule is not None:
            name = rule.name
            self.used[name] = rule
            if len(self.accepted) < MAX_LEAVES:
                self.accepted.append(Accepted(leaf, name))
            return
        if len(self.leaves) < MAX_LEAVES:
            self.leaves.append(leaf)
            self.spots.append(spot or (leaf.path,))
        if len(self.leaves) >= MAX_LEAVES and self.census is None:
            raise EnoughError
