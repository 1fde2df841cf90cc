"""Which frames of a run are done, as spans of sequence numbers.

Frames come almost in order, so a run that a thousand comparers work on needs a handful of
spans: one from the beginning, and one behind each frame that somebody still has in hand.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: Behind every number that a run can reach.
ALL = 2**62


class Span(NamedTuple):
    """Sequence numbers from `first` to `last`, both included."""

    first: int
    last: int


def covers(spans: Sequence[Span], seq: int) -> bool:
    """Whether `seq` lies in one of the spans, which stand in order and do not touch."""
    at = bisect_right(spans, (seq, ALL)) - 1
    return at >= 0 and spans[at].last >= seq


def spans_of(seqs: Iterable[int]) -> list[Span]:
    """Numbers as the spans that they make, in order."""
    out: list[Span] = []
    first = last = None
    for seq in sorted(seqs):
        if first is None or last is None or seq > last + 1:
            if first is not None and last is not None:
                out.append(Span(first, last))
            first = seq
        last = seq
    if first is not None and last is not None:
        out.append(Span(first, last))
    return out


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same numbers in as few spans as can be, in order."""
    out: list[Span] = []
    for span in sorted(spans):
        if out and span.first <= out[-1].last + 1:
            out[-1] = Span(out[-1].first, max(out[-1].last, span.last))
        else:
            out.append(span)
    return tuple(out)
