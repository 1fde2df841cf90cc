"""Figures of the bench: parsed as printed, paired by round, judged against their goals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.bench_loads import Load, Said, read_wrk, script
from loadtests.bench_ours import catalog_table, parse_samples, shadow_counts, wide_table
from loadtests.bench_paced import answer_end, quantile
from loadtests.bench_processes import BenchError
from loadtests.bench_report import (
    Goal,
    Latency,
    Row,
    Verdict,
    added_ms,
    cost_goals,
    cost_table,
    paired_ratio,
    route_goals,
    worker_goals,
)
from proxy.storage.tables import parse_routing

WRK = """Running 4s test @ http://127.0.0.1:1/
  1 threads and 32 connections
  Latency Distribution
     50%  812.00us
     75%    1.20ms
     90%    2.10ms
     99%    5.59ms
  43766 requests in 4.00s, 90.00MB read
{bad}Requests/sec:  10938.50
Transfer/sec:     22.00MB
"""
STORES = ("http://127.0.0.1:1", "http://127.0.0.1:2")
costs = st.lists(st.floats(min_value=0.1, max_value=1e4), min_size=1, max_size=9)


def row(name: str, *costs_us: float, rate: float = 1_000.0) -> Row:
    return Row(name, list(costs_us), [Said(100, rate, 1.0, 2.0) for _ in costs_us])


def test_what_wrk_printed_is_read() -> None:
    assert read_wrk(WRK.format(bad="")) == Said(43_766, 10_938.5, 0.812, 5.59)


@pytest.mark.parametrize(
    "bad",
    ["  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 1, write 0, timeout 0\n"],
)
def test_a_run_with_bad_answers_is_no_measurement(bad: str) -> None:
    with pytest.raises(BenchError, match=bad.strip().split(":", maxsplit=1)[0]):
        read_wrk(WRK.format(bad=bad))


def test_a_run_without_answers_is_no_measurement() -> None:
    with pytest.raises(BenchError, match="no clean answers"):
        read_wrk(WRK.format(bad="").replace("43766 requests", "0 requests"))


@given(costs, st.floats(min_value=0.5, max_value=2))
def test_a_machine_that_slows_both_sides_down_does_not_change_their_ratio(
    theirs: list[float], factor: float
) -> None:
    ours = [factor * cost for cost in theirs]

    assert paired_ratio(ours, theirs) == pytest.approx(factor)


def test_without_a_common_round_there_is_no_ratio() -> None:
    assert math.isnan(paired_ratio([], [1.0]))


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (Goal("g", 0.5, 0.5), Verdict.PASS),
        (Goal("g", 0.51, 0.5), Verdict.FAIL),
        (Goal("g", 1.8, 1.8, is_floor=True), Verdict.PASS),
        (Goal("g", 1.79, 1.8, is_floor=True), Verdict.FAIL),
        (Goal("g", 9.0, 1.8, is_floor=True, why_unknown="2 cores"), Verdict.UNKNOWN),
        (Goal("g", math.nan, 1.0), Verdict.UNKNOWN),
    ],
)
def test_a_goal_is_met_up_to_its_bound(goal: Goal, verdict: Verdict) -> None:
    assert goal.verdict is verdict
    assert str(verdict) in goal.line()
    assert goal.as_json()["verdict"] == str(verdict)


def test_only_peers_that_were_there_make_goals() -> None:
    rows = [
        row("nginx", 10),
        row("nginx mirror", 100),
        row("banyan", 18),
        row("banyan capture", 50),
    ]

    goals = {goal.name: (goal.value, goal.verdict) for goal in cost_goals("varied", rows)}

    assert goals == {
        "varied: banyan to nginx": (1.8, Verdict.PASS),
        "varied: banyan capture to nginx mirror": (0.5, Verdict.FAIL),
    }


def test_the_reader_counts_where_it_is_measured() -> None:
    rows = [row("nginx mirror", 100), row("banyan capture, its reader too", 46)]

    (goal,) = cost_goals("varied", rows)

    assert goal.verdict is Verdict.FAIL


def test_routes_are_judged_within_five_per_cent() -> None:
    goals = route_goals(row("5", 10, 10), row("5,000", 10.4, 10.4), row("all", 11, 11))

    assert [goal.verdict for goal in goals] == [Verdict.FAIL, Verdict.PASS]


def test_two_workers_cannot_be_judged_by_throughput_on_two_cores() -> None:
    one, two = row("1", 10, rate=100), row("2", 11, rate=190)

    crowded = [goal.verdict for goal in worker_goals(one, two, cores=2)]
    roomy = worker_goals(one, two, cores=4)

    assert crowded == [Verdict.UNKNOWN, Verdict.PASS]
    assert [goal.verdict for goal in roomy] == [Verdict.PASS, Verdict.PASS]
    assert [goal.value for goal in roomy] == pytest.approx([1.9, 2 / 1.1])


def test_the_table_has_a_line_for_each_row_and_a_ratio_for_each_peer() -> None:
    head, *lines = cost_table([row("nginx", 10), row("banyan", 20), row("envoy", 50)])

    assert "x nginx" in head
    assert "x envoy" in head
    ratios = [tuple(map(float, line.split()[-2:])) for line in lines]
    assert ratios == [(1, 0.2), (2, 0.4), (5, 1)]


def test_what_a_way_adds_is_the_median_over_the_rounds() -> None:
    direct = Latency("direct", [1.0, 2.0, 1.0], [3.0, 9.0, 3.0])
    way = Latency("banyan", [1.2, 2.3, 1.9], [4.0, 9.5, 40.0])

    assert added_ms(way, direct) == pytest.approx((0.3, 1.0))


@given(
    st.lists(st.integers(0, 10**6), min_size=1),
    st.floats(min_value=0, max_value=1, exclude_min=True),
)
def test_a_quantile_is_the_least_value_that_covers_its_share(
    values: list[int], share: float
) -> None:
    found = quantile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9


def test_nothing_has_no_quantile() -> None:
    assert math.isnan(quantile([], 0.5))


@given(st.binary(max_size=200), st.data())
def test_an_answer_is_whole_at_its_last_byte_and_not_before(
    body: bytes, data: st.DataObject
) -> None:
    head = b"HTTP/1.1 200 OK\r\nA: b\r\ncontent-Length: %d\r\n\r\n" % len(body)
    whole = head + body
    cut = data.draw(st.integers(0, len(whole) - 1))

    assert answer_end(whole) == (200, len(whole))
    assert answer_end(whole[:cut]) is None
    assert answer_end(whole + b"HTTP") == (200, len(whole))


@pytest.mark.parametrize("data", [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer: x\r\n\r\n"])
def test_what_has_no_known_length_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"answer|Length"):
        answer_end(data)


def test_shadow_counts_are_summed_over_domains_and_told_by_reason() -> None:
    samples = parse_samples(
        "# TYPE banyan_shadow_total counter\n"
        'banyan_shadow_total{domain="a",outcome="mirrored",reason="",route="r"} 7.0\n'
        'banyan_shadow_total{domain="b",outcome="mirrored",reason="",route="r"} 3.0\n'
        'banyan_shadow_total{domain="a",outcome="dropped",reason="queue_full",route="r"} 2.0\n'
        "banyan_workers 1.0\n"
    )

    assert shadow_counts(samples) == {"mirrored": 10, "dropped": 2, "dropped queue_full": 2}


@pytest.mark.parametrize("count", [1, 5, 100, 101, 5_000])
def test_a_wide_table_has_as_many_routes_as_wanted(count: int) -> None:
    table = parse_routing(wide_table(STORES, count).encode(), "routing.yaml")

    assert sum(len(domain.routes) for domain in table.domains) == count


@pytest.mark.parametrize("stage", ["legacy", "shadow"])
def test_the_catalogue_table_loads(stage: str) -> None:
    table = parse_routing(catalog_table(STORES, stage).encode(), "routing.yaml")

    assert [str(domain.stage) for domain in table.domains] == [stage]


def test_only_the_repeated_load_needs_no_script() -> None:
    assert [load for load in Load if script(load) is None] == [Load.REPEATED]
    assert "asked * 7919 % 5000" in (script(Load.ALL_ROUTES) or "")
