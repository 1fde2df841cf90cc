"""Read what makes a domain move, and what keeps it: gates, ramp and rollback."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

from proxy.routing.gating import DataGate, ErrorsGate, GateName, LatencyGate, WebhookGate
from proxy.routing.model import BASIS_POINTS, PPM, ParityGate
from proxy.routing.nodes import Node
from proxy.routing.parse_gating import (
    parse_data_gate,
    parse_errors_gate,
    parse_latency_gate,
    parse_observed,
    parse_webhook_gate,
)
from proxy.routing.parse_loadgate import parse_load_gate
from proxy.routing.stepping import (
    Approvals,
    Calendar,
    Freeze,
    Hours,
    LoadGate,
    Ramp,
    RollbackRule,
)
from proxy.routing.values import Reader, shown

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(
    rf"({'|'.join(_DAYS)})(?:-({'|'.join(_DAYS)}))?[ \t]+(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII
)
_GATES = (
    "parity",
    "calendar",
    "approvals",
    "data",
    "latency",
    "errors",
    "webhook",
    "loadtest",
    "observe",
)
_MOST_REQUESTS = 10**9
_MOST_APPROVALS = 20
_HOUR_S, _DAY_S = 3_600.0, 86_400.0
_USUAL_WINDOW_S, _USUAL_WITHIN_S = 120.0, 7 * _DAY_S
_USUAL_REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Gates:
    """What a step forward needs.

    Attributes:
        ungated: the file says outright that no parity is to be shown.
    """

    parity: ParityGate | None = None
    calendar: Calendar | None = None
    approvals: Approvals | None = None
    data: DataGate | None = None
    latency: LatencyGate | None = None
    errors: ErrorsGate | None = None
    webhook: WebhookGate | None = None
    observed: frozenset[GateName] = frozenset()
    ungated: bool = False
    load: LoadGate | None = None


def parse_gates(reader: Reader, key: str, node: Node | None) -> Gates:
    """Read `gates`; what could not be read is absent, and its problem is with the reader."""
    fields = None if node is None else reader.fields(node, key, _GATES)
    if fields is None:
        return Gates()

    return Gates(
        parity=reader.if_given(fields, key, "parity", _parity_gate),
        calendar=reader.if_given(fields, key, "calendar", _calendar),
        approvals=reader.if_given(fields, key, "approvals", _approvals),
        data=reader.if_given(fields, key, "data", parse_data_gate),
        latency=reader.if_given(fields, key, "latency", parse_latency_gate),
        errors=reader.if_given(fields, key, "errors", parse_errors_gate),
        webhook=reader.if_given(fields, key, "webhook", parse_webhook_gate),
        observed=reader.if_given(fields, key, "observe", parse_observed) or frozenset(),
        load=reader.if_given(fields, key, "loadtest", parse_load_gate),
        ungated="parity" not in fields,
    )


def parse_rollback(reader: Reader, key: str, node: Node | None) -> RollbackRule | None:
    """Read `rollback`."""
    known = ("errors", "slow", "requests", "window")
    fields = None if node is None else reader.fields(node, key, known)
    if node is None or fields is None:
        return None
    errors, slow = (
        reader.share(fields[name], f"{key}.{name}", whole=PPM) if name in fields else None
        for name in ("errors", "slow")
    )
    requests = _requests(reader, key, fields, _USUAL_REQUESTS)
    window_s: float | None = _USUAL_WINDOW_S
    if "window" in fields:
        place = f"{key}.window"
        window_s = reader.duration(fields["window"], place, least_s=10, most_s=_HOUR_S)
    if "errors" not in fields and "slow" not in fields:
        reader.missing(node.line, key, "errors", "Write errors: 0.5%, or slow: 5%.")
        return None
    if requests is None or window_s is None:
        return None
    return RollbackRule(errors, slow, requests, window_s)


def parse_ramp(reader: Reader, key: str, node: Node | None) -> Ramp | None:
    """Read `ramp`."""
    fields = None if node is None else reader.fields(node, key, ("steps", "soak", "requests"))
    if node is None or fields is None:
        return None
    for name, fix in (
        ("steps", "Write steps: [1%, 5%, 25%, 50%, 100%]."),
        ("soak", "Write soak: 30m."),
    ):
        if name not in fields:
            reader.missing(node.line, key, name, fix)
    steps: list[int | None] = []
    if "steps" in fields:
        place = f"{key}.steps"
        empty = ("A ramp needs a step.", "Write steps: [1%, 5%, 25%, 50%, 100%].")
        for index, item in enumerate(reader.items(fields["steps"], place, empty=empty)):
            steps.append(reader.share(item, f"{place}[{index}]", whole=BASIS_POINTS))
    read = [step for step in steps if step is not None]
    if len(read) == len(steps) and any(one >= other for one, other in pairwise([0, *read])):
        fix = "Write each share larger than the one before it, the first above 0%."
        reader.note(fields["steps"].line, f"{key}.steps", "The steps do not ascend.", fix)
        return None
    soak_s = None
    if "soak" in fields:
        soak_s = reader.duration(fields["soak"], f"{key}.soak", least_s=1, most_s=30 * _DAY_S)
    requests = _requests(reader, key, fields, _USUAL_REQUESTS)
    if not read or len(read) < len(steps) or soak_s is None or requests is None:
        return None
    return Ramp(tuple(read), soak_s, requests)


def _requests(reader: Reader, key: str, fields: dict[str, Node], usual: int) -> int | None:
    if "requests" not in fields:
        return usual
    return reader.integer(fields["requests"], f"{key}.requests", least=1, most=_MOST_REQUESTS)


def _approvals(reader: Reader, key: str, node: Node) -> Approvals | None:
    fields = reader.fields(node, key, ("count", "within"))
    if fields is None:
        return None
    if "count" not in fields:
        reader.missing(node.line, key, "count", "Write count: 2.")
        return None
    count = reader.integer(fields["count"], f"{key}.count", least=1, most=_MOST_APPROVALS)
    within_s: float | None = _USUAL_WITHIN_S
    if "within" in fields:
        place = f"{key}.within"
        within_s = reader.duration(fields["within"], place, least_s=60, most_s=90 * _DAY_S)
    return None if count is None or within_s is None else Approvals(count, within_s)


def _calendar(reader: Reader, key: str, node: Node) -> Calendar | None:
    fields = reader.fields(node, key, ("zone", "hours", "freeze"))
    if fields is None:
        return None
    zone: str | None = "UTC"
    if "zone" in fields:
        zone = _zone(reader, f"{key}.zone", fields["zone"])
    hours: list[Hours | None] = []
    if "hours" in fields:
        for index, item in enumerate(reader.items(fields["hours"], f"{key}.hours")):
            hours.append(_hours(reader, f"{key}.hours[{index}]", item))
    freezes: list[Freeze | None] = []
    if "freeze" in fields:
        for index, item in enumerate(reader.items(fields["freeze"], f"{key}.freeze")):
            freezes.append(_freeze(reader, f"{key}.freeze[{index}]", item))
    read_hours = tuple(one for one in hours if one is not None)
    read_freezes = tuple(one for one in freezes if one is not None)
    if zone is None or len(read_hours) < len(hours) or len(read_freezes) < len(freezes):
        return None
    return Calendar(zone, read_hours, read_freezes)


def _zone(reader: Reader, key: str, node: Node) -> str | None:
    name = reader.text(node, key)
    if name is None:
        return None
    try:
        ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        fix = "Write its name as in America/Toronto, or UTC."
        reader.note(node.line, key, f"{shown(name)} is no time zone that this machine knows.", fix)
        return None
    return name


def _hours(reader: Reader, key: str, node: Node) -> Hours | None:
    text = reader.text(node, key)
    if text is None:
        return None
    found = _HOURS.fullmatch(text.lower())
    minutes = [int(part) for part in found.groups()[2:]] if found else []
    if found is None or minutes[0] > 24 or minutes[2] > 24 or minutes[1] > 59 or minutes[3] > 59:
        reader.note(
            node.line, key, f"{shown(text)} is no span.", "Write it like mon-thu 09:00-16:00."
        )
        return None
    begin, end = minutes[0] * 60 + minutes[1], minutes[2] * 60 + minutes[3]
    first = _DAYS.index(found[1])
    last = _DAYS.index(found[2] or found[1])
    if not begin < end <= 24 * 60:
        what = f"{shown(text)} ends before it begins."
        reader.note(node.line, key, what, "A span over midnight is written as two of them.")
        return None
    # "sat-mon" goes over the end of the week.
    days = frozenset((first + n) % 7 for n in range((last - first) % 7 + 1))
    return Hours(days, begin, end)


def _freeze(reader: Reader, key: str, node: Node) -> Freeze | None:
    fields = reader.fields(node, key, ("from", "until", "why"))
    if fields is None:
        return None
    days: dict[str, date | None] = {}
    for name in ("from", "until"):
        if name not in fields:
            reader.missing(
                node.line, key, name, f"Write {name}: 2026-11-20; both days are included."
            )
            return None
        days[name] = reader.day(fields[name], f"{key}.{name}")
    why = reader.text(fields["why"], f"{key}.why") if "why" in fields else ""
    first, last = days["from"], days["until"]
    if first is None or last is None or why is None:
        return None
    if last < first:
        reader.note(fields["until"].line, f"{key}.until", "It lies before from.", "Swap the two.")
        return None
    return Freeze(first, last, why)


def _parity_gate(reader: Reader, key: str, node: Node) -> ParityGate | None:
    fields = reader.fields(node, key, ("min", "confidence", "samples", "loss", "min_weight"))
    if fields is None:
        return None
    least, loss, weight = (
        reader.share(fields[name], f"{key}.{name}", whole=PPM) if name in fields else None
        for name in ("min", "loss", "min_weight")
    )
    confidence = None
    if "confidence" in fields:
        place = f"{key}.confidence"
        confidence = reader.share(fields["confidence"], place, whole=BASIS_POINTS)
        if confidence is not None and not BASIS_POINTS // 2 <= confidence < BASIS_POINTS:
            what = "A confidence lies between 50 % and 99.99 %."
            reader.note(fields["confidence"].line, place, what, "Write 95%.")
    samples = None
    if "samples" in fields:
        samples = reader.integer(fields["samples"], f"{key}.samples", least=1, most=10**9)
    for name, fix in (("min", "Write min: 99.9%."), ("samples", "Write samples: 3000.")):
        if name not in fields:
            reader.missing(node.line, key, name, fix)
    if least == PPM:
        what = "No number of samples shows 100 % with confidence."
        reader.note(fields["min"].line, f"{key}.min", what, "Write 99.99% or less.")
    if least is None or samples is None:
        return None
    loss, weight = (10_000 if share is None else share for share in (loss, weight))
    return ParityGate(least, confidence or 9_500, samples, loss, weight)
