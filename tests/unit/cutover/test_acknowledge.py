"""Waiting for the proxy: every worker, and not a moment longer than needed."""

from __future__ import annotations

import pytest

from cutover.errors import DoorClosed
from cutover.ports import DoorState
from cutover.service.acknowledge import Ack, wait_until_taken
from tests.fakes.cutover import FakeDoor, FakeTime

NEW, OLD = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


def workers(*revisions: str | None, count: int | None = None) -> DoorState:
    named = {str(100 + n): revision for n, revision in enumerate(revisions)}
    return DoorState(True, len(revisions) if count is None else count, named)


def test_all_workers_must_have_taken_it() -> None:
    door = FakeDoor([workers(OLD, OLD), workers(NEW, OLD), workers(NEW, NEW)])

    found = wait_until_taken(door, NEW, FakeTime().timer())

    assert (found.ack, door.asked) == (Ack.TAKEN, 3)
    assert "(2 workers)" in found.sentence


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (workers(NEW, OLD), "worker 101 follows bbbbbbbbbbbb"),
        (workers(None), "worker 100 follows none"),
        (workers(NEW, count=2), "not taken by every worker"),
        (workers(), "no worker is up"),
        (DoorState(True, 1, {"1": OLD}, "applied.yaml:3: bad"), "applied.yaml:3: bad"),
        (DoorClosed("timed out", is_refused=False), "timed out"),
    ],
)
def test_after_five_seconds_it_says_who_did_not_take_it(
    state: DoorState | DoorClosed, says: str
) -> None:
    time = FakeTime()

    found = wait_until_taken(FakeDoor([state]), NEW, time.timer())

    assert found.ack is Ack.NOT_TAKEN
    assert says in found.sentence
    assert 5.0 <= time.now_s < 5.1


def test_a_door_that_opens_late_is_waited_for() -> None:
    door = FakeDoor([DoorClosed("reset", is_refused=False), workers(NEW)])

    assert wait_until_taken(door, NEW, FakeTime().timer()).ack is Ack.TAKEN


def test_where_no_proxy_runs_nothing_is_waited_for() -> None:
    time = FakeTime()

    found = wait_until_taken(FakeDoor(), NEW, time.timer())

    assert (found.ack, time.now_s) == (Ack.AWAY, 0.0)
    assert "takes it when it starts" in found.sentence
