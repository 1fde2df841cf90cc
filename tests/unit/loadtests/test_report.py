"""The summary can be read at any moment, and says whether it is the last."""

from __future__ import annotations

import json
from pathlib import Path

from loadtests.answers import Answer
from loadtests.floor import Floor, NoEvents, Reply
from loadtests.journeys import Step
from loadtests.report import Report
from loadtests.tally import Outcome


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def shopped(floor: Floor, times: int) -> None:
    for _ in range(times):
        floor.record("ada", Step.PRICE, Reply(Answer(200), 1, 2, 12.0), Outcome.OK, "")


def test_the_file_holds_the_moment_and_leaves_no_draft(tmp_path: Path) -> None:
    clock, floor = Clock(), Floor("http://shop.example", 3, 2, NoEvents())
    report = Report(floor, tmp_path / "summary.json", clock)
    shopped(floor, 50)
    clock.now += 10

    report.write(final=False)

    kept = json.loads((tmp_path / "summary.json").read_text())
    assert (kept["final"], kept["duration_s"], kept["requests_per_s"]) == (False, 10, 5.0)
    assert kept["steps"]["price"]["requests"] == 50
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_without_a_file_the_summary_is_only_returned() -> None:
    report = Report(Floor("http://shop.example", 3, 2, NoEvents()), None, Clock())

    assert report.write(final=True)["final"] is True


def test_the_progress_line_is_for_people() -> None:
    clock, floor = Clock(), Floor("http://shop.example", 3, 2, NoEvents())
    report = Report(floor, None, clock)
    shopped(floor, 20)
    clock.now += 4

    line = report.progress_line()

    assert "20 requests" in line
    assert "5/s" in line
    assert "0 failed" in line
