"""Latency of both sides as paired dots on one logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup, escape

from cutover.api.figures import milliseconds

_LEFT, _RIGHT, _ROW, _TOP = 48.0, 440.0, 34.0, 30.0


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides' time at one percentile, milliseconds; None where a side has no figure."""

    words: str
    legacy_ms: float | None
    core_ms: float | None


@dataclass(frozen=True, slots=True)
class Axis:
    """Whole decades that hold every value."""

    low_ms: float
    high_ms: float

    def x(self, value_ms: float) -> float:
        """Milliseconds to horizontal place."""
        part = log10(max(value_ms, self.low_ms) / self.low_ms)
        return _LEFT + part / log10(self.high_ms / self.low_ms) * (_RIGHT - _LEFT)

    @property
    def ticks(self) -> tuple[float, ...]:
        """1, 2 and 5 in each decade; whole decades where those would crowd."""
        decades = round(log10(self.high_ms / self.low_ms))
        steps = (1, 2, 5) if decades == 1 else (1, 5) if decades == 2 else (1,)
        found = [self.low_ms * 10**d * step for d in range(decades) for step in steps]
        return (*found, self.high_ms)


def axis_of(values_ms: Sequence[float]) -> Axis:
    """The decades around positive values."""
    low, high = floor(log10(min(values_ms))), ceil(log10(max(values_ms)))
    return Axis(10.0**low, 10.0 ** max(high, low + 1))


def latency_chart(pairs: Sequence[Pair]) -> Markup:
    """A row per percentile: a ring for legacy, a full dot for the core, a line between."""
    values = [v for p in pairs for v in (p.legacy_ms, p.core_ms) if v is not None and v > 0]
    if not values:
        return Markup()
    axis = axis_of(values)
    foot = _TOP + _ROW * len(pairs)
    grid = "".join(
        f'<line class="axis" x1="{axis.x(t):.1f}" x2="{axis.x(t):.1f}" y1="20" y2="{foot:.0f}"/>'
        f'<text x="{axis.x(t):.1f}" y="{foot + 16:.0f}" text-anchor="middle">'
        f"{milliseconds(t)}</text>"
        for t in axis.ticks
    )
    rows = "".join(_row(pair, axis, row) for row, pair in enumerate(pairs))
    return Markup(  # noqa: S704 - numbers and escaped words only
        f'<svg class="dots" viewBox="0 0 480 {foot + 24:.0f}" aria-hidden="true"'
        f' focusable="false">{grid}{rows}</svg>'
    )


def _row(pair: Pair, axis: Axis, row: int) -> str:
    y = _TOP + _ROW * row + _ROW / 2
    sides = (("legacy", pair.legacy_ms), ("core", pair.core_ms))
    places = {side: axis.x(value) for side, value in sides if value is not None}
    parts = [f'<text x="0" y="{y + 4:.1f}">{escape(pair.words)}</text>']
    if len(places) == 2:
        parts.append(
            f'<line class="between" x1="{places["legacy"]:.1f}" x2="{places["core"]:.1f}"'
            f' y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    parts += [f'<circle class="{s}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>' for s, x in places.items()]
    if row == 0:
        leftmost = min(places, key=lambda side: places[side], default="")
        for side, x in places.items():
            anchor, shift = ("end", 5) if side == leftmost else ("start", -5)
            parts.append(
                f'<text class="side" x="{x + shift:.1f}" y="12"'
                f' text-anchor="{anchor if len(places) == 2 else "middle"}">{side}</text>'
            )
    return "".join(parts)
