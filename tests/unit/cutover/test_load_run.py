"""What presses saw becomes a result; a result is kept whole, and one that was touched is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.cli.loadtests import run_lines, run_value
from cutover.core.load_run import (
    NotARun,
    State,
    Way,
    comparison,
    merged,
    run_from_json,
    run_to_json,
)
from cutover.errors import CannotRead, CannotWrite
from cutover.storage.loadtests import LoadFiles, work_folder
from loadtests.pressed import Pressed
from tests.fakes.loads import ROUTE, a_run, a_side, figures

WAY = Way("core", "straight at the store")


def part(times_ms: list[float], *, statuses: tuple[int, ...] = (200,), **more: Any) -> Any:
    seen = Pressed()
    for number, took in enumerate(times_ms):
        seen.add(ROUTE, number / 10, took, statuses[number % len(statuses)], "")
    told = {"final": True, "asked": len(times_ms), "cpu": 0.1, **seen.as_json(), **more}
    return json.loads(json.dumps(told))


@given(st.lists(st.floats(0.01, 60_000), min_size=1, max_size=300), st.integers(1, 4))
def test_quantiles_of_several_presses_are_those_of_all_their_requests(
    times_ms: list[float], count: int
) -> None:
    parts = [part(times_ms[start::count]) for start in range(count)]

    run = merged(WAY, parts, 10.0, {})

    at = -(-99 * len(times_ms) // 100) - 1
    exact = sorted(times_ms)[at]
    assert run.total.requests == len(times_ms)
    assert exact * 0.999 - 0.001 <= run.total.times_ms["p99"] <= exact * 1.021 + 0.001


def test_errors_are_told_by_kind_and_refusals_apart() -> None:
    run = merged(WAY, [part([1.0] * 6, statuses=(200, 404, 503))], 1.0, {})

    assert run.total.errors == {"503": 2}
    assert run.total.refused == 2
    assert run.total.failed_ppm() == 666_666


@pytest.mark.parametrize(
    ("more", "must_be", "doubt"),
    [
        ({"cpu": 0.9}, "", "took 90% of a processor"),
        ({"lag_p95_ms": 80.0}, "", "late by 80 ms"),
        ({"sides": {"core": 9, "legacy": 1}}, "core", "1 answers came from another side"),
    ],
)
def test_a_run_that_measured_something_else_is_in_doubt(
    more: dict[str, Any], must_be: str, doubt: str
) -> None:
    sound = merged(Way("core", "", must_be), [part([1.0])], 1.0, {})
    run = merged(Way("core", "", must_be), [part([1.0], **more)], 1.0, {})

    assert sound.doubts == []
    assert doubt in run.doubts[0]


def test_a_run_without_a_request_is_in_doubt() -> None:
    assert "nothing was asked" in merged(WAY, [part([])], 1.0, {}).doubts[0]


@pytest.mark.parametrize("told", [{}, {"asked": 1}, {"asked": "x", "routes": {}}])
def test_a_press_without_a_result_is_none(told: dict[str, Any]) -> None:
    with pytest.raises(NotARun):
        merged(WAY, [told], 1.0, {})


def test_the_core_is_set_beside_legacy_in_all_and_by_route() -> None:
    run = a_run(a_side("core", figures(150.0, failed=2)))

    assert comparison(run)[""] == {"p50": 1.5, "p99": 1.5, "errors_ppm": 1_000}
    assert set(comparison(run)) == {"", ROUTE}
    assert comparison(a_run(sides=[a_side("core")])) == {}


def test_a_result_is_read_as_it_was_written() -> None:
    run = a_run()

    assert run_from_json(run_to_json(run)) == run


def test_a_result_somebody_made_prettier_is_none() -> None:
    document = json.loads(run_to_json(a_run(a_side("core", figures(500.0)))))
    document["sides"][1]["total"]["times_ms"]["p99"] = 90.0

    with pytest.raises(NotARun, match="altered"):
        run_from_json(json.dumps(document).encode())


@given(st.binary(max_size=100))
def test_garbage_is_no_result(content: bytes) -> None:
    with pytest.raises(NotARun):
        run_from_json(content)


def test_results_are_listed_newest_first_and_by_domain(tmp_path: Path) -> None:
    files = LoadFiles(tmp_path / "loadtests")
    assert files.all().runs == []
    for day, name in ((1, "catalog"), (3, "catalog"), (2, "cat-alog")):
        run = a_run(id=f"2027030{day}T120000-{name}-3x-ab12", domain=name, ended_s=float(day))
        files.write(run)

    assert [run.ended_s for run in files.of("catalog").runs] == [3.0, 1.0]
    assert [run.domain for run in files.of("cat-alog").runs] == ["cat-alog"]
    assert [run.ended_s for run in files.all().runs] == [3.0, 2.0, 1.0]
    assert files.read("20270301T120000-catalog-3x-ab12").ended_s == 1.0


def test_a_damaged_result_counts_for_nothing_and_is_named(tmp_path: Path) -> None:
    files = LoadFiles(tmp_path)
    path = files.write(a_run())
    path.write_bytes(path.read_bytes()[:-40])

    found = files.of("catalog")

    assert found.runs == []
    assert str(path) in found.problems[0]
    with pytest.raises(CannotRead, match="counts for nothing"):
        files.read(path.stem)


@pytest.mark.parametrize("wanted", ["../secret", "nothing", "", "a/b", "x\x00y"])
def test_only_what_is_kept_can_be_read(tmp_path: Path, wanted: str) -> None:
    files = LoadFiles(tmp_path / "loadtests")
    files.write(a_run())
    (tmp_path / "secret.json").write_text("{}")

    with pytest.raises(CannotRead, match="banyan loadtest --list"):
        files.read(wanted)


def test_old_results_go_when_there_are_many(tmp_path: Path) -> None:
    files = LoadFiles(tmp_path)
    for number in range(103):
        files.write(a_run(id=f"20270301T{number:06}-catalog-3x-ab12", ended_s=float(number)))

    kept = files.of("catalog").runs

    assert len(kept) == 100
    assert kept[-1].ended_s == 3.0


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "loadtests").write_text("a file stands here")

    with pytest.raises(CannotWrite, match="cannot be written"):
        LoadFiles(tmp_path / "loadtests").write(a_run())


def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".work-catalog").mkdir()
    (tmp_path / ".work-catalog" / "result-0.json").write_text("{}")

    with work_folder(tmp_path, "catalog") as work:
        assert list(work.iterdir()) == []

    assert list(tmp_path.iterdir()) == []


def test_people_read_figures_doubts_and_ratios() -> None:
    run = a_run(a_side("core", figures(150.0, failed=3), doubts=["it was late"]))

    told = "\n".join(run_lines(run))

    assert "core, straight at the store: 20.0 of 20.0 requests a second" in told
    assert "DOUBT: it was late" in told
    assert "errors: 3 503" in told
    assert "p99 1.5x" in told
    aborted = msgspec.structs.replace(run, state=State.ABORTED, why="shoppers met errors")
    assert "ABORTED, no evidence: shoppers met errors" in "\n".join(run_lines(aborted))
    assert run_value(run)["comparison"][""]["p99"] == 1.5
