"""What differs between two routing tables, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from itertools import chain

from cutover.core.calendar import calendar_text
from cutover.core.gate import percent
from cutover.core.gate_texts import (
    compliance_text,
    data_gate_text,
    errors_gate_text,
    latency_gate_text,
    load_gate_text,
    register_changes,
    webhook_gate_text,
)
from proxy.routing import (
    Breaker,
    CompareRule,
    Domain,
    HealthCheck,
    ParityGate,
    Pilot,
    RoutingTable,
    ShadowPolicy,
    Side,
    StoreTimeouts,
    StoreTls,
    ValueRule,
    When,
)
from proxy.routing.values import spelled


def routes_added(before: Domain | None, after: Domain) -> tuple[str, ...]:
    """Requests ("GET /x") that the domain did not own before."""
    owned = set() if before is None else set(_requests(before))
    return tuple(request for request in _requests(after) if request not in owned)


def routes_removed(before: Domain, after: Domain | None) -> tuple[str, ...]:
    """Requests that the domain owned and does not own any more."""
    return () if after is None else routes_added(after, before)


def domain_details(before: Domain, after: Domain) -> tuple[str, ...]:
    """All that differs besides stage and share, one sentence each."""
    facts: tuple[tuple[str, Callable[[Domain], str]], ...] = (
        ("owner", lambda domain: domain.owner),
        ("cohort", lambda domain: domain.cohort_with or domain.name),
        ("pin", _pin),
        ("fallback", lambda domain: "legacy" if domain.fallback else "none"),
        ("writes to", lambda domain: "legacy" if domain.writes_stay else "where reads go"),
        ("pilots", lambda domain: _pilots(domain.pilots)),
        ("shadow", lambda domain: _shadow(domain.shadow)),
        ("routes with effects", _effects),
        ("pauses of routes", _pauses),
        ("compared headers", lambda domain: ", ".join(sorted(domain.compare.headers)) or "none"),
        ("value at risk", lambda domain: _values(domain.compare.values)),
        ("parity gate", gate_text),
        ("calendar", lambda domain: calendar_text(domain.calendar)),
        ("approvals", _approvals),
        ("load test gate", load_gate_text),
        ("ramp", ramp_text),
        ("rollback", rollback_text),
        ("data gate", data_gate_text),
        ("latency gate", latency_gate_text),
        ("errors gate", errors_gate_text),
        ("webhook gate", webhook_gate_text),
        ("gates that only watch", lambda domain: ", ".join(sorted(domain.observed)) or "none"),
        ("data class", lambda domain: compliance_text(domain.compliance)),
    )
    return (
        *(f"takes {request}" for request in routes_added(before, after)),
        *(f"gives up {request}" for request in routes_removed(before, after)),
        *(
            f"{name}: {tell(before)} -> {tell(after)}"
            for name, tell in facts
            if tell(before) != tell(after)
        ),
        *_rules(before.compare.rules, after.compare.rules),
        *register_changes(before.risks, after.risks),
    )


def table_details(before: RoutingTable, after: RoutingTable) -> tuple[str, ...]:
    """What differs outside the domains."""
    found = [
        f"store {side}: {_store(before, side)} -> {_store(after, side)}"
        for side in Side
        if before.stores[side] != after.stores[side]
    ]
    if before.shopper != after.shopper:
        found.append(
            f"shopper keys: {_shopper(before)} -> {_shopper(after)}"
            " (in canary, shoppers may change sides)"
        )
    settings: tuple[tuple[str, Callable[[RoutingTable], object]], ...] = (
        ("ambiguous paths", lambda table: table.ambiguous_paths),
        ("graphql limits", _graphql),
        ("ticket max_age", lambda table: spelled(table.ticket_max_age_s)),
        ("privacy", _privacy),
    )
    for name, tell in settings:
        if tell(before) != tell(after):
            found.append(f"{name}: {tell(before)} -> {tell(after)}")
    return tuple(found)


def gate_text(domain: Domain) -> str:
    """A domain's parity gate in a few words."""
    gate: ParityGate | None = domain.parity_gate
    if gate is None:
        return "none, by gates: {}" if domain.ungated else "not set"
    return (
        f"{percent(gate.min_ppm)} at {percent(gate.confidence_bp * 100)} confidence,"
        f" {gate.samples:,} samples, strata from {percent(gate.min_weight_ppm)},"
        f" loss up to {percent(gate.max_loss_ppm)}"
    )


def ramp_text(domain: Domain) -> str:
    """A domain's ramp in a few words."""
    if domain.ramp is None:
        return "none"
    steps = ", ".join(percent(step * 100) for step in domain.ramp.steps_bp)
    return f"{steps}, each for {spelled(domain.ramp.soak_s)} and {domain.ramp.requests:,} answers"


def rollback_text(domain: Domain) -> str:
    """When a domain goes back by itself, in a few words."""
    rule = domain.rollback
    if rule is None:
        return "by hand alone"
    bounds = (("errors", rule.errors_ppm), ("slow answers", rule.slow_ppm))
    told = [f"{percent(most)} more {what}" for what, most in bounds if most is not None]
    return (
        f"at {' or '.join(told)}, from {rule.requests:,} answers, within {spelled(rule.window_s)}"
    )


def _approvals(domain: Domain) -> str:
    rule = domain.approvals
    return "none" if rule is None else f"{rule.count}, not older than {spelled(rule.within_s)}"


def is_same(before: Domain, after: Domain) -> bool:
    """True when nothing that decides, compares or guards differs. Order decides nothing."""
    return _unordered(before) == _unordered(after)


def _unordered(domain: Domain) -> tuple[object, ...]:
    return (
        domain.owner,
        domain.stage,
        domain.core_share_bp,
        frozenset(domain.pilots),
        frozenset(_requests(domain)),
        domain.shadow,
        _effects(domain),
        _pauses(domain),
        frozenset(domain.compare.headers),
        frozenset(domain.compare.cookies),
        frozenset(domain.compare.cookie_values),
        frozenset(domain.compare.rules),
        frozenset(domain.compare.values),
        domain.parity_gate,
        domain.ungated,
        domain.cohort_with,
        domain.pin,
        domain.fallback,
        domain.writes_stay,
        domain.calendar,
        domain.approvals,
        domain.load_gate,
        domain.ramp,
        domain.rollback,
        domain.data_gate,
        domain.latency_gate,
        domain.errors_gate,
        domain.webhook_gate,
        domain.observed,
        frozenset(domain.risks),
        domain.compliance,
    )


def _values(rules: tuple[ValueRule, ...]) -> str:
    told = (
        f"{rule.path} in {rule.currency}{' minor units' if rule.in_minor else ''}"
        + (f" of {', '.join(rule.routes)}" if rule.routes else "")
        for rule in rules
    )
    return "; ".join(sorted(told)) or "none"


def _requests(domain: Domain) -> tuple[str, ...]:
    return tuple(
        chain.from_iterable(
            (f"{method} {route.place}" for method in route.methods) for route in domain.routes
        )
    )


def _rules(before: Iterable[CompareRule], after: Iterable[CompareRule]) -> tuple[str, ...]:
    old, new = set(before), set(after)
    gone = (f"rule taken back: {_rule(rule)}" for rule in sorted(old - new, key=_rule))
    come = (f"rule added: {_rule(rule)}" for rule in sorted(new - old, key=_rule))
    return (*gone, *come)


def _rule(rule: CompareRule) -> str:
    where = f" on {', '.join(rule.routes)}" if rule.routes else ""
    stated = "".join(f", {name}: {text}" for name, text in rule.terms.stated())
    return (
        f"{rule.path} accepts {rule.accept}{stated}{where} until {rule.expires}"
        f" ({rule.owner}: {rule.reason})"
    )


def _pilots(pilots: tuple[Pilot, ...]) -> str:
    told = (" and ".join(f"{name}={value}" for name, value in p.headers) for p in pilots)
    return " or ".join(sorted(told)) or "none"


def _shadow(shadow: ShadowPolicy) -> str:
    sent = [str(key) for key in shadow.credentials.forward]
    sent += [f"{name} from {variable}" for name, variable in shadow.credentials.replace]
    parts = {
        "when": "" if shadow.when is When.PARALLEL else f"{spelled(shadow.after_s)} after the live",
        "asked again after": "" if shadow.recheck_s is None else spelled(shadow.recheck_s),
        "verified by": " and ".join(one.read for one in shadow.verify),
        "credentials": " and ".join(sent),
    }
    said = [f"{name} {value}" for name, value in parts.items() if value]
    shares = f"sample {percent(shadow.sample_bp * 100)}, noise {percent(shadow.noise_bp * 100)}"
    return ", ".join([shares, f"writes {shadow.writes}", *said])


def _effects(domain: Domain) -> str:
    return ", ".join(route.name for route in domain.routes if route.has_effects) or "none"


def _pauses(domain: Domain) -> str:
    told = [
        f"{route.name} {spelled(route.pause_s) + ' after the live' if route.pause_s else 'at once'}"
        for route in domain.routes
        if route.pause_s is not None
    ]
    return ", ".join(sorted(told)) or "none"


def _store(table: RoutingTable, side: Side) -> str:
    store = table.stores[side]
    parts: Mapping[str, object] = {
        "adapter": store.adapter,
        "release": store.release,
        "tls": _given(store.tls),
        "timeouts": _given(store.timeouts),
        "max_in_flight": store.max_in_flight,
        "health": _given(store.health),
        "breaker": _given(store.breaker),
        "region": store.region,
    }
    return " ".join([store.url, *(f"{name}={value}" for name, value in parts.items() if value)])


def _given(value: StoreTls | StoreTimeouts | HealthCheck | Breaker | None) -> str:
    if value is None:
        return ""
    return ",".join(f"{name}:{one}" for name, one in asdict(value).items() if one is not None)


def _shopper(table: RoutingTable) -> str:
    return ", ".join(map(str, table.shopper)) or "none"


def _pin(domain: Domain) -> str:
    if domain.pin is None:
        return "none"
    ending = f"{domain.pin.until} or " if domain.pin.until is not None else ""
    return f"until {ending}{spelled(domain.pin.lasts_s)}"


def _graphql(table: RoutingTable) -> str:
    limits = table.graphql
    return f"{limits.look_ahead_bytes} bytes, {limits.max_tokens} tokens"


def _privacy(table: RoutingTable) -> str:
    parts = {"show": table.privacy.show, "hide": table.privacy.hide}
    return "; ".join(f"{name} {', '.join(sorted(it))}" for name, it in parts.items() if it) or (
        "as usual"
    )
