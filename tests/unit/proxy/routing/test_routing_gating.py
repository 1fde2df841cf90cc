"""Gates on data and other systems, risks and rules about data: what is read, what is refused."""

from __future__ import annotations

from datetime import date

import pytest

from proxy.errors import RoutingFileError
from proxy.routing import (
    Checkpoint,
    Compliance,
    DataClass,
    DataGate,
    Domain,
    ErrorsGate,
    GateName,
    LatencyGate,
    Level,
    Risk,
    RiskState,
    Side,
    WebhookGate,
)
from proxy.storage.tables import parse_routing

FILE = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a", region: ca-central}, core: {url: "http://b"CORE}}
shopper: ["cookie:s"]
domains:
  people:
    owner: shop
    stage: STAGE
    routes: [{path: /c}]
"""


def people(more: str, *, stage: str = "shadow", core: str = "") -> Domain:
    text = FILE.replace("STAGE", stage).replace("CORE", core) + more
    return parse_routing(text.encode(), "f").domain("people")


def problems(more: str, *, stage: str = "shadow", core: str = "") -> list[str]:
    with pytest.raises(RoutingFileError) as caught:
        people(more, stage=stage, core=core)
    return [str(one) for one in caught.value.problems]


def test_a_domain_that_says_nothing_asks_nobody_else() -> None:
    found = people("")

    assert (found.data_gate, found.latency_gate, found.webhook_gate) == (None,) * 3
    assert (found.observed, found.risks, found.compliance) == (frozenset(), (), None)


def test_every_gate_is_read() -> None:
    found = people(
        """\
    gates:
      data: {drift: 3, lag: 800ms, pass: 1d, ready: required}
      latency: {p50: 1x, p99: 1.25x, requests: 200}
      errors: {max_excess: 0.25%, min_requests: 200}
      webhook: {url: "https://change.internal/banyan?x=1", timeout: 2s, secret_env: CHANGE_SECRET}
      observe: [webhook, risks]
"""
    )

    assert found.data_gate == DataGate(3, 0.8, 86_400, ready=True)
    assert found.latency_gate == LatencyGate(1_000, None, 1_250, 200)
    assert found.errors_gate == ErrorsGate(2_500, 200)
    asked = WebhookGate("https://change.internal/banyan?x=1", 2, "CHANGE_SECRET")
    assert found.webhook_gate == asked
    assert found.observed == {GateName.WEBHOOK, GateName.RISKS}


def test_gates_have_defaults() -> None:
    gates = "    gates: {data: {}, latency: {p95: 2x}, webhook: {url: 'http://x/'}}\n"
    found = people(gates)

    assert found.data_gate == DataGate(0, None, None, ready=False)
    assert found.latency_gate == LatencyGate(p95=2_000, requests=500)
    assert found.webhook_gate == WebhookGate("http://x/", 5.0)
    assert people("    gates: {errors: {max_excess: 0%}}\n").errors_gate == ErrorsGate(0, 500)


@pytest.mark.parametrize(
    ("gates", "what"),
    [
        ("data: {drift: -1}", "gates.data.drift"),
        ("data: {ready: perhaps}", "gates.data.ready"),
        ("data: {lag: 5}", "gates.data.lag"),
        ("latency: {requests: 5}", "gates.latency"),
        ("latency: {p99: 1.2}", "gates.latency.p99"),
        ("latency: {p99: 0x}", "gates.latency.p99"),
        ("latency: {p99: fast}", "gates.latency.p99"),
        ("errors: {}", "gates.errors"),
        ("errors: {max_excess: 1}", "gates.errors.max_excess"),
        ("errors: {max_excess: 101%}", "gates.errors.max_excess"),
        ("errors: {max_excess: 1%, min_requests: 0}", "gates.errors.min_requests"),
        ("webhook: {}", "gates.webhook"),
        ("webhook: {url: 'ftp://x'}", "gates.webhook.url"),
        ("webhook: {url: 'http://user@x/'}", "gates.webhook.url"),
        ("webhook: {url: 'http://x/', timeout: 1h}", "gates.webhook.timeout"),
        ("webhook: {url: 'http://x/', secret_env: '1X'}", "gates.webhook.secret_env"),
        ("observe: [speed]", "gates.observe[0]"),
        ("observe: [data, data]", "gates.observe[1]"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_place(gates: str, what: str) -> None:
    (told,) = problems(f"    gates: {{{gates}}}\n")

    assert told.startswith(f"f:9: domains.people.{what}")


@pytest.mark.parametrize("secret", ["whsec_c2VjcmV0", "c2Vj cmV0", "s3cr3t!"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(secret: str) -> None:
    (told,) = problems(f"    gates: {{webhook: {{url: 'http://x/', secret_env: '{secret}'}}}}\n")

    assert "A secret does not stand in this file" in told
    assert secret not in told


def test_a_risk_is_read_and_says_what_was_done_about_it() -> None:
    found = people(
        """\
    risks:
      - {id: R1, what: no mail goes out, likelihood: low, impact: high, owner: mail}
      - {id: R2, what: slow, likelihood: high, impact: medium, owner: shop, state: accepted,
         mitigation: a sale is far off, review: 2027-01-31}
"""
    )

    assert found.risks == (
        Risk("R1", "no mail goes out", Level.LOW, Level.HIGH, "mail"),
        Risk(
            "R2", "slow", Level.HIGH, Level.MEDIUM, "shop", RiskState.ACCEPTED,
            "a sale is far off", date(2027, 1, 31),
        ),
    )  # fmt: skip


def test_a_risk_that_was_done_with_says_how_and_an_id_stands_once() -> None:
    risk = "id: R1, what: x, likelihood: low, impact: low, owner: o"

    (told,) = problems(f"    risks: [{{{risk}, state: mitigated}}]\n")
    assert "mitigation" in told
    (told,) = problems(f"    risks: [{{{risk}}}, {{{risk}}}]\n")
    assert "two risks" in told
    assert len(problems("    risks: [{}]\n")) == 5


def test_rules_about_data_are_read() -> None:
    found = people(
        """\
    compliance:
      data_class: health
      regions: [ca-central, ca-east]
      checkpoints:
        - {what: assessment, done: 2026-10-14, by: privacy office, reference: PIA-77}
        - {what: contract}
""",
        core=", region: ca-east",
    )

    assert found.compliance == Compliance(
        DataClass.HEALTH,
        ("ca-central", "ca-east"),
        (
            Checkpoint("assessment", date(2026, 10, 14), "privacy office", "PIA-77"),
            Checkpoint("contract"),
        ),
    )


@pytest.mark.parametrize(
    ("stage", "core", "is_good"),
    [
        ("legacy", "", True),
        ("legacy", ", region: us-east", True),
        ("shadow", "", False),
        ("shadow", ", region: us-east", False),
        ("shadow", ", region: ca-central", True),
        ("core", ", region: us-east", False),
        ("retired", ", region: ca-central", True),
    ],
)
def test_personal_data_goes_to_no_store_outside_its_region(
    stage: str, core: str, is_good: bool
) -> None:
    rules = "    compliance: {data_class: personal, regions: [ca-central]}\n"
    if is_good:
        assert people(rules, stage=stage, core=core).compliance is not None
        return
    (told,) = problems(rules, stage=stage, core=core)
    assert told.startswith("f:5: domains.people.compliance.regions")
    assert "to core, which" in told


def test_legacy_is_held_to_the_region_too() -> None:
    (told,) = problems("    compliance: {data_class: health, regions: [ca-west]}\n", stage="legacy")

    assert "goes to legacy, which stands in ca-central" in told


def test_personal_data_says_where_it_may_be_and_payment_data_need_not() -> None:
    assert len(problems("    compliance: {data_class: personal}\n")) == 1
    assert people("    compliance: {data_class: payment}\n").compliance == Compliance(
        DataClass.PAYMENT
    )
    assert len(problems("    compliance: {regions: [x]}\n")) == 1
    assert len(problems("    compliance: {data_class: internal, regions: [X_y]}\n")) == 1
    undone = "    compliance: {data_class: internal, checkpoints: [{what: a, done: 2026-01-01}]}\n"
    assert "Name who says that it is done" in problems(undone)[0]


def test_a_region_of_a_store_is_read() -> None:
    table = parse_routing(FILE.replace("STAGE", "legacy").replace("CORE", "").encode(), "f")

    assert table.stores[Side.LEGACY].region == "ca-central"
    assert table.stores[Side.CORE].region is None
