"""A batch's frames summed into rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from shadow_compare.core.batch import Judged
from shadow_compare.core.latency import bucket_of
from shadow_compare.core.ledger import Kind, Line
from shadow_compare.core.text import storable
from shadow_compare.core.verdict import Outcome

TREND_INTERVAL_S = 10
LATENCY_INTERVAL_S = 300

COLUMN = {
    Outcome.MATCH: "matched",
    Outcome.ACCEPTED: "accepted",
    Outcome.MISMATCH: "mismatched",
    Outcome.INCOMPARABLE: "incomparable",
    Outcome.BROKEN: "broken",
}
OUTCOME_COLUMNS = tuple(COLUMN.values())

Row = Mapping[str, object]


#: Per (domain, epoch, route): the samples that a batch added, and the unequal ones.
Added = Mapping[tuple[str, str, str], tuple[int, int]]


def totals(judged: Iterable[Judged], added: Added) -> list[Row]:
    """Rows to add to `totals`. `added` is of the same frames."""
    alike = Counter(
        (one.domain, one.epoch, one.route, one.outcome, one.noise is not None, bool(one.noise))
        for one in judged
    )
    counts: Counter[tuple[tuple[str, str, str], str]] = Counter()
    for (domain, epoch, route, outcome, asked_twice, noisy), count in alike.items():
        if outcome is None:
            continue
        key = (domain, epoch, storable(route))
        counts[key, COLUMN[outcome]] += count
        counts[key, "asked_twice"] += asked_twice * count
        counts[key, "noisy"] += noisy * count
    for key, (samples, unequal) in added.items():
        counts[key, "samples"] += samples
        counts[key, "unequal"] += unequal
    columns = (*OUTCOME_COLUMNS, "asked_twice", "noisy", "samples", "unequal")
    return [
        {"domain": key[0], "epoch": key[1], "route": key[2]}
        | {column: counts[key, column] for column in columns}
        for key in {key for key, _ in counts}
    ]


def tallies(judged: Sequence[Judged], added: Added) -> list[Row]:
    """Rows to add to `tallies`. `added` is of the same frames.

    A batch is seconds long and its samples are told apart by route, not by moment: they
    go to the interval of the route's last frame.
    """
    counts: Counter[tuple[tuple[str, int, str, str], str]] = Counter()
    last: dict[tuple[str, str, str], tuple[str, int, str, str]] = {}
    alike: dict[tuple[str, int, str, str, Outcome | None], int] = {}
    for one in judged:
        start = int(one.at_s) // TREND_INTERVAL_S * TREND_INTERVAL_S
        kind = (one.domain, start, one.epoch, one.route, one.outcome)
        # Taken out and put back: the kinds stand in the order of their last frames.
        alike[kind] = alike.pop(kind, 0) + 1
    for (domain, start, epoch, route, outcome), count in alike.items():
        if outcome is None:
            continue
        key = (domain, start, epoch, storable(route))
        counts[key, COLUMN[outcome]] += count
        last[domain, epoch, storable(route)] = key
    for place, (samples, unequal) in added.items():
        counts[last[place], "samples"] += samples
        counts[last[place], "unequal"] += unequal
    columns = (*OUTCOME_COLUMNS, "samples", "unequal")
    return [
        {"domain": key[0], "at_s": key[1], "epoch": key[2], "route": key[3]}
        | {column: counts[key, column] for column in columns}
        for key in {key for key, _ in counts}
    ]


def latencies(judged: Iterable[Judged]) -> list[Row]:
    """Rows to add to `latencies`."""
    counts = Counter(
        (
            one.domain,
            int(one.at_s) // LATENCY_INTERVAL_S * LATENCY_INTERVAL_S,
            timing.side,
            timing.role,
            bucket_of(timing.elapsed_us),
        )
        for one in judged
        for timing in one.timings
        if timing.elapsed_us is not None
    )
    names = ("domain", "at_s", "side", "role", "bucket")
    return [
        {**dict(zip(names, key, strict=True)), "answers": count} for key, count in counts.items()
    ]


def answered(judged: Iterable[Judged]) -> list[Row]:
    """Rows to add to `answered`."""
    answers: Counter[tuple[str, int, str, str]] = Counter()
    errors: Counter[tuple[str, int, str, str]] = Counter()
    for one in judged:
        start = int(one.at_s) // LATENCY_INTERVAL_S * LATENCY_INTERVAL_S
        for timing in one.timings:
            key = (one.domain, start, timing.side, timing.role)
            answers[key] += 1
            errors[key] += timing.is_error
    names = ("domain", "at_s", "side", "role")
    return [
        {**dict(zip(names, key, strict=True)), "answers": count, "errors": errors[key]}
        for key, count in answers.items()
    ]


def noise(judged: Iterable[Judged]) -> list[Row]:
    """Rows to add to `noise`."""
    counts = Counter(
        (one.domain, one.epoch, storable(one.route), storable(pattern))
        for one in judged
        for pattern in one.noise or ()
    )
    names = ("domain", "epoch", "route", "pattern")
    return [
        {**dict(zip(names, key, strict=True)), "differed": count} for key, count in counts.items()
    ]


def followed(judged: Sequence[Judged]) -> dict[str, dict[Line, int]]:
    """Per run, the lines of the books that these frames add to."""
    alike = Counter(
        (one.run, one.domain, one.route, one.outcome is not None, one.loss or "") for one in judged
    )
    runs: dict[str, Counter[Line]] = {}
    for (run, domain, route, is_compared, loss), count in alike.items():
        kind = Kind.COMPARED if is_compared else Kind.LOST
        runs.setdefault(run, Counter())[Line(storable(domain), storable(route), kind, loss)] += (
            count
        )
    return {run: dict(lines) for run, lines in runs.items()}
