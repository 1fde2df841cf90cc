"""How sure we may be of a share that was only sampled."""

from __future__ import annotations

import math
from functools import lru_cache

from proxy.routing.model import BASIS_POINTS, PPM


@lru_cache(maxsize=4096)
def lower_bound_ppm(equal: int, compared: int, confidence_bp: int) -> int:
    """Exact one-sided lower bound (Clopper-Pearson) on the share of equal answers.

    The greatest share p, in parts per million and rounded down, such that a store that
    is equal with probability p or less would show `equal` or more equal answers in
    `compared` with a chance of at most 1 - confidence. 0 while nothing was compared.

    Raises:
        ValueError: `equal` is not within 0..`compared`, or the confidence is not
            within 1..9,999 basis points.
    """
    if not 0 <= equal <= compared:
        raise ValueError(f"{equal} equal answers of {compared} compared cannot be")
    if not 0 < confidence_bp < BASIS_POINTS:
        raise ValueError(f"a confidence of {confidence_bp} basis points cannot be reached")
    if equal == 0:
        return 0
    from scipy.special import betaincinv  # noqa: PLC0415 - 0.3 s that no other command pays

    doubt = (BASIS_POINTS - confidence_bp) / BASIS_POINTS
    return math.floor(float(betaincinv(equal, compared - equal + 1, doubt)) * PPM)


def samples_needed(min_ppm: int, confidence_bp: int) -> int | None:
    """Flawless comparisons after which the lower bound reaches `min_ppm`.

    None when no number of comparisons can, because all of a whole was asked for.
    """
    if min_ppm >= PPM:
        return None
    if min_ppm <= 0:
        return 0
    doubt = (BASIS_POINTS - confidence_bp) / BASIS_POINTS
    guess = math.ceil(math.log(doubt) / math.log(min_ppm / PPM))
    # The logarithms round; step to the exact answer of the bound that gates read.
    while guess > 1 and lower_bound_ppm(guess - 1, guess - 1, confidence_bp) >= min_ppm:
        guess -= 1
    while lower_bound_ppm(guess, guess, confidence_bp) < min_ppm:
        guess += 1
    return guess
