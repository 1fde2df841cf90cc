"""A domain's page tells its risks, the rules about its data, and what a step asks besides."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from cutover.api.domainpage import domain_page
from cutover.api.governanceview import governance_view
from cutover.api.rendering import Renderer
from cutover.api.twins import domain_twin
from proxy.routing import (
    Checkpoint,
    Compliance,
    DataClass,
    DataGate,
    Domain,
    ErrorsGate,
    GateName,
    Level,
    Risk,
    RiskState,
    WebhookGate,
)
from tests.unit.cutover_room.samples import a_domain, some_facts

TODAY = date(2027, 3, 1)


def governed() -> Domain:
    return replace(
        a_domain(),
        data_gate=DataGate(lag_s=1.0, ready=True),
        errors_gate=ErrorsGate(1_000),
        webhook_gate=WebhookGate("http://x/"),
        observed=frozenset((GateName.WEBHOOK,)),
        risks=(
            Risk("R1", "<b>no</b> way back", Level.HIGH, Level.HIGH, "shop"),
            Risk(
                "R2", "slow", Level.LOW, Level.LOW, "shop", RiskState.ACCEPTED, "so be it",
                date(2027, 2, 1),
            ),
        ),
        compliance=Compliance(
            DataClass.PERSONAL, ("ca-central",),
            (Checkpoint("audit", date(2027, 1, 1), "office"), Checkpoint("contract")),
        ),
    )  # fmt: skip


def test_what_holds_a_domain_is_told_first_and_what_is_late_is_told() -> None:
    view = governance_view(governed(), TODAY)

    assert [(one.id, one.holds, one.is_overdue) for one in view.risks] == [
        ("R1", True, False),
        ("R2", False, True),
    ]
    assert view.data == "personal data, only in ca-central"
    assert view.checkpoints == (("audit", "2027-01-01, by office"), ("contract", "not done"))
    assert [name for name, _ in view.asks] == ["data", "errors", "webhook"]
    assert dict(view.asks)["errors"] == "0.1 % more errors, from 500 answers"
    assert view.observed == "webhook"


def test_a_domain_that_says_nothing_has_no_such_section() -> None:
    assert governance_view(a_domain(), TODAY).is_empty


def test_the_page_and_its_twin_tell_it_and_text_stays_text() -> None:
    page = domain_page(governed(), some_facts(governed()))
    html = Renderer().domain(page).parts["governance"]

    assert "&lt;b&gt;no&lt;/b&gt; way back" in html
    assert "holds its steps" in html
    assert "Only watching: webhook" in html
    assert domain_twin(page)["risks"][0]["id"] == "R1"
    plain = Renderer().domain(domain_page(a_domain(), some_facts())).parts["governance"]
    assert "hidden" in plain
