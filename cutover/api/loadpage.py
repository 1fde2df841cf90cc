"""A load test as a page: figures of both sides beside each other, and its course in plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from cutover.api.dots import Pair
from cutover.api.figures import count, milliseconds, plain_percent
from cutover.core.load_run import Figures, LoadRun, SideRun, State, comparison

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 480.0, 180.0, 56.0, 16.0, 152.0
_MOST_POINTS = 240


@dataclass(frozen=True, slots=True)
class LoadRow:
    """A route on a side, or all of them; every figure in words."""

    name: str
    side: str
    cells: tuple[str, ...]
    ratio: str


@dataclass(frozen=True, slots=True)
class LoadSide:
    """One side in sentences."""

    side: str
    words: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoadPage:
    """All that the page says. `verdict` is "", or why it is no evidence."""

    title: str
    id: str
    at_s: float
    told: tuple[str, ...]
    verdict: str
    sides: tuple[LoadSide, ...]
    rows: tuple[LoadRow, ...]
    pairs: tuple[Pair, ...]
    times: Markup
    rates: Markup


def load_page(run: LoadRun) -> LoadPage:
    """Decide what the page says."""
    hand = "named by hand" if run.by_hand else "as recorded"
    releases = ", ".join(
        f"{side} {release or 'without a name'}" for side, release in sorted(run.releases.items())
    )
    return LoadPage(
        title=f"Load test of {run.domain} at {run.profile}",
        id=run.id,
        at_s=run.at_s,
        told=(
            (
                f"{run.base_per_s:g} requests a second, {hand}, as profile {run.profile} asks for"
                f" them; run by {run.by}."
            ),
            f"Releases: {releases}. Table: {run.revision or 'not in force'}.",
        ),
        verdict=f"Aborted, no evidence: {run.why}" if run.state is State.ABORTED else "",
        sides=tuple(_side(side) for side in run.sides),
        rows=tuple(_rows(run)),
        pairs=_pairs(run),
        times=_plot(run.sides, 3, "p99 of each second, ms"),
        rates=_plot(run.sides, 0, "Answers in each second"),
    )


def _side(run: SideRun) -> LoadSide:
    words = [
        f"{run.way[:1].upper()}{run.way[1:]}.",
        f"{run.rate_reached:.1f} of {run.rate_asked:.1f} requests a second were made.",
        f"The load generator took {run.cpu:.0%} of a processor.",
    ]
    kinds = ", ".join(f"{count(n)} {kind}" for kind, n in sorted(run.total.errors.items()))
    words += [f"Errors: {kinds}."] if kinds else []
    words += [f"Most {name}: {value:g}." for name, value in sorted(run.proxy.items())]
    return LoadSide(run.side, tuple(words), tuple(run.doubts))


def _rows(run: LoadRun) -> list[LoadRow]:
    compared = comparison(run)
    names = sorted({name for side in run.sides for name in side.routes})
    found = []
    for name in (*names, ""):
        for side in run.sides:
            figures = side.routes.get(name) if name else side.total
            if figures is None:
                continue
            times = compared.get(name, {}).get("p99") if side.side == "core" else None
            ratio = "" if times is None else f"{times:g} times"
            found.append(LoadRow(name or "All routes", side.side, _cells(figures), ratio))
    return found


def _cells(figures: Figures) -> tuple[str, ...]:
    return (
        count(figures.requests),
        plain_percent(figures.failed_ppm()),
        *(milliseconds(figures.times_ms[name]) for name in ("p50", "p90", "p95", "p99")),
    )


def _pairs(run: LoadRun) -> tuple[Pair, ...]:
    core, legacy = run.side("core"), run.side("legacy")

    def of(side: SideRun | None, name: str) -> float | None:
        return (side.total.times_ms[name] or None) if side and side.total.requests else None

    if core is None and legacy is None:
        return ()
    return tuple(
        Pair(name, of(legacy, name), of(core, name)) for name in ("p50", "p90", "p95", "p99")
    )


def _plot(sides: Sequence[SideRun], column: int, words: str) -> Markup:
    """A line for each side over the seconds of its run, from zero."""
    series = [(side.side, _thinned([row[column] for row in side.seconds])) for side in sides]
    most = max((value for _, values in series for value in values), default=0.0)
    if not most:
        return Markup()
    lines = "".join(_line(side, values, most) for side, values in series if values)
    keys = " ".join(
        f'<tspan class="key {escape(side)}">{"○" if side == "legacy" else "●"}</tspan>'
        f" {escape(side)}"
        for side, _ in series
    )
    return Markup(  # noqa: S704 - numbers and escaped words only
        f'<svg class="course" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img"'
        f' aria-label="{escape(words)}">'
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{_BOTTOM}" y2="{_BOTTOM}"/>'
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{_TOP}" y2="{_TOP}"/>'
        f'<text x="{_LEFT - 6}" y="{_BOTTOM}" text-anchor="end">0</text>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 6}" text-anchor="end">{most:.4g}</text>'
        f'{lines}<text x="{_LEFT}" y="{_HEIGHT - 6:.0f}">{escape(words)}: {keys}</text></svg>'
    )


def _thinned(values: Sequence[float]) -> list[float]:
    """The highest of as many as a plot has room for."""
    step = -(-len(values) // _MOST_POINTS) or 1
    return [max(values[at : at + step]) for at in range(0, len(values), step)]


def _line(side: str, values: Sequence[float], most: float) -> str:
    gap = (_WIDTH - _LEFT) / max(len(values) - 1, 1)
    points = " ".join(
        f"{_LEFT + at * gap:.1f},{_BOTTOM - value / most * (_BOTTOM - _TOP):.1f}"
        for at, value in enumerate(values)
    )
    return f'<polyline class="{escape(side)}" points="{points}"/>'
