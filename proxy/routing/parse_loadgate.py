"""Read `gates.loadtest`: what a load test must have shown."""

from __future__ import annotations

from proxy.routing.model import PPM
from proxy.routing.nodes import Node
from proxy.routing.parse_gating import parse_times
from proxy.routing.stepping import LoadGate, LoadProfile
from proxy.routing.values import Reader

_KEYS = ("profile", "p99", "errors", "max_age", "requests", "rate")
_DAY_S = 86_400.0
_USUAL_AGE_S, _USUAL_REQUESTS, _USUAL_ERRORS_PPM = 7 * _DAY_S, 1_000, 1_000
_MOST = 10**9


def parse_load_gate(reader: Reader, key: str, node: Node) -> LoadGate | None:
    """Read it; None where it could not be read, and its problem is with the reader."""
    fields = reader.fields(node, key, _KEYS)
    if fields is None:
        return None
    for name, fix in (("profile", "Write profile: 3x."), ("p99", "Write p99: 1.2x.")):
        if name not in fields:
            reader.missing(node.line, key, name, fix)
    profile = p99 = rate = None
    if "profile" in fields:
        profile = reader.choice(fields["profile"], f"{key}.profile", LoadProfile)
    if "p99" in fields:
        p99 = parse_times(reader, fields["p99"], f"{key}.p99")
    if "rate" in fields:
        rate = reader.integer(fields["rate"], f"{key}.rate", least=1, most=1_000_000)
    bounds = _bounds(reader, key, fields)
    if profile is None or p99 is None or bounds is None or ("rate" in fields and rate is None):
        return None
    return LoadGate(profile, p99, *bounds, rate)


def _bounds(reader: Reader, key: str, fields: dict[str, Node]) -> tuple[int, float, int] | None:
    """What has a usual value: errors, age and requests."""
    errors: int | None = _USUAL_ERRORS_PPM
    if "errors" in fields:
        errors = reader.share(fields["errors"], f"{key}.errors", whole=PPM)
    age_s: float | None = _USUAL_AGE_S
    if "max_age" in fields:
        place = f"{key}.max_age"
        age_s = reader.duration(fields["max_age"], place, least_s=60, most_s=90 * _DAY_S)
    requests: int | None = _USUAL_REQUESTS
    if "requests" in fields:
        requests = reader.integer(fields["requests"], f"{key}.requests", least=10, most=_MOST)
    if errors is None or age_s is None or requests is None:
        return None
    return errors, age_s, requests
