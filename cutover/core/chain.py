"""Is a ledger whole: all of its links, and the head that somebody noted elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cutover.core.revision import Damaged, Flaw, Told, flaws

_HASH = re.compile(r"[0-9a-f]{12,64}")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of the whole ledger found.

    Attributes:
        count: revisions that are there.
        head: hash of the newest one; None when there is none.
        noted: number of the revision whose hash was noted; None when none was given or
            the chain does not hold it.
        flaws: empty when the chain is whole.
    """

    count: int
    head: str | None
    noted: int | None
    flaws: tuple[Flaw, ...]


def is_hash(text: str) -> bool:
    """Whether a text can be a revision's hash, or its first 12 digits or more."""
    return _HASH.fullmatch(text) is not None


def check(links: Sequence[Told | Damaged], *, noted: str | None, is_in_force: bool) -> Checked:
    """Check every link, and that the chain still holds a hash that was noted elsewhere.

    A chain that lost its newest entries is a whole chain, and so is one that somebody
    wrote anew from the first entry on. Only a hash kept in another place tells.

    `noted` is a hash for which `is_hash` holds, or None. Where a table `is_in_force` there
    must be a revision that says how.
    """
    found = list(flaws(links))
    if not links and is_in_force:
        gone = "the ledger is empty, and yet a table is in force"
        found.append(
            Flaw(
                gone,
                "restore the ledger from a backup; where it is lost, the next apply begins"
                " another and writes down what it found",
            )
        )
    place = None
    if noted is not None:
        place = next((link.n for link in links if link.hash.startswith(noted)), None)
        if place is None:
            cut = f"no revision has the noted hash {noted}: entries were cut off or written anew"
            found.append(Flaw(cut, "restore the ledger from a backup that holds it"))
    head = links[-1].hash if links else None
    return Checked(len(links), head, place, tuple(found))
