"""Which examples of a group are kept: the first, the last, and a fair draw between."""

from __future__ import annotations

import hashlib

FIRST = 0
DRAWN = 8
LAST = DRAWN + 1


def slots_for(run: str, seq: int, nth: int) -> tuple[int, ...]:
    """Slots that the `nth` (1-based) exchange of a group takes, of 0..LAST.

    The draw (every exchange equally likely to stay) is made by a hash of the frame's
    name instead of dice, so that judging a frame again keeps the same examples.
    """
    if nth <= 1:
        return (FIRST,)
    digest = hashlib.blake2b(f"{run}\0{seq}".encode(), digest_size=8).digest()
    drawn = int.from_bytes(digest, "big") % (nth - 1)
    if nth - 1 <= DRAWN:
        drawn = nth - 2
    return (LAST, drawn + 1) if drawn < DRAWN else (LAST,)
