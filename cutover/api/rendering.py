"""From what a page says to HTML: templates, fragments, and ages that are true when sent.

A fragment holds its moments as empty <time> elements. They are filled when it is sent,
so that a fragment changes only when a figure does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from cutover.api import charts, dots
from cutover.api.domainpage import DomainPage
from cutover.api.figures import age, count, exact_time, iso_time, percent_of_ppm
from cutover.api.grouplist import GroupList
from cutover.api.inside import inside
from cutover.api.mismatchpage import MismatchPage
from cutover.api.portfolio import Overview
from cutover.api.words import When, Words

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
            segment=lambda text: quote(text, safe=""),
        )  # fmt: skip
        self._templates.globals.update(
            sparkline=charts.sparkline,
            trend_chart=charts.trend_chart,
            accounting_bar=charts.accounting_bar,
            latency_chart=dots.latency_chart,
            hours_chart=charts.hours_chart,
            inside=inside,
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
        names = (*figures, "latency", "groups", "rules", "past")
        parts = {
            name: self._render(f"parts/domain_{name}.html", view=view, card=view.card)
            for name in names
        }
        return Fragments(view.card.name, "domain.html", parts)

    def live_page(self, fragments: Fragments, *, stream: str, version: str, now_s: float) -> str:
        """A whole page around its parts, which a script keeps fresh from `stream`."""
        marked = {name: Markup(html) for name, html in fragments.parts.items()}  # noqa: S704 - rendered above
        html = self._render(
            fragments.body, title=fragments.title, parts=marked, listed=fragments.listed,
            stream=stream, version=version, now_s=now_s,
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

    def notice(self, title: str, text: str, now_s: float) -> str:
        """A page that only says why there is nothing to show."""
        return self._render("notice.html", title=title, text=text, now_s=now_s)

    def _render(self, name: str, **values: Any) -> str:
        return self._templates.get_template(name).render(**values)
