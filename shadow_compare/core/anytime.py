"""How sure we may be of a share that people watch while it is sampled.

An exact bound holds for a number of samples that was fixed beforehand. Who looks after
every sample and steps forward when it looks good is wrong far more often than the bound
says. The bounds here hold at all moments together: with the confidence asked for, the
true share never leaves them, however often and however long anyone looks.

They are a confidence sequence of a beta-binomial mixture. The chance of what was seen,
averaged over possible shares of unequal answers by a Beta(1/2, 500), is set against its
chance under one share. That ratio is a fair bet against the share: it exceeds
1 / (1 - confidence) at any time ever with a chance of at most 1 - confidence if the share
is true (Ville's inequality), so a share that it exceeds that for is ruled out.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from proxy.routing.model import BASIS_POINTS, PPM

#: The mixture's weights. They favour stores of which about one answer in a thousand
#: differs, which is where gates stand; the bounds hold whatever the truth is.
UNEQUAL_WEIGHT, EQUAL_WEIGHT = 0.5, 500.0

_MOST_SAMPLES = 1 << 40


class Bounds(NamedTuple):
    """Shares of equal answers, in ppm, that are not ruled out; rounded outwards."""

    lower_ppm: int
    upper_ppm: int


# A page of 200 domains asks for sixty points of each, and asks again in a second.
@lru_cache(maxsize=32_768)
def anytime_bounds_ppm(
    equal: int, samples: int, confidence_bp: int, equal_weight: float = EQUAL_WEIGHT
) -> Bounds:
    """What the samples so far leave possible. (0, 1,000,000) while there are none.

    The bounds are those of this moment. The highest lower bound of all moments so far
    would be as valid, but it would go on praising a store that became worse. A smaller
    `equal_weight` favours larger shares of unequal answers; the bounds hold with any.

    Raises:
        ValueError: `equal` is not within 0..`samples`, or the confidence is not within
            1..9,999 basis points.
    """
    if not 0 <= equal <= samples:
        raise ValueError(f"{equal} equal answers of {samples} samples cannot be")
    if not 0 < confidence_bp < BASIS_POINTS:
        raise ValueError(f"a confidence of {confidence_bp} basis points cannot be reached")
    if samples == 0:
        return Bounds(0, PPM)
    unequal = samples - equal
    needed = math.log(BASIS_POINTS / (BASIS_POINTS - confidence_bp))
    mixed = _log_beta(UNEQUAL_WEIGHT + unequal, equal_weight + equal)
    mixed -= _log_beta(UNEQUAL_WEIGHT, equal_weight)

    def is_out(unequal_ppm: int) -> bool:
        return mixed - _log_chance(unequal, equal, unequal_ppm) >= needed

    # The ratio is least at the share that was seen and grows to both sides of it.
    low, high = -(-unequal * PPM // samples), PPM
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_out(middle) else (middle + 1, high)
    most_unequal_ppm = low
    low, high = 0, unequal * PPM // samples
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if is_out(middle) else (low, middle - 1)
    return Bounds(PPM - most_unequal_ppm, PPM - low)


@lru_cache(maxsize=256)
def anytime_samples_needed(min_ppm: int, confidence_bp: int) -> int | None:
    """Flawless samples after which the lower bound reaches `min_ppm`.

    None when no number of samples can, because all of a whole was asked for.
    """
    if min_ppm >= PPM:
        return None
    return more_needed(0, 0, min_ppm, confidence_bp)


def more_needed(equal: int, samples: int, min_ppm: int, confidence_bp: int) -> int | None:
    """Further samples, all equal, that lift the lower bound to `min_ppm`; None: too many."""

    def is_enough(more: int) -> bool:
        bounds = anytime_bounds_ppm(equal + more, samples + more, confidence_bp)
        return bounds.lower_ppm >= min_ppm

    high = 1
    while not is_enough(high):
        high *= 2
        if high > _MOST_SAMPLES:
            return None
    low = 0
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return low


def _log_chance(unequal: int, equal: int, unequal_ppm: int) -> float:
    """Logarithm of the chance of one row of so many unequal and equal answers."""
    total = 0.0
    for count, ppm in ((unequal, unequal_ppm), (equal, PPM - unequal_ppm)):
        if count and not ppm:
            return -math.inf
        total += count * math.log(ppm / PPM) if count else 0.0
    return total


def _log_beta(first: float, second: float) -> float:
    return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)
