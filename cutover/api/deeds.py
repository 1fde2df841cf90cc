"""What was done from this room's pages, and how long it took: kept while the process lives."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

_KEPT = 512


@dataclass(frozen=True, slots=True)
class Deed:
    """One act.

    Attributes:
        n: the ledger's entry; 0 where it could not be written.
        took_s: from the form's arrival until the table was in force.
        taken: what the proxy made of it, a sentence.
        warnings: what did not go as it should.
        words: what was done, where no entry says so.
    """

    n: int
    took_s: float
    taken: str
    warnings: tuple[str, ...] = ()
    words: str = ""


class Deeds:
    """The latest acts by their entry."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, Deed] = OrderedDict()

    def keep(self, deed: Deed) -> None:
        """Keep one; the oldest goes when there are too many."""
        self._kept[deed.n] = deed
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def of(self, n: int) -> Deed | None:
        """The act that wrote an entry; None where another process did it."""
        return self._kept.get(n)
