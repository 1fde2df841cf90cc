"""Choose a side. The whole strangler-fig policy is in this file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b

from msgspec.structs import replace

from proxy.routing.choose import Chosen, choose, first
from proxy.routing.decision import Decision, RequestHead, Unmirrored, Why
from proxy.routing.model import BASIS_POINTS, Pilot, Side
from proxy.routing.plans import Choice, Nobody, Plan
from proxy.routing.stay import next_ticket
from proxy.routing.table import SHADOW_HEADER, RoutingTable

REFUSED = "refused"
_HALF = 0xFFFF_FFFF
_OTHER = {Side.LEGACY: Side.CORE, Side.CORE: Side.LEGACY}


def bucket(cohort: str, shopper: str) -> int:
    """Map a shopper to a slot in [0, 10,000), evenly and for ever.

    Salted with the domain's name, or that of the domain it shares its cohort with, so
    that no shopper is first in every rollout.
    """
    salted = blake2b(f"{cohort}\0".encode(), digest_size=8)
    salted.update(shopper.encode("utf-8", "surrogatepass"))
    return int.from_bytes(salted.digest(), "big") % BASIS_POINTS


def decide(head: RequestHead, table: RoutingTable) -> Decision:
    """Choose who answers a request and who only listens to it.

    Pure and total: no clock, no randomness, no I/O, and it cannot fail on a table that
    loaded. The same head and table always give the same decision, so a shopper stays
    on one side for a whole rollout step, and a larger share moves nobody back.
    """
    # Most requests end here: the path was seen before, and one side answers it all.
    memo = table.memos.get(head.method)
    found = None if memo is None else memo.get(head.path)
    if found is None:
        found = table.find(head)
    fixed = found.fixed
    if fixed is not None:
        return fixed
    if type(found) is Plan:
        return _decided(head, table, found)
    if type(found) is Choice and not found.reads_graphql:
        return _of(head, table, first(head, table, found.choices, None)[0])
    chosen = choose(head, table, found)
    if not chosen.several:
        return _noted(_of(head, table, chosen.plan), chosen)
    # The core answers only when it would answer every part.
    decisions = [_of(head, table, plan) for plan in chosen.several]
    by_legacy = (decision for decision in decisions if decision.side is Side.LEGACY)
    return _noted(next(by_legacy, decisions[0]), chosen)


def _of(head: RequestHead, table: RoutingTable, plan: Plan | Nobody) -> Decision:
    if plan.fixed is not None:
        return plan.fixed
    return _decided(head, table, plan)


def _decided(head: RequestHead, table: RoutingTable, plan: Plan) -> Decision:
    shopper = _shopper(head.headers, table.readers) if table.readers else None
    if (
        shopper is None
        and plan.mirrored is not None
        and not table.uses_tickets
        and SHADOW_HEADER not in head.headers
    ):
        return plan.mirrored
    side, why, slot = plan.side, plan.why, None
    if plan.draws:
        if shopper is None and table.draws_by_ticket and head.ticket is not None:
            shopper = head.ticket.visitor or None
        side, why, slot = _drawn(head, table, plan, shopper)
    unmirrored, noise = plan.unmirrored, False
    if plan.shadow is not None:
        unmirrored, noise = _mirroring(head, plan)
        if unmirrored is None and plan.needs_core and side is Side.CORE:
            unmirrored, noise = Unmirrored.NO_DRY_RUN, False
    decision = Decision(
        plan.domain,
        plan.route,
        plan.stage,
        side,
        None if unmirrored is not None else _OTHER[side],
        noise,
        slot,
        shopper,
        plan.revision,
        why,
        plan.core_share_bp,
        unmirrored,
        plan.cohort,
        plan.fallback and side is Side.CORE,
        plan.conditions,
        has_writes=plan.has_writes,
    )
    if not table.uses_tickets:
        return decision
    return _with_ticket(head, table, plan, decision)


def _drawn(
    head: RequestHead, table: RoutingTable, plan: Plan, shopper: str | None
) -> tuple[Side, Why, int | None]:
    if plan.pilots and _is_pilot(head.headers, plan.pilots):
        return Side.CORE, Why.PILOT, None
    if plan.pin is not None and head.ticket is not None:
        pin = head.ticket.pin(plan.cohort, head.now_s)
        if pin is not None:
            return pin.side, Why.PINNED, None
    if shopper is None:
        # A client that keeps no cookies would be drawn anew with every request, so a
        # visitor is drawn when it comes back with the ticket that it gets now.
        return Side.LEGACY, Why.NEW_VISITOR if table.draws_by_ticket else Why.NO_SHOPPER, None
    # The same as bucket(), on a hash that holds the salt already: half the price.
    salted = plan.shoppers.copy()
    salted.update(shopper.encode("utf-8", "surrogatepass"))
    slot = int.from_bytes(salted.digest(), "big") % BASIS_POINTS
    if slot < plan.core_share_bp:
        return Side.CORE, Why.BELOW_SHARE, slot
    return Side.LEGACY, Why.ABOVE_SHARE, slot


def _with_ticket(
    head: RequestHead, table: RoutingTable, plan: Plan, decision: Decision
) -> Decision:
    ticket, on_success = next_ticket(head, table, plan, decision.side, decision.why)
    until_s = None
    if decision.why is Why.PINNED and head.ticket is not None:
        pin = head.ticket.pin(plan.cohort, head.now_s)
        until_s = None if pin is None else pin.until_s
    if ticket is None and until_s is None:
        return decision
    return replace(decision, ticket=ticket, ticket_on_success=on_success, pinned_until_s=until_s)


def _noted(decision: Decision, chosen: Chosen) -> Decision:
    """What the choice has to say, added to the plan's decision."""
    if chosen.why is Why.REFUSED:
        return replace(decision, why=Why.REFUSED, route=REFUSED, path=chosen.path)
    if chosen.why is not None:
        # Counted apart, and not compared: no one route's rules fit it.
        return replace(
            decision,
            why=chosen.why,
            route=str(chosen.why),
            shadow=None,
            noise=False,
            unmirrored=Unmirrored.NO_ROUTE,
            operation=chosen.operation,
            path=chosen.path,
        )
    if chosen.operation is None and chosen.path is None:
        return decision
    return replace(decision, operation=chosen.operation, path=chosen.path)


def _shopper(
    headers: Mapping[str, str], readers: tuple[tuple[str, re.Pattern[str] | None], ...]
) -> str | None:
    for name, cookie in readers:
        value = headers.get(name)
        if not value:
            continue
        if cookie is None:
            value = value.strip()
            if value:
                return value
        elif found := cookie.search(value):
            return found[1]
    return None


def _is_pilot(headers: Mapping[str, str], pilots: tuple[Pilot, ...]) -> bool:
    for pilot in pilots:
        for name, value in pilot.headers:
            if headers.get(name) != value:
                break
        else:
            return True
    return False


def _mirroring(head: RequestHead, plan: Plan) -> tuple[Unmirrored | None, bool]:
    """What keeps the exchange from being mirrored, and whether it is asked for noise."""
    if SHADOW_HEADER in head.headers:
        return Unmirrored.IS_SHADOW, False
    if not plan.noise_bp and plan.sample_bp == BASIS_POINTS:
        return None, False
    salted = plan.samples.copy()
    salted.update(head.request_id.encode("utf-8", "surrogatepass"))
    drawn = int.from_bytes(salted.digest(), "big")
    # Two independent draws out of one hash: its lower and its upper half.
    if (drawn & _HALF) % BASIS_POINTS >= plan.sample_bp:
        return Unmirrored.NOT_SAMPLED, False
    return None, (drawn >> 32) % BASIS_POINTS < plan.noise_bp
