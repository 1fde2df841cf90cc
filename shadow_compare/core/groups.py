"""Which groups are wanted, in which order, and what stands around one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from shadow_compare.core.confidence import lower_bound_ppm
from shadow_compare.core.evidence import Example, MismatchGroup
from shadow_compare.core.life import Entry, State

#: The trend of a group is kept in slots of ten minutes for a day.
SLOT_S = 600
HOUR_S = 3_600
HOURS = 24
_SHARE_CONFIDENCE_BP = 9_500


class GroupSort(StrEnum):
    """What stands first. count: the most often seen. value: the largest difference in money
    of one currency, then the largest amount. rate: the most often in the last hour. last:
    the latest seen. first: the latest that began.
    """

    COUNT = "count"
    VALUE = "value"
    RATE = "rate"
    LAST = "last"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class GroupQuery:
    """Which groups a reader wants; what is left out does not limit.

    Attributes:
        states: any of these; empty means all.
        since_s: seen at or after this moment.
        current_only: of the epochs in force.
    """

    domain: str | None = None
    route: str | None = None
    states: tuple[State, ...] = ()
    since_s: float | None = None
    sort: GroupSort = GroupSort.COUNT
    current_only: bool = True
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another group of the domain with some of the same differences; `shared` counts them."""

    fingerprint: str
    title: str
    route: str
    count: int
    shared: int
    state: State


@dataclass(frozen=True, slots=True)
class GroupStory:
    """What was done with a group, newest first, and its siblings, closest first."""

    journal: tuple[Entry, ...] = ()
    siblings: tuple[Sibling, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored example with the group that it fell into."""

    fingerprint: str
    domain: str
    route: str
    example: Example


def arranged(groups: Iterable[MismatchGroup], query: GroupQuery) -> tuple[MismatchGroup, ...]:
    """The groups that the query wants, in its order."""
    found = [group for group in groups if _is_wanted(group, query)]
    found.sort(key=lambda group: (group.last_seen_s, group.fingerprint), reverse=True)
    found.sort(key=lambda group: _rank(group, query.sort), reverse=True)
    return tuple(found[: query.limit])


def _is_wanted(group: MismatchGroup, query: GroupQuery) -> bool:
    return (
        query.domain in (None, group.domain)
        and query.route in (None, group.route)
        and (not query.states or group.life.state in query.states)
        and (query.since_s is None or group.last_seen_s >= query.since_s)
        and (group.current or not query.current_only)
    )


def _rank(group: MismatchGroup, sort: GroupSort) -> tuple[float, float]:
    match sort:
        case GroupSort.COUNT:
            return group.count, 0
        case GroupSort.VALUE:
            gap = max((stake.gap_minor for stake in group.stakes), default=-1)
            return gap, max((stake.affected_minor for stake in group.stakes), default=-1)
        case GroupSort.RATE:
            return group.per_hour, group.count
        case GroupSort.LAST:
            return group.last_seen_s, 0
        case GroupSort.FIRST:
            return group.first_seen_s, 0


def upper_ppm(hits: int, compared: int) -> int:
    """A share is not larger than this, 95 % sure; a million while nothing was compared."""
    if compared <= 0:
        return 1_000_000
    hits = min(hits, compared)
    return 1_000_000 - lower_bound_ppm(compared - hits, compared, _SHARE_CONFIDENCE_BP)


def by_hour(slots: Iterable[tuple[int, int]], now_s: float) -> tuple[int, ...]:
    """Hits of (slot start, count) summed to the last 24 hours, the oldest first.

    The last hour ends with the slot that now is in, so it holds the newest hits.
    """
    end = (int(now_s) // SLOT_S + 1) * SLOT_S
    hours = [0] * HOURS
    for start, count in slots:
        ago = (end - SLOT_S - start) // HOUR_S
        if 0 <= ago < HOURS:
            hours[HOURS - 1 - ago] += count
    return tuple(hours)
