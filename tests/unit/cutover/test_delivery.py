"""Delivery figures: what counts as a step, as a failure, and as nobody's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.delivery import Move, Spread, Step, Window, delivery, read_move, steps_taken
from cutover.core.plan import DomainChange
from cutover.core.revision import GENESIS, RevisionKind, Told
from cutover.core.stages import Direction, Position, direction
from cutover.core.window import NoSuchTime, window_of
from proxy.routing import Stage

BEGAN = datetime(2027, 3, 1, tzinfo=UTC)
APPLY, ROLLBACK, INIT = RevisionKind.APPLY, RevisionKind.ROLLBACK, RevisionKind.INIT
ALWAYS = Window(BEGAN, BEGAN + timedelta(days=365))

POSITIONS = st.one_of(
    st.sampled_from([Stage.LEGACY, Stage.SHADOW, Stage.CORE, Stage.RETIRED]).map(Position),
    st.integers(0, 10_000).map(lambda share_bp: Position(Stage.CANARY, share_bp)),
    st.integers(0, 10_000).map(lambda bp: Position(Stage.CANARY, bp, writes_stay=True)),
    st.just(Position(Stage.CORE, writes_stay=True)),
)
NAMES = st.sampled_from(["cart", "catalog", "price"])


def at_hour(hours: float, n: int, kind: RevisionKind, *changes: str) -> Told:
    at = BEGAN + timedelta(hours=hours)
    return Told(n, at, "op", kind, "", changes, "a1b2c3", False, n, GENESIS, GENESIS)


def ledger(*told: tuple[float, RevisionKind, str]) -> list[Told]:
    return [at_hour(hours, n, kind, change) for n, (hours, kind, change) in enumerate(told, 1)]


@st.composite
def ledgers(draw: st.DrawFn) -> list[Told]:
    """Domains that wander: every line is one that plan or rollback would write."""
    here: dict[str, Position | None] = {}
    told = []
    for n in range(1, draw(st.integers(0, 25)) + 1):
        changes = []
        for name in sorted(draw(st.sets(NAMES, max_size=3))):
            after = draw(POSITIONS | st.none()) if here.get(name) else draw(POSITIONS)
            way = direction(
                here.get(name) or Position(Stage.LEGACY), after or Position(Stage.LEGACY)
            )
            changes.append(f"{name}: {DomainChange(name, here.get(name), after, way).step}")
            here[name] = after
        told.append(at_hour(n * 7, n, draw(st.sampled_from([APPLY, ROLLBACK])), *changes))
    return told


@given(NAMES, POSITIONS | st.none(), POSITIONS | st.none())
def test_what_a_plan_writes_down_of_a_domain_is_read_back(
    name: str, before: Position | None, after: Position | None
) -> None:
    if before is None and after is None:
        return
    change = DomainChange(name, before, after, Direction.SAME)

    assert read_move(f"{name}: {change.step}") == Move(name, before, after)


@pytest.mark.parametrize(
    "sentence",
    [
        "catalog: takes GET /api/products/",
        "stores: core has another url",
        "catalog: shadow -> moon",
        "shadow -> canary 10 %",
        "catalog: its gate asks 98 % -> 99 %",
        "",
    ],
)
def test_a_line_that_moves_no_domain_is_no_move(sentence: str) -> None:
    assert read_move(sentence) is None


def test_a_flip_is_a_step_and_its_way_back_takes_it_back() -> None:
    told = ledger(
        (1, APPLY, "orders: legacy -> shadow"),
        (5, APPLY, "orders: shadow -> core, by a flip"),
        (7, APPLY, "orders: core -> shadow, by a flip"),
    )

    found = delivery(told, ALWAYS).total

    assert (found.steps, found.failed, found.restore) == (2, 1, Spread(1, 7_200.0, 7_200.0))


def test_a_repeated_rollback_is_read_as_staying() -> None:
    move = read_move("cart: stays in stage shadow; the applied file was written again")

    assert move == Move("cart", Position(Stage.SHADOW), Position(Stage.SHADOW))
    assert move.direction is Direction.SAME


def test_a_step_that_is_taken_back_before_the_next_one_failed() -> None:
    told = ledger(
        (0, INIT, "cart: new, in stage shadow"),
        (10, APPLY, "cart: shadow -> canary 5 %"),
        (12, ROLLBACK, "cart: canary 5 % -> shadow"),
        (20, APPLY, "cart: shadow -> canary 5 %"),
        (30, APPLY, "cart: canary 5 % -> core"),
    )

    found = delivery(told, ALWAYS).total

    assert (found.applies, found.steps, found.failed) == (3, 3, 1)
    assert found.failure_ppm == 333_334
    assert found.restore == Spread(1, 7_200.0, 7_200.0)
    assert found.in_stage == Spread(3, 36_000.0, 36_000.0)


def test_a_backward_apply_takes_a_step_back_as_well() -> None:
    told = ledger(
        (1, APPLY, "cart: shadow -> canary 50 %"), (4, APPLY, "cart: canary 50 % -> canary 10 %")
    )

    assert [step.undone_n for step in steps_taken(told)] == [2]


def test_the_second_rollback_in_a_row_is_nobodys() -> None:
    told = ledger(
        (1, APPLY, "cart: legacy -> shadow"),
        (2, APPLY, "cart: shadow -> canary 5 %"),
        (3, ROLLBACK, "cart: canary 5 % -> shadow"),
        (4, ROLLBACK, "cart: shadow -> legacy"),
    )

    first, second = steps_taken(told)

    assert (first.undone_n, second.undone_n) == (0, 3)
    assert (first.restore_s, second.restore_s) == (None, 3_600.0)


def test_a_rollback_without_a_step_before_it_is_nobodys() -> None:
    told = ledger((0, INIT, "cart: new, in stage core"), (5, ROLLBACK, "cart: core -> shadow"))

    found = delivery(told, ALWAYS)

    assert (found.total.steps, found.total.failed, found.rollbacks) == (0, 0, 1)
    assert found.total.failure_ppm is None
    assert found.total.restore is None


def test_another_domains_rollback_takes_nothing_back() -> None:
    told = ledger(
        (1, APPLY, "cart: legacy -> shadow"), (2, ROLLBACK, "price: canary 5 % -> shadow")
    )

    assert delivery(told, ALWAYS, "cart").total.failed == 0
    assert delivery(told, ALWAYS, "cart").rollbacks == 0
    assert delivery(told, ALWAYS, "price").rollbacks == 1


def test_where_a_domain_was_moved_behind_the_ledgers_back_nobody_knows_since_when() -> None:
    told = ledger((0, INIT, "cart: new, in stage legacy"), (9, APPLY, "cart: shadow -> canary 5 %"))

    assert steps_taken(told)[0].waited_s is None
    assert delivery(told, ALWAYS).total.in_stage is None


def test_a_removed_domain_that_comes_again_begins_anew() -> None:
    told = ledger(
        (0, APPLY, "cart: new, in stage shadow"),
        (5, APPLY, "cart: removed from stage shadow; its requests go to legacy, unmatched"),
        (9, APPLY, "cart: new, in stage shadow"),
        (10, APPLY, "cart: shadow -> canary 5 %"),
    )

    assert [step.waited_s for step in steps_taken(told)] == [3_600.0]


def test_of_a_removed_domain_that_moves_all_the_same_nobody_knows_since_when() -> None:
    told = ledger(
        (0, APPLY, "cart: new, in stage shadow"),
        (5, APPLY, "cart: removed from stage shadow; its requests go to legacy, unmatched"),
        (9, APPLY, "cart: shadow -> canary 5 %"),
    )

    assert [step.waited_s for step in steps_taken(told)] == [None]


def test_a_changed_rule_does_not_begin_the_time_in_stage_anew() -> None:
    told = ledger(
        (0, APPLY, "cart: new, in stage shadow"),
        (5, APPLY, "cart: stays in stage shadow"),
        (9, APPLY, "cart: shadow -> canary 5 %"),
    )

    assert [step.waited_s for step in steps_taken(told)] == [32_400.0]


@pytest.mark.parametrize(("hours", "is_in"), [(23.9, False), (24, True), (48, True), (48.1, False)])
def test_both_ends_of_a_window_are_in_it(hours: float, is_in: bool) -> None:
    day = Window(BEGAN + timedelta(hours=24), BEGAN + timedelta(hours=48))

    found = delivery(ledger((hours, APPLY, "cart: legacy -> shadow")), day)

    assert found.total.applies == found.total.steps == int(is_in)


def test_a_step_before_the_window_is_restored_in_it_and_counted_where_it_was_taken() -> None:
    told = ledger(
        (1, APPLY, "cart: legacy -> shadow"),
        (2, APPLY, "cart: shadow -> canary 5 %"),
        (50, ROLLBACK, "cart: canary 5 % -> shadow"),
    )

    found = delivery(told, Window(BEGAN + timedelta(hours=48), ALWAYS.until)).total

    assert (found.steps, found.failed) == (0, 0)
    assert found.restore == Spread(1, 172_800.0, 172_800.0)


def test_a_yes_moves_nothing_whatever_its_giver_is_called() -> None:
    told = ledger(
        (1, APPLY, "cart: shadow -> canary 5 %"),
        (2, RevisionKind.APPROVAL, "cart: removed from stage core; says yes"),
        (3, RevisionKind.APPROVAL, "cart: eva approves of canary -> core"),
    )

    assert [step.undone_at for step in steps_taken(told)] == [None]
    assert delivery(told, ALWAYS).total.applies == 1


def test_an_empty_ledger_has_no_rates() -> None:
    found = delivery((), ALWAYS)

    assert found.covered_s == 0
    assert found.applies_per_week is None
    assert found.total.failure_ppm is None
    assert found.domains == ()


def test_changes_per_week_are_those_of_the_time_that_the_ledger_covers() -> None:
    told = ledger(*((hours, APPLY, "cart: stays in stage shadow") for hours in (0, 100, 336)))
    month = Window(BEGAN - timedelta(days=16), BEGAN + timedelta(days=14))

    assert delivery(told, month).applies_per_week == pytest.approx(1.5)
    assert delivery(told, Window(BEGAN, BEGAN + timedelta(days=6))).applies_per_week is None


def test_clocks_that_disagree_never_make_a_time_negative() -> None:
    told = ledger(
        (9, APPLY, "cart: new, in stage shadow"),
        (8, APPLY, "cart: shadow -> canary 5 %"),
        (7, ROLLBACK, "cart: canary 5 % -> shadow"),
    )

    step = steps_taken(told)[0]

    assert (step.waited_s, step.restore_s) == (0.0, 0.0)


@given(ledgers())
def test_figures_are_never_more_than_there_is(told: list[Told]) -> None:
    found = delivery(told, ALWAYS)
    parts = [one for _, one in found.domains]

    for one in (found.total, *parts):
        assert 0 <= one.failed <= one.steps
        assert one.failure_ppm is None or 0 <= one.failure_ppm <= 1_000_000
        assert (one.failure_ppm is None) == (one.steps == 0)
        for spread in (one.restore, one.in_stage):
            assert spread is None or 0 <= spread.median_s <= spread.longest_s
    assert sum(one.steps for one in parts) == found.total.steps
    assert sum(one.failed for one in parts) == found.total.failed


@given(ledgers(), st.randoms(use_true_random=False))
def test_the_order_of_domains_within_a_revision_does_not_matter(
    told: list[Told], dice: Random
) -> None:
    mixed = [_mixed(one, dice) for one in told]

    assert delivery(mixed, ALWAYS) == delivery(told, ALWAYS)


def _mixed(one: Told, dice: Random) -> Told:
    changes = list(one.changes)
    dice.shuffle(changes)
    return at_hour((one.at - BEGAN).total_seconds() / 3_600, one.n, one.kind, *changes)


@given(ledgers(), NAMES)
def test_a_domain_alone_has_the_figures_that_it_has_among_others(
    told: list[Told], name: str
) -> None:
    among = dict(delivery(told, ALWAYS).domains).get(name)

    alone = delivery(told, ALWAYS, name)

    assert alone.domains == (() if among is None else ((name, among),))
    assert among is None or alone.total == among


@given(ledgers())
def test_each_taking_back_is_of_one_step_at_most(told: list[Told]) -> None:
    def by(step: Step) -> tuple[int, str]:
        return step.undone_n, step.domain

    undone = [by(step) for step in steps_taken(told) if step.undone_at]

    assert len(undone) == len(set(undone))


@pytest.mark.parametrize(
    ("since", "began"),
    [
        ("7d", BEGAN - timedelta(days=7)),
        ("36h", BEGAN - timedelta(hours=36)),
        ("4w", BEGAN - timedelta(weeks=4)),
        ("2027-02-01", datetime(2027, 2, 1, tzinfo=UTC)),
        ("2027-03-01", BEGAN),
    ],
)
def test_a_time_is_a_span_or_a_day(since: str, began: datetime) -> None:
    assert window_of(since, BEGAN) == Window(began, BEGAN)


@pytest.mark.parametrize(
    "since",
    ["", "7", "d", "-7d", "99999d", "2027-02-30", "2027-03-02", "\u0667d", "yesterday", "20270201"],
)
def test_anything_else_is_refused_with_how_to_write_it(since: str) -> None:
    with pytest.raises(NoSuchTime, match="write it like 7d, 36h, 4w or 2026-11-01"):
        window_of(since, BEGAN)


def told_domains(told: Sequence[Told]) -> set[str]:
    return {change.partition(":")[0] for one in told for change in one.changes}


@given(ledgers())
def test_every_domain_that_changed_has_a_line(told: list[Told]) -> None:
    assert {name for name, _ in delivery(told, ALWAYS).domains} == told_domains(told)
