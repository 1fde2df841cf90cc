"""What a table says about comparing, looked up by a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from proxy.core.frame import Frame
from proxy.routing import Domain, Route, RoutingTable, ShadowPolicy, Side, ValueRule
from shadow_compare.core.epoch import epoch_of, rules_in_force
from shadow_compare.core.judge import Judge
from shadow_compare.core.rule_use import rule_id
from shadow_compare.core.rules import rules_of
from shadow_compare.core.stake import rule_for
from shadow_compare.core.write_ladder import Way, bound, filled, way_of


@dataclass(frozen=True, slots=True)
class Plan:
    """How frames of one route are judged, and in which epoch.

    Attributes:
        rule_ids: name of each rule in force on the route to the ids of those so named.
        releases: what runs on legacy and on the core; "" where the table does not say.
        value: where the money of the route stands, if a rule says so.
        core_share_bp: of the domain, in stage canary.
        route: whose frames these are.
        shadow: how its domain is mirrored.
    """

    epoch: str
    judge: Judge
    rule_ids: Mapping[str, tuple[str, ...]]
    core_share_bp: int
    route: Route
    shadow: ShadowPolicy
    releases: tuple[str, str] = ("", "")
    value: ValueRule | None = None

    def way(self, frame: Frame) -> Way:
        """How the other side may be asked about a frame."""
        return way_of(frame.method, self.route, self.shadow, Side(frame.shadow))

    def pause_s(self, frame: Frame) -> float:
        """How long after the live answer the other side is asked at the earliest."""
        if self.way(frame) is Way.VERIFY:
            return max((read.after_s for read in self.shadow.verify), default=0.0)
        route_s = self.route.pause_s
        return self.shadow.after_s if route_s is None else route_s


class Rulebook:
    """One table on one day. Built whole; a new table or a new day needs a new one.

    Attributes:
        epochs: the epoch in force of every domain.
        rules: domain to the ids of its rules in force.
    """

    def __init__(self, table: RoutingTable, now_s: float) -> None:
        self.table = table
        self.day = day_of(now_s)
        self.epochs = tuple(
            epoch_of(domain, table.stores, self.day, now_s) for domain in table.domains
        )
        releases = (
            table.stores[Side.LEGACY].release or "",
            table.stores[Side.CORE].release or "",
        )
        self._plans = {
            (domain.name, route.name): _plan(domain, route, epoch.key, self.day, releases)
            for domain, epoch in zip(table.domains, self.epochs, strict=True)
            for route in domain.routes
        }
        self.rules = {
            domain.name: tuple(rule_id(rule) for rule in rules_in_force(domain, self.day))
            for domain in table.domains
        }
        self._reads = {
            (domain, plan.route.path): plan
            for (domain, _), plan in self._plans.items()
            if "GET" in plan.route.methods
        }
        self._domains = {domain.name for domain in table.domains}

    def find(self, frame: Frame) -> Plan | str:
        """The plan for a frame, or the loss it is booked under when the table has none.

        A frame is captured under one table and may be judged under the next. Without its
        domain's rules nothing fair can be said of it.
        """
        if frame.domain not in self._domains:
            return "domain_gone"
        return self._plans.get((frame.domain, frame.route), "route_gone")

    def judge(self, domain: str, route: str) -> Judge:
        """The judge of a route of the table.

        Raises:
            KeyError: the table has no such route.
        """
        return self._plans[domain, route].judge

    def reads_after(self, frame: Frame) -> tuple[tuple[str, Plan], ...]:
        """What is read after a write: targets, each with the plan that judges its answers."""
        plan = self.find(frame)
        if isinstance(plan, str):
            return ()
        values = bound(plan.route.path, frame.target)
        found = []
        for read in plan.shadow.verify:
            path = None if values is None else filled(read.read, values)
            judging = self._reads.get((frame.domain, read.read))
            if path is not None and judging is not None:
                found.append((path, judging))
        return tuple(found)

    def due_s(self, frame: Frame) -> float:
        """When a frame may be asked about at the earliest, seconds since 1970."""
        plan = self.find(frame)
        return frame.at_us / 1_000_000 + (0.0 if isinstance(plan, str) else plan.pause_s(frame))

    def holds(self, now_s: float) -> bool:
        """Whether it is still the day that decided which rules have expired."""
        return day_of(now_s) == self.day

    @property
    def stores(self) -> Mapping[Side, object]:
        """Both sides' addresses and releases, to be compared for equality."""
        return dict(self.table.stores)


def day_of(now_s: float) -> date:
    """The UTC day of a moment."""
    return datetime.fromtimestamp(now_s, UTC).date()


def _plan(domain: Domain, route: Route, epoch: str, today: date, releases: tuple[str, str]) -> Plan:
    rules = rules_of(rules_in_force(domain, today), route.path)
    ids: dict[str, tuple[str, ...]] = {}
    for rule in rules:
        ids[rule.name] = (*ids.get(rule.name, ()), rule_id(rule))
    compared = domain.compare
    judge = Judge(compared.headers, rules, compared.cookies, compared.cookie_values)
    value = rule_for(compared.values, route.path)
    return Plan(epoch, judge, ids, domain.core_share_bp, route, domain.shadow, releases, value)
