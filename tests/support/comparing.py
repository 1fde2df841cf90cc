"""Values for tests of the comparer."""

from __future__ import annotations

from datetime import date

import msgspec

from proxy.core.frame import Frame, Headers
from proxy.routing.model import (
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
from proxy.routing.terms import USUAL_TERMS, RuleTerms
from shadow_compare.core.batch import Finding, Judged, Timing
from shadow_compare.core.epoch import Epoch, epoch_of
from shadow_compare.core.evidence import Example, Leaf
from shadow_compare.core.sampling import Sample, sample_of
from shadow_compare.core.verdict import Outcome

NOW_S = 1_795_000_000.0
TODAY = date(2026, 11, 18)
LIST, DETAIL = "GET /products/", "GET /products/{id}/"
STORES = {
    Side.LEGACY: Store(Side.LEGACY, "http://127.0.0.1:1"),
    Side.CORE: Store(Side.CORE, "http://127.0.0.1:2"),
}


def rule(
    path: str,
    accept: Accept = Accept.ANY,
    *,
    expires: date = date(2100, 1, 1),
    routes: tuple[str, ...] = (),
    terms: RuleTerms = USUAL_TERMS,
) -> CompareRule:
    return CompareRule(path, accept, "merchandising", "known", expires, routes, terms)


def domain(
    name: str = "catalog",
    *rules: CompareRule,
    headers: tuple[str, ...] = (),
    gate: ParityGate | None = None,
) -> Domain:
    return Domain(
        name=name,
        owner="merchandising",
        stage=Stage.SHADOW,
        routes=(
            Route(name, "/products/", ("GET",)),
            Route(name, "/products/{id}/", ("GET",)),
        ),
        compare=ComparePolicy(headers, rules),
        parity_gate=gate,
    )


def epoch(of: Domain | None = None, *, since_s: float = NOW_S) -> Epoch:
    return epoch_of(of or domain(), STORES, TODAY, since_s)


def example(request_id: str = "r-1") -> Example:
    return Example(
        request_id=request_id,
        at_s=NOW_S,
        method="GET",
        target="/products/7/?q=1",
        request_headers=(("Accept", "application/json"),),
        live_side="legacy",
        legacy_status=200,
        core_status=200,
        legacy_headers=(("Content-Type", "application/json"),),
        core_headers=(("Content-Type", "application/json"),),
        legacy_body='{"price": "1.00"}',
        core_body='{"price": "1.01"}',
        leaves=(Leaf("$.price", "$.price", "value", '"1.00"', '"1.01"'),),
    )


def finding(fingerprint: str = "v1:00000000000000aa", request_id: str = "r-1") -> Finding:
    return Finding(fingerprint, "$.price differs", ("$.price",), example(request_id))


def judged(
    seq: int,
    outcome: Outcome | None = Outcome.MATCH,
    *,
    run: str = "run-1",
    at_s: float = NOW_S,
    of: str = "catalog",
    route: str = LIST,
    epoch_key: str | None = None,
    loss: str | None = None,
    found: Finding | None = None,
    timings: tuple[Timing, ...] = (),
    noise: tuple[str, ...] | None = None,
    of_sample: Sample | None = None,
) -> Judged:
    """One frame's end; unless a test says otherwise, a sample of its own."""
    if outcome is Outcome.MISMATCH and found is None:
        found = finding(request_id=f"{run}/{seq}")
    key = epoch().key if epoch_key is None else epoch_key
    own = of_sample or sample(f"{run}/{seq}", route=route)
    return Judged(run, seq, at_s, of, route, key, outcome, loss, found, timings, noise, sample=own)


def sample(
    shopper: str | None,
    target: str = "/products/",
    *,
    route: str = LIST,
    side: str = "legacy",
    status: int = 200,
) -> Sample:
    """What a frame of this shopper counts as."""
    seen = msgspec.structs.replace(frame(route=route, side=side, target=target), shopper=shopper)
    return sample_of(seen, status, 0)


def frame(
    seq: int = 1,
    *,
    run: str = "run-1",
    at_s: float = NOW_S,
    of: str = "catalog",
    route: str = LIST,
    side: str = "legacy",
    noise: bool = False,
    method: str = "GET",
    target: str = "/products/",
    request_headers: Headers = (("Host", "shop.example"), ("Accept", "application/json")),
    request_body: bytes = b"",
    status: int = 200,
    headers: Headers = (("Content-Type", "application/json"),),
    body: bytes = b'[{"id": 1}]',
) -> Frame:
    return Frame(
        run=run,
        seq=seq,
        at_us=int(at_s * 1_000_000),
        request_id=f"{run}-{seq}",
        domain=of,
        route=route,
        stage="shadow",
        side=side,
        shadow="core" if side == "legacy" else "legacy",
        noise=noise,
        bucket=None,
        shopper=None,
        revision="abc",
        method=method,
        target=target,
        request_headers=request_headers,
        request_body=request_body,
        status=status,
        headers=headers,
        body=body,
        elapsed_us=12_000,
    )
