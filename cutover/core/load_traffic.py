"""What shoppers ask of a domain: routes by weight, what fills them, how often, how long between.

A profile is made of recorded requests and holds no header, no body, no name of a shopper and
nothing that was hidden in a capture.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cutover.core.hashed import Altered, opened, sealed
from proxy.routing import BASIS_POINTS, Domain

KIND, VERSION = "profile of traffic", 1
SAFE = ("GET", "HEAD")
_MARK = "[hmac:"
_MOST_TARGETS = 500
_VISIT_ENDS_US = 30 * 60 * 1_000_000
_SECOND_US = 1_000_000


class NotTraffic(ValueError):
    """A document is no profile of traffic, or was altered."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded request.

    Attributes:
        at_us: when its answer was complete, microseconds since the epoch.
        shopper: a keyed hash; it orders a shopper's requests, and is then forgotten.
    """

    at_us: int
    elapsed_us: int
    method: str
    route: str
    target: str
    status: int
    shopper: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What shoppers ask of one route.

    Attributes:
        targets: paths with their queries and how often each was asked, the most frequent first.
        refused_ppm: share of recorded answers with a status from 400 to 499.
    """

    method: str
    route: str
    weight: int
    targets: tuple[tuple[str, int], ...]
    refused_ppm: int = 0

    @property
    def name(self) -> str:
        """The route's name; HEAD of a GET route is told apart."""
        return self.route if self.method != "HEAD" else f"HEAD: {self.route}"


@dataclass(frozen=True, slots=True)
class Traffic:
    """A domain's traffic.

    Attributes:
        rate_per_s: requests per second, the mean over the recording, unsampled ones included.
        peak_per_s: the same in the busiest minute.
        think_s: mean pause of a shopper between two requests; None where nobody made two.
        think_ms: p50 and p90 of these pauses.
        left_out: why requests were left out, and how many.
        sha256: of the document without it; names the profile.
    """

    domain: str
    span_s: float
    requests: int
    rate_per_s: float
    peak_per_s: float
    think_s: float | None
    think_ms: Mapping[str, int]
    left_out: Mapping[str, int]
    routes: tuple[Asked, ...]
    sha256: str = ""


@dataclass(slots=True)
class _Route:
    weight: int = 0
    refused: int = 0
    targets: Counter[str] = field(default_factory=Counter)


def make_traffic(
    domain: Domain,
    recorded: Iterable[Recorded],
    span_s: float | None = None,
    missed: int = 0,
) -> Traffic:
    """Build a profile.

    Only GET and HEAD of routes without effects and without writes come into it: bodies are
    hidden in captures, and a write would be a real one.

    `span_s` is how long was recorded; None takes the time from the first to the last request.
    `missed` requests, of all domains, were made and not seen.

    Raises:
        NotTraffic: nothing is left that a load could be made of.
    """
    found = sorted(recorded, key=lambda one: one.at_us)
    known = {route.name: route for route in domain.routes}
    kept: defaultdict[tuple[str, str], _Route] = defaultdict(_Route)
    left_out: Counter[str] = Counter({"missed": missed} if missed else {})
    minutes: Counter[int] = Counter()
    for one in found:
        route = known.get(one.route)
        if route is None:
            left_out["unknown route"] += 1
        elif one.method not in SAFE:
            left_out["unsafe method"] += 1
        elif route.has_effects or route.has_writes:
            left_out["effects or writes"] += 1
        else:
            entry = kept[one.method, one.route]
            entry.weight += 1
            entry.refused += 400 <= one.status < 500
            minutes[one.at_us // (60 * _SECOND_US)] += 1
            if _MARK in one.target:
                left_out["hidden values in the path or query"] += 1
            elif not _is_path(one.target):
                left_out["odd path"] += 1
            else:
                entry.targets[one.target] += 1
    routes = tuple(_asked(*name, entry) for name, entry in sorted(kept.items()) if entry.targets)
    if not routes:
        raise NotTraffic(_nothing(domain, len(found), left_out))
    whole = BASIS_POINTS / (domain.shadow.sample_bp or BASIS_POINTS)
    requests = sum(entry.weight for entry in kept.values())
    length_s = span_s or max((found[-1].at_us - found[0].at_us) / _SECOND_US, 1.0)
    rate = requests / length_s * whole
    pauses = sorted(_pauses(found))
    made = Traffic(
        domain=domain.name,
        span_s=round(length_s, 3),
        requests=requests,
        rate_per_s=round(rate, 4),
        peak_per_s=round(max(rate, max(minutes.values()) / 60 * whole), 4),
        think_s=round(sum(pauses) / len(pauses) / _SECOND_US, 3) if pauses else None,
        think_ms={f"p{q}": round(_rank(pauses, q / 100) / 1_000) for q in (50, 90) if pauses},
        left_out=dict(sorted(left_out.items())),
        routes=routes,
    )
    return traffic_from_json(traffic_to_json(made))


def plain_traffic(domain: Domain, rate_per_s: float) -> Traffic:
    """A profile of nothing recorded: each route without variables, all alike.

    Raises:
        NotTraffic: every route has variables, effects, writes or conditions.
    """
    routes = tuple(
        Asked("GET", route.name, 1, ((route.path, 1),))
        for route in domain.routes
        if "GET" in route.methods
        and not (route.has_effects or route.has_writes or route.host or route.conditions)
        and "{" not in route.path
    )
    if not routes:
        raise NotTraffic(
            f"no traffic of {domain.name} is recorded, and all of its routes need values;"
            f" run: banyan traffic record {domain.name} --for 10m --out {domain.name}.json"
        )
    made = Traffic(domain.name, 0.0, 0, rate_per_s, rate_per_s, None, {}, {}, routes)
    return traffic_from_json(traffic_to_json(made))


def traffic_to_json(traffic: Traffic) -> bytes:
    """The document, with a hash of all that stands in it."""
    body: dict[str, Any] = {
        "domain": traffic.domain,
        "span_s": traffic.span_s,
        "requests": traffic.requests,
        "rate_per_s": traffic.rate_per_s,
        "peak_per_s": traffic.peak_per_s,
        "think_s": traffic.think_s,
        "think_ms": dict(traffic.think_ms),
        "left_out": dict(traffic.left_out),
        "routes": [
            {
                "method": one.method,
                "route": one.route,
                "weight": one.weight,
                "refused_ppm": one.refused_ppm,
                "targets": [list(pair) for pair in one.targets],
            }
            for one in traffic.routes
        ],
    }
    return sealed(KIND, VERSION, body)


def traffic_from_json(content: bytes) -> Traffic:
    """Read a document.

    Raises:
        NotTraffic: it is none, it was altered, or a newer Banyan wrote it.
    """
    try:
        body = opened(KIND, VERSION, content)
        routes = tuple(
            Asked(
                str(one["method"]),
                str(one["route"]),
                int(one["weight"]),
                tuple((_path(target), int(count)) for target, count in one["targets"]),
                int(one["refused_ppm"]),
            )
            for one in body["routes"]
        )
        think = body["think_s"]
        read = Traffic(
            domain=str(body["domain"]),
            span_s=_number(body["span_s"]),
            requests=int(body["requests"]),
            rate_per_s=_number(body["rate_per_s"]),
            peak_per_s=_number(body["peak_per_s"]),
            think_s=None if think is None else _number(think),
            think_ms={str(name): int(value) for name, value in body["think_ms"].items()},
            left_out={str(name): int(value) for name, value in body["left_out"].items()},
            routes=routes,
            sha256=str(body["sha256"]),
        )
    except (NotTraffic, Altered) as exc:
        raise NotTraffic(str(exc)) from exc
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise NotTraffic("it is no profile of traffic") from exc
    if not routes or any(one.method not in SAFE or not one.targets for one in routes):
        raise NotTraffic("a route of it has an unsafe method, or nothing to ask for")
    if any(one.weight < 1 or any(n < 1 for _, n in one.targets) for one in routes):
        raise NotTraffic("a weight of it is below 1")
    return read


def _asked(method: str, route: str, entry: _Route) -> Asked:
    often = sorted(entry.targets.items(), key=lambda pair: (-pair[1], pair[0]))
    refused = entry.refused * 1_000_000 // entry.weight
    return Asked(method, route, entry.weight, tuple(often[:_MOST_TARGETS]), refused)


def _pauses(found: Sequence[Recorded]) -> Iterable[int]:
    """From an answer to the same shopper's next request, within a visit, in microseconds."""
    last: dict[str, int] = {}
    for one in found:
        if one.shopper is None:
            continue
        before = last.get(one.shopper)
        pause = 0 if before is None else one.at_us - one.elapsed_us - before
        if before is not None and pause < _VISIT_ENDS_US:
            yield max(pause, 0)
        last[one.shopper] = one.at_us


def _rank(values: Sequence[int], share: float) -> int:
    return values[max(math.ceil(share * len(values)) - 1, 0)]


def _path(target: object) -> str:
    """A target goes into a request line as it is."""
    text = str(target)
    if not _is_path(text):
        raise NotTraffic("a target of it is no path")
    return text


def _is_path(text: str) -> bool:
    printed = text.isascii() and text.isprintable() and " " not in text
    return printed and text.startswith("/") and not text.startswith("//")


def _number(value: object) -> float:
    number = float(str(value))
    if not math.isfinite(number) or number < 0:
        raise NotTraffic("a figure of it is no number")
    return number


def _nothing(domain: Domain, found: int, left_out: Mapping[str, int]) -> str:
    if not found:
        return (
            f"nothing of {domain.name} is recorded; captures are made in stages with a mirror"
            " (shadow, canary, core), and a comparer takes them away when it has read them:"
            f" run banyan traffic record {domain.name} --for 10m while shoppers are there"
        )
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
    return f"of {found} recorded requests of {domain.name} none can be sent again: {why}"
