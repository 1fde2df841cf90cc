"""What the room has read from its sources, each with its time and its problem.

A source that does not answer keeps its last value: a page shows it greyed, with its age.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cutover.core.health import Between, Counts
from cutover.core.revision import Told
from cutover.errors import CutoverError
from proxy.routing import Domain, Side, Store
from shadow_compare.core.evidence import DomainReading, Example, MismatchGroup
from shadow_compare.core.groups import GroupStory

T = TypeVar("T")
DAMAGED = "damaged"


class SourceAway(CutoverError):
    """A source gave no usable answer.

    The message goes on where the source's name stops: "does not answer (refused)".
    """


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """The last good value of a source, and why there is no newer one.

    Attributes:
        value: None while the source never answered.
        as_of_s: when `value` was read, seconds since the epoch.
        problem: one sentence in plain words; None when the last attempt succeeded.
    """

    value: T | None = None
    as_of_s: float | None = None
    problem: str | None = None

    @property
    def stale(self) -> bool:
        """True when a value is shown that a newer attempt could not confirm."""
        return self.value is not None and self.problem is not None


@dataclass(frozen=True, slots=True)
class Table:
    """What the room needs of the table in force."""

    revision: str
    domains: tuple[Domain, ...]
    stores: Mapping[Side, Store]


@dataclass(frozen=True, slots=True)
class ProxyState:
    """What the side door said.

    Attributes:
        ready: it answers shoppers by a good table.
        revision: of the table that its workers follow, None when it did not say.
        workers: how many are up, None when it did not say.
        answered: (domain, side) to requests answered since the workers started.
        unmatched: requests that no route matched and legacy answered.
        problem: why the newest routing file is not in force; None when it is.
        counts: what its health figures are made of; None where it was not read this time.
    """

    ready: bool
    revision: str | None = None
    workers: int | None = None
    answered: Mapping[tuple[str, str], int] = field(default_factory=dict)
    unmatched: int = 0
    problem: str | None = None
    counts: Counts | None = None


@dataclass(frozen=True, slots=True)
class StoreState:
    """A store answered a probe: with which status, after how long."""

    status: int
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class RevisionLine:
    """One line of the ledger: who changed what, why, when.

    `kind` is init, apply or rollback, or DAMAGED for an entry that was tampered with or
    cannot be read; `reason` says how then.
    """

    n: int
    at_s: float
    actor: str
    kind: str
    reason: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The whole ledger, its chain checked.

    Attributes:
        told: every revision that can be read, by number.
        problems: what is wrong with the chain, a sentence each.
        head: number and hash of the last file; None for an empty ledger.
    """

    told: tuple[Told, ...] = ()
    problems: tuple[str, ...] = ()
    head: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class CourseLine:
    """What a domain does by itself, as the last look had it.

    Attributes:
        at_s: when that look was.
        move: stay, back or next_share.
        because: why, in half a sentence.
        findings: what was seen of both sides.
        next_share_bp: the share that its ramp comes to next; None without one.
        waits_s: how long that takes at least; None where nobody knows.
        done: what was done about it; "" for nothing.
        problem: why it could not be done; "" when it could.
        verdict: on what shoppers met: pass, fail or inconclusive; "" where nothing judges.
        inputs: the numbers that it was judged by.
    """

    at_s: float
    move: str
    because: str
    findings: tuple[str, ...] = ()
    next_share_bp: int | None = None
    waits_s: float | None = None
    done: str = ""
    problem: str = ""
    verdict: str = ""
    inputs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a page is made of, at one moment.

    Attributes:
        now_s: the moment, seconds since the epoch.
        domains: by name; a domain that was never asked for is absent.
        core: the core's answer to a probe; likewise `legacy`.
        revisions: newest first.
        courses: what domains do by themselves; one that nobody steers is absent.
        health: readings of the last hour; None where the proxy never told what it counted.
        order_routes: names of the routes that place orders.
        watched: watched files that are not in force, and why, a sentence each.
    """

    now_s: float
    table: Reading[Table]
    domains: Mapping[str, Reading[DomainReading]]
    proxy: Reading[ProxyState]
    core: Reading[StoreState]
    legacy: Reading[StoreState]
    revisions: Reading[tuple[RevisionLine, ...]]
    courses: Mapping[str, CourseLine] = field(default_factory=dict)
    health: Between | None = None
    order_routes: frozenset[str] = frozenset()
    watched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MismatchReading:
    """A group with its stored examples, newest first."""

    group: MismatchGroup
    examples: tuple[Example, ...]
    story: GroupStory = field(default_factory=GroupStory)
