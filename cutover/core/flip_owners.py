"""Stages that contradict who owns the data behind a route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cutover.core.plan import DomainChange, Plan
from cutover.core.stages import Position
from legacy_adapters.mapping.versions import Side
from proxy.routing import Domain, RoutingTable, Stage

_READS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who owns the data that a routing domain writes.

    Attributes:
        data: name of the data's domain.
        is_flipping: a flip of it is not over.
    """

    data: str
    owner: Side
    is_flipping: bool = False


Owners = Mapping[str, Ownership]
"""By routing domain; empty where no data is synced."""


def writes(domain: Domain) -> bool:
    """Whether a routing domain takes requests that change something."""
    return any(not set(route.methods) <= _READS for route in domain.routes)


def contradiction(owners: Owners, domain: Domain, at: Position) -> str | None:
    """Why a domain may not stand there: its writes would meet a closed gate.

    What only reads may stand anywhere: both sides have everything.
    """
    found = owners.get(domain.name)
    if found is None or not writes(domain):
        return None
    flip = f"banyan flip {found.data} --to"
    if found.is_flipping:
        return f"a flip of {found.data} is not over; banyan flip --resume ends it"
    to_core = at.stage in (Stage.CORE, Stage.RETIRED)
    if found.owner is Side.LEGACY and to_core:
        return f"the legacy owns {found.data}, so writes to the core are refused; {flip} core"
    if at.stage is Stage.CANARY:
        return (
            f"the {found.owner} alone may write {found.data}, so a share of its writers would be"
            f" refused; {flip} {found.owner.other} moves all of them at once"
        )
    if found.owner is Side.CORE and not to_core:
        return f"the core owns {found.data}, so writes to legacy are refused; {flip} legacy"
    return None


def with_owners(plan: Plan, desired: RoutingTable, owners: Owners) -> Plan:
    """The plan, with what contradicts ownership refused."""
    domains = {domain.name: domain for domain in desired.domains}
    changes = [_judged(change, domains.get(change.domain), owners) for change in plan.changes]
    return replace(plan, changes=tuple(changes))


def _judged(change: DomainChange, domain: Domain | None, owners: Owners) -> DomainChange:
    if change.after == change.before:
        return change
    if domain is None or change.after is None:
        found = owners.get(change.domain)
        if found is None or found.owner is Side.LEGACY:
            return change
        problem = f"the core owns {found.data}, and without this domain legacy would answer"
        return replace(change, refusals=(*change.refusals, problem))
    problem_there = contradiction(owners, domain, change.after)
    if problem_there is None:
        return change
    return replace(change, refusals=(*change.refusals, problem_there))
