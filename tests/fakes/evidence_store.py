"""Evidence in memory: a writer, and a reader of what was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from proxy.routing.model import Domain
from shadow_compare.core import ledger
from shadow_compare.core.batch import Batch, Checkpoint, Finding, Judged
from shadow_compare.core.epoch import Epoch, join, rules_hash
from shadow_compare.core.evidence import (
    Answered,
    DomainEvidence,
    DomainReading,
    Example,
    Latency,
    MismatchGroup,
    TrendPoint,
)
from shadow_compare.core.groups import (
    SLOT_S,
    GroupQuery,
    GroupStory,
    Kept,
    Sibling,
    arranged,
    by_hour,
    upper_ppm,
)
from shadow_compare.core.latency import bucket_of, quantile_ms
from shadow_compare.core.ledger import Kind, Line
from shadow_compare.core.life import (
    Act,
    Entry,
    Life,
    State,
    Wish,
    as_of,
    entry_of,
    granted,
    moved,
    problem_with,
    quiet_after,
)
from shadow_compare.core.parity import (
    Counts,
    StratumCounts,
    parity,
    strata_worst_first,
    trend,
    worst_first,
)
from shadow_compare.core.reservoir import slots_for
from shadow_compare.core.sampling import KEYS, Remembered, Sighting, Stratum, add_up
from shadow_compare.core.spans import ALL
from shadow_compare.core.stake import Stake
from shadow_compare.core.verdict import Outcome
from shadow_compare.errors import EvidenceUnavailable, NoSuchGroup, WishRefused

_FIELD = {
    Outcome.MATCH: "matched",
    Outcome.ACCEPTED: "accepted",
    Outcome.MISMATCH: "mismatched",
    Outcome.INCOMPARABLE: "incomparable",
    Outcome.BROKEN: "broken",
}


_COMPARED = (Outcome.MATCH, Outcome.ACCEPTED, Outcome.MISMATCH)


def counted(frames: Iterable[Judged]) -> Counts:
    """The outcomes of these frames."""
    total = Counts()
    for one in frames:
        if one.outcome is not None:
            asked = {"asked_twice": one.noise is not None, "noisy": bool(one.noise)}
            total += Counts(**{_FIELD[one.outcome]: 1}, **asked)
    return total


@dataclass
class EvidenceInMemory:
    """Keeps every frame, and counts anew for every question.

    Attributes:
        down: raise EvidenceUnavailable from every method.
        fail_commits: that many commits fail before one succeeds.
    """

    now_s: float = 0.0
    down: bool = False
    fail_commits: int = 0
    judged: list[Judged] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    runs: dict[str, Checkpoint] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    epochs: dict[tuple[str, str], Epoch] = field(default_factory=dict)
    current: dict[str, Epoch] = field(default_factory=dict)
    heartbeats: dict[str, float] = field(default_factory=dict)
    books: dict[str, dict[Line, int]] = field(default_factory=dict)
    done: set[tuple[str, int]] = field(default_factory=set)
    passed: dict[str, int] = field(default_factory=dict)
    lives: dict[str, Life] = field(default_factory=dict)
    journals: dict[str, list[Entry]] = field(default_factory=dict)
    rates: dict[str, tuple[str, int, int, int]] = field(default_factory=dict)
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    exposures: dict[tuple[str, str], int] = field(default_factory=dict)
    kept: dict[tuple[str, str, Stratum], dict[int, Remembered]] = field(default_factory=dict)
    worth: dict[tuple[str, int], Counts] = field(default_factory=dict)
    carried: dict[str, tuple[int, float]] = field(default_factory=dict)

    async def checkpoints(self) -> Mapping[str, Checkpoint]:
        self._check()
        return dict(self.runs)

    async def commit(self, batch: Batch) -> Batch:
        self._check()
        if self.fail_commits:
            self.fail_commits -= 1
            raise EvidenceUnavailable("out of order for a moment")
        batch = self._only_new(batch)
        self.batches.append(batch)
        for run in self.closed & set(batch.gone):
            self.closed.discard(run)
            del self.runs[run]
        self._enter(batch)
        for one in batch.judged:
            self._weigh(one)
        self.judged.extend(batch.judged)
        self._live_on(batch)
        for epoch in batch.epochs:
            self.epochs.setdefault((epoch.domain, epoch.key), epoch)
            self.current[epoch.domain] = epoch
            self.heartbeats[epoch.domain] = batch.at_s
        frames_of = {one.run for one in batch.judged}
        others = {*batch.accounts, *batch.checkpoints, *batch.closed, *batch.passed}
        for run in frames_of | others - self.closed:
            self._book(run, batch)
            if run in batch.closed:
                folded = self.books.setdefault("", {})
                for line, more in ledger.close(self.books.pop(run), batch.closed[run]).items():
                    folded[line] = folded.get(line, 0) + more
                self.closed.add(run)
        return batch

    def _only_new(self, batch: Batch) -> Batch:
        closed = {run for run, last in self.passed.items() if last == ALL}
        judged = []
        for one in batch.judged:
            key = (one.run, one.seq)
            if key not in self.done and one.seq > self.passed.get(one.run, 0):
                judged.append(one)
            self.done.add(key)
        last = {run: passed.seq for run, passed in batch.passed.items()}
        for run, seq in (last | dict.fromkeys(batch.closed, ALL)).items():
            self.passed[run] = max(seq, self.passed.get(run, 0))
        return replace(
            batch,
            judged=tuple(judged),
            accounts={k: v for k, v in batch.accounts.items() if k not in closed},
            checkpoints={k: v for k, v in batch.checkpoints.items() if k not in closed},
            closed={k: v for k, v in batch.closed.items() if k not in closed},
            passed={k: v for k, v in batch.passed.items() if k not in closed},
        )

    def _enter(self, batch: Batch) -> None:
        for epoch in batch.epochs:
            now = self.current.get(epoch.domain)
            if now is None or now.key != epoch.key:
                found = [one for one in self.judged if _is_of(one, epoch)]
                self.carried[epoch.domain] = self._counted(found).samples, batch.at_s

    def _weigh(self, one: Judged) -> None:
        if one.sample is None or one.outcome not in _COMPARED:
            return
        known = self.kept.setdefault((one.domain, one.epoch, one.sample.stratum), {})
        new = add_up([Sighting(one.sample, one.outcome is Outcome.MISMATCH)], known, KEYS)
        known.update(new.changed)
        worth = Counts(samples=new.samples, unequal=new.unequal)
        self.worth[one.run, one.seq] = self.worth.get((one.run, one.seq), Counts()) + worth

    def _counted(self, frames: Iterable[Judged]) -> Counts:
        frames = list(frames)
        names = {(one.run, one.seq) for one in frames}
        worth = (self.worth.get(name, Counts()) for name in names)
        return sum(worth, counted(frames))

    def _strata(self, epoch: Epoch) -> dict[Stratum, StratumCounts]:
        strata = {}
        for (domain, key, stratum), known in self.kept.items():
            if (domain, key) == (epoch.domain, epoch.key):
                ends = [
                    one.outcome
                    for one in self.judged
                    if _is_of(one, epoch)
                    and one.sample is not None
                    and one.sample.stratum == stratum
                    and one.outcome in _COMPARED
                ]
                strata[stratum] = StratumCounts(
                    len(ends),
                    ends.count(Outcome.MISMATCH),
                    len(known),
                    sum(kept.is_unequal for kept in known.values()),
                )
        return strata

    def _book(self, run: str, batch: Batch) -> None:
        done: dict[Line, int] = {}
        for one in (one for one in batch.judged if one.run == run):
            kind = Kind.LOST if one.outcome is None else Kind.COMPARED
            line = Line(one.domain, one.route, kind, one.loss or "")
            done[line] = done.get(line, 0) + 1
        self.books[run] = ledger.settle(self.books.get(run, {}), batch.accounts.get(run, {}), done)
        if run in batch.passed:
            self.books[run] = ledger.give_up(self.books[run], batch.passed[run].sent)
        self.runs[run] = batch.checkpoints.get(run, self.runs.get(run, Checkpoint()))

    async def domain(self, domain: Domain) -> DomainEvidence:
        self._check()
        confidence_bp = domain.parity_gate.confidence_bp if domain.parity_gate else 9_500
        epoch = None
        if now := self.current.get(domain.name):
            today = datetime.fromtimestamp(self.now_s, UTC).date()
            key = join(domain.name, rules_hash(domain, today), now.stores)
            epoch = self.epochs.get((domain.name, key))
        frames = [one for one in self.judged if epoch and _is_of(one, epoch)]
        routes = {one.route for one in frames if one.outcome}
        lines = (pair for books in self.books.values() for pair in books.items())
        return DomainEvidence(
            domain=domain.name,
            epoch=epoch.key if epoch else "",
            epoch_since_s=epoch.since_s if epoch else None,
            overall=parity(None, self._counted(frames), confidence_bp),
            routes=worst_first(
                {
                    route: self._counted(one for one in frames if one.route == route)
                    for route in routes
                },
                confidence_bp,
            ),
            unseen=tuple(route.name for route in domain.routes if route.name not in routes),
            accounting=ledger.accounting(pair for pair in lines if pair[0].domain == domain.name),
            heartbeat_s=self.heartbeats.get(domain.name),
            strata=strata_worst_first(self._strata(epoch) if epoch else {}, confidence_bp),
            carried=self._carried(domain.name, epoch),
            in_force_since_s=self.carried[domain.name][1] if domain.name in self.carried else None,
        )

    def _carried(self, domain: str, epoch: Epoch | None) -> int:
        now = self.current.get(domain)
        return self.carried[domain][0] if epoch and now and now.key == epoch.key else 0

    async def groups(
        self, domain: str | None = None, *, current_only: bool = True, limit: int = 50
    ) -> Sequence[MismatchGroup]:
        self._check()
        found = [
            group
            for group in self._groups()
            if domain in (None, group.domain) and (group.current or not current_only)
        ]
        return sorted(found, key=lambda g: (-g.count, -g.last_seen_s))[:limit]

    async def find(self, query: GroupQuery) -> Sequence[MismatchGroup]:
        self._check()
        return arranged(self._groups(), query)

    async def story(self, fingerprint: str) -> GroupStory:
        self._check()
        own = self._signatures(fingerprint)
        shared = {
            group.fingerprint: len(own & self._signatures(group.fingerprint))
            for group in self._groups()
        }
        siblings = [
            Sibling(g.fingerprint, g.title, g.route, g.count, shared[g.fingerprint], g.life.state)
            for g in self._groups()
            if g.current and g.fingerprint != fingerprint and shared[g.fingerprint]
        ]
        siblings.sort(key=lambda one: (-one.shared, -one.count, one.fingerprint))
        return GroupStory(tuple(reversed(self.journals.get(fingerprint, ()))), tuple(siblings))

    def _signatures(self, fingerprint: str) -> set[str]:
        findings = (one.finding for one in self.judged if one.finding)
        return {s for f in findings if f.fingerprint == fingerprint for s in f.signatures}

    async def examples(
        self, domain: str | None, from_s: float, to_s: float, *, limit: int
    ) -> Sequence[Kept]:
        self._check()
        kept = []
        for group in self._groups():
            if domain in (None, group.domain):
                found = self._kept(group.fingerprint, group.epoch)
                kept += [
                    (one, Kept(group.fingerprint, group.domain, group.route, finding.example))
                    for one, finding in found
                    if from_s <= one.at_s < to_s
                ]
        kept.sort(key=lambda pair: (pair[0].at_s, pair[0].run, pair[0].seq))
        return [one for _, one in kept[-limit:]]

    async def grant(self, fingerprint: str, wish: Wish) -> MismatchGroup:
        self._check()
        found = await self.group(fingerprint)
        if found is None:
            raise NoSuchGroup(f"no group, or more than one, begins with {fingerprint}")
        name = found[0].fingerprint
        life = found[0].life
        problem = problem_with(life, wish, datetime.fromtimestamp(self.now_s, UTC).date())
        if problem is not None:
            raise WishRefused(f"{name}: {problem}")
        self._move(name, life, granted(life, wish, self.now_s), wish.act)
        found = await self.group(name)
        assert found is not None
        return found[0]

    def _move(self, name: str, before: Life, after: Life, act: Act) -> None:
        self.lives[name] = after
        self.journals.setdefault(name, []).append(entry_of(before, after, act))

    def _live_on(self, batch: Batch) -> None:
        """Let what came again regress, and let go of what fell quiet or is over."""
        for one in batch.judged:
            if one.outcome in (Outcome.MATCH, Outcome.ACCEPTED, Outcome.MISMATCH):
                place = (one.domain, one.route)
                self.exposures[place] = self.exposures.get(place, 0) + 1
        seen: dict[str, list[Judged]] = {}
        for one in batch.judged:
            if one.finding:
                seen.setdefault(one.finding.fingerprint, []).append(one)
        for name, hits in seen.items():
            self._hit(name, hits)
        for name, (_, count, start, last) in self.rates.items():
            life = self.lives[name]
            after = as_of(life, batch.at_s)
            if after is not life:
                self._move(name, life, after, Act.EXPIRE)
                continue
            quiet = self.exposures[self.places[name]] - last
            if 1 <= count <= last - start and quiet >= quiet_after(count, last - start):
                after = moved(life, Act.QUIET, f"not seen in {quiet:,} comparisons", batch.at_s)
                if after is not life:
                    self._move(name, life, after, Act.QUIET)

    def _hit(self, name: str, hits: list[Judged]) -> None:
        first = hits[0]
        place, epoch = (first.domain, first.route), first.epoch
        self.places[name] = place
        life = self.lives.setdefault(name, Life(since_s=min(one.at_s for one in hits)))
        now = self.exposures[place]
        own = counted(
            one for one in self.judged if (one.domain, one.route, one.epoch) == (*place, epoch)
        ).compared
        before, count, start, last = self.rates.get(name, ("", 0, 0, 0))
        later = [one.at_s for one in hits if one.at_s > life.since_s or not life.by]
        if life.state is State.FIXED and later:
            self._move(name, life, moved(life, Act.HIT, "seen again", max(later)), Act.HIT)
            count, start = 0, last
        elif before != epoch:
            count, start = 0, now - own
        self.rates[name] = (epoch, count + len(hits), start, now)

    async def group(self, fingerprint: str) -> tuple[MismatchGroup, Sequence[Example]] | None:
        self._check()
        prefix = fingerprint if fingerprint.startswith("v1:") else f"v1:{fingerprint}"
        found = [group for group in self._groups() if group.fingerprint.startswith(prefix)]
        if len({group.fingerprint for group in found}) != 1:
            return None
        newest = max(found, key=lambda g: (g.current, g.last_seen_s))
        ordered = sorted(
            self._kept(newest.fingerprint, newest.epoch),
            key=lambda pair: pair[0].at_s,
            reverse=True,
        )
        return newest, [finding.example for _, finding in ordered]

    def _kept(self, fingerprint: str, epoch: str) -> list[tuple[Judged, Finding]]:
        kept: dict[int, tuple[Judged, Finding]] = {}
        for nth, (one, finding) in enumerate(self._of(fingerprint, epoch), 1):
            kept.update(dict.fromkeys(slots_for(one.run, one.seq, nth), (one, finding)))
        return list({(one.run, one.seq): (one, f) for one, f in kept.values()}.values())

    async def readings(
        self, domains: Sequence[Domain], *, points: int, groups: int
    ) -> Mapping[str, DomainReading]:
        return {
            one.name: DomainReading(
                await self.domain(one),
                tuple(self._trend(one.name))[-points:] if points else (),
                tuple(self._latency(one.name)),
                tuple(await self.groups(one.name, limit=groups)),
            )
            for one in domains
        }

    def _trend(self, domain: str) -> Sequence[TrendPoint]:
        frames = [one for one in self.judged if one.domain == domain and one.outcome]
        of: dict[tuple[int, str], list[Judged]] = {}
        for one in frames:
            of.setdefault((int(one.at_s) // 10 * 10, one.epoch), []).append(one)
        intervals = [(at_s, epoch, self._counted(of[at_s, epoch])) for at_s, epoch in sorted(of)]
        totals = {
            epoch: self._counted(one for one in frames if one.epoch == epoch) for _, epoch in of
        }
        return trend([i for i in intervals if i[2].compared], totals, 9_500)

    def _latency(self, domain: str) -> Sequence[Latency]:
        series: dict[tuple[str, str], dict[int, int]] = {}
        for one in (one for one in self.judged if one.domain == domain):
            for timing in one.timings:
                if timing.elapsed_us is None:
                    continue
                counts = series.setdefault((timing.side, timing.role), {})
                bucket = bucket_of(timing.elapsed_us)
                counts[bucket] = counts.get(bucket, 0) + 1
        return [
            Latency(side, role, sum(counts.values()), *_quantiles(counts))
            for (side, role), counts in sorted(series.items())
        ]

    async def answered(self, domain: str) -> Sequence[Answered]:
        self._check()
        known = [one for one in self.judged if one.domain == domain]
        last = max((int(one.at_s) // 300 * 300 for one in known), default=0)
        found: Counter[tuple[str, str, bool]] = Counter(
            (timing.side, timing.role, timing.is_error)
            for one in known
            if int(one.at_s) // 300 * 300 > last - 3_600
            for timing in one.timings
        )
        return [
            Answered(side, role, found[side, role, False] + errors, errors)
            for side, role in sorted({(side, role) for side, role, _ in found})
            for errors in [found[side, role, True]]
        ]

    def _groups(self) -> list[MismatchGroup]:
        keys = {(one.finding.fingerprint, one.epoch) for one in self.judged if one.finding}
        return [self._group(fingerprint, epoch) for fingerprint, epoch in sorted(keys)]

    def _group(self, fingerprint: str, epoch: str) -> MismatchGroup:
        members = self._of(fingerprint, epoch)
        first, finding = members[0]
        now = self.current.get(first.domain)
        same_route = [
            one
            for one in self.judged
            if (one.domain, one.route, one.epoch) == (first.domain, first.route, epoch)
        ]
        of_route = counted(same_route)
        asked_twice = [one.noise for one in same_route if one.noise is not None]
        differed = min(
            (sum(at in noise for noise in asked_twice) for at in finding.patterns), default=0
        )
        everywhere = [
            (one, one.finding)
            for one in self.judged
            if one.finding and one.finding.fingerprint == fingerprint
        ]
        slots = [(int(one.at_s) // SLOT_S * SLOT_S, 1) for one, _ in everywhere]
        hourly = by_hour(slots, self.now_s)
        return MismatchGroup(
            fingerprint=fingerprint,
            domain=first.domain,
            route=first.route,
            title=finding.title,
            patterns=finding.patterns,
            count=len(members),
            share_ppm=len(members) * 1_000_000 // of_route.compared,
            first_seen_s=min(one.at_s for one, _ in members),
            last_seen_s=max(one.at_s for one, _ in members),
            epoch=epoch,
            current=now is not None and now.key == epoch,
            noise_ppm=differed * 1_000_000 // len(asked_twice) if asked_twice else None,
            upper_ppm=upper_ppm(len(members), of_route.compared),
            per_hour=hourly[-1],
            hourly=hourly,
            cohorts=tuple(Counter(f.example.live_side for _, f in members).most_common()),
            first_releases=everywhere[0][1].releases,
            last_releases=everywhere[-1][1].releases,
            stakes=_stakes(finding for _, finding in members),
            life=as_of(self.lives[fingerprint], self.now_s),
        )

    def _of(self, fingerprint: str, epoch: str) -> list[tuple[Judged, Finding]]:
        return [
            (one, one.finding)
            for one in self.judged
            if one.epoch == epoch and one.finding and one.finding.fingerprint == fingerprint
        ]

    def _check(self) -> None:
        if self.down:
            raise EvidenceUnavailable("switched off")


def _stakes(findings: Iterable[Finding]) -> tuple[Stake, ...]:
    sums: dict[str, Stake] = {}
    for stake in (finding.stake for finding in findings):
        if stake is not None:
            known = sums.get(stake.currency)
            sums[stake.currency] = stake if known is None else known + stake
    return tuple(sorted(sums.values(), key=lambda one: (-one.gap_minor, -one.affected_minor)))


def _is_of(one: Judged, epoch: Epoch) -> bool:
    return one.domain == epoch.domain and one.epoch == epoch.key


def _quantiles(counts: dict[int, int]) -> tuple[float, float, float]:
    return quantile_ms(counts, 0.5), quantile_ms(counts, 0.95), quantile_ms(counts, 0.99)
