"""What must stay so after a flip."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_ANSWERS = 50
MOST_ERRORS_BP = 200
LONGEST_LAG_MS = 30_000.0


@dataclass(frozen=True, slots=True)
class Seen:
    """How things stand with a domain, counted since the proxy began.

    Attributes:
        answers, errors: of the domain's routes; errors have a status of 500 or more.
        rogues, parked: as they are.
        lag_ms: of the stream back; None when nothing tells.
        problem: why the stream back stands; "" while it goes.
        drift: differences that nobody accepted; None where it was not asked.
    """

    answers: int
    errors: int
    rogues: int
    parked: int
    lag_ms: float | None
    problem: str = ""
    drift: int | None = None


def breaches(before: Seen, now: Seen) -> tuple[str, ...]:
    """Which bounds are broken since a flip, a sentence each."""
    found: list[str] = []
    answers, errors = now.answers - before.answers, now.errors - before.errors
    if answers >= LEAST_ANSWERS and errors * 10_000 > answers * MOST_ERRORS_BP:
        found.append(f"{errors} of {answers} answers are errors")
    if now.rogues > before.rogues:
        found.append(f"{now.rogues - before.rogues} writes came from the side that does not own")
    if now.parked > before.parked:
        found.append(f"{now.parked - before.parked} aggregates cannot be taken across")
    if now.problem:
        found.append(f"the way back stands: {now.problem}")
    elif now.lag_ms is not None and now.lag_ms > LONGEST_LAG_MS:
        found.append(f"the way back is {now.lag_ms / 1_000:.0f} s behind")
    if now.drift is not None and now.drift > (before.drift or 0):
        found.append(f"{now.drift - (before.drift or 0)} differences are new")
    return tuple(found)
