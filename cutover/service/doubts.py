"""Which rules of a plan's domains nothing bears out. Said beside the plan, never in its way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from cutover.core.plan import Plan
from proxy.routing import RoutingTable, Stage
from shadow_compare.errors import CompareError

if TYPE_CHECKING:
    from shadow_compare.core.calibration import Justification
    from shadow_compare.ports import ProofStore

OpenProof = Callable[[], "AbstractAsyncContextManager[ProofStore]"]

# Enough to tell what the sides differ in, and judged in less time than a person reads a plan.
_PAIRS = 200
_DEADLINE_S = 10.0


async def doubts(
    open_proof: OpenProof, plan: Plan, desired: RoutingTable, now_s: float
) -> tuple[str, ...]:
    """A sentence for each rule that `banyan rules check` refuses or that nobody calibrated.

    Asked about domains that the plan changes and in which something is compared. Never
    raises: evidence that cannot be read is said once.
    """
    import asyncio  # noqa: PLC0415 - a plan without rules needs none of it

    from shadow_compare.core.calibration import SILENCING  # noqa: PLC0415

    asked = [
        change.domain
        for change in plan.changes
        if change.after is not None and change.after.stage is not Stage.LEGACY
    ]
    asked = [
        name
        for name in asked
        if any(rule.accept in SILENCING for rule in desired.domain(name).compare.rules)
    ]
    found: list[str] = []
    if not asked:
        return ()
    try:
        async with asyncio.timeout(_DEADLINE_S), open_proof() as store:
            for name in asked:
                found += _told(name, await _checked(store, desired, name, now_s))
    except (CompareError, TimeoutError) as exc:
        problem = str(exc) or f"no answer within {_DEADLINE_S:g} s"
        found.append(f"the rules of {', '.join(asked)} could not be checked: {problem}")
    return tuple(found)


async def _checked(
    store: ProofStore, table: RoutingTable, domain: str, now_s: float
) -> Sequence[Justification]:
    from shadow_compare.service.calibrating import apart, bare_judges, check  # noqa: PLC0415

    between = apart(await store.pairs(domain, limit=_PAIRS), bare_judges(table, domain))
    return check(table, domain, (*await store.drifts(domain), *between), now_s)


def _told(domain: str, checked: Sequence[Justification]) -> list[str]:
    from shadow_compare.core.calibration import Standing  # noqa: PLC0415

    words = {
        Standing.REFUSED: "is refused by banyan rules check",
        Standing.UNPROVEN: "was never justified",
    }
    return [
        f"{domain}: rule {one.rule.name} {words[one.standing]}: {one.why}"
        for one in checked
        if one.standing in words
    ]
