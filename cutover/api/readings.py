"""What the room has read from its sources, each with its time and its problem.

A source that does not answer keeps its last value: a page shows it greyed, with its age.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from proxy.routing import Domain, Side, Store
from shadow_compare.core.evidence import (
    DomainEvidence,
    Example,
    Latency,
    MismatchGroup,
    TrendPoint,
)
from shadow_compare.core.groups import GroupStory

T = TypeVar("T")
DAMAGED = "damaged"


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
    """

    ready: bool
    revision: str | None = None
    workers: int | None = None
    answered: Mapping[tuple[str, str], int] = field(default_factory=dict)
    unmatched: int = 0
    problem: str | None = None


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
class DomainReading:
    """All that a card or a domain page shows of the evidence."""

    evidence: DomainEvidence
    trend: tuple[TrendPoint, ...] = ()
    latency: tuple[Latency, ...] = ()
    groups: tuple[MismatchGroup, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a page is made of, at one moment.

    Attributes:
        now_s: the moment, seconds since the epoch.
        domains: by name; a domain that was never asked for is absent.
        core: the core's answer to a probe; likewise `legacy`.
        revisions: newest first.
    """

    now_s: float
    table: Reading[Table]
    domains: Mapping[str, Reading[DomainReading]]
    proxy: Reading[ProxyState]
    core: Reading[StoreState]
    legacy: Reading[StoreState]
    revisions: Reading[tuple[RevisionLine, ...]]


@dataclass(frozen=True, slots=True)
class MismatchReading:
    """A group with its stored examples, newest first."""

    group: MismatchGroup
    examples: tuple[Example, ...]
    story: GroupStory = field(default_factory=GroupStory)
