"""Gates, risks and rules about data, in a few words each."""

from __future__ import annotations

from collections.abc import Iterable

from cutover.core.gate import percent
from proxy.routing import Compliance, Domain, Risk
from proxy.routing.values import spelled


def data_gate_text(domain: Domain) -> str:
    """What is asked of the data behind a domain."""
    gate = domain.data_gate
    if gate is None:
        return "none"
    told = [f"up to {gate.drift:,} differences"]
    if gate.lag_s is not None:
        told.append(f"lag up to {spelled(gate.lag_s)}")
    if gate.pass_s is not None:
        told.append(f"clean within {spelled(gate.pass_s)}")
    return ", ".join([*told, "way open"] if gate.ready else told)


def latency_gate_text(domain: Domain) -> str:
    """How much slower the core may be."""
    gate = domain.latency_gate
    if gate is None:
        return "none"
    bounds = (("p50", gate.p50), ("p95", gate.p95), ("p99", gate.p99))
    told = [f"{name} up to {most / 1_000:g}x" for name, most in bounds if most is not None]
    return f"{', '.join(told)}, from {gate.requests:,} answers"


def errors_gate_text(domain: Domain) -> str:
    """How much more often the core may fail."""
    gate = domain.errors_gate
    if gate is None:
        return "none"
    return f"{percent(gate.max_excess_ppm)} more errors, from {gate.requests:,} answers"


def webhook_gate_text(domain: Domain) -> str:
    """Who else is asked."""
    gate = domain.webhook_gate
    if gate is None:
        return "none"
    signed = "" if gate.secret_env is None else f", signed by {gate.secret_env}"
    return f"{gate.url} within {spelled(gate.timeout_s)}{signed}"


def compliance_text(rules: Compliance | None) -> str:
    """What data it is, where it may be, and what was done for it."""
    if rules is None:
        return "not said"
    told = [str(rules.data_class)]
    if rules.regions:
        told.append(f"in {' or '.join(rules.regions)}")
    for one in rules.checkpoints:
        by = f" by {one.by}, {one.reference or 'no reference'}" if one.done else ""
        told.append(f"{one.what}: {one.done or 'not done'}{by}")
    return ", ".join(told)


def register_changes(before: Iterable[Risk], after: Iterable[Risk]) -> tuple[str, ...]:
    """What changes in a domain's part of the risk register, one sentence each."""
    old, new = {one.id: one for one in before}, {one.id: one for one in after}
    return (
        *(f"risk {name} is left out: {old[name].what}" for name in sorted(old.keys() - new)),
        *(f"risk {name} is new: {_risk(new[name])}" for name in sorted(new.keys() - old)),
        *(
            f"risk {name}: {_risk(old[name])} -> {_risk(new[name])}"
            for name in sorted(old.keys() & new.keys())
            if old[name] != new[name]
        ),
    )


def _risk(risk: Risk) -> str:
    done = f", {risk.mitigation}" if risk.mitigation else ""
    review = f", looked at again by {risk.review}" if risk.review else ""
    return (
        f"{risk.what} ({risk.state}, likelihood {risk.likelihood}, impact {risk.impact},"
        f" {risk.owner}{done}{review})"
    )


def load_gate_text(domain: Domain) -> str:
    """A domain's load test gate in a few words."""
    gate = domain.load_gate
    if gate is None:
        return "none"
    rate = "" if gate.rate_per_s is None else f", at {gate.rate_per_s:,} a second or more"
    return (
        f"{gate.profile}, p99 up to {gate.p99 / 1_000:g}x,"
        f" {percent(gate.errors_ppm)} more errors, {gate.requests:,} requests,"
        f" not older than {spelled(gate.max_age_s)}{rate}"
    )
