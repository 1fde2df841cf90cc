"""An evidence store in memory, for whoever reads evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proxy.routing import Domain
from shadow_compare.core.evidence import (
    Accounting,
    Answered,
    DomainEvidence,
    DomainReading,
    Example,
    Latency,
    MismatchGroup,
    Parity,
    TrendPoint,
)
from shadow_compare.core.groups import GroupQuery, GroupStory, Kept, arranged
from shadow_compare.errors import EvidenceUnavailable


@dataclass(slots=True)
class FakeEvidence:
    """Answers what it was given; a domain it was given nothing of has no evidence yet.

    Attributes:
        away: why the store does not answer; None when it does.
        delay_s: how long every answer takes.
        asked: how many questions came.
    """

    domains: dict[str, DomainEvidence] = field(default_factory=dict)
    trends: dict[str, Sequence[TrendPoint]] = field(default_factory=dict)
    latencies: dict[str, Sequence[Latency]] = field(default_factory=dict)
    answers: dict[str, Sequence[Answered]] = field(default_factory=dict)
    found: dict[str, tuple[MismatchGroup, Sequence[Example]]] = field(default_factory=dict)
    stories: dict[str, GroupStory] = field(default_factory=dict)
    away: str | None = None
    delay_s: float = 0.0
    asked: int = 0

    async def domain(self, domain: Domain) -> DomainEvidence:
        await self._answer()
        return self.domains.get(domain.name) or nothing_yet(domain)

    async def readings(
        self, domains: Sequence[Domain], *, points: int, groups: int
    ) -> Mapping[str, DomainReading]:
        await self._answer()
        return {
            one.name: DomainReading(
                self.domains.get(one.name) or nothing_yet(one),
                tuple(self.trends.get(one.name, ()))[-points:] if points else (),
                tuple(self.latencies.get(one.name, ())),
                tuple(self._groups(one.name, current_only=True)[:groups]),
            )
            for one in domains
        }

    async def groups(
        self, domain: str | None = None, *, current_only: bool = True, limit: int = 50
    ) -> Sequence[MismatchGroup]:
        await self._answer()
        return self._groups(domain, current_only=current_only)[:limit]

    def _groups(self, domain: str | None, *, current_only: bool) -> list[MismatchGroup]:
        groups = [
            group
            for group, _ in self.found.values()
            if domain in (None, group.domain) and (group.current or not current_only)
        ]
        return sorted(groups, key=lambda group: -group.count)

    async def find(self, query: GroupQuery) -> Sequence[MismatchGroup]:
        await self._answer()
        return arranged((group for group, _ in self.found.values()), query)

    async def story(self, fingerprint: str) -> GroupStory:
        await self._answer()
        return self.stories.get(fingerprint, GroupStory())

    async def examples(
        self, domain: str | None, from_s: float, to_s: float, *, limit: int
    ) -> Sequence[Kept]:
        await self._answer()
        kept = [
            Kept(group.fingerprint, group.domain, group.route, example)
            for group, examples in self.found.values()
            for example in examples
            if domain in (None, group.domain) and from_s <= example.at_s < to_s
        ]
        return sorted(kept, key=lambda one: one.example.at_s)[-limit:]

    async def group(self, fingerprint: str) -> tuple[MismatchGroup, Sequence[Example]] | None:
        await self._answer()
        matching = [entry for key, entry in self.found.items() if key.startswith(fingerprint)]
        return matching[0] if len(matching) == 1 else None

    async def answered(self, domain: str) -> Sequence[Answered]:
        await self._answer()
        return self.answers.get(domain, ())

    async def _answer(self) -> None:
        self.asked += 1
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.away is not None:
            raise EvidenceUnavailable(self.away)


def nothing_yet(domain: Domain) -> DomainEvidence:
    """Evidence of a domain that nothing was compared of."""
    gate = domain.parity_gate
    return DomainEvidence(
        domain=domain.name,
        epoch="",
        epoch_since_s=None,
        overall=some_parity(0, confidence_bp=gate.confidence_bp if gate else 9_500, lower_ppm=0),
        routes=(),
        unseen=tuple(route.name for route in domain.routes),
        accounting=Accounting(0, 0, 0),
        heartbeat_s=None,
    )


def some_parity(
    matched: int,
    *,
    route: str | None = None,
    accepted: int = 0,
    mismatched: int = 0,
    lower_ppm: int,
    confidence_bp: int = 9_500,
) -> Parity:
    """Parity with what a test cares for; every comparison is a sample."""
    return Parity(
        route=route,
        matched=matched,
        accepted=accepted,
        mismatched=mismatched,
        incomparable=0,
        broken=0,
        lower_ppm=lower_ppm,
        confidence_bp=confidence_bp,
        samples=matched + accepted + mismatched,
        unequal=mismatched,
    )


def some_evidence(
    domain: str,
    parity: Parity,
    *,
    losses: Mapping[str, int] | None = None,
    pending: int = 0,
    heartbeat_s: float | None = None,
    unseen: tuple[str, ...] = (),
) -> DomainEvidence:
    """Evidence whose accounting adds up."""
    losses = dict(losses or {})
    compared = parity.compared + parity.incomparable + parity.broken
    return DomainEvidence(
        domain=domain,
        epoch="4f1c20aa91b3",
        epoch_since_s=heartbeat_s - 3_600 if heartbeat_s else None,
        overall=parity,
        routes=(),
        unseen=unseen,
        accounting=Accounting(compared + sum(losses.values()) + pending, compared, pending, losses),
        heartbeat_s=heartbeat_s,
    )
