"""Prove the rules of a table on recorded pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from shadow_compare.core.field_coverage import RouteCoverage, covered
from shadow_compare.core.pairs import RecordedPair
from shadow_compare.core.proof import Prover, RouteProof
from shadow_compare.service.rulebook import Rulebook

Tick = Callable[[], None]


def by_route(
    domain: str, pairs: Sequence[RecordedPair], rulebook: Rulebook
) -> Mapping[str, Sequence[RecordedPair]]:
    """The pairs of every route of the table, in a fixed order; a route may have none."""
    of = {route.name: list[RecordedPair]() for route in rulebook.table.domain(domain).routes}
    for pair in sorted(pairs, key=lambda one: (one.frame.run, one.frame.seq)):
        if pair.frame.route in of:
            of[pair.frame.route].append(pair)
    return of


def prove(
    domain: str, pairs: Sequence[RecordedPair], rulebook: Rulebook, lot: int, tick: Tick
) -> tuple[RouteProof, ...]:
    """Seed every kind of defect into the pairs of every route; `tick` once for each pair."""
    proofs = []
    for route, own in by_route(domain, pairs, rulebook).items():
        prover = Prover(route, rulebook.judge(domain, route), lot)
        for pair in own:
            prover.add(pair.exchange())
            tick()
        proofs.append(prover.proof())
    return tuple(proofs)


def cover(
    domain: str, pairs: Sequence[RecordedPair], rulebook: Rulebook, tick: Tick
) -> tuple[RouteCoverage, ...]:
    """Say of every route which fields of its pairs are compared."""
    found = []
    for route, own in by_route(domain, pairs, rulebook).items():
        judge = rulebook.judge(domain, route)
        coverages = []
        for pair in own:
            coverages.append(judge.coverage(pair.exchange()))
            tick()
        found.append(covered(route, coverages))
    return tuple(found)
