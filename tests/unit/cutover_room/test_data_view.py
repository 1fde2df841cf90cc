"""What the data half's pages say, decided from facts alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.api.datadomain import address, data_domain
from cutover.api.dataflip import flip_page
from cutover.api.datagather import SHEET, DataFacts, DomainData, Sheet
from cutover.api.datatwins import data_twin
from cutover.api.dataview import DataView, data_view
from cutover.api.dataweb import sheet_of
from cutover.api.judgement import Light
from cutover.api.readings import ProxyState, Reading, Table
from cutover.api.rendering import Renderer
from cutover.api.words import plain
from legacy_adapters.mapping.versions import Position, Side
from legacy_adapters.ports.flips import Control, FlipRecord, FlipStart, Line, Mark, Noted, Phase
from legacy_adapters.ports.stage import Checkpoint
from legacy_adapters.storage.overlook import Carried, Copying, DomainLists, Overlook
from shadow_compare.core.drift_class import DriftClass
from shadow_compare.core.reconcile_pass import PassKind, PassRecord, Tally
from shadow_compare.storage.reconcile_reading import DriftCount, DriftSheet, DriftStanding
from tests.unit.cutover_room.samples import STORES, a_domain

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_S = NOW.timestamp()
FORWARD, REVERSE = "legacy>core", "core>legacy"


def a_checkpoint(stream: str, **more: Any) -> Checkpoint:
    terms = more.pop("terms", {"orders": ("core", 5)})
    beat_at = NOW - timedelta(seconds=12)
    known = Checkpoint(stream, Position(42, "t"), terms, NOW, NOW, "", 40.0, beat_at)
    return replace(known, **more)


def a_try(**more: Any) -> FlipRecord:
    start = FlipStart("orders", "rehearsal", Side.CORE, Side.LEGACY, 5, "eva", "to be sure")
    began = NOW - timedelta(hours=2)
    return replace(
        FlipRecord(7, start, began, began + timedelta(seconds=1), "rehearsed", 180.0, ""), **more
    )


def a_pass(**more: Any) -> PassRecord:
    known = PassRecord(
        id="p", kind=PassKind.FULL, domain="orders", owner="core", from_order=1,
        started_s=NOW_S - 700, ended_s=NOW_S - 600, expected=1_000,
        tally=Tally(checked=1_000), is_clean=True,
    )  # fmt: skip
    return replace(known, **more)


def an_overlook(**more: Any) -> Overlook:
    """Orders on the core, with everything in order."""
    known = Overlook(
        is_installed=True,
        checkpoints={FORWARD: a_checkpoint(FORWARD), REVERSE: a_checkpoint(REVERSE)},
        controls={"orders": Control("orders", Phase.OWNED, Side.CORE, 5)},
        copying={"orders": Copying(900, 900, NOW - timedelta(days=1), NOW)},
        tried={("orders", "core"): a_try()},
    )
    return replace(known, **more)


def a_standing(**more: Any) -> DriftStanding:
    place = ("orders", "core")
    return replace(DriftStanding({}, {place: a_pass()}, {place: a_pass()}), **more)


def some_data(
    seen: Overlook | None = None, drift: DriftStanding | None = None, **more: Any
) -> DataFacts:
    known = DataFacts(
        now_s=NOW_S,
        table=Reading(Table("r", (replace(a_domain(), name="cart"),), STORES), NOW_S),
        proxy=Reading(ProxyState(ready=True, workers=2), NOW_S),
        core=Reading(seen or an_overlook(), NOW_S),
        drift=Reading(drift or a_standing(), NOW_S),
        routes={"orders": ("cart",)},
    )
    return replace(known, **more)


def card(facts: DataFacts) -> Any:
    (only,) = data_view(facts).cards
    return only


def test_a_way_back_that_is_open_is_told_with_its_proof_and_its_cost() -> None:
    found = card(some_data())

    said = plain(found.ready, NOW_S)
    assert said == "rollback ready: yes, proven 12 s ago, costs about 180 ms"
    assert found.light is Light.PASS
    assert found.blocked == ""
    assert found.command == "banyan flip orders --to legacy --watch 10m --arm"


@pytest.mark.parametrize(
    ("seen", "blocked"),
    [
        ({"carried": {(REVERSE, "orders"): Carried(parked=3)}}, "parked, 3 aggregates cannot"),
        ({"rogues": {("legacy", "orders"): 2}}, "rogue writes, 2 writes"),
        ({"copying": {}}, "backfill, not every row"),
        ({"altered": ((FORWARD, "order_order"),)}, "definitions, changed: order_order"),
        ({"checkpoints": {}}, "ownership, not known: no stream has read the fence of core"),
        ({"tried": {}}, "rehearsal, there was none"),
    ],
)
def test_what_stands_against_the_next_step_is_one_sentence(
    seen: dict[str, Any], blocked: str
) -> None:
    found = card(some_data(an_overlook(**seen)))

    assert found.blocked.startswith(blocked)
    assert found.light is not Light.PASS


def test_an_evidence_store_that_is_away_never_reads_as_no_difference() -> None:
    found = card(replace(some_data(), drift=Reading(problem="does not answer")))

    assert found.light is Light.FAIL
    assert found.verified == "not known"
    assert found.drift_problem == "does not answer"


def test_a_proxy_that_is_away_blocks_and_is_named() -> None:
    found = card(some_data(proxy=Reading(problem="does not answer at its side door")))

    assert "proxy, not known: the proxy does not answer" in found.blocked


def test_open_differences_carry_their_money() -> None:
    counts = (DriftCount(DriftClass.VALUE, 1_200, {"EUR": 499_900, "GBP": 5}),)
    found = card(some_data(drift=a_standing(counts={"orders": counts})))

    (row,) = found.drift
    assert (row.name, row.count, row.money) == ("VALUE", "1,200", "4,999.00 EUR, 0.05 GBP")


@given(
    checked=st.integers(1, 10**9), different=st.integers(0, 10**6), unsettled=st.integers(0, 999)
)
def test_only_a_pass_without_any_doubt_reads_as_all_equal(
    checked: int, different: int, unsettled: int
) -> None:
    tally = Tally(checked=checked, different=min(different, checked), unsettled=unsettled)
    whole = {("orders", "core"): a_pass(tally=tally)}

    said = card(some_data(drift=a_standing(whole=whole))).verified

    assert said.startswith("100 %") == (tally.different + unsettled == 0)


def test_a_pass_of_another_owner_shows_nothing() -> None:
    other = {("orders", "legacy"): a_pass(owner="legacy")}

    found = card(some_data(drift=a_standing(whole=other, clean=other)))

    assert found.verified == "never compared as a whole"
    assert plain(found.clean, NOW_S) == "no pass was clean yet"


def test_a_backfill_tells_how_long_it_still_takes() -> None:
    running = Copying(1_000, 250, NOW - timedelta(seconds=60), None)

    found = card(some_data(an_overlook(copying={"orders": running})))

    assert found.copying.words == "250 of about 1,000 rows copied, about 3 min left"


def test_a_backfill_with_more_rows_than_it_guessed_never_runs_over() -> None:
    running = Copying(100, 250, NOW - timedelta(seconds=60), None)

    found = card(some_data(an_overlook(copying={"orders": running})))

    assert found.copying.done <= found.copying.total
    assert found.copying.words.endswith("about 0 s left")


@pytest.mark.parametrize(
    ("change", "problem", "command"),
    [
        ({"problem": "the slot was dropped"}, "The slot was dropped.",
         "banyan sync resume 'legacy>core'"),
        ({"beat_at": NOW - timedelta(minutes=5)}, "Its heartbeat stopped.", "banyan sync run"),
        ({"beat_at": None}, "No heartbeat came through yet.", "banyan sync run"),
    ],
)  # fmt: skip
def test_a_stream_that_stands_says_why_and_the_way_out(
    change: dict[str, Any], problem: str, command: str
) -> None:
    at = {FORWARD: a_checkpoint(FORWARD, **change), REVERSE: a_checkpoint(REVERSE)}

    first = data_view(some_data(an_overlook(checkpoints=at))).streams[0]

    assert (first.light, first.problem, first.command) == (Light.FAIL, problem, command)


def test_a_stream_that_never_ran_asks_for_the_install() -> None:
    view = data_view(some_data(an_overlook(checkpoints={})))

    assert {stream.command for stream in view.streams} == {"banyan sync install"}


def test_without_the_sync_the_page_says_how_to_install_it() -> None:
    view = data_view(some_data(Overlook(is_installed=False)))

    html = Renderer().data(view).parts["headline"]

    assert "not installed yet" in html
    assert "banyan sync install" in html


def test_a_database_that_never_answered_is_not_taken_for_one_without_a_sync() -> None:
    view = data_view(some_data(core=Reading(problem="did not answer within 2 s")))

    html = Renderer().data(view).parts["headline"]

    assert "did not answer within 2 s" in html
    assert "banyan sync install" not in html


def test_fifty_domains_are_all_drawn_whatever_they_are_called() -> None:
    names = [f'd{n} "<script>' for n in range(50)]
    controls = {name: Control(name, Phase.OWNED, Side.CORE, 5) for name in names}

    drawn = Renderer().data(data_view(some_data(an_overlook(controls=controls))))

    assert len(drawn.listed) == 51
    assert not any("<script>" in html for html in drawn.parts.values())


def test_a_flip_under_way_is_shown_before_everything_else() -> None:
    control = Control("orders", Phase.FLIPPING, Side.CORE, 5, 9, "h", 3)

    view = data_view(some_data(an_overlook(controls={"orders": control})))

    assert view.headline.endswith("orders flips now")
    assert view.cards[0].open_flip == 9
    assert view.cards[0].command == "banyan flip orders --resume"


def noted(step: str, mark: Mark, after_ms: int, holder: str = "a", **facts: Any) -> Noted:
    return Noted(Line(step, mark, facts), holder, NOW + timedelta(milliseconds=after_ms))


def test_a_step_that_nobody_ended_is_at_it_while_its_flip_is_and_not_ended_after() -> None:
    journal = [noted("hold", Mark.INTENT, 0)]

    open_one, over = (
        flip_page(a_try(), journal, NOW_S, is_open=is_open) for is_open in (True, False)
    )

    assert open_one.steps[0].word == "At it"
    assert [step.word for step in over.steps] == ["Not ended"]


def test_what_a_rehearsal_still_does_ends_with_letting_go() -> None:
    journal = [noted("hold", Mark.INTENT, 0), noted("hold", Mark.DONE, 31)]

    steps = flip_page(a_try(), journal, NOW_S, is_open=True).steps

    assert steps[0].took == "31 ms"
    assert [step.name for step in steps[1:]] == [
        "fence", "catch up", "verify", "abort", "reopen", "let go",
    ]  # fmt: skip


def test_a_step_that_a_second_coordinator_did_again_stands_twice() -> None:
    journal = [
        noted("grant", Mark.INTENT, 0),
        noted("grant", Mark.INTENT, 9_000, "b"),
        noted("grant", Mark.DONE, 9_005, "b"),
    ]

    steps = flip_page(a_try(), journal, NOW_S, is_open=False).steps

    assert [(step.word, step.holder) for step in steps] == [("Not ended", "a"), ("Done", "b")]


def test_facts_of_a_step_are_read_with_their_units() -> None:
    journal = [noted("fence", Mark.INTENT, 0), noted("fence", Mark.DONE, 4, waited_s=0.25, term=4)]

    (step,) = flip_page(a_try(), journal, NOW_S, is_open=False).steps

    assert step.facts == (("waited", "250 ms"), ("term", "4"))


def a_page(sheet: Sheet, total: int) -> Any:
    found = DomainData(sheet, Reading(DomainLists()), Reading(DriftSheet(total)))
    return data_domain("orders", some_data(), found).drift


@given(total=st.integers(0, 10**6), page=st.integers(1, 10**5))
def test_neighbours_of_a_page_of_differences_exist(total: int, page: int) -> None:
    drift = a_page(Sheet(page=page), total)

    last = max(1, -(-total // SHEET))
    numbers = [sheet_of(_query(target)).page for _, target in drift.pages]
    assert all(1 <= number <= last for number in numbers)
    assert page not in numbers


def _query(target: str) -> dict[str, str]:
    query = target.partition("?")[2].partition("#")[0]
    return dict(part.split("=") for part in query.split("&") if part)


@given(page=st.integers(1, 10**5), drift=st.sampled_from([None, *DriftClass]))
def test_an_address_of_differences_is_read_back(page: int, drift: DriftClass | None) -> None:
    sheet = Sheet(drift, page)

    assert sheet_of(_query(address("orders", sheet))) == sheet


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 40, "٣"])
def test_a_page_that_makes_no_sense_is_the_first(page: str) -> None:
    assert sheet_of({"page": page, "class": "NONE"}) == Sheet()


def test_the_twin_tells_moments_as_times_and_sentences_as_text() -> None:
    view: DataView = data_view(some_data())

    told = data_twin(view)

    assert told["at"] == "2026-03-01T12:00:00Z"
    assert told["streams"][0]["beat"] == "2026-03-01T11:59:48Z"
    assert told["cards"][0]["ready"].startswith("rollback ready: yes, proven 12 s ago")
