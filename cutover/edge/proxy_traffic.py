"""What the proxy's sides answered, domain by domain, out of its metrics."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cutover.core.live import Tally, WritesApart
from cutover.ports.traffic import Counted
from proxy.routing import READING_METHODS, Side

_DURATION = "banyan_request_duration_seconds"
_REQUESTS, _FALLBACK = "banyan_requests_total", "banyan_fallback_total"
_BUCKET = f"{_DURATION}_bucket"
_READ = (f"{_REQUESTS}{{", f"{_FALLBACK}{{", f"{_BUCKET}{{")
_SIDES = frozenset(map(str, Side))
#: Two hundred domains are tens of thousands of lines every other second, for which the
#: library's parser takes four times as long. No name of ours needs escapes.
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_TIMEOUT_S = 2
_NONE: Mapping[str, WritesApart] = {}
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ProxyTraffic:
    """Asks the side door at a URL, without a slash at its end."""

    door: str

    async def __call__(self, apart: Mapping[str, WritesApart]) -> Counted | None:
        """What was counted but writes that stay; None where the door gives no metrics that can
        be read.
        """
        try:
            return await asyncio.to_thread(self._ask, apart)
        except (OSError, ValueError):
            return None

    def _ask(self, apart: Mapping[str, WritesApart]) -> Counted:
        with urllib.request.urlopen(f"{self.door}/metrics", timeout=_TIMEOUT_S) as got:  # noqa: S310 - ours
            return counted_in(got.read(_MOST_BYTES).decode(), apart)


@dataclass(slots=True)
class _Sums:
    answers: int = 0
    errors: int = 0
    up_to: defaultdict[float, int] = field(default_factory=lambda: defaultdict(int))


def counted_in(text: str, apart: Mapping[str, WritesApart] = _NONE) -> Counted:
    """Read tallies out of Prometheus text, without writes that stay with legacy.

    Times have no method: where a route takes both reads and writes, they are left out as well.

    Raises:
        ValueError: it is no such text.
    """
    sums: defaultdict[tuple[str, Side], _Sums] = defaultdict(_Sums)
    for name, labels, count in _samples(text.splitlines()):
        domain, said = labels.get("domain", ""), labels.get("side", "")
        if name == _FALLBACK:
            # Legacy answered, since the core had failed to: the core's error.
            core = sums[domain, Side.CORE]
            core.answers, core.errors = core.answers + count, core.errors + count
            continue
        if said not in _SIDES:
            continue  # neither store answered: the proxy did
        if domain in apart and _is_apart(name, labels, apart[domain]):
            continue
        kept = sums[domain, Side(said)]
        if name == _REQUESTS:
            kept.answers += count
            kept.errors += count if labels.get("status_class") == "5xx" else 0
        elif labels["le"] != "+Inf":
            kept.up_to[float(labels["le"])] += count
    return {place: _tally(kept) for place, kept in sums.items()}


def _is_apart(name: str, labels: Mapping[str, str], writes: WritesApart) -> bool:
    route = labels.get("route", "")
    if route in writes.always:
        return True
    return route in writes.partly and (
        name != _REQUESTS or labels.get("method") not in READING_METHODS
    )


def _samples(lines: Iterable[str]) -> Iterator[tuple[str, Mapping[str, str], int]]:
    """The samples that count. Raises ValueError at a line that is torn."""
    for line in lines:
        if not line.startswith(_READ):
            continue
        name, _, rest = line.partition("{")
        labels, brace, value = rest.rpartition("} ")
        if not brace:
            raise ValueError(f"{line!r} is no sample")
        yield name, dict(_LABEL.findall(labels)), int(float(value))


def _tally(sums: _Sums) -> Tally:
    within: dict[int, int] = {}
    below = 0
    for bound_s in sorted(sums.up_to):
        within[round(bound_s * 1e6)] = sums.up_to[bound_s] - below
        below = sums.up_to[bound_s]
    return Tally(sums.answers, sums.errors, within)
