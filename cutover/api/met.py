"""What live traffic says of both sides: each figure as the core's less legacy's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cutover.api.card import in_order
from cutover.api.courses import is_steered
from cutover.api.figures import count, milliseconds, plain_percent
from cutover.api.judgement import Light
from cutover.api.readings import CourseLine, Facts
from cutover.core.stages import SERVING
from proxy.routing import Domain
from shadow_compare.core.evidence import Latency

PPM = 1_000_000
_WORDS = {
    "pass": (Light.PASS, "No worse"),
    "fail": (Light.FAIL, "Worse"),
    "inconclusive": (Light.INCONCLUSIVE, "Not shown yet"),
}


@dataclass(frozen=True, slots=True)
class MetRow:
    """A figure of both sides, and the core's less legacy's in words."""

    name: str
    legacy: str
    core: str
    difference: str


@dataclass(frozen=True, slots=True)
class Met:
    """What shoppers meet.

    Attributes:
        because: of what was last seen, a sentence each.
        as_of_s: when that was; None where nobody looked.
        times_of: which answers the times are of; "" without any.
    """

    light: Light
    word: str
    because: tuple[str, ...]
    as_of_s: float | None
    rows: tuple[MetRow, ...]
    times: tuple[MetRow, ...]
    times_of: str


def met_of(domain: Domain, course: CourseLine | None, facts: Facts) -> Met:
    """Decide what a page says of live traffic."""
    light, word, because = _judged(domain, course, facts.now_s)
    reading = facts.domains.get(domain.name)
    latency = in_order(reading.value.latency) if reading and reading.value else ()
    pair = _pair(latency)
    return Met(
        light=light,
        word=word,
        because=because,
        as_of_s=course.at_s if course is not None and domain.stage in SERVING else None,
        rows=_rows(course.inputs) if course is not None and domain.stage in SERVING else (),
        times=_times(*pair) if pair else (),
        times_of=_of(*pair) if pair else "",
    )


def _judged(
    domain: Domain, course: CourseLine | None, now_s: float
) -> tuple[Light, str, tuple[str, ...]]:
    if domain.stage not in SERVING:
        return Light.OFF, "Nobody meets it", ("No shopper meets the new core here.",)
    if domain.rollback is None:
        return (
            Light.OFF,
            "Not judged",
            ("It has no rollback rule, so nothing judges what it does.",),
        )
    if course is None or not is_steered(course, now_s):
        return Light.INCONCLUSIVE, "Unknown", ("Nobody looks at it now: run banyan steer.",)
    light, word = _WORDS.get(course.verdict, (Light.INCONCLUSIVE, "Unknown"))
    said = course.findings or (course.because,)
    return light, word, tuple(f"{one[:1].upper()}{one[1:]}." for one in said)


def _rows(inputs: Mapping[str, int]) -> tuple[MetRow, ...]:
    core, legacy = inputs.get("core_answers", 0), inputs.get("legacy_answers", 0)
    if not core and not legacy:
        return ()
    rows = [MetRow("Answers judged", count(legacy), count(core), "")]
    rows.append(
        _share("Errors", inputs.get("legacy_errors", 0), legacy, inputs.get("core_errors", 0), core)
    )
    if "slow_us" in inputs:
        name = f"Slower than {milliseconds(inputs['slow_us'] / 1_000)}"
        slow = inputs.get("legacy_slow", 0), inputs.get("core_slow", 0)
        rows.append(_share(name, slow[0], legacy, slow[1], core))
    return tuple(rows)


def _share(name: str, theirs: int, of_legacy: int, ours: int, of_core: int) -> MetRow:
    legacy_ppm = theirs * PPM // of_legacy if of_legacy else None
    core_ppm = -(-ours * PPM // of_core) if of_core else None
    return MetRow(name, _percent(legacy_ppm), _percent(core_ppm), _points(legacy_ppm, core_ppm))


def _percent(ppm: int | None) -> str:
    return "none yet" if ppm is None else plain_percent(round(ppm, -2) if ppm >= 100 else ppm)


def _points(legacy_ppm: int | None, core_ppm: int | None) -> str:
    if legacy_ppm is None or core_ppm is None:
        return "not known"
    gap_ppm = core_ppm - legacy_ppm
    if abs(gap_ppm) < 100:
        return "as many"
    points = plain_percent(abs(round(gap_ppm, -2))).removesuffix(" %")
    return f"{points} points {'more' if gap_ppm > 0 else 'fewer'}"


def _pair(entries: tuple[Latency, ...]) -> tuple[Latency, Latency] | None:
    """Both sides' times: as shoppers met them where both answered some, else as compared."""
    by = {(entry.side, entry.role): entry for entry in entries if entry.count}
    for roles in (("live", "live"), ("live", "shadow"), ("shadow", "live")):
        legacy, core = by.get(("legacy", roles[0])), by.get(("core", roles[1]))
        if legacy is not None and core is not None:
            return legacy, core
    return None


def _of(legacy: Latency, core: Latency) -> str:
    return (
        f"Of the last hour with data: {count(legacy.count)} {legacy.role} answers of legacy, "
        f"{count(core.count)} {core.role} answers of the new core."
    )


def _times(legacy: Latency, core: Latency) -> tuple[MetRow, ...]:
    both = (("p50", legacy.p50_ms, core.p50_ms), ("p95", legacy.p95_ms, core.p95_ms),
            ("p99", legacy.p99_ms, core.p99_ms))  # fmt: skip
    return tuple(
        MetRow(name, milliseconds(theirs), milliseconds(ours), _slower(ours - theirs))
        for name, theirs, ours in both
    )


def _slower(gap_ms: float) -> str:
    if abs(gap_ms) < 0.05:
        return "as fast"
    return f"{milliseconds(abs(gap_ms))} {'slower' if gap_ms > 0 else 'faster'}"
