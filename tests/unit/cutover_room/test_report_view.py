"""What a report says, decided from facts alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cutover.api.readings import History, Reading
from cutover.api.reportfigures import NO_CHANGES, NO_STEP, NOTHING_BACK
from cutover.api.reporttwin import report_twin
from cutover.api.reportview import MOST_CHANGES, Report, ReportFacts, report
from cutover.api.words import plain
from cutover.core.delivery import Window
from cutover.core.revision import GENESIS, RevisionKind, Told
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import Control, FlipRecord, FlipStart, Phase
from proxy.routing import Stage
from shadow_compare.core.stake import Stake
from tests.unit.cutover_room.samples import (
    NOW_S,
    a_domain,
    a_group,
    a_reading,
    some_facts,
)
from tests.unit.cutover_room.test_data_view import an_overlook, some_data

NOW = datetime.fromtimestamp(NOW_S, UTC)
WEEK = Window(NOW - timedelta(days=7), NOW)
APPLY, ROLLBACK = RevisionKind.APPLY, RevisionKind.ROLLBACK


def a_revision(n: int, days_ago: float, kind: RevisionKind, *changes: str, **more: Any) -> Told:
    at = NOW - timedelta(days=days_ago)
    told = Told(n, at, "eva", kind, "", changes, "a1b2c3", False, n, GENESIS, f"{n:064x}")
    return replace(told, **more)


def a_history(*told: Told) -> Reading[History]:
    head = (told[-1].n, told[-1].hash) if told else None
    return Reading(History(told, (), head), NOW_S)


MOVED = a_history(
    a_revision(1, 30, RevisionKind.INIT, "catalog: new, in stage legacy"),
    a_revision(2, 20, APPLY, "catalog: legacy -> shadow"),
    a_revision(3, 6, APPLY, "catalog: shadow -> canary 5 %"),
    a_revision(4, 5.5, ROLLBACK, "catalog: canary 5 % -> shadow", reason="titles look odd"),
    a_revision(5, 2, APPLY, "catalog: shadow -> canary 10 %"),
)


def some_report(**changes: Any) -> Report:
    known = ReportFacts(
        facts=some_facts(),
        history=MOVED,
        data=some_data(),
        flips=Reading((), NOW_S),
        window=WEEK,
    )
    return report(replace(known, **changes))


def values(view: Report) -> dict[str, tuple[str, str]]:
    return {one.name: (one.value, one.made_of) for one in view.figures}


def test_the_figures_are_printed_with_what_they_are_made_of_and_what_they_mean() -> None:
    view = some_report()

    assert values(view) == {
        "Deployment frequency": ("2 changes in 7 days", ""),
        "Change failure rate": ("50 %", "1 of 2 forward steps taken back"),
        "Time to restore": ("12 h", "1 time"),
        "Time in stage": ("median 9 days", "longest 14 days, 2 steps"),
    }
    assert all(one.meaning.endswith(".") for one in view.figures)


def test_a_month_has_a_rate_per_week() -> None:
    view = some_report(window=Window(NOW - timedelta(days=28), NOW))

    assert values(view)["Deployment frequency"] == ("0.8 a week", "3 changes in 28 days")


def test_nothing_happened_is_said_and_is_no_rate() -> None:
    view = some_report(window=Window(NOW - timedelta(days=1), NOW))

    assert [one.value for one in view.figures] == [NO_CHANGES, NO_CHANGES, NOTHING_BACK, NO_CHANGES]
    assert not any(one.known for one in view.figures)
    assert view.lead.endswith(": no changes in this time.")


def test_changes_without_a_step_are_no_rate_either() -> None:
    view = some_report(history=a_history(a_revision(1, 1, APPLY, "catalog: stays in stage shadow")))

    assert values(view)["Change failure rate"] == (NO_STEP, "")


def test_what_was_taken_back_names_who_why_and_how_long_after_the_step() -> None:
    (one,) = some_report().returns

    assert (one.domain, one.way, one.actor) == ("catalog", "canary 5 % to shadow", "eva")
    assert one.reason == "titles look odd"
    assert one.after == "12 h after the step to canary 5 %"


def test_a_backward_apply_and_a_rollback_without_a_step_are_listed_as_what_they_are() -> None:
    view = some_report(
        history=a_history(
            a_revision(1, 3, APPLY, "catalog: core -> canary 5 %"),
            a_revision(2, 2, APPLY, "catalog: removed from stage canary 5 %; its requests go"),
        )
    )

    assert [(one.way, one.after) for one in view.returns] == [
        ("canary 5 % to no domain", "no step of its own, by apply"),
        ("core to canary 5 %", "no step of its own, by apply"),
    ]


def test_the_lead_counts_what_happened() -> None:
    assert some_report().lead == (
        f"From {WEEK.since:%Y-%m-%d %H:%M} to {WEEK.until:%Y-%m-%d %H:%M} UTC:"
        " 2 changes applied, 2 forward steps and 1 taken back."
    )


def test_the_head_of_the_ledger_and_the_table_are_on_it() -> None:
    view = some_report()

    assert view.head == (5, f"{5:064x}")
    assert view.revision == "a1b2c3d4e5f6"


def test_when_everything_could_be_read_nothing_is_unknown() -> None:
    view = some_report(window=Window(NOW - timedelta(days=7), NOW))

    assert view.unknown == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"history": Reading(problem="cannot be read (denied)")}, "The ledger cannot be read"),
        (
            {"history": Reading(History((), ("revision 000002 is missing",)), NOW_S)},
            "The ledger: revision 000002 is missing.",
        ),
        ({"data": None}, "No core's database is named"),
        (
            {"data": some_data(core=Reading(problem="does not answer (refused)"))},
            "The core's database does not answer (refused). On it hangs",
        ),
        ({"data": some_data(an_overlook(is_installed=False))}, "The sync of data is not installed"),
        (
            {"flips": Reading(problem="is away")},
            "The core's database is away. On it hangs what is said of: flips",
        ),
        (
            {"facts": some_facts(table=Reading(problem="does not load: routing.yaml:3."))},
            "The routing table does not load: routing.yaml:3. On it hangs",
        ),
        (
            {"facts": some_facts(readings={"catalog": Reading(problem="is locked")})},
            "The evidence store is locked. On it hangs what is said of: parity",
        ),
        ({"facts": some_facts(proxy=Reading(problem="is gone"))}, "The proxy is gone"),
        ({"facts": some_facts(core=Reading(problem="is gone"))}, "The new core is gone."),
        ({"facts": some_facts(legacy=Reading(problem="is gone"))}, "The legacy store is gone."),
        ({"window": Window(NOW - timedelta(days=90), NOW)}, "Anything before"),
    ],
)
def test_each_source_that_could_not_be_read_is_named(changes: dict[str, Any], said: str) -> None:
    view = some_report(**changes)

    assert any(sentence.startswith(said) for sentence in view.unknown), view.unknown


def test_without_a_ledger_no_figure_is_made_up() -> None:
    view = some_report(history=Reading(problem="cannot be read"))

    assert view.figures == ()
    assert view.delivery is None
    assert "is not known" in view.lead


def test_a_serving_domain_says_how_it_goes_back_and_when_that_was_done_last() -> None:
    (row,) = some_report().rows

    assert plain(row.rollback[0], NOW_S).startswith(
        "Ready: banyan rollback catalog takes it back without asking a gate; last done "
    )


def test_a_domain_whose_data_moved_goes_back_with_it_alone() -> None:
    domain = a_domain("cart", stage=Stage.CORE, core_share_bp=0)
    domain = replace(
        domain, routes=tuple(replace(route, methods=("POST",)) for route in domain.routes)
    )
    facts = some_facts(domain)
    data = some_data(an_overlook(controls={"orders": Control("orders", Phase.OWNED, Side.CORE, 5)}))

    (row,) = some_report(facts=facts, data=data).rows
    said = [plain(words, NOW_S) for words in row.rollback]

    assert said[0].startswith("Routes go back with the data alone: the core owns orders")
    assert said[1].startswith("Data of orders: rollback ready: yes, proven ")


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (Stage.LEGACY, "Legacy answers every shopper"),
        (Stage.SHADOW, "Legacy answers every shopper"),
        (Stage.RETIRED, "The legacy slice is retired"),
    ],
)
def test_other_stages_say_why_there_is_nothing_to_take_back(stage: Stage, said: str) -> None:
    (row,) = some_report(facts=some_facts(a_domain(stage=stage, core_share_bp=0))).rows

    assert plain(row.rollback[0], NOW_S).startswith(said)


def test_money_is_that_of_the_group_with_most_and_never_a_sum_of_siblings() -> None:
    groups = (
        a_group(stakes=(Stake("EUR", 10_000, over_minor=100),)),
        a_group(stakes=(Stake("EUR", 90_000, under_minor=250),)),
    )
    facts = some_facts(readings={"catalog": Reading(a_reading(groups=groups), NOW_S)})

    (row,) = some_report(facts=facts).rows

    assert row.differences[0] == (
        "2 kinds of mismatch are open; the one with most money is about 900.00 EUR of order"
        " value, in which both sides differ by 2.50 EUR."
    )


def test_data_that_no_domain_flips_with_has_its_own_place() -> None:
    view = some_report()

    assert [card.name for card in view.loose] == ["orders"]


def test_flips_are_told_with_their_freeze() -> None:
    start = FlipStart("orders", "flip", Side.LEGACY, Side.CORE, 3, "eva", "planned")
    flip = FlipRecord(4, start, NOW, NOW, "committed", 184.0, "")

    (one,) = some_report(flips=Reading((flip,), NOW_S)).flips

    assert (one.domain, one.row.ending, one.row.freeze) == (
        "orders", "Committed", "writes waited 184 ms",
    )  # fmt: skip


def test_of_one_domain_only_its_own_is_told() -> None:
    facts = some_facts(a_domain(), a_domain("price"))
    told = a_history(
        a_revision(1, 3, APPLY, "catalog: legacy -> shadow", "price: legacy -> shadow"),
        a_revision(2, 2, APPLY, "price: shadow -> canary 5 %"),
    )

    view = some_report(facts=facts, history=told, domain="catalog")

    assert [row.name for row in view.rows] == ["catalog"]
    assert [one.changes for one in view.changes] == [("catalog: legacy -> shadow",)]
    assert view.figures[0].value == "1 change in 3 days"
    assert plain(view.headline, NOW_S).startswith("catalog is in stage")
    assert view.loose == ()


def test_a_long_list_of_changes_is_cut_and_says_so() -> None:
    told = [
        a_revision(n, 1, APPLY, "catalog: stays in stage shadow")
        for n in range(1, MOST_CHANGES + 8)
    ]

    view = some_report(history=a_history(*told))

    assert (len(view.changes), view.more_changes) == (MOST_CHANGES, 7)
    assert view.changes[0].n == MOST_CHANGES + 7


def test_without_a_table_there_are_no_rows_and_no_guess() -> None:
    facts = some_facts(table=Reading(problem="was not read yet"))

    view = some_report(facts=facts)

    assert view.rows == ()
    assert view.revision == ""


def test_the_twin_has_sentences_and_raw_figures() -> None:
    twin = report_twin(some_report())

    assert twin["headline"].startswith("catalog is in stage")
    assert twin["delivery"]["total"]["failure_ppm"] == 500_000
    assert twin["delivery"]["total"]["restore"]["median_s"] == 43_200.0
    assert twin["window"]["until"] == f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    assert twin["rows"][0]["rollback"][0].startswith("Ready")
