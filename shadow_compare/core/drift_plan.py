"""What a repair would do, and what has to be said before it may."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from shadow_compare.core.drift_class import DriftClass
from shadow_compare.core.drift_record import Drift, DriftState, stakes
from shadow_compare.core.reconcile_judge import id_of_unnamed

_STORM_SHARE = 1_000  # one in so many aggregates of the domain
_STORM_LEAST = 20

#: Taking the owner's rows across again changes nothing about these.
_BEYOND = {
    DriftClass.UNMAPPED: "the mapping cannot read it; mend the row, or the mapping",
    DriftClass.DUP_ID: "two aggregates have one id; say which of them it belongs to",
    DriftClass.LOSSY_ACCEPTED: "the mapping says that it loses this",
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """What somebody allows a repair.

    Attributes:
        up_to: minor units by currency that may be at stake; a currency that is not there may
            have none. None allows any sum.
        cause: what made so many differences; "" when nobody said.
    """

    up_to: Mapping[str, int] | None = field(default_factory=dict)
    cause: str = ""


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What a repair would do.

    Attributes:
        repairs: taken across anew, in the order of their kinds' names and keys.
        beyond: what no repair helps, with why.
        stake: money at stake of `repairs`, minor units by currency.
        obstacles: sentences that say what forbids it; without any it may be applied.
        is_storm: so many that the cause matters more than the rows.
    """

    domain: str
    repairs: tuple[Drift, ...]
    beyond: tuple[tuple[Drift, str], ...]
    stake: Mapping[str, int]
    obstacles: tuple[str, ...]
    is_storm: bool


def storm_at(aggregates: int) -> int:
    """From how many differences on a repair of a domain of this size is a storm."""
    return max(_STORM_LEAST, aggregates // _STORM_SHARE) + 1


def plan_repair(
    domain: str, found: Collection[Drift], aggregates: int, allowed: Allowed, owner: str
) -> RepairPlan:
    """Sort a domain's open differences into what can be repaired and what cannot.

    Args:
        domain: whose.
        found: its differences.
        allowed: what somebody said beforehand.
        aggregates: how many the domain has, for what is many.
        owner: the side that owns the domain now; what was found while the other one did is
            left to a new pass, since it may have become right.
    """
    ordered = sorted(found, key=lambda one: (one.kind, one.key))
    # 1. A customer of the core is known by another's key, 2. there is no such key, so it looks
    # as if it were there too much, 3. a repair would take away what the first one still has.
    doubted = {one.core_id for one in ordered if one.drift is DriftClass.DUP_ID and _is_open(one)}
    repairs, beyond = [], []
    for one in ordered:
        if not _is_open(one):
            continue
        doubt = _BEYOND[DriftClass.DUP_ID] if one.core_id and one.core_id in doubted else ""
        problem = _problem(one, owner) or doubt
        if problem:
            beyond.append((one, problem))
        else:
            repairs.append(one)
    stake = stakes(repairs)
    is_storm = len(repairs) >= storm_at(aggregates)
    obstacles = (*_too_dear(stake, allowed), *_too_many(len(repairs), is_storm, allowed))
    return RepairPlan(domain, tuple(repairs), tuple(beyond), stake, obstacles, is_storm)


def _is_open(found: Drift) -> bool:
    return found.state is DriftState.OPEN


def _problem(found: Drift, owner: str) -> str:
    if found.owner != owner:
        return f"found while {found.owner} owned the domain; run a pass now"
    if id_of_unnamed(found.key) is not None:
        return f"{owner} has no key for it; the side that made it must take it away"
    return _BEYOND.get(found.drift, "")


def _too_dear(stake: Mapping[str, int], allowed: Allowed) -> Sequence[str]:
    if allowed.up_to is None:
        return ()
    return tuple(
        f"{minor} minor units of {currency} are at stake, and {allowed.up_to.get(currency, 0)}"
        " are approved"
        for currency, minor in stake.items()
        if minor > allowed.up_to.get(currency, 0)
    )


def _too_many(count: int, is_storm: bool, allowed: Allowed) -> Sequence[str]:
    if not is_storm or allowed.cause.strip():
        return ()
    return (f"{count} differences are a storm: find out what made them, and say it",)
