"""The protocol of a flip, cell by cell."""

from __future__ import annotations

import pytest

from cutover.core.flip import (
    PROTOCOL,
    Ending,
    Event,
    Kind,
    Step,
    aborted,
    committed,
    fence_term,
    next_step,
    resume,
)
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import Control, Phase

_DONE, _FAILED, _LOST = Event

CELLS = [
    # step, done, failed, lost
    (Step.PREFLIGHT, Step.LEASE, Ending.NOTHING, Ending.NOTHING),
    (Step.LEASE, Step.HOLD, Step.ABORT, Ending.NOTHING),
    (Step.HOLD, Step.FENCE, Step.ABORT, Ending.LOOK),
    (Step.FENCE, Step.CATCH_UP, Step.ABORT, Ending.LOOK),
    (Step.CATCH_UP, Step.VERIFY, Step.ABORT, Ending.LOOK),
    (Step.VERIFY, Step.NUMBERS, Step.ABORT, Ending.LOOK),
    (Step.NUMBERS, Step.COMMIT, Step.ABORT, Ending.LOOK),
    (Step.COMMIT, Step.GRANT, Step.ABORT, Ending.LOOK),
    (Step.GRANT, Step.RELEASE, Step.GRANT, Ending.LOOK),
    (Step.RELEASE, Step.WATCH, Step.RELEASE, Ending.LOOK),
    (Step.WATCH, Ending.COMMITTED, Ending.COMMITTED, Ending.COMMITTED),
    (Step.ABORT, Step.REOPEN, Step.ABORT, Ending.LOOK),
    (Step.REOPEN, Step.LET_GO, Step.REOPEN, Ending.LOOK),
    (Step.LET_GO, Ending.ABORTED, Step.LET_GO, Ending.LOOK),
]


def test_every_step_has_its_row() -> None:
    assert [cell[0] for cell in CELLS] == list(Step)


@pytest.mark.parametrize(("step", "done", "failed", "lost"), CELLS)
def test_a_flip_follows_its_table(
    step: Step, done: Step | Ending, failed: Step | Ending, lost: Step | Ending
) -> None:
    found = [next_step(Kind.FLIP, step, event) for event in Event]

    assert found == [done, failed, lost]


@pytest.mark.parametrize("step", PROTOCOL[Kind.REHEARSAL])
def test_a_rehearsal_is_a_flip_that_turns_back_after_the_check(step: Step) -> None:
    found = [next_step(Kind.REHEARSAL, step, event) for event in Event]

    expected = [next_step(Kind.FLIP, step, event) for event in Event]
    if step is Step.VERIFY:
        expected[0] = Step.ABORT
    assert found == expected


def test_a_rehearsal_has_no_step_that_could_give_a_domain_away() -> None:
    rows = PROTOCOL[Kind.REHEARSAL]
    reached = {step for rule in rows.values() for step in (rule.done, rule.failed, rule.lost)}

    assert not {*rows, *reached} & {Step.COMMIT, Step.GRANT, Step.RELEASE}


def test_before_the_commit_every_failure_leads_to_an_abort_and_after_it_to_another_try() -> None:
    for step, rule in PROTOCOL[Kind.FLIP].items():
        if rule.phase is Phase.FLIPPING:
            assert rule.failed is Step.ABORT
        elif rule.phase in (Phase.COMMITTED, Phase.ABORTED):
            assert rule.failed is step


def test_a_term_only_grows_and_the_fence_stands_between() -> None:
    term = 7

    assert term < fence_term(term) < committed(Side.LEGACY, term).term
    assert fence_term(term) < aborted(Side.LEGACY, term).term


@pytest.mark.parametrize("owner", Side)
def test_a_commit_gives_the_domain_to_the_other_side_and_an_abort_leaves_it(owner: Side) -> None:
    assert committed(owner, 3).owner is owner.other
    assert aborted(owner, 3).owner is owner


@pytest.mark.parametrize(
    ("phase", "mine", "anothers"),
    [
        (Phase.OWNED, Ending.NOTHING, Ending.NOTHING),
        (Phase.FLIPPING, Step.ABORT, Ending.LOST),
        (Phase.COMMITTED, Step.GRANT, Ending.LOST),
        (Phase.ABORTED, Step.REOPEN, Ending.LOST),
    ],
)
def test_what_is_undecided_is_given_up_and_what_is_decided_is_finished_by_its_holder(
    phase: Phase, mine: Step | Ending, anothers: Step | Ending
) -> None:
    row = Control("orders", phase, Side.LEGACY, 5, flip=1, holder="me")

    assert resume(row, "me") is mine
    assert resume(row, "you") is anothers
