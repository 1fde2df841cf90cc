"""Figures of the data half's bench: chosen, read as printed, ranked and judged."""

from __future__ import annotations

import json
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.bench_data_figures import (
    PARTS,
    Seen,
    document,
    goal_rows,
    parts_of,
    percentile,
    read_flip,
    read_namidiff,
    rows_seen,
    step_table,
    values_of,
)
from loadtests.bench_data_lag import due_s, lags_ms
from loadtests.bench_data_stores import peak_mib
from loadtests.bench_processes import BenchError
from loadtests.bench_report import Goal, Verdict


def step(name: str, took_ms: float) -> str:
    return json.dumps({"step": name, "mark": "done", "at_ms": 1.0, "took_ms": took_ms, "facts": {}})


def ended(ending: str, freeze_ms: float | None, problem: str = "") -> str:
    told = {"domain": "orders", "flip": 7, "ending": ending, "freeze_ms": freeze_ms}
    return json.dumps({**told, "problem": problem})


def test_nothing_chosen_is_every_part() -> None:
    assert parts_of("") == PARTS


@pytest.mark.parametrize("text", ["rows,backfill", "f,a", " backfill , f "])
def test_parts_run_in_one_order_however_they_are_named(text: str) -> None:
    assert parts_of(text) == ("backfill", "rows")


def test_an_unknown_part_is_named_with_those_there_are() -> None:
    with pytest.raises(BenchError, match="no part speed; there are backfill, reconcile"):
        parts_of("speed,rows")


@given(
    values=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=300),
    share=st.floats(0.01, 1),
)
def test_a_percentile_is_the_least_value_that_the_share_does_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)

    below = sum(one < found for one in values)
    assert found in values
    assert below < share * len(values) <= below + values.count(found) or below == 0


def test_percentiles_of_a_hundred_are_their_ranks() -> None:
    values = [float(one) for one in range(100, 0, -1)]

    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1)] == [50, 95, 99, 100]


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


def test_a_flip_is_read_with_its_steps_and_its_freeze() -> None:
    lines = [
        '{"gate": "lag", "name": "lag", "is_green": true, "told": "0 ms", "fix": ""}',
        step("hold", 12.5), step("fence", 30.0), step("hold", 2.5), "not JSON", "[1]",
        ended("committed", 180.4),
    ]  # fmt: skip

    found = read_flip(lines)

    assert found.is_committed
    assert found.freeze_ms == 180.4
    assert found.steps_ms == {"hold": 15.0, "fence": 30.0}
    assert found.red == ()


def test_a_flip_that_a_gate_refused_says_which() -> None:
    lines = [
        '{"gate": "lag", "name": "lag", "is_green": false, "told": "4,000 ms", "fix": ""}',
        ended("nothing", None, "lag: 4,000 ms"),
    ]

    found = read_flip(lines)

    assert (found.is_committed, found.freeze_ms, found.red) == (False, None, ("lag: 4,000 ms",))
    assert found.problem == "lag: 4,000 ms"


def test_steps_are_ranked_over_the_flips_that_had_them() -> None:
    flips = [read_flip([step("hold", float(n))]) for n in range(1, 21)]
    flips.append(read_flip([step("numbers", 7.0)]))

    assert step_table(flips) == {"hold": (10.0, 19.0), "numbers": (7.0, 7.0)}


def test_namidiff_names_a_key_once_however_often_it_differs() -> None:
    lines = ['["-", ["7", "UCI-1", "12"]]', '["+", ["7", "UCI-1", "13"]]', "", '["-", ["9"]]']

    assert read_namidiff(lines) == {7, 9}


@pytest.mark.parametrize("line", ["Traceback", '["-", []]', "7"])
def test_what_namidiff_never_says_is_no_difference(line: str) -> None:
    with pytest.raises(BenchError, match="namidiff said"):
        read_namidiff([line])


def test_lags_are_of_what_arrived_in_the_order_of_writing() -> None:
    written, arrived = {7: 10.0, 8: 9.0, 9: 11.0}, {7: 10.25, 8: 9.5}

    assert lags_ms(written, arrived) == [500.0, 250.0]


@given(rate=st.floats(1, 5_000), number=st.integers(0, 100_000))
def test_changes_are_due_at_their_rate(rate: float, number: int) -> None:
    assert due_s(number + 1, rate) - due_s(number, rate) == pytest.approx(1 / rate, abs=1e-6)


def test_the_most_memory_of_a_living_process_is_known_and_of_none_is_nothing() -> None:
    assert peak_mib(os.getpid()) > 10
    assert peak_mib(2**22 + 1) == 0


def test_values_that_stand_in_a_row_are_all_read() -> None:
    assert values_of(' {"a": 1}\n{\n "b": 2\n}\n') == [{"a": 1}, {"b": 2}]


def test_a_row_of_the_table_says_bound_figure_and_verdict() -> None:
    rows = goal_rows([
        Goal("lag p99", 612.34, 500.0, "ms"),
        Goal("flat", 30_459.4, 10_000.0, "/s", is_floor=True),
        Goal("freeze p95", math.nan, 250.0, "ms"),
    ])  # fmt: skip

    assert rows == [
        ("lag p99", "at most 500 ms", "612 ms", "FAIL"),
        ("flat", "at least 10,000 /s", "30,459 /s", "pass"),
        ("freeze p95", "at most 250 ms", "-", "unknown"),
    ]


def test_the_memory_of_ten_million_rows_has_a_bound() -> None:
    told = {"rows": 10_000_000, "workers": 2, "elapsed_s": 700.0, "cpu_s": 690.0}
    told["rows_per_s"] = 14_285

    small, large = (rows_seen({**told, "peak_mib": peak}).goals[0] for peak in (299, 301))

    assert (small.verdict, large.verdict) == (Verdict.PASS, Verdict.FAIL)


def test_the_document_can_be_written_whatever_was_not_seen() -> None:
    seen = Seen([Goal("lag", math.nan, 1.0, "ms")], ["lag: did not run"], {"n": 1})

    told = json.loads(json.dumps(document({"lag": seen}), allow_nan=False))

    assert told["lag"]["goals"][0]["verdict"] == "unknown"
    assert told["lag"]["told"] == ["lag: did not run"]
