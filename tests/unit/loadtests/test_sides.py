"""Every change of side is seen, and nothing else is called one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadtests.journeys import Step
from loadtests.sides import Observation, SideChange, SideLog


def seen(side: str, at: float, shopper: str = "ada", step: Step = Step.PRICE) -> Observation:
    return Observation(shopper, step, side, sent_at=at - 0.5, at=at)


def test_the_first_answer_is_no_change() -> None:
    log = SideLog()

    assert log.observe(seen("legacy", 1)) is None
    assert (log.changes, log.repeated) == (0, 0)


def test_a_change_tells_who_from_where_to_where_and_in_which_window() -> None:
    log = SideLog()
    log.observe(seen("legacy", 1))
    log.observe(seen("legacy", 5))

    change = log.observe(seen("core", 9))

    assert change == SideChange(
        shopper="ada",
        domain="price",
        step=Step.PRICE,
        from_side="legacy",
        to_side="core",
        previous_sent_at=4.5,
        sent_at=8.5,
        at=9,
    )
    assert change.as_event() == {
        "kind": "side_change",
        "shopper": "ada",
        "domain": "price",
        "step": "price",
        "from": "legacy",
        "to": "core",
        "previous_sent_at": 4.5,
        "sent_at": 8.5,
        "at": 9,
    }


def test_shoppers_and_steps_are_watched_apart() -> None:
    log = SideLog()
    log.observe(seen("legacy", 1, shopper="ada"))
    log.observe(seen("legacy", 1, step=Step.PRODUCT_LIST))

    others = [
        log.observe(seen("core", 2, shopper="ben")),
        log.observe(seen("core", 2, step=Step.PRODUCT_DETAIL)),
    ]

    assert others == [None, None]
    assert log.by_domain() == {
        "catalog": {"core": 1, "legacy": 1},
        "price": {"core": 1, "legacy": 1},
    }


def test_a_run_may_name_the_domains_of_its_own_routing_table() -> None:
    log = SideLog({Step.PRICE: "pricing"})
    log.observe(seen("legacy", 1))

    change = log.observe(seen("core", 2))

    assert change is not None
    assert change.domain == "pricing"


@given(
    answers=st.lists(
        st.tuples(
            st.sampled_from(["ada", "ben"]),
            st.sampled_from([Step.PRICE, Step.PRODUCT_LIST]),
            st.sampled_from(["legacy", "core"]),
        )
    )
)
def test_changes_are_exactly_the_neighbours_that_differ(
    answers: list[tuple[str, Step, str]],
) -> None:
    log = SideLog()

    found = [
        log.observe(seen(side, float(n), who, step)) is not None
        for n, (who, step, side) in enumerate(answers)
    ]

    expected = []
    for n, (who, step, side) in enumerate(answers):
        earlier = [s for w, t, s in answers[:n] if (w, t) == (who, step)]
        expected.append(bool(earlier) and earlier[-1] != side)
    assert found == expected
    assert log.changes == sum(expected)
    assert sum(log.answers.values()) == len(answers)
