"""The books: where every mirrored exchange went.

The proxy counts what it mirrored and what it dropped; the comparer counts what it
compared and what it lost. What is left over is pending, and pending is never negative:

1. the proxy counts an exchange as mirrored; 2. it drops it or writes it to the spool;
3. the comparer reads it there. The three counters are not read in one instant, so an
exchange may be seen dropped or compared before it was seen mirrored. It was mirrored all
the same, so the books raise `mirrored` to what is known to have followed from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from shadow_compare.core.evidence import Accounting

SENT = "sent"
BUS_DROPPED = "bus_dropped"


class Kind(StrEnum):
    """What a line of the books counts."""

    MIRRORED = "mirrored"
    DROPPED = "dropped"
    COMPARED = "compared"
    LOST = "lost"


class Line(NamedTuple):
    """Whose exchanges, and what became of them. `reason` only for dropped and lost."""

    domain: str
    route: str
    kind: Kind
    reason: str = ""


Books = Mapping[Line, int]


def from_counters(counters: Mapping[str, int]) -> dict[Line, int]:
    """Read the proxy's counters, named `mirrored|DOMAIN|ROUTE` and `dropped|DOMAIN|ROUTE|WHY`.

    A `|` within a label is written %7C. Other counters are none of the books' business.
    """
    lines: dict[Line, int] = {}
    for name, count in counters.items():
        kind, *labels = (part.replace("%7C", "|") for part in name.split("|"))
        if kind == Kind.MIRRORED and len(labels) == 2:
            lines[Line(labels[0], labels[1], Kind.MIRRORED)] = count
        elif kind == Kind.DROPPED and len(labels) == 3:
            lines[Line(labels[0], labels[1], Kind.DROPPED, labels[2])] = count
    return lines


def settle(books: Books, counters: Mapping[str, int], done: Books) -> dict[Line, int]:
    """A run's books after a batch: the proxy's counters as seen, `done` added.

    Args:
        books: the run's lines before.
        counters: the proxy's counters of that run; {} when they were not read.
        done: compared and lost in this batch.
    """
    after = dict(books)
    for line, count in from_counters(counters).items():
        after[line] = max(count, after.get(line, 0))
    for line, count in done.items():
        after[line] = after.get(line, 0) + count
    for (domain, route), followed in _followed(after).items():
        mirrored = Line(domain, route, Kind.MIRRORED)
        after[mirrored] = max(after.get(mirrored, 0), followed)
    return after


def close(books: Books, reason: str) -> dict[Line, int]:
    """The books of a run that will yield nothing more: what is missing was lost."""
    after = dict(books)
    for (domain, route), followed in _followed(books).items():
        missing = books.get(Line(domain, route, Kind.MIRRORED), 0) - followed
        if missing > 0:
            lost = Line(domain, route, Kind.LOST, reason)
            after[lost] = after.get(lost, 0) + missing
    return after


def give_up(books: Books, sent: Mapping[str, int]) -> dict[Line, int]:
    """The books of a run after the bus let go of frames that nobody was given.

    Of each route so many frames were sent, and all of them have left the bus. What is
    neither compared nor lost was dropped by the bus. Frames that were sent later and are
    done already hide as many dropped ones, which are found when the next ones have left:
    so never too many are given up, and in the end not one too few.

    Args:
        books: the run's lines.
        sent: counters named `sent|DOMAIN|ROUTE`.
    """
    after = dict(books)
    done: Counter[tuple[str, str]] = Counter()
    for line, count in books.items():
        if line.kind in (Kind.COMPARED, Kind.LOST):
            done[line.domain, line.route] += count
    for name, count in sent.items():
        kind, *labels = (part.replace("%7C", "|") for part in name.split("|"))
        if kind != SENT or len(labels) != 2:
            continue
        missing = count - done[labels[0], labels[1]]
        if missing > 0:
            lost = Line(labels[0], labels[1], Kind.LOST, BUS_DROPPED)
            after[lost] = after.get(lost, 0) + missing
    return settle(after, {}, {})


def accounting(lines: Iterable[tuple[Line, int]]) -> Accounting:
    """Sum lines, of any runs and routes, into the statement that pages show."""
    total: Counter[Kind] = Counter()
    losses: Counter[str] = Counter()
    for line, count in lines:
        total[line.kind] += count
        if line.kind in (Kind.DROPPED, Kind.LOST):
            losses[line.reason] += count
    mirrored, compared = total[Kind.MIRRORED], total[Kind.COMPARED]
    known = {reason: count for reason, count in sorted(losses.items()) if count}
    return Accounting(mirrored, compared, mirrored - compared - sum(known.values()), known)


def _followed(books: Books) -> dict[tuple[str, str], int]:
    totals: dict[tuple[str, str], int] = {}
    for line, count in books.items():
        place = (line.domain, line.route)
        totals[place] = totals.get(place, 0) + (0 if line.kind is Kind.MIRRORED else count)
    return totals
