"""What one sample is: somebody asking something, for the first time.

Requests are not independent of each other. A client that asks the same question ten
thousand times shows once what one question shows once, so a sample is a distinct pair of
shopper and request within a stratum. Who repeats buys nothing, and neither does who asks
much: one shopper makes at most `SLOTS` samples of a stratum.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from proxy.core.frame import Frame
from proxy.routing.model import Side, Stage

#: Samples that one shopper may make of one stratum.
SLOTS = 64
#: Sample keys are spread evenly over 0..KEYS - 1.
KEYS = 1 << 63
#: Sample keys that are remembered of one stratum before every other one is let go.
MEMORY = 100_000


class Served(StrEnum):
    """Whom an answer was for, as far as it decides who answered.

    legacy: shoppers whom legacy answered. core: shoppers whom the core answered. pilot:
    shoppers who got the core in stage canary without being drawn: pilots and pinned ones.
    nobody: requests without a shopper key. A crawler that keeps no cookies is among
    these, so what it asks says nothing of shoppers.
    """

    LEGACY = "legacy"
    CORE = "core"
    PILOT = "pilot"
    NOBODY = "nobody"


class Stratum(NamedTuple):
    """Exchanges that are alike. `status_class` is that of legacy's answer, e.g. "2xx".

    Legacy is the control. By the core's status a core that fails now and then would sort
    its failures into a stratum of their own, and leave the others spotless.
    """

    route: str
    served: Served
    status_class: str


class Sample(NamedTuple):
    """One exchange's sample.

    Attributes:
        key: names shopper and slot within the stratum, evenly spread over 0..KEYS - 1.
        request: names the request; the first one that takes a slot keeps it.
    """

    stratum: Stratum
    key: int
    request: int


class Sighting(NamedTuple):
    """A sample that was compared, and whether its answers were unequal."""

    sample: Sample
    is_unequal: bool


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is remembered of one sample key."""

    request: int
    is_unequal: bool


@dataclass(slots=True)
class Counted:
    """What sightings add to a stratum.

    Attributes:
        samples: keys that were not known.
        unequal: keys that were seen unequal for the first time.
        changed: keys to remember anew; all of them lie below the stratum's threshold.
    """

    samples: int = 0
    unequal: int = 0
    changed: dict[int, Remembered] = field(default_factory=dict)


def sample_of(frame: Frame, control_status: int, core_share_bp: int) -> Sample:
    """The sample that a frame belongs to. `core_share_bp` is its domain's share now."""
    stratum, start = _stratum(frame.route, served(frame, core_share_bp), control_status // 100)
    request = _number(frame.method, frame.target, frame.request_body)
    if frame.shopper is None:
        return Sample(stratum, _hashed(start + _packed("", request)), request)
    key = _hashed(start + _packed("of", frame.shopper, request % SLOTS))
    return Sample(stratum, key, request)


@lru_cache(maxsize=4_096)
def _stratum(route: str, served: Served, hundred: int) -> tuple[Stratum, bytes]:
    """A stratum, and what every number of a sample in it is made of first."""
    stratum = Stratum(route, served, f"{hundred}xx")
    return stratum, _packed(*stratum)


def served(frame: Frame, core_share_bp: int) -> Served:
    """Whom this exchange's answer was for."""
    if frame.shopper is None:
        return Served.NOBODY
    if frame.side != Side.CORE:
        return Served.LEGACY
    drawn = frame.bucket is not None and frame.bucket < core_share_bp
    return Served.PILOT if frame.stage == Stage.CANARY and not drawn else Served.CORE


def add_up(sightings: Iterable[Sighting], known: Mapping[int, Remembered], below: int) -> Counted:
    """What sightings of one stratum add, each key once and with its worst verdict.

    Counting the same sightings again, with what was `changed` among the known, adds
    nothing. Whether a key is counted never depends on how its answers compared: what is
    counted stays a fair draw of all keys.

    Args:
        sightings: in the order in which they are to be counted.
        known: what is remembered of their keys.
        below: keys from here on are neither counted nor remembered.
    """
    counted = Counted()
    for (_, key, request), is_unequal in sightings:
        if key >= below:
            continue
        kept = counted.changed.get(key) or known.get(key)
        if kept is None:
            counted.samples += 1
        elif kept.request != request or kept.is_unequal or not is_unequal:
            continue
        counted.unequal += is_unequal
        counted.changed[key] = Remembered(request, is_unequal)
    return counted


def stratum_key(domain: str, epoch: str, stratum: Stratum) -> int:
    """One number for a stratum of one epoch; two of a store's strata never meet in it."""
    return _number(domain, epoch, *stratum)


def _number(*parts: str | bytes | int) -> int:
    """63 even bits over the parts; no two rows of parts have the same bytes."""
    return _hashed(_packed(*parts))


def _packed(*parts: str | bytes | int) -> bytes:
    row: list[bytes] = []
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        row += (len(data).to_bytes(8, "big"), data)
    return b"".join(row)


def _hashed(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") % KEYS
