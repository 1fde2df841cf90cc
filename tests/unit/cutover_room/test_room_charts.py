"""Charts as SVG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from cutover.api.charts import Mark, floor_of, sparkline, trend_chart
from cutover.api.dots import Pair, axis_of, latency_chart
from shadow_compare.core.evidence import TrendPoint
from tests.unit.cutover_room.samples import NOW_S, a_trend

PPM = st.integers(0, 1_000_000)
POINTS = st.lists(
    st.builds(
        TrendPoint,
        at_s=st.integers(1_700_000_000, 1_800_000_000),
        equal=st.integers(0, 100),
        mismatched=st.integers(0, 100),
        ratio_ppm=PPM,
        lower_ppm=PPM,
        epoch=st.sampled_from(["a", "b"]),
    ),
    min_size=1,
    max_size=30,
).map(lambda points: sorted(points, key=lambda point: point.at_s))
SPEEDS = st.none() | st.floats(0.01, 90_000)


def parsed(chart: str) -> ET.Element:
    return ET.fromstring(chart)  # noqa: S314 - our own output


@given(points=POINTS, gate_ppm=st.none() | PPM)
def test_every_trend_is_well_formed_and_stays_inside_its_frame(
    points: list[TrendPoint], gate_ppm: int | None
) -> None:
    marks = [Mark(point.at_s, "<b>&") for point in points]

    for chart in (
        sparkline(points),
        trend_chart(points, marks, gate_ppm),
        trend_chart(points, marks, gate_ppm, narrow=True),
    ):
        root = parsed(chart)
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for shape in root.iter():
            for x, y in re.findall(r"([\d.-]+),([\d.-]+)", shape.attrib.get("points", "")):
                assert 0 <= float(x) <= width
                assert 0 <= float(y) <= height


@given(points=POINTS, gate_ppm=PPM)
def test_the_axis_begins_below_every_share_and_the_gate(
    points: list[TrendPoint], gate_ppm: int
) -> None:
    floor = floor_of(points, gate_ppm)

    assert all(floor <= point.ratio_ppm for point in points)
    assert floor < gate_ppm or gate_ppm == 0


def test_a_new_epoch_breaks_the_line() -> None:
    assert sparkline(a_trend(40)).count("<polyline") == 2


def test_a_level_stretch_keeps_only_its_ends() -> None:
    level = [TrendPoint(60 * n, 1, 0, 1_000_000, 990_000, "a") for n in range(50)]

    line = re.search(r'<polyline class="line" points="([^"]*)"', sparkline(level))

    assert line is not None
    assert len(line[1].split()) == 2


def test_what_happened_outside_the_chart_is_not_marked() -> None:
    marks = [Mark(NOW_S - 86_400, "long ago"), Mark(NOW_S - 300, "just now")]

    chart = trend_chart(a_trend(40), marks, None)

    assert "just now" in chart
    assert "long ago" not in chart


@given(pairs=st.lists(st.builds(Pair, st.just("p50"), SPEEDS, SPEEDS), max_size=3))
def test_latencies_of_any_size_are_drawn_inside_the_chart(pairs: list[Pair]) -> None:
    chart = latency_chart(pairs)

    if chart:
        places = [float(x) for x in re.findall(r'cx="([\d.]+)"', chart)]
        assert all(48 <= x <= 440.1 for x in places)
        parsed(chart)


def test_the_axis_holds_every_value_between_whole_decades() -> None:
    axis = axis_of([4.1, 71.0])

    assert (axis.low_ms, axis.high_ms) == (1.0, 100.0)
    assert axis.ticks == (1.0, 5.0, 10.0, 50.0, 100.0)
