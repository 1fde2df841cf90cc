"""What pages say of the things that domains do by themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from cutover.api.courses import by_itself, held_back, read_courses
from cutover.api.gather import SourceAway
from cutover.api.readings import CourseLine
from cutover.core.live import Finding, Tally
from cutover.core.stages import Position
from cutover.core.steering import Course, Move
from cutover.core.strata import Verdict
from cutover.service.steering import Steered
from cutover.storage.course_file import CourseFile
from proxy.routing import Approvals, Calendar, Freeze, Ramp, RollbackRule, Stage
from tests.unit.cutover_room.samples import NOW_S, a_domain

STEERED = replace(
    a_domain(),
    stage=Stage.CANARY,
    core_share_bp=100,
    ramp=Ramp((100, 2_500), 600, 100),
    rollback=RollbackRule(5_000, None, 100, 60),
)
SOAKS = CourseLine(NOW_S - 2, "stay", "it has 10m to soak", ("no errors were seen",), 2_500, 480.0)


def test_a_soaking_ramp_says_what_comes_and_when() -> None:
    assert by_itself(STEERED, SOAKS, NOW_S) == (
        "It has 10m to soak.",
        "Its ramp goes on to 25 %, in 8 min at the earliest.",
        "No errors were seen.",
    )


def test_what_could_not_be_done_is_said() -> None:
    stuck = replace(SOAKS, because="10m and 300 answers", waits_s=None, problem="the gate fails")

    assert by_itself(STEERED, stuck, NOW_S)[-1] == "Could not: the gate fails."


@pytest.mark.parametrize("course", [None, replace(SOAKS, at_s=NOW_S - 31)])
def test_a_domain_that_nobody_steers_any_more_says_so(course: CourseLine | None) -> None:
    (said,) = by_itself(STEERED, course, NOW_S)

    assert said.startswith("Nothing steers it now")


def test_a_domain_without_a_way_back_says_so_where_shoppers_meet_the_core() -> None:
    plain = replace(STEERED, ramp=None, rollback=None)

    assert by_itself(plain, None, NOW_S) == (
        "Nothing takes it back by itself: it has no rollback.",
    )
    assert by_itself(replace(plain, stage=Stage.SHADOW), None, NOW_S) == ()


def test_a_step_that_waits_for_the_calendar_and_for_people_says_so() -> None:
    always = Calendar("UTC", (), (Freeze(date(2000, 1, 1), date(2100, 1, 1), "the busiest days"),))
    domain = replace(STEERED, calendar=always, approvals=Approvals(2, 60))

    calendar, people = held_back(domain, NOW_S)

    assert calendar.startswith("The calendar is closed: 2000-01-01 to 2100-01-01 nothing moves")
    assert people == "Its next stage asks for 2 people to approve: banyan approve catalog."
    assert held_back(replace(domain, stage=Stage.RETIRED), NOW_S) == ()
    assert held_back(STEERED, NOW_S) == ()


def test_what_steering_writes_the_room_reads(tmp_path: Path) -> None:
    finding = Finding(Verdict.PASS, ("no errors were seen",), {"core_answers": 7})
    course = Course(Move.STAY, "it has 10m to soak", finding, 2_500, 480.0)
    at = datetime.fromtimestamp(NOW_S - 2, UTC)
    file = CourseFile(tmp_path / "course.json")

    file.write(at, [Steered("catalog", Position(Stage.CANARY, 100), course)], {"catalog": Tally(3)})

    told = replace(SOAKS, at_s=float(int(NOW_S - 2)), verdict="pass", inputs={"core_answers": 7})
    assert read_courses(file.path) == {"catalog": told}


def test_where_nobody_ever_steered_there_are_no_courses(tmp_path: Path) -> None:
    assert read_courses(tmp_path / "course.json") == {}


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"at": "x", "domains": {}}'])
def test_a_file_that_is_none_is_a_source_that_is_away(tmp_path: Path, content: str) -> None:
    (tmp_path / "course.json").write_text(content)

    with pytest.raises(SourceAway, match="cannot be read"):
        read_courses(tmp_path / "course.json")
