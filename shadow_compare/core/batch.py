"""What one round of comparing adds to the evidence, as one value.

A batch is stored whole or not at all, checkpoints included: a comparer that is killed
between two batches has counted nothing twice and forgotten nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from shadow_compare.core.epoch import Epoch
from shadow_compare.core.evidence import Example
from shadow_compare.core.pairs import RecordedPair
from shadow_compare.core.sampling import Sample
from shadow_compare.core.stake import Stake
from shadow_compare.core.verdict import Outcome


class Checkpoint(NamedTuple):
    """How far a run was read: everything before `offset` bytes of `segment` is done."""

    segment: int = 1
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a mismatch is called, so that its like can join it.

    Attributes:
        signatures: of each single difference, so that groups can be found which share one.
        releases: of legacy and of the core; "" where the table names none.
        stake: the money it was about, None where no rule says where that stands.
    """

    fingerprint: str
    title: str
    patterns: tuple[str, ...]
    example: Example
    signatures: tuple[str, ...] = ()
    releases: tuple[str, str] = ("", "")
    stake: Stake | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """What one side made of one request.

    Attributes:
        role: "live" or "shadow".
        elapsed_us: how long its answer took; None where none came.
        is_error: it answered with a status of 500 or more, or not at all.
    """

    side: str
    role: str
    elapsed_us: int | None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """One frame's end: a verdict's outcome or a loss, never both.

    Attributes:
        run: the worker's life that captured it; with `seq` it names the frame for ever.
        at_s: when the shopper was answered.
        epoch: key of the epoch it was judged in; "" for a loss of an unknown domain.
        loss: why it could not be compared, when `outcome` is None.
        noise: patterns at which the live side differed from itself; None when it was not
            asked again.
        pair: the whole exchange, for the proof of the rules; None when it is too large.
        used: ids of the rules that accepted something in it.
        sample: what it counts as in the statistics; None for a loss.
    """

    run: str
    seq: int
    at_s: float
    domain: str
    route: str
    epoch: str
    outcome: Outcome | None
    loss: str | None = None
    finding: Finding | None = None
    timings: tuple[Timing, ...] = ()
    noise: tuple[str, ...] | None = None
    pair: RecordedPair | None = None
    used: tuple[str, ...] = ()
    sample: Sample | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """The part of a run that the bus holds no frame of any more.

    Attributes:
        seq: every frame up to this one has left the bus: it was stored as done, or the bus
            gave it up.
        sent: counters named `sent|DOMAIN|ROUTE`, how many frames up to `seq` the bus took.
    """

    seq: int
    sent: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction's worth.

    Attributes:
        at_s: now, seconds since 1970.
        epochs: the epoch in force of every domain of the table.
        rules: domain to the ids of its rules in force.
        checkpoints: run to how far it is read once this batch is stored.
        accounts: run to the proxy's counters as last seen.
        closed: runs that will never yield another frame, each with the loss that
            whatever is still missing of it is booked under.
        gone: closed runs that the spool no longer holds; nothing need be remembered.
        passed: run to what the bus has let go of.
    """

    at_s: float
    judged: tuple[Judged, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    rules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checkpoints: Mapping[str, Checkpoint] = field(default_factory=dict)
    accounts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    closed: Mapping[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    passed: Mapping[str, Passed] = field(default_factory=dict)
