"""Answer times as counts in log-spaced buckets: constant memory, known error."""

from __future__ import annotations

import math
from collections.abc import Mapping

_GROWTH = 1.1
_LOG_GROWTH = math.log(_GROWTH)


def bucket_of(elapsed_us: int) -> int:
    """Bucket of an answer time; neighbours are 10 % apart, so a quantile is within 5 %."""
    return 0 if elapsed_us <= 1 else round(math.log(elapsed_us) / _LOG_GROWTH)


def middle_ms(bucket: int) -> float:
    """The answer time, in milliseconds, that stands for a bucket."""
    return _GROWTH**bucket / 1000


def quantile_ms(counts: Mapping[int, int], share: float) -> float:
    """The time, in milliseconds, that `share` of the counted answers did not exceed.

    0.0 when nothing was counted.
    """
    total = sum(counts.values())
    wanted, seen = max(1, math.ceil(share * total)), 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            return middle_ms(bucket)
    return 0.0
