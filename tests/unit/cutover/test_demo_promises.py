"""The demo may only claim what it recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.demo.promises import SideChange, Step, Summary, unexplained

KEPT = Summary(
    requests=5_000,
    failures=0,
    shoppers=40,
    side_changes=60,
    side_changes_unexplained=0,
    rollback_s=0.4,
    compared=2_000,
    parity_ppm=1_000_000,
    parity_lower_ppm=998_000,
    confidence_bp=9_500,
    mirrored=2_100,
    lost=0,
    balance_gap=0,
    orders=120,
    orders_on_core=30,
    orders_lost=0,
    orders_doubled=0,
    orders_differing=0,
    freeze_there_ms=300.0,
    freeze_back_ms=250.0,
    readiness="rollback ready: yes",
    was_ready=True,
    restarts=0,
    report="var/demo/report.html",
    was_held_back=True,
    ramp_steps=2,
    story_s=100.0,
)


def change(last_old: float, first_new: float, *, domain: str = "catalog") -> SideChange:
    return SideChange("s1", domain, "legacy", "core", last_old, first_new)


def step(began: float, in_force: float, *, domain: str = "catalog") -> Step:
    return Step(domain, "canary 10%", began, in_force)


def test_a_change_around_an_applied_step_is_explained() -> None:
    assert unexplained([change(9, 12)], [step(10, 11)]) == ()


def test_a_change_while_a_step_takes_effect_is_explained() -> None:
    assert unexplained([change(10.2, 10.4)], [step(10, 11)]) == ()


@pytest.mark.parametrize(
    ("changed", "applied"),
    [
        pytest.param(change(20, 21), step(10, 11), id="long after the step"),
        pytest.param(change(5, 6), step(10, 11), id="before the step"),
        pytest.param(change(9, 12), step(10, 11, domain="price"), id="another domain's step"),
    ],
)
def test_a_change_without_its_step_is_a_broken_promise(changed: SideChange, applied: Step) -> None:
    assert unexplained([changed], [applied]) == (changed,)


@given(
    last_old=st.floats(0, 100),
    gap=st.floats(0, 100),
    began=st.floats(0, 200),
    takes=st.floats(0, 5),
)
def test_a_change_is_explained_exactly_when_the_spans_meet(
    last_old: float, gap: float, began: float, takes: float
) -> None:
    first_new, in_force = last_old + gap, began + takes

    left_alone = unexplained([change(last_old, first_new)], [step(began, in_force)])

    assert (not left_alone) == (max(last_old, began) <= min(first_new, in_force))


def test_kept_promises_leave_nothing_to_say() -> None:
    assert KEPT.broken() == ()


@pytest.mark.parametrize(
    ("broken", "word"),
    [
        (replace(KEPT, requests=0), "recorded"),
        (replace(KEPT, failures=1), "failed"),
        (replace(KEPT, side_changes_unexplained=2), "no applied step"),
        (replace(KEPT, side_changes=0), "nothing was moved"),
        (replace(KEPT, rollback_s=1.2), "rollback"),
        (replace(KEPT, compared=0), "compared"),
        (replace(KEPT, balance_gap=-3), "unaccounted"),
        (replace(KEPT, orders_on_core=0), "the core took no order"),
        (replace(KEPT, orders=30), "legacy took no order"),
        (replace(KEPT, orders_lost=1), "were lost"),
        (replace(KEPT, orders_doubled=1), "twice"),
        (replace(KEPT, orders_differing=1), "differ"),
        (replace(KEPT, was_ready=False), "no way back"),
        (replace(KEPT, was_held_back=False), "bad release"),
        (replace(KEPT, ramp_steps=1), "ramp"),
        (replace(KEPT, report=""), "report"),
        (replace(KEPT, restarts=1), "restarted"),
    ],
)
def test_each_broken_promise_is_named(broken: Summary, word: str) -> None:
    sentences = broken.broken()

    assert len(sentences) == 1
    assert word in sentences[0]
