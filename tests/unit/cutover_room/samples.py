"""A small shop for tests of the room: one domain that is being moved, others around it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

from cutover.api.readings import (
    Facts,
    ProxyState,
    Reading,
    RevisionLine,
    StoreState,
    Table,
)
from proxy.routing import (
    Accept,
    ComparePolicy,
    CompareRule,
    Domain,
    ParityGate,
    Route,
    Side,
    Stage,
    Store,
)
from shadow_compare.core.anytime import anytime_bounds_ppm
from shadow_compare.core.evidence import (
    DomainReading,
    Example,
    Latency,
    Leaf,
    MismatchGroup,
    Parity,
    TrendPoint,
)
from tests.fakes.evidence import FakeEvidence, some_evidence, some_parity

NOW_S = 1_795_310_400.0
GATE = ParityGate(min_ppm=999_000, confidence_bp=9_500, samples=3_000)
DETAIL = "GET /api/products/{id}/"
STORES = {
    Side.LEGACY: Store(Side.LEGACY, "http://127.0.0.1:8083", "oscar", "4.2"),
    Side.CORE: Store(Side.CORE, "http://127.0.0.1:8082/facade/oscar"),
}


def a_domain(name: str = "catalog", **changes: Any) -> Domain:
    """A domain in canary with a gate."""
    routes = (
        Route(name, "/api/products/", ("GET",)),
        Route(name, "/api/products/{id}/", ("GET",)),
    )
    domain = Domain(
        name=name,
        owner="merchandising",
        stage=Stage.CANARY,
        routes=routes,
        core_share_bp=1_000,
        compare=ComparePolicy(
            ("content-type",),
            (
                CompareRule(
                    "$.date_updated",
                    Accept.TIMESTAMP,
                    "merchandising",
                    "Each store stamps its own writes.",
                    date(2027, 6, 30),
                ),
            ),
        ),
        parity_gate=GATE,
    )
    return replace(domain, **changes)


def measured(matched: int, mismatched: int = 0, accepted: int = 0) -> Parity:
    """Parity with its true bound."""
    equal = matched + accepted
    bound = anytime_bounds_ppm(equal, equal + mismatched, GATE.confidence_bp).lower_ppm
    return some_parity(matched, accepted=accepted, mismatched=mismatched, lower_ppm=bound)


def a_trend(points: int = 40, mismatched_every: int = 0) -> tuple[TrendPoint, ...]:
    """A bound that climbs as comparisons gather."""
    found = []
    equal = different = 0
    for index in range(points):
        wrong = 1 if mismatched_every and index % mismatched_every == 0 else 0
        equal, different = equal + 120 - wrong, different + wrong
        total = equal + different
        found.append(
            TrendPoint(
                at_s=int(NOW_S) - 60 * (points - index),
                equal=120 - wrong,
                mismatched=wrong,
                ratio_ppm=equal * 1_000_000 // total,
                lower_ppm=anytime_bounds_ppm(equal, total, 9_500).lower_ppm,
                epoch="4f1c20aa91b3" if index >= points // 4 else "0c77d1e5520f",
            )
        )
    return tuple(found)


LATENCIES = (
    Latency("legacy", "live", 12_840, 11.8, 38.4, 71.0),
    Latency("core", "live", 1_395, 4.1, 9.7, 22.3),
    Latency("core", "shadow", 12_800, 4.4, 10.9, 25.1),
)


def a_body(**changes: Any) -> dict[str, Any]:
    """A product as the shop's API shows it."""
    return {
        "url": "http://shop.example/api/products/7/",
        "id": 7,
        "title": "The lighthouse keeper's almanac",
        "upc": "9780141036144",
        "description": "Tides, lamps and weather.",
        "structure": "standalone",
        "date_created": "2026-03-01T09:00:00Z",
        "categories": ["Books > Sea"],
        "attributes": [{"name": "Pages", "value": 312, "code": "pages"}],
        "price": {"currency": "EUR", "excl_tax": "10.99", "incl_tax": "13.08"},
        "images": [],
        "children": [],
    } | changes


def an_example(**changes: Any) -> Example:
    """A product whose price differs by a cent."""
    legacy = a_body()
    core = a_body(price={"currency": "EUR", "excl_tax": "10.99", "incl_tax": "13.07"})
    example = Example(
        request_id="01JD6M0Q2W",
        at_s=NOW_S - 42,
        method="GET",
        target="/api/products/7/?fields=all",
        request_headers=(
            ("host", "shop.example"),
            ("accept", "application/json"),
            ("cookie", "[hmac:5f2b7c90aa41d3e6]"),
        ),
        live_side="legacy",
        legacy_status=200,
        core_status=200,
        legacy_headers=(("content-type", "application/json"), ("server", "gunicorn")),
        core_headers=(("content-type", "application/json; charset=utf-8"),),
        legacy_body=json.dumps(legacy),
        core_body=json.dumps(core),
        leaves=(
            Leaf("$.price.incl_tax", "$.price.incl_tax", "value", '"13.08"', '"13.07"'),
            Leaf(
                "header:content-type",
                "header:content-type",
                "header",
                '"application/json"',
                '"application/json; charset=utf-8"',
            ),
        ),
    )
    return replace(example, **changes)


def a_group(**changes: Any) -> MismatchGroup:
    """The group that the example fell into."""
    group = MismatchGroup(
        fingerprint="v1:9c41d0aa52b7e613",
        domain="catalog",
        route=DETAIL,
        title="incl_tax differs in price",
        patterns=("$.price.incl_tax",),
        count=11,
        share_ppm=774,
        first_seen_s=NOW_S - 1_900,
        last_seen_s=NOW_S - 42,
        epoch="4f1c20aa91b3",
        current=True,
    )
    return replace(group, **changes)


REVISIONS = (
    RevisionLine(
        3, NOW_S - 300, "platform", "apply", "gate passed", ("catalog: shadow to canary 10 %",)
    ),
    RevisionLine(
        2, NOW_S - 900, "platform", "rollback", "price looked off", ("price: canary 5 % to shadow",)
    ),
    RevisionLine(1, NOW_S - 7_200, "platform", "init", "", ("catalog: legacy to shadow",)),
)


def a_reading(parity: Parity | None = None, **changes: Any) -> DomainReading:
    """What the evidence store said of the catalog."""
    evidence = some_evidence(
        "catalog",
        parity or measured(14_170, mismatched=40),
        losses={"queue_full": 40, "shadow_timeout": 10} if parity is None else {},
        pending=50 if parity is None else 0,
        heartbeat_s=NOW_S - 1,
    )
    routes = (
        replace(measured(9_791, mismatched=40), route=DETAIL),
        replace(measured(4_379), route="GET /api/products/"),
    )
    reading = DomainReading(
        evidence=replace(evidence, routes=routes if parity is None else ()),
        trend=a_trend(60, mismatched_every=6),
        latency=LATENCIES,
        groups=(a_group(),),
    )
    return replace(reading, **changes)


def some_facts(
    *domains: Domain, readings: dict[str, Reading[DomainReading]] | None = None, **changes: Any
) -> Facts:
    """All sources fresh, the catalog well under way."""
    chosen = domains or (a_domain(),)
    facts = Facts(
        now_s=NOW_S,
        table=Reading(Table("a1b2c3d4e5f6", chosen, STORES), NOW_S),
        domains=readings
        if readings is not None
        else {domain.name: Reading(a_reading(), NOW_S) for domain in chosen},
        proxy=Reading(ProxyState(ready=True, revision="a1b2c3d4e5f6", workers=2), NOW_S),
        core=Reading(StoreState(200, 2.0), NOW_S),
        legacy=Reading(StoreState(200, 9.0), NOW_S),
        revisions=Reading(REVISIONS, NOW_S),
    )
    return replace(facts, **changes)


def a_store_of_evidence() -> FakeEvidence:
    """The catalog's evidence behind the port."""
    reading = a_reading()
    return FakeEvidence(
        domains={"catalog": reading.evidence},
        trends={"catalog": reading.trend},
        latencies={"catalog": reading.latency},
        found={a_group().fingerprint: (a_group(), (an_example(),))},
    )
