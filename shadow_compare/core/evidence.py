"""What the comparer knows of a domain, as values that gates and pages read.

Every count belongs to the domain's current epoch: the evidence gathered since the
last change of either release or of the compare rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shadow_compare.core.life import Life
from shadow_compare.core.sampling import Stratum
from shadow_compare.core.stake import Stake


@dataclass(frozen=True, slots=True)
class Parity:
    """How equal two stores are, with the confidence stated.

    Attributes:
        route: route name, or None for the whole domain.
        compared: matched + accepted + mismatched, repeats included.
        incomparable: one side's answer could not be read; never counted as equal.
        broken: a rule crashed; never counted as equal.
        lower_ppm: lower bound on the share of equal samples, in ppm, that holds however
            often it is looked at; gates read it. 0 while there is no sample.
        confidence_bp: confidence of every bound in basis points.
        samples: distinct pairs of shopper and request that were compared; the bounds
            are over these.
        unequal: samples that were unequal at least once.
        upper_ppm: the upper bound that belongs to `lower_ppm`.
        exact_ppm: exact one-sided lower bound, true of a number of samples that was fixed
            beforehand; always the more hopeful one.
        hidden_at_most: of the comparisons, how many mismatches could pass for the live
            side's own noise, with the same confidence; None when it was never asked twice.
    """

    route: str | None
    matched: int
    accepted: int
    mismatched: int
    incomparable: int
    broken: int
    lower_ppm: int
    confidence_bp: int
    samples: int = 0
    unequal: int = 0
    upper_ppm: int = 1_000_000
    exact_ppm: int = 0
    hidden_at_most: int | None = None

    @property
    def compared(self) -> int:
        """Comparisons that ended in a verdict of equal or unequal."""
        return self.matched + self.accepted + self.mismatched

    @property
    def ratio_ppm(self) -> int | None:
        """Share of equal answers seen, rounded down; None before the first one."""
        if not self.compared:
            return None
        return (self.matched + self.accepted) * 1_000_000 // self.compared


@dataclass(frozen=True, slots=True)
class StratumParity:
    """How equal two stores are in one stratum.

    Attributes:
        compared: comparisons, repeats included, of which `mismatched` were unequal.
        samples, unequal, lower_ppm, upper_ppm, exact_ppm, confidence_bp: as in `Parity`.
    """

    stratum: Stratum
    compared: int
    mismatched: int
    samples: int
    unequal: int
    lower_ppm: int
    upper_ppm: int
    exact_ppm: int
    confidence_bp: int


@dataclass(frozen=True, slots=True)
class Accounting:
    """Where every mirrored exchange went. Not bound to an epoch: since records began.

    mirrored == compared + sum(losses.values()) + pending holds at every moment a reader
    can see.

    Attributes:
        mirrored: exchanges that the proxy decided to mirror.
        compared: frames that ended in a verdict (match, accepted, mismatch,
            incomparable, broken).
        losses: reason to count: dropped by the proxy (queue_full, spool_full,
            body_too_large, client_gone …), lost in a crash, failed at the other side
            (shadow_timeout, shadow_unreachable …).
        pending: not yet read by the comparer.
    """

    mirrored: int
    compared: int
    pending: int
    losses: dict[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """All losses together."""
        return sum(self.losses.values())


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One interval of a domain's parity. `at_s` is its start, seconds since the epoch."""

    at_s: int
    equal: int
    mismatched: int
    ratio_ppm: int
    lower_ppm: int
    epoch: str


@dataclass(frozen=True, slots=True)
class Latency:
    """One side's answer times for a domain, milliseconds, from log-spaced buckets.

    role is "live" (it answered shoppers) or "shadow" (the comparer asked it).
    """

    side: str
    role: str
    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Answered:
    """How often one side was asked for a domain, and how often that was an error.

    Attributes:
        role: "live" (it answered shoppers) or "shadow" (the comparer asked it).
        answers: errors among them.
        errors: answers with a status of 500 or more; of a shadow also the want of one.
    """

    side: str
    role: str
    answers: int
    errors: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """One difference: where, of which class, and both values as canonical JSON text.

    Attributes:
        path: exact, with indexes, e.g. "$.children[2].date_updated".
        pattern: index-free, e.g. "$.children[*].date_updated"; "status" and
            "header:content-type" stand for the answer's head.
        kind: status, header, missing, added, type, value, order, length, body.
        legacy: legacy's value, None when absent.
        core: the core's value, None when absent.
    """

    path: str
    pattern: str
    kind: str
    legacy: str | None
    core: str | None


@dataclass(frozen=True, slots=True)
class Example:
    """A stored, redacted exchange that fell into a group.

    Attributes:
        shopper: keyed hash of the shopper key, None when the request carried none.
        legacy_us, core_us: how long each side took, microseconds; 0 when not known.
    """

    request_id: str
    at_s: float
    method: str
    target: str
    request_headers: tuple[tuple[str, str], ...]
    live_side: str
    legacy_status: int
    core_status: int
    legacy_headers: tuple[tuple[str, str], ...]
    core_headers: tuple[tuple[str, str], ...]
    legacy_body: str
    core_body: str
    leaves: tuple[Leaf, ...]
    shopper: str | None = None
    legacy_us: int = 0
    core_us: int = 0


@dataclass(frozen=True, slots=True)
class MismatchGroup:
    """Mismatches that look the same: one fingerprint.

    Attributes:
        fingerprint: "v1:" and 16 hex digits.
        title: one plain sentence: what differs, where.
        share_ppm: of the route's comparisons in this epoch.
        noise_ppm: of the route's exchanges that the live side was asked twice, the share
            in which it differed from itself at all of these patterns (the rarest one
            counts): near a million, the place moves by itself. None when none was.
        upper_ppm: the share is not larger, 95 % sure (Clopper-Pearson).
        per_hour: how often it was seen in the last hour.
        hourly: how often it was seen in each of the last 24 hours, the oldest first.
        cohorts: how often, by who answered the shopper: legacy or core.
        first_releases, last_releases: of legacy and of the core, when it was first and last
            seen, whatever the epoch; "" where the table names none.
        stakes: money that its exchanges were about, by currency.
        life: where it stands; the same in every epoch.
    """

    fingerprint: str
    domain: str
    route: str
    title: str
    patterns: tuple[str, ...]
    count: int
    share_ppm: int
    first_seen_s: float
    last_seen_s: float
    epoch: str
    current: bool
    noise_ppm: int | None = None
    upper_ppm: int = 0
    per_hour: int = 0
    hourly: tuple[int, ...] = ()
    cohorts: tuple[tuple[str, int], ...] = ()
    first_releases: tuple[str, str] = ("", "")
    last_releases: tuple[str, str] = ("", "")
    stakes: tuple[Stake, ...] = ()
    life: Life = field(default_factory=Life)


@dataclass(frozen=True, slots=True)
class DomainEvidence:
    """All that a gate or a page asks of one domain.

    Attributes:
        epoch: short id of the current epoch; "" before any evidence.
        epoch_since_s: when it began.
        overall: parity of the whole domain.
        routes: parity per route, worst first; routes never seen are absent.
        unseen: route names of the table that nothing was compared on.
        heartbeat_s: when the comparer last wrote, None when it never did.
        strata: parity per stratum, worst first.
        carried: samples that were there when the epoch last came into force; a change
            that was taken back finds them again. The others are fresh.
        in_force_since_s: when that was; None before any evidence.
    """

    domain: str
    epoch: str
    epoch_since_s: float | None
    overall: Parity
    routes: tuple[Parity, ...]
    unseen: tuple[str, ...]
    accounting: Accounting
    heartbeat_s: float | None
    strata: tuple[StratumParity, ...] = ()
    carried: int = 0
    in_force_since_s: float | None = None


@dataclass(frozen=True, slots=True)
class DomainReading:
    """All that a card or a page shows of one domain's evidence, as of one moment.

    Attributes:
        trend: the latest intervals in which something was compared, oldest first.
        latency: answer times per side and role over the last hour with data.
        groups: those of the current epoch, by count, greatest first.
    """

    evidence: DomainEvidence
    trend: tuple[TrendPoint, ...] = ()
    latency: tuple[Latency, ...] = ()
    groups: tuple[MismatchGroup, ...] = ()
