"""Which fields of a route were really compared, over a sample of its exchanges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shadow_compare.core.verdict import Coverage, FieldCoverage


@dataclass(frozen=True, slots=True)
class RouteCoverage:
    """One route's fields, those that nobody looked at first.

    Attributes:
        pairs: exchanges that were looked at.
        unread: those of them in which nothing could be compared, by reason.
    """

    route: str
    pairs: int
    unread: dict[str, int]
    fields: tuple[FieldCoverage, ...]

    @property
    def never_compared(self) -> tuple[FieldCoverage, ...]:
        """Fields whose every value a rule kept from being compared."""
        return tuple(field for field in self.fields if not field.compared and field.unseen)

    @property
    def covered_ppm(self) -> int | None:
        """The share of fields that were compared at least once; None without any field."""
        if not self.fields:
            return None
        seen = len(self.fields) - len(self.never_compared)
        return seen * 1_000_000 // len(self.fields)


def covered(route: str, found: Iterable[Coverage]) -> RouteCoverage:
    """Add up what was compared in each exchange."""
    pairs = 0
    unread: dict[str, int] = {}
    fields: dict[str, FieldCoverage] = {}
    for one in found:
        pairs += 1
        if one.reason is not None:
            unread[one.reason] = unread.get(one.reason, 0) + 1
        for field in one.fields:
            known = fields.get(field.pattern, FieldCoverage(field.pattern))
            fields[field.pattern] = FieldCoverage(
                field.pattern,
                known.compared + field.compared,
                known.accepted + field.accepted,
                known.unseen + field.unseen,
                tuple(sorted({*known.rules, *field.rules})),
            )
    blind_first = sorted(fields.values(), key=lambda one: (bool(one.compared), one.pattern))
    return RouteCoverage(route, pairs, unread, tuple(blind_first))


def blind_spots(found: Iterable[RouteCoverage]) -> Iterator[str]:
    """Sentences about fields that nobody looked at."""
    for route in found:
        for field in route.never_compared:
            why = ", ".join(field.rules) or "nothing was there to compare it with"
            yield f"{route.route}: {field.pattern} is never compared ({why})"
