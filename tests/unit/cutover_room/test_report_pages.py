"""The report as HTML: in the room, and as one file that needs nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from time import process_time

import pytest
from typing_extensions import override

from cutover.api.files import history_asker
from cutover.api.readings import History, Reading, Table
from cutover.api.rendering import Renderer
from cutover.api.reportview import ReportFacts, report
from cutover.api.web import SECURITY_HEADERS
from cutover.core.revision import Entry, RevisionKind
from cutover.storage.ledger import RevisionFiles
from tests.support.asgi import get
from tests.support.room import Sources
from tests.unit.cutover_room.samples import (
    NOW_S,
    REVISIONS,
    STORES,
    a_domain,
    a_group,
    a_reading,
    a_store_of_evidence,
    some_facts,
)
from tests.unit.cutover_room.test_data_view import some_data
from tests.unit.cutover_room.test_report_view import (
    APPLY,
    MOVED,
    NOW,
    WEEK,
    a_history,
    a_revision,
    some_report,
)

EVIL = '"><script>alert(1)</script>'
LONG = "x" * 3_000
VOID = {"meta", "link", "br", "use", "circle", "path", "line", "rect", "polyline", "polygon"}


class Reader(HTMLParser):
    """Checks that every element is closed, and notes what it could load."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.seen: set[str] = set()
        self.loads: list[str] = []
        self.ids: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        told = dict(attrs)
        self.loads += [
            told[name] or "" for name in ("src", "href", "action", "srcset") if told.get(name)
        ]
        self.ids += [told["id"] or ""] if "id" in told else []
        if tag not in VOID:
            self.opened.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.opened.pop() == tag


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.opened == []
    return reader


@pytest.fixture
def sources() -> Sources:
    return Sources(
        table=Table("a1b2c3d4e5f6", (a_domain(),), STORES),
        evidence=a_store_of_evidence(),
        revisions=REVISIONS,
        history=MOVED.value or History(),
        now_s=NOW_S,
    )


def test_the_file_asks_for_nothing_and_runs_nothing() -> None:
    html = Renderer().report_file(some_report())
    reader = read(html)

    assert all(address.startswith("#") for address in reader.loads)
    assert not reader.seen & {"script", "link", "img", "iframe", "form", "object"}
    assert not re.search(r"url\(|@import|\son\w+=|\sstyle=", html)
    assert len(reader.ids) == len(set(reader.ids))


def test_each_printed_page_carries_number_time_table_and_ledger() -> None:
    html = Renderer().report_file(some_report())

    assert "counter(page)" in html
    assert (
        (
            f'content: "Banyan report, {NOW:%Y-%m-%d %H:%M} UTC · table a1b2c3d4e5f6'
            f" · ledger 5, {5:064x}"[:-48]
        )
        in html
    )


def test_whatever_people_wrote_is_shown_as_text() -> None:
    facts = some_facts(
        a_domain(EVIL, owner=EVIL),
        readings={EVIL: Reading(a_reading(groups=(a_group(title=EVIL),)), NOW_S)},
    )
    table = facts.table.value
    assert table is not None
    facts = replace(facts, table=Reading(replace(table, revision=EVIL), NOW_S))
    told = a_history(
        a_revision(1, 2, APPLY, EVIL, reason=f"{EVIL} {LONG}", actor=EVIL),
        a_revision(2, 1, RevisionKind.ROLLBACK, "cart: core -> shadow", reason=EVIL, actor=LONG),
    )
    view = report(ReportFacts(facts, told, some_data(), Reading(problem=EVIL), WEEK, ""))

    html = Renderer().report_file(view)

    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert LONG in html
    assert read(html).seen.isdisjoint({"script"})


async def test_the_room_serves_it_with_a_link_from_every_page(sources: Sources) -> None:
    app = sources.app()

    first, page = await get(app, "/"), await get(app, "/report")

    assert 'href="/report"' in first.text
    assert page.status == 200
    assert "50 %" in page.text
    assert {**SECURITY_HEADERS, **page.headers} == {**page.headers}
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|<style", page.text)


async def test_the_page_hands_out_the_same_as_one_file(sources: Sources) -> None:
    app = sources.app()
    page = await get(app, "/report?since=30d")
    assert 'href="/report.html?since=30d"' in page.text

    file = await get(app, "/report.html?since=30d")

    assert file.headers["content-disposition"].startswith('attachment; filename="report-')
    assert read(file.text).loads


async def test_since_and_domain_narrow_it(sources: Sources) -> None:
    app = sources.app()

    whole = (await get(app, "/api/report?domain=catalog")).json()
    month = (await get(app, "/api/report?since=28d")).json()

    assert whole["delivery"]["total"]["steps"] == 3
    assert whole["window"]["since"] == f"{NOW - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"
    assert month["delivery"]["total"]["applies"] == 3


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("since=tomorrow", 400, "write it like 7d"),
        ("since=%3Cscript%3E", 400, "write it like 7d"),
        ("domain=catalgo", 404, "did you mean catalog?"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_the_way_out(
    sources: Sources, query: str, status: int, said: str
) -> None:
    app = sources.app()

    for path in ("/report", "/report.html", "/api/report"):
        answer = await get(app, f"{path}?{query}")

        assert answer.status == status
        assert said in answer.text
        assert path == "/api/report" or "<script>" not in answer.text


async def test_with_every_source_away_it_is_still_a_report(sources: Sources) -> None:
    sources.down = {"table", "proxy", "stores", "revisions", "history"}
    sources.evidence.away = "database is locked"

    page = await get(sources.app(), "/report")

    assert page.status == 200
    assert "The ledger cannot be read (permission denied)" in page.text
    assert "The routing table does not load" in page.text


def an_entry(reason: str, *changes: str) -> Entry:
    return Entry(NOW, "eva", RevisionKind.APPLY, reason, changes, (), "domains: {}")


async def test_the_whole_ledger_is_read_and_its_chain_checked(tmp_path: Path) -> None:
    files = RevisionFiles(tmp_path)
    for n in range(1, 4):
        files.append(an_entry(f"step {n}", "cart: legacy -> shadow"))
    ask = history_asker(tmp_path)

    history = await ask()

    assert [one.reason for one in history.told] == ["step 1", "step 2", "step 3"]
    assert history.problems == ()
    assert history.head == (3, history.told[-1].hash)


async def test_a_revision_that_is_changed_after_it_was_read_is_noticed(tmp_path: Path) -> None:
    files = RevisionFiles(tmp_path)
    files.append(an_entry("as it was", "cart: legacy -> shadow"))
    files.append(an_entry("after it", "cart: shadow -> legacy"))
    ask = history_asker(tmp_path)
    await ask()

    path = tmp_path / "000001.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"reason": "something else"}))
    history = await ask()

    assert [one.n for one in history.told] == [2]
    assert history.problems[0] == (
        "revision 000001 is damaged: its content does not belong to its hash"
    )


async def test_an_empty_ledger_has_no_head(tmp_path: Path) -> None:
    assert await history_asker(tmp_path / "revisions")() == History()


def test_two_hundred_domains_and_a_year_of_history_are_drawn_in_well_under_a_second() -> None:
    domains = [a_domain(f"d{n}") for n in range(200)]
    steps = ("shadow -> canary 5 %", "canary 5 % -> canary 25 %")
    told = a_history(
        *(
            a_revision(n, 365 - n * 364 / 3_000, APPLY, f"d{n % 200}: {steps[n % 2]}")
            for n in range(1, 3_001)
        )
    )
    facts = some_facts(*domains)
    window = replace(WEEK, since=NOW - timedelta(days=365))
    renderer = Renderer()
    began = process_time()

    html = renderer.report_file(
        report(ReportFacts(facts, told, some_data(), Reading(()), window, ""))
    )

    assert process_time() - began < 3  # 0.35 s on the machine that it was written on
    assert html.count('class="entry"') == 201
