"""What the room may say of a domain's next flip, from what it has read."""

from __future__ import annotations

from cutover.api.datagather import DataFacts
from cutover.core.flip_gates import (
    Drift,
    Facts,
    Freeze,
    Gate,
    Router,
    Stream,
    Unknown,
    gates,
)
from cutover.core.readiness import Readiness, readiness
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import Control, Phase
from legacy_adapters.storage.overlook import Carried, Overlook

NOT_ASKED = ("numbers", "open transactions", "log")
BUDGET_MS = 3_000.0

_ELSEWHERE = Unknown("only banyan readiness asks")


def owner_of(name: str, seen: Overlook) -> Control:
    """Who owns a domain; as its fences say where it never flipped."""
    control = seen.controls.get(name)
    if control is not None:
        return control
    for side in Side:
        at = seen.checkpoints.get(stream_from(side))
        owner, term = at.terms.get(name, ("", 0)) if at is not None else ("", 0)
        if owner == side.value:
            return Control(name, Phase.OWNED, side, term)
    return Control(name, Phase.OWNED, Side.LEGACY, 0)


def flip_facts(name: str, facts: DataFacts, seen: Overlook) -> Facts:
    """What a flip of a domain to the other side would look at, as far as the room sees it."""
    control = owner_of(name, seen)
    owner, target = control.owner, control.owner.other
    copied = seen.copying.get(name)
    return Facts(
        domain=name,
        target=target,
        budget_ms=BUDGET_MS,
        gates=_fence(name, control, seen),
        backfilled=copied is not None and copied.finished_at is not None,
        there=_stream(stream_from(owner), name, facts, seen),
        back=_stream(stream_from(target), name, facts, seen),
        rogues=sum(seen.rogues.get((side.value, name), 0) for side in Side),
        drift=_drift(name, owner, facts),
        numbers=_ELSEWHERE,
        transaction_s=_ELSEWHERE,
        log=_ELSEWHERE,
        schema=tuple(table for _, table in seen.altered),
        router=_router(name, facts),
        rehearsed=_rehearsed(name, owner, facts.now_s, seen),
    )


def judged(found: Facts) -> tuple[Readiness, tuple[Gate, ...]]:
    """Whether the way is open, and every gate of a flip that the room looked at."""
    seen = [gate for gate in gates(found) if gate.name not in NOT_ASKED]
    return readiness(found, NOT_ASKED), tuple(seen)


def proven_at_s(found: Facts, now_s: float) -> float | None:
    """When the older of both canaries was sent; None while one never came."""
    ages = [one.canary_age_s for one in (found.there, found.back) if isinstance(one, Stream)]
    known = [age for age in ages if age is not None]
    return now_s - max(known) if len(known) == len(Side) else None


def _fence(name: str, control: Control, seen: Overlook) -> tuple[str, str] | Unknown:
    at = seen.checkpoints.get(stream_from(control.owner))
    if at is None or name not in at.terms:
        return Unknown(f"no stream has read the fence of {control.owner}")
    owner, term = at.terms[name]
    return f"{owner} {term}", f"{control.owner} {control.term}"


def _stream(stream: str, name: str, facts: DataFacts, seen: Overlook) -> Stream:
    carried = seen.carried.get((stream, name), Carried())
    at = seen.checkpoints.get(stream)
    if at is None:
        return Stream("it never ran", None, None, carried.dirty, carried.parked)
    age_s = None if at.beat_at is None else max(0.0, facts.now_s - at.beat_at.timestamp())
    return Stream(at.problem, at.lag_ms, age_s, carried.dirty, carried.parked)


def _drift(name: str, owner: Side, facts: DataFacts) -> Drift | Unknown:
    known = facts.drift.value
    if known is None:
        return Unknown(f"the evidence store {facts.drift.problem}")
    clean = known.clean.get((name, owner.value))
    ended_s = None if clean is None else clean.ended_s
    count = sum(one.count for one in known.counts.get(name, ()))
    return Drift(count, None if ended_s is None else facts.now_s - ended_s)


def _router(name: str, facts: DataFacts) -> Router | Unknown:
    proxy, table = facts.proxy, facts.table
    if proxy.problem is not None or proxy.value is None:
        return Unknown(f"the proxy {proxy.problem or 'was not asked'}")
    if table.value is None:
        return Unknown(f"the routing table {table.problem}")
    wanted = facts.routes.get(name, ())
    have = {domain.name for domain in table.value.domains}
    known = tuple(one for one in wanted if one in have)
    problem = proxy.value.problem or ("" if proxy.value.ready else "not every worker serves")
    return Router(problem, known, () if known else wanted)


def _rehearsed(name: str, owner: Side, now_s: float, seen: Overlook) -> Freeze | None:
    tried = seen.tried.get((name, owner.value))
    if tried is None or tried.freeze_ms is None or tried.ended_at is None:
        return None
    return Freeze(tried.freeze_ms, max(0.0, now_s - tried.ended_at.timestamp()))
