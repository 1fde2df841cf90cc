"""How often somebody may ask: a bucket of tokens that fills by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What a client may do.

    Attributes:
        per_minute: requests in the long run.
        burst: requests at once, after a rest.
    """

    per_minute: int
    burst: int

    @property
    def per_s(self) -> float:
        """Tokens that come back in a second."""
        return self.per_minute / 60


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a client has left.

    Attributes:
        at_s: when that was, on a clock that only goes forward.
    """

    tokens: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether one request may be made, and what is left.

    Attributes:
        reset_s: when the bucket is full again.
        wait_s: when the next request may be made; 0 when at once.
    """

    bucket: Bucket
    is_allowed: bool
    left: int
    reset_s: int
    wait_s: int


def take(limit: RateLimit, bucket: Bucket | None, now_s: float) -> Allowance:
    """Take a token for one request; None is a client that was not seen before."""
    tokens = float(limit.burst)
    if bucket is not None:
        gone_s = max(0.0, now_s - bucket.at_s)
        tokens = min(float(limit.burst), bucket.tokens + gone_s * limit.per_s)
    is_allowed = tokens >= 1
    after = tokens - 1 if is_allowed else tokens
    return Allowance(
        Bucket(after, now_s),
        is_allowed,
        int(after),
        math.ceil((limit.burst - after) / limit.per_s),
        0 if after >= 1 else math.ceil((1 - after) / limit.per_s),
    )
