"""Stages that contradict who owns the data behind a route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cutover.core.plan import DomainChange, Plan
from cutover.core.stages import SERVING, Position
from legacy_adapters.mapping.versions import Side
from proxy.routing import Domain, RoutingTable, Stage


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
    return any(route.is_write(method) for route in domain.routes for method in route.methods)


def contradiction(owners: Owners, domain: Domain, at: Position) -> str | None:
    """Why a domain may not stand there: its writes would meet a closed gate.

    What only reads may stand anywhere: both sides have everything.
    """
    found = owners.get(domain.name)
    if found is None or not writes(domain):
        return None
    if found.is_flipping:
        return f"a flip of {found.data} is not over; banyan flip --resume ends it"
    taken = _takers(domain, at)
    return None if taken <= {found.owner} else _refused(found, domain, taken)


def _takers(domain: Domain, at: Position) -> frozenset[Side]:
    """The stores that a domain's writes go to where it stands."""
    if at.stage not in SERVING or domain.writes_stay:
        return frozenset((Side.LEGACY,))
    return frozenset(Side if at.stage is Stage.CANARY else (Side.CORE,))


def _refused(found: Ownership, domain: Domain, taken: frozenset[Side]) -> str:
    flip = f"banyan flip {found.data} --to {found.owner.other}"
    alone = ", or writes_to: legacy lets reads go alone" if found.owner is Side.LEGACY else ""
    if len(taken) > 1:
        return (
            f"the {found.owner} alone may write {found.data}, so a share of its writers would be"
            f" refused; {flip} moves all of them at once{alone}"
        )
    (there,) = taken
    if there is Side.LEGACY and domain.writes_stay:
        flip = f"take writes_to out, or {flip}"
    owner = f"the {found.owner} owns {found.data}"
    return f"{owner}, so writes to {'the core' if alone else 'legacy'} are refused; {flip}{alone}"


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
