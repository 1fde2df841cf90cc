"""Read one domain of a routing file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from proxy.routing.model import (
    BASIS_POINTS,
    Domain,
    Pilot,
    PinPolicy,
    Stage,
)
from proxy.routing.nodes import MapNode, Node, Scalar
from proxy.routing.parse_compare import parse_compare
from proxy.routing.parse_governance import parse_compliance, parse_risks
from proxy.routing.parse_route import PlacedRoute, parse_routes
from proxy.routing.parse_shadow import parse_shadow
from proxy.routing.parse_stepping import parse_gates, parse_ramp, parse_rollback
from proxy.routing.values import Reader, join, shown

_KEYS = (
    "owner",
    "stage",
    "core_share",
    "writes_to",
    "cohort_with",
    "pin",
    "fallback",
    "pilots",
    "routes",
    "shadow",
    "compare",
    "gates",
    "ramp",
    "rollback",
    "risks",
    "compliance",
)
_USUAL_PIN_S = 24 * 3_600
_MAX_PIN_S = 30 * 24 * 3_600


@dataclass(frozen=True, slots=True)
class ParsedDomain:
    """A domain with the lines it came from, for problems that only the whole file shows.

    `routes` holds what could be read, also where the rest of the domain could not, and
    `lines` says where `cohort_with` and `pin` stand.
    """

    domain: Domain
    line: int
    routes: tuple[PlacedRoute, ...]
    lines: Mapping[str, int]


def parse_domain(reader: Reader, name: str, line: int, node: Node) -> ParsedDomain | None:
    """Read a domain; None when it is no mapping. Problems go to the reader."""
    key = f"domains.{name}"
    fields = reader.fields(node, key, _KEYS)
    if fields is None:
        return None
    owner = None
    if "owner" in fields:
        owner = reader.text(fields["owner"], f"{key}.owner")
    else:
        reader.missing(line, key, "owner", "Name the team that answers for this domain.")
    stage = None
    if "stage" in fields:
        stage = reader.choice(fields["stage"], f"{key}.stage", Stage)
    else:
        reader.missing(line, key, "stage", "Write stage: legacy to begin with.")
    routes = parse_routes(reader, name, line, fields.get("routes"))
    gates = parse_gates(reader, f"{key}.gates", fields.get("gates"))
    ramp = parse_ramp(reader, f"{key}.ramp", fields.get("ramp"))
    if ramp is not None and "rollback" not in fields:
        what = "A share may not grow by itself where nothing takes it back by itself."
        fix = "Write rollback: {errors: 0.5%}."
        reader.note(fields["ramp"].line, f"{key}.ramp", what, fix)
    domain = Domain(
        name=name,
        owner=owner or "",
        stage=stage or Stage.LEGACY,
        routes=tuple(placed.route for placed in routes),
        core_share_bp=_core_share(reader, key, line, stage, fields.get("core_share")),
        pilots=_pilots(reader, f"{key}.pilots", fields.get("pilots")),
        shadow=parse_shadow(reader, f"{key}.shadow", fields.get("shadow"), routes, stage),
        compare=parse_compare(reader, f"{key}.compare", fields.get("compare"), routes),
        parity_gate=gates.parity,
        ungated=gates.ungated,
        calendar=gates.calendar,
        approvals=gates.approvals,
        data_gate=gates.data,
        latency_gate=gates.latency,
        errors_gate=gates.errors,
        webhook_gate=gates.webhook,
        observed=gates.observed,
        risks=parse_risks(reader, f"{key}.risks", fields.get("risks")),
        compliance=parse_compliance(reader, f"{key}.compliance", fields.get("compliance")),
        load_gate=gates.load,
        ramp=ramp,
        rollback=parse_rollback(reader, f"{key}.rollback", fields.get("rollback")),
        cohort_with=_cohort(reader, f"{key}.cohort_with", fields.get("cohort_with")),
        pin=_pin(reader, f"{key}.pin", fields.get("pin")),
        fallback=_fallback(reader, f"{key}.fallback", fields.get("fallback")),
        writes_stay=_writes_stay(reader, f"{key}.writes_to", stage, fields.get("writes_to")),
    )
    lines: dict[str, int] = {
        name: fields[name].line for name in ("cohort_with", "pin") if name in fields
    }
    return ParsedDomain(domain, line, routes, lines)


def _cohort(reader: Reader, key: str, node: Node | None) -> str | None:
    return None if node is None else reader.text(node, key)


def _fallback(reader: Reader, key: str, node: Node | None) -> bool:
    text = None if node is None else reader.text(node, key)
    if node is not None and text is not None and text not in ("legacy", "none"):
        fix = "Write legacy, or none."
        reader.note(node.line, key, f"{shown(text)} cannot answer for the core.", fix)
    return text == "legacy"


def _writes_stay(reader: Reader, key: str, stage: Stage | None, node: Node | None) -> bool:
    text = None if node is None else reader.text(node, key)
    if node is None or text is None:
        return False
    if text != "legacy":
        what = f"{shown(text)} is no store that writes can stay with."
        fix = "Write legacy, or leave it out: writes go where reads go."
        reader.note(node.line, key, what, fix)
    elif stage is Stage.RETIRED:
        fix = "Remove it, or write stage: core."
        reader.note(node.line, key, "Where legacy is retired it takes no writes.", fix)
    return True


def _pin(reader: Reader, key: str, node: Node | None) -> PinPolicy | None:
    fields = None if node is None else reader.fields(node, key, ("until",))
    if node is None or fields is None:
        return None
    if "until" not in fields:
        reader.missing(node.line, key, "until", "Write until: 30m, or until: {route: ...}.")
        return None
    until = fields["until"]
    if not isinstance(until, MapNode):
        lasts_s = reader.duration(until, f"{key}.until", least_s=1, most_s=_MAX_PIN_S)
        return None if lasts_s is None else PinPolicy(math.ceil(lasts_s))
    ends = reader.fields(until, f"{key}.until", ("route", "at_most")) or {}
    if "route" not in ends:
        fix = 'Write route: "POST /api/checkout/".'
        reader.missing(until.line, f"{key}.until", "route", fix)
        return None
    route = reader.text(ends["route"], f"{key}.until.route")
    at_most_s: float | None = _USUAL_PIN_S
    if "at_most" in ends:
        place = f"{key}.until.at_most"
        at_most_s = reader.duration(ends["at_most"], place, least_s=1, most_s=_MAX_PIN_S)
    if route is None or at_most_s is None:
        return None
    return PinPolicy(math.ceil(at_most_s), route)


def _core_share(reader: Reader, key: str, line: int, stage: Stage | None, node: Node | None) -> int:
    if node is None:
        if stage is Stage.CANARY:
            fix = "Write core_share: 1%, or 0% to let in pilots alone."
            reader.missing(line, key, "core_share", fix)
        return 0
    share = reader.share(node, f"{key}.core_share", whole=BASIS_POINTS)
    if stage not in (Stage.CANARY, None):
        what = f"Only stage canary has a share, and the stage is {stage}."
        reader.note(node.line, f"{key}.core_share", what, "Remove it, or write stage: canary.")
    return share or 0


def _pilots(reader: Reader, key: str, node: Node | None) -> tuple[Pilot, ...]:
    pilots: list[Pilot] = []
    for index, item in enumerate(() if node is None else reader.items(node, key)):
        place = f"{key}[{index}]"
        fields = reader.fields(item, place, ("header",))
        if fields is None:
            continue
        if "header" not in fields:
            reader.missing(item.line, place, "header", "Write {header: {X-Pilot: internal}}.")
            continue
        headers = _pilot_headers(reader, f"{place}.header", fields["header"])
        pilots.append(Pilot(tuple(sorted(headers.items()))))
    return tuple(pilots)


def _pilot_headers(reader: Reader, key: str, node: Node) -> dict[str, str]:
    headers: dict[str, str] = {}
    entries = reader.entries(node, key)
    for name, (line, value) in (entries or {}).items():
        place = join(key, name)
        text = reader.text(value, place)
        if reader.header(Scalar(line, name), place, name) is None or text is None:
            continue
        if name.lower() in headers:
            reader.note(line, place, "This header stands here twice.", "Keep one of them.")
        headers[name.lower()] = text
    if entries is not None and not entries:
        # An empty condition would make every shopper a pilot.
        reader.note(node.line, key, "A pilot needs a header.", "Write {X-Pilot: internal}.")
    return headers
