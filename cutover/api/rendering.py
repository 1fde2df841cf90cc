"""From what a page says to HTML: templates, fragments, and ages that are true when sent.

A fragment holds its moments as empty <time> elements. They are filled when it is sent,
so that a fragment changes only when a figure does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from cutover.api import charts, dots
from cutover.api.acting import ActForm
from cutover.api.cutoverview import CutoverPage
from cutover.api.datadomain import DataDomain
from cutover.api.dataflip import FlipPage
from cutover.api.dataview import DataView
from cutover.api.deeds import Deed
from cutover.api.domainpage import DomainPage
from cutover.api.figures import (
    age,
    count,
    exact_time,
    iso_time,
    lasting,
    minute_time,
    percent_of_ppm,
)
from cutover.api.grouplist import GroupList
from cutover.api.inside import inside
from cutover.api.ledgerview import EntryPage, LedgerPage, took_words
from cutover.api.loadpage import LoadPage
from cutover.api.mismatchpage import MismatchPage
from cutover.api.peopleview import PeopleView, Secret
from cutover.api.planview import Preview
from cutover.api.portfolio import Overview
from cutover.api.reportview import Report
from cutover.api.signinview import SignIn
from cutover.api.visiting import visitor
from cutover.api.words import When, Words
from cutover.core.load_gate import Loads

_STATIC = Path(__file__).parent / "static"
_REPORT_STYLES = ("room.css", "report.css")
_EMPTY_TIME = re.compile(r'(<time data-t="([0-9.]+)"[^>]*>)(</time>)')


@dataclass(frozen=True, slots=True)
class Fragments:
    """A live page in parts: element id to HTML, in the order of the page.

    Attributes:
        title: of the browser's tab.
        body: the template that holds the parts together.
        listed: ids of the parts inside the list, whose members come, go and move.
    """

    title: str
    body: str
    parts: Mapping[str, str]
    listed: tuple[str, ...] = ()


def fill_ages(html: str, now_s: float) -> str:
    """Write each moment's age as of now."""
    return _EMPTY_TIME.sub(lambda m: f"{m[1]}{age(now_s - float(m[2]))}{m[3]}", html)


def when(at_s: float) -> Markup:
    """A moment, to be filled with its age when sent."""
    return Markup(  # noqa: S704 - numbers only
        f'<time data-t="{at_s:.3f}" datetime="{iso_time(at_s)}" title="{exact_time(at_s)}"></time>'
    )


def said(words: Words) -> Markup:
    """A sentence with its moments."""
    return Markup().join(
        when(part.at_s) if isinstance(part, When) else escape(part) for part in words
    )


class Renderer:
    """Renders pages. Holds compiled templates and, per domain, the last card drawn."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("cutover.api"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters.update(
            when=when, said=said, count=count, percent=percent_of_ppm, exact=exact_time,
            minute=minute_time, lasting=lasting,
            segment=lambda text: quote(text, safe=""),
        )  # fmt: skip
        self._templates.globals.update(
            sparkline=charts.sparkline,
            trend_chart=charts.trend_chart,
            accounting_bar=charts.accounting_bar,
            latency_chart=dots.latency_chart,
            hours_chart=charts.hours_chart,
            inside=inside,
            visitor=visitor,
        )
        self._drawn: dict[str, tuple[object, str]] = {}

    def overview(self, view: Overview) -> Fragments:
        """The first page in parts; a card that says what it said before is not redrawn."""
        open_all = len(view.cards) <= 6
        parts = {
            "headline": self._render("parts/headline.html", view=view),
            "health": self._render("parts/health.html", view=view),
            "attention": self._render("parts/attention.html", view=view),
        }
        drawn: dict[str, tuple[object, str]] = {}
        for card in view.cards:
            before = self._drawn.get(card.anchor)
            key = (open_all, card)
            html = (
                before[1]
                if before is not None and before[0] == key
                else self._render("parts/card.html", card=card, open_all=open_all)
            )
            drawn[card.anchor] = (key, html)
        self._drawn = drawn
        parts |= {anchor: html for anchor, (_, html) in drawn.items()}
        parts["history"] = self._render("parts/history.html", view=view)
        return Fragments("Control room", "overview.html", parts, tuple(drawn))

    def domain(self, view: DomainPage) -> Fragments:
        """A domain's page in parts."""
        figures = ("summary", "trend", "strata", "routes", "accounting")
        names = (
            *figures, "approvals", "governance", "health", "latency", "groups", "rules", "past",
        )  # fmt: skip
        parts = {
            name: self._render(f"parts/domain_{name}.html", view=view, card=view.card)
            for name in names
        }
        return Fragments(view.card.name, "domain.html", parts)

    def data(self, view: DataView | DataDomain | FlipPage) -> Fragments:
        """A page of the data half in parts."""
        if isinstance(view, FlipPage):
            parts = self._parts(("flip_summary", "flip_steps", "flip_seen"), view)
            return Fragments(f"{view.domain}, flip {view.row.id}", "data_flip.html", parts)
        if isinstance(view, DataDomain):
            names = ("domain", "gates", "flips", "parked", "rogues", "drift")
            return Fragments(
                f"{view.card.name}, data", "data_domain.html", self._parts(names, view)
            )
        parts = self._parts(("headline", "streams"), view)
        cards = {
            card.anchor: self._render("parts/data_card.html", card=card) for card in view.cards
        }
        return Fragments("Data", "data.html", parts | cards, tuple(cards))

    def _parts(self, names: Sequence[str], view: object) -> dict[str, str]:
        return {name: self._render(f"parts/data_{name}.html", view=view) for name in names}

    def cutover(self, view: CutoverPage) -> Fragments:
        """A domain's cutover in parts."""
        parts = {
            name: self._render(f"parts/cutover_{name}.html", view=view)
            for name in ("summary", "way", "met", "flip", "back")
        }
        return Fragments(f"{view.card.name}, cutover", "cutover.html", parts)

    def live_page(
        self, fragments: Fragments, *, stream: str, version: str, now_s: float, **more: object
    ) -> str:
        """A whole page around its parts, which a script keeps fresh from `stream`.

        `more` is what the page says besides, to this reader alone.
        """
        marked = {name: Markup(html) for name, html in fragments.parts.items()}  # noqa: S704 - rendered above
        html = self._render(
            fragments.body, title=fragments.title, parts=marked, listed=fragments.listed,
            stream=stream, version=version, now_s=now_s, **more,
        )  # fmt: skip
        return fill_ages(html, now_s)

    def mismatch(self, view: MismatchPage) -> str:
        """A mismatch group's page."""
        html = self._render("mismatch.html", title=view.group.title, view=view, now_s=view.now_s)
        return fill_ages(html, view.now_s)

    def groups(self, view: GroupList) -> str:
        """The list of mismatch groups."""
        html = self._render("mismatches.html", title="Mismatches", view=view, now_s=view.now_s)
        return fill_ages(html, view.now_s)

    def report_page(self, view: Report, query: str) -> str:
        """The report as a page of the room. `query` is that of its address."""
        html = self._render(
            "report.html", title=view.title, view=view, now_s=view.now_s, query=query, linked=True
        )
        return fill_ages(html, view.now_s)

    def report_file(self, view: Report) -> str:
        """The report as one file that needs nothing else, light where it is printed."""
        styles = "".join((_STATIC / name).read_text("utf-8") for name in _REPORT_STYLES)
        html = self._render(
            "report_file.html", view=view, linked=False, running=_running(view),
            styles=Markup(styles),  # noqa: S704 - our own style sheets
        )  # fmt: skip
        return fill_ages(html, view.now_s)

    def load_page(self, view: LoadPage, now_s: float) -> str:
        """A load test as a page of the room."""
        return self._render("load.html", title=view.title, view=view, now_s=now_s)

    def load_file(self, view: LoadPage) -> str:
        """A load test as one file that needs nothing else."""
        styles = "".join((_STATIC / name).read_text("utf-8") for name in _REPORT_STYLES)
        return self._render("load_file.html", view=view, styles=Markup(styles))  # noqa: S704 - ours

    def load_list(self, loads: Loads, now_s: float) -> str:
        """All load tests that are kept."""
        return self._render(
            "load_list.html", title="Load tests", runs=loads.runs, problems=loads.problems,
            now_s=now_s,
        )  # fmt: skip

    def ledger(self, view: LedgerPage) -> str:
        """A page of the ledger's entries."""
        html = self._render("ledger.html", title="Ledger", view=view, now_s=view.now_s)
        return fill_ages(html, view.now_s)

    def people(self, view: PeopleView) -> str:
        """Who may use the room, for admins."""
        html = self._render("people.html", title="People", view=view, now_s=view.now_s)
        return fill_ages(html, view.now_s)

    def secret(self, secret: Secret, now_s: float) -> str:
        """What is shown this once."""
        return self._render("people_once.html", title=secret.title, secret=secret, now_s=now_s)

    def sign_in(self, view: SignIn, now_s: float) -> str:
        """The page that asks who somebody is."""
        return self._render("signin.html", title="Sign in", view=view, now_s=now_s)

    def entry(self, view: EntryPage, *, may_undo: bool) -> str:
        """One entry of the ledger; `may_undo` whether the reader may take it back."""
        html = self._render(
            "entry.html", title=view.title, view=view, now_s=view.now_s, may_undo=may_undo
        )
        return fill_ages(html, view.now_s)

    def done(self, view: EntryPage) -> str:
        """What an act did, as its entry and this room know it."""
        html = self._render("done.html", title=f"{view.title}, done", view=view, now_s=view.now_s)
        return fill_ages(html, view.now_s)

    def unwritten(self, deed: Deed, met: str, now_s: float) -> str:
        """What an act did that the ledger has no entry of."""
        return self._render(
            "unwritten.html", title="Done", deed=deed, met=met, took=took_words(deed.took_s),
            now_s=now_s,
        )  # fmt: skip

    def preview(self, page: Preview, form: ActForm | None) -> str:
        """A plan to be looked at; `form` confirms it, None where nobody may."""
        html = self._render(
            "preview.html", title=page.title, page=page, form=form,
            now_s=page.now_s,
        )  # fmt: skip
        return fill_ages(html, page.now_s)

    def notice(
        self, title: str, text: str, now_s: float, way: tuple[str, str] | None = None
    ) -> str:
        """A page that only says why there is nothing to show; `way` is one out: address, words."""
        return self._render("notice.html", title=title, text=text, now_s=now_s, way=way)

    def _render(self, template: str, /, **values: Any) -> str:
        return self._templates.get_template(template).render(**values)


def _running(view: Report) -> Markup:
    """What stands at the foot of each printed page: digits and letters of our own only."""
    parts = [f"Banyan report, {minute_time(view.now_s)} UTC"]
    if view.revision.isalnum():
        parts.append(f"table {view.revision[:12]}")
    if view.head is not None:
        parts.append(f"ledger {view.head[0]}, {view.head[1][:16]}")
    return Markup(" · ".join(parts))  # noqa: S704 - a time, and hex digits
