"""Recorded pairs: whole exchanges, equal ones too, that rules are proven on later.

A mismatch keeps its examples with its group. To know what a set of rules would miss, one
needs what was equal: a defect is seeded into it, and the rules must find it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from proxy.core.frame import Frame
from proxy.routing.model import Side
from shadow_compare.core.answer import Answer
from shadow_compare.core.judge import Exchange
from shadow_compare.core.verdict import Outcome

PAIRS_PER_STRATUM = 50
STRATUM_BYTES = 2 * 1024 * 1024
DOMAIN_BYTES = 64 * 1024 * 1024
PAIR_BODY_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class RecordedPair:
    """A captured exchange with what the other side answered, both redacted and whole.

    Attributes:
        frame: the request and the live side's answer.
        other: the shadow side's answer.
        outcome: how it was judged when it was recorded, under the rules of that time.
    """

    frame: Frame
    other: Answer
    outcome: Outcome

    def exchange(self) -> Exchange:
        """The pair as a judge takes it."""
        return exchange_of(self.frame, self.other, None)


class Held(NamedTuple):
    """A kept pair by its draw; the lowest draws stay."""

    draw: int
    size_bytes: int


def exchange_of(frame: Frame, other: Answer, again: Answer | None) -> Exchange:
    """Legacy as the control and the core as the candidate, whoever was live."""
    live = Answer(frame.status, frame.headers, frame.body, frame.elapsed_us)
    if frame.side == Side.LEGACY:
        return Exchange(frame.method, live, other, Side.LEGACY, again)
    return Exchange(frame.method, other, live, Side.CORE, again)


def recordable(frame: Frame, other: Answer) -> bool:
    """Whether a pair is kept whole: a body that was cut could not be judged again."""
    return max(len(frame.body), len(other.body), len(frame.request_body)) <= PAIR_BODY_BYTES


def draw_of(run: str, seq: int) -> int:
    """A pair's lot, 0 to 2**62 - 1. Those with the lowest lots are kept.

    Made by a hash of the frame's name instead of dice: every pair is equally likely to
    stay, nothing need be counted, and judging a frame again keeps the same pairs.
    """
    digest = hashlib.blake2b(f"{run}\0{seq}\0pair".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2


def status_class(status: int) -> str:
    """The hundred that a status belongs to: "2xx" for 204."""
    return f"{status // 100}xx"


def surplus(held: Iterable[Held], *, strata: int) -> tuple[int, ...]:
    """Draws that a stratum has to let go of, for it is full of lower ones.

    The domain's room is shared by all its `strata`.
    """
    room = min(STRATUM_BYTES, DOMAIN_BYTES // max(1, strata))
    let_go: list[int] = []
    kept = 0
    for one in sorted(held):
        if kept < PAIRS_PER_STRATUM and one.size_bytes <= room:
            kept += 1
            room -= one.size_bytes
        else:
            let_go.append(one.draw)
    return tuple(let_go)


def bar(kept: Sequence[Held], *, is_full: bool) -> int | None:
    """The draw that a newcomer must be below to be kept; None while there is room."""
    if not is_full and len(kept) < PAIRS_PER_STRATUM:
        return None
    return max((one.draw for one in kept), default=None)
