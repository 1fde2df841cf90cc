"""What a domain's page says of its risks, its data's rules, and what a step asks besides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from cutover.core.gate_texts import (
    data_gate_text,
    errors_gate_text,
    latency_gate_text,
    webhook_gate_text,
)
from cutover.core.governing import register
from proxy.routing import Domain


@dataclass(frozen=True, slots=True)
class RiskRow:
    """A risk in words. `holds`: steps forward wait for it."""

    id: str
    what: str
    weight: str
    state: str
    owner: str
    mitigation: str
    review: str
    holds: bool
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class GovernanceView:
    """Empty parts are not shown.

    Attributes:
        data: class and regions of the data; "" where nobody said.
        checkpoints: what has to be done, and when it was.
        asks: gates besides parity, calendar and approvals, with what they ask.
        observed: gates that only watch.
    """

    risks: tuple[RiskRow, ...]
    data: str
    checkpoints: tuple[tuple[str, str], ...]
    asks: tuple[tuple[str, str], ...]
    observed: str

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to say."""
        return not (self.risks or self.data or self.checkpoints or self.asks)


def governance_view(domain: Domain, today: date) -> GovernanceView:
    """Decide what is said."""
    rules = domain.compliance
    asks = (
        ("data", data_gate_text(domain) if domain.data_gate else ""),
        ("latency", latency_gate_text(domain) if domain.latency_gate else ""),
        ("errors", errors_gate_text(domain) if domain.errors_gate else ""),
        ("webhook", webhook_gate_text(domain) if domain.webhook_gate else ""),
    )
    return GovernanceView(
        risks=tuple(
            RiskRow(
                id=one.risk.id,
                what=one.risk.what,
                weight=f"likelihood {one.risk.likelihood}, impact {one.risk.impact}",
                state=f"{one.risk.state}, holds its steps" if one.holds else str(one.risk.state),
                owner=one.risk.owner,
                mitigation=one.risk.mitigation,
                review="" if one.risk.review is None else one.risk.review.isoformat(),
                holds=one.holds,
                is_overdue=one.is_overdue,
            )
            for one in register((domain,), today)
        ),
        data="" if rules is None else _data(rules.data_class, rules.regions),
        checkpoints=tuple(
            (one.what, f"{one.done}, by {one.by}" if one.done else "not done")
            for one in (rules.checkpoints if rules else ())
        ),
        asks=tuple((name, text) for name, text in asks if text),
        observed=", ".join(sorted(domain.observed)),
    )


def _data(data_class: str, regions: tuple[str, ...]) -> str:
    return f"{data_class} data" + (f", only in {' or '.join(regions)}" if regions else "")
