"""Ask those outside that the gates of a plan's steps name."""

from __future__ import annotations

from collections.abc import Mapping

from cutover.core.outside_gates import Outside
from cutover.core.plan import Plan
from cutover.core.stages import position
from cutover.core.step_gates import forward_pairs
from cutover.ports.outside import StepAsked
from cutover.service.books import Books
from proxy.routing import RoutingTable


async def ask_outside(
    books: Books, plan: Plan, in_force: RoutingTable | None, desired: RoutingTable, actor: str
) -> Mapping[str, Outside]:
    """What they say of each step forward that asks them. A rollback never comes here."""
    steps = [
        StepAsked(
            domain=name,
            before=position(pair.before),
            after=position(pair.after),
            actor=actor,
            at=books.now(),
            desired=plan.desired,
            data=pair.both(lambda domain: domain.data_gate),
            webhooks=pair.both(lambda domain: domain.webhook_gate),
        )
        for name, pair in forward_pairs(plan, in_force, desired).items()
        if pair.is_guarded
    ]
    steps = [step for step in steps if step.data or step.webhooks]
    if not steps:
        return {}
    if books.ask_outside is None:
        return {step.domain: Outside(data_problem="this process asks nobody") for step in steps}
    return await books.ask_outside(steps)
