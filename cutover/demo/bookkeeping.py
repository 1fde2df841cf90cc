"""What shoppers were told of their orders, against what both databases have. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Told:
    """An order that a store took, as its shopper was told.

    Attributes:
        minor: its total in pence, taxes included.
    """

    number: str
    minor: int


@dataclass(frozen=True, slots=True)
class OrderBooks:
    """How the orders of a run ended.

    Attributes:
        acknowledged: that shoppers were told of.
        lost: of these, how many are missing in either database.
        doubled: in either database twice, or placed though nobody was told.
        differing: with another total than the shopper was told.
    """

    acknowledged: int
    lost: int
    doubled: int
    differing: int


def balance(
    told: Sequence[Told], legacy: Iterable[Told], core: Iterable[Told], before: Iterable[Told]
) -> OrderBooks:
    """Balance the books of a run in which every request was answered.

    Without a lost answer, an order that no shopper was told of was placed by nobody: it is a
    copy.

    Args:
        told: what shoppers wrote down.
        legacy: all orders of its database.
        core: the same of the core's.
        before: what the legacy database had before the first shopper came.
    """
    old = {one.number for one in before}
    numbers = {one.number for one in told}
    lost: set[str] = set()
    doubled: set[str] = set()
    differing: set[str] = set()
    for side in (legacy, core):
        new = [one for one in side if one.number not in old]
        found = Counter(one.number for one in new)
        lost |= numbers - found.keys()
        doubled |= {number for number, times in found.items() if times > 1}
        doubled |= found.keys() - numbers
        differing |= {one.number for one in told} & {one.number for one in set(new) - set(told)}
    twice = sum(times - 1 for times in Counter(one.number for one in told).values())
    return OrderBooks(len(told), len(lost), len(doubled) + twice, len(differing))
