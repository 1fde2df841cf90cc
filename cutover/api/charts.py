"""Charts as inline SVG, drawn from values. No script, no style attribute, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from cutover.api.accounting import AccountingLine
from cutover.api.figures import clock_time, day_time, plain_percent
from shadow_compare.core.evidence import TrendPoint

FLOORS_PPM = (999_900, 999_000, 995_000, 990_000, 980_000, 950_000, 900_000, 800_000, 500_000, 0)
_TOP_PPM = 1_000_000
_DAY_S = 86_400
_LEAST_SEGMENT = 6.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line in a trend: something changed at that moment."""

    at_s: float
    words: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a chart's plot lies in its own units, and what its axes span."""

    left: float
    top: float
    right: float
    bottom: float
    from_s: float
    to_s: float
    floor_ppm: int

    def x(self, at_s: float) -> float:
        """Time to horizontal place; a single moment stands in the middle."""
        if self.to_s <= self.from_s:
            return (self.left + self.right) / 2
        part = (at_s - self.from_s) / (self.to_s - self.from_s)
        return self.left + part * (self.right - self.left)

    def y(self, ppm: int) -> float:
        """Parity to vertical place; what lies below the floor ends at the floor."""
        part = max(0.0, (ppm - self.floor_ppm) / (_TOP_PPM - self.floor_ppm))
        return self.bottom - part * (self.bottom - self.top)


def floor_of(points: Sequence[TrendPoint], gate_ppm: int | None = None) -> int:
    """The lowest value an axis must show: every ratio, the last bound and the gate.

    Early bounds of a young epoch lie far lower; their band is cut at the axis.
    """
    lowest = min([p.ratio_ppm for p in points] + [p.lower_ppm for p in points[-1:]])
    if gate_ppm is not None:
        lowest = min(lowest, gate_ppm - 1)  # so that the gate's line keeps off the axis
    return next((floor for floor in FLOORS_PPM if floor <= lowest), 0)


def sparkline(points: Sequence[TrendPoint]) -> Markup:
    """A word-sized trend: band from bound to share, the share as a line, its last dot."""
    if not points:
        return Markup()
    frame = Frame(2, 4, 194, 36, points[0].at_s, points[-1].at_s, floor_of(points))
    last = points[-1]
    return Markup(  # noqa: S704 - numbers and escaped words only
        f'<svg class="spark" viewBox="0 0 200 40" aria-hidden="true" focusable="false">'
        f'<line class="axis" x1="2" y1="36" x2="194" y2="36"/>{_band(points, frame)}'
        f'<circle class="dot" cx="{frame.x(last.at_s):.1f}" cy="{frame.y(last.ratio_ppm):.1f}"'
        f' r="3"/></svg>'
    )


def hours_chart(hits: Sequence[int]) -> Markup:
    """Hits of each hour as bars, the oldest first; a scale of its own, from zero."""
    most = max(hits, default=0)
    if not most:
        return Markup()
    bars = "".join(
        f'<rect x="{place * 5}" y="{22 - max(2, 20 * hit / most):.1f}" width="4"'
        f' height="{max(2, 20 * hit / most):.1f}"/>'
        for place, hit in enumerate(hits)
        if hit
    )
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="hours" viewBox="0 0 {5 * len(hits)} 24" aria-hidden="true"'
        f' focusable="false"><line class="axis" x1="0" y1="23" x2="{5 * len(hits)}" y2="23"/>'
        f"{bars}</svg>"
    )


def trend_chart(
    points: Sequence[TrendPoint],
    marks: Sequence[Mark],
    gate_ppm: int | None,
    *,
    narrow: bool = False,
) -> Markup:
    """The large trend: labelled axes, the gate's line, a mark where something changed.

    `narrow` draws it for a phone's width, with the same size of letters.
    """
    if not points:
        return Markup()
    right = 364 if narrow else 940
    floor_ppm = floor_of(points, gate_ppm)
    frame = Frame(56, 24, right, 240, points[0].at_s, points[-1].at_s, floor_ppm)
    body = [_grid(frame), _times(frame, 3 if narrow else 5), _band(points, frame)]
    body += [_dot(frame, point) for point in points] if len(points) <= 40 and not narrow else []
    if gate_ppm is not None:
        y = frame.y(gate_ppm)
        body.append(
            f'<line class="gate" x1="{frame.left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="gate-label" x="{right - 4}" y="{y - 6:.1f}" text-anchor="end">'
            f"gate {plain_percent(gate_ppm)}</text>"
        )
    body += [_mark(frame, mark, row) for row, mark in enumerate(_within(marks, frame))]
    return Markup(  # noqa: S704 - numbers and escaped words only
        f'<svg class="chart{" narrow" if narrow else ""}" viewBox="0 0 {right + 20} 276"'
        f' aria-hidden="true" focusable="false">{"".join(body)}</svg>'
    )


def _band(points: Sequence[TrendPoint], frame: Frame) -> str:
    """Area between lower bound and seen share, broken where the epoch changes."""
    parts = []
    for run in _runs(points):
        if len(run) == 1:
            parts.append(_whisker(run[0], frame))
            continue
        places = [(frame.x(p.at_s), frame.y(p.ratio_ppm), frame.y(p.lower_ppm)) for p in run]
        above = " ".join(_without_flats([(x, y) for x, y, _ in places]))
        below = " ".join(_without_flats([(x, y) for x, _, y in reversed(places)]))
        parts.append(f'<polygon class="band" points="{above} {below}"/>')
        parts.append(f'<polyline class="line" points="{above}"/>')
    return "".join(parts)


def _whisker(point: TrendPoint, frame: Frame) -> str:
    """An interval that stands alone: bound to share as an upright line."""
    x = f"{frame.x(point.at_s):.1f}"
    above, below = frame.y(point.ratio_ppm), frame.y(point.lower_ppm)
    return (
        f'<line class="whisker" x1="{x}" x2="{x}" y1="{above:.1f}" y2="{below:.1f}"/>'
        f'<circle class="dot" cx="{x}" cy="{above:.1f}" r="3"/>'
    )


def _without_flats(places: Sequence[tuple[float, float]]) -> list[str]:
    """Points as text; of a level stretch only its two ends, which draw the same."""
    last = len(places) - 1
    return [
        f"{x:.1f},{y:.1f}"
        for i, (x, y) in enumerate(places)
        if i in (0, last) or not places[i - 1][1] == y == places[i + 1][1]
    ]


def _runs(points: Sequence[TrendPoint]) -> list[list[TrendPoint]]:
    runs: list[list[TrendPoint]] = []
    for point in points:
        if runs and runs[-1][-1].epoch == point.epoch:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _dot(frame: Frame, point: TrendPoint) -> str:
    return (
        f'<circle class="dot" cx="{frame.x(point.at_s):.1f}"'
        f' cy="{frame.y(point.ratio_ppm):.1f}" r="2.5"/>'
    )


def _grid(frame: Frame) -> str:
    middle = (frame.floor_ppm + _TOP_PPM) // 2
    lines = []
    for ppm in (_TOP_PPM, middle, frame.floor_ppm):
        y = frame.y(ppm)
        lines.append(
            f'<line class="axis" x1="{frame.left}" x2="{frame.right}"'
            f' y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{frame.left - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{plain_percent(ppm)}</text>"
        )
    title = f'<text x="{frame.left}" y="12">equal answers, bound to share seen</text>'
    return "".join(lines) + title


def _times(frame: Frame, most: int) -> str:
    """Labels under the axis, none twice."""
    span = frame.to_s - frame.from_s
    name = day_time if span > _DAY_S else clock_time
    shown: list[tuple[float, str]] = []
    for step in range(most):
        at_s = frame.from_s + span * step / (most - 1)
        if not shown or shown[-1][1] != name(at_s):
            shown.append((at_s, name(at_s)))
    return "".join(
        f'<text x="{frame.x(at_s):.1f}" y="262" text-anchor="middle">{words}</text>'
        for at_s, words in shown
    )


def _within(marks: Sequence[Mark], frame: Frame) -> list[Mark]:
    return [mark for mark in marks if frame.from_s <= mark.at_s <= frame.to_s][-8:]


def _mark(frame: Frame, mark: Mark, row: int) -> str:
    x = frame.x(mark.at_s)
    left_half = x < (frame.left + frame.right) / 2
    anchor, shift = ("start", 5) if left_half else ("end", -5)
    return (
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="24" y2="240"/>'
        f'<text class="mark-label" x="{x + shift:.1f}" y="{206 - 15 * (row % 4):.1f}"'
        f' text-anchor="{anchor}">{escape(mark.words)}</text>'
    )


def accounting_bar(line: AccountingLine) -> Markup:
    """One stacked bar of the whole sum. A part too small to see still gets a sliver."""
    total = sum(term.number for term in line.terms)
    if not total:
        return Markup()
    widths = [max(_LEAST_SEGMENT, 1000 * t.number / total) if t.number else 0 for t in line.terms]
    scale, x, parts = 1000 / sum(widths), 0.0, []
    losses = 0
    for term, width in zip(line.terms, widths, strict=True):
        shade = f" shade-{losses % 3}" if term.kind == "loss" else ""
        losses += term.kind == "loss"
        parts.append(
            f'<rect class="part-{term.kind}{shade}" x="{x:.2f}" y="0"'
            f' width="{width * scale:.2f}" height="12"/>'
        )
        x += width * scale
    return Markup(  # noqa: S704 - numbers and escaped words only
        '<svg class="bar" viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true"'
        f' focusable="false">{"".join(parts)}</svg>'
    )
