"""The data half's addresses: all domains, one of them, and a flip; pages and their twins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse

from cutover.api.datadomain import DataDomain, data_domain
from cutover.api.dataflip import FlipPage, flip_page
from cutover.api.datagather import DataGatherer, Sheet
from cutover.api.datatwins import data_twin
from cutover.api.dataview import DataView, data_view
from cutover.api.figures import iso_time
from cutover.api.gather import SourceAway
from cutover.api.live import Channel, Channels, Drawn
from cutover.api.problems import problem
from cutover.api.rendering import Renderer
from legacy_adapters.ports.flips import Phase
from shadow_compare.core.drift_class import DriftClass

_HTML: dict[str, Any] = {"response_class": HTMLResponse, "include_in_schema": False}
_MOST_PAGES = 1_000_000


class DataPages:
    """Answers for the data half's addresses. Belongs to one event loop.

    Args:
        gatherer: None where this room knows no core's database.
        renderer: shared with the other pages.
        channels: likewise.
        clock_s: seconds since the epoch.
    """

    def __init__(
        self,
        gatherer: DataGatherer | None,
        renderer: Renderer,
        channels: Channels,
        clock_s: Callable[[], float],
    ) -> None:
        self._gatherer = gatherer
        self._renderer = renderer
        self._channels = channels
        self._clock_s = clock_s

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses; more special ones stand first."""
        app.get("/data", **_HTML)(self.all_page)
        app.get("/data/{name}/flips/{number}", **_HTML)(self.flip_page)
        app.get("/data/{name:path}", **_HTML)(self.domain_page)
        app.get("/data.json", include_in_schema=False, response_model=None)(self.all_twin)
        every: Any = app.get("/api/data", summary="The data half in brief", response_model=None)
        every(self.all_twin)
        flip: Any = app.get(
            "/api/data/{name}/flips/{number}", summary="A flip with its journal",
            response_model=None,
        )  # fmt: skip
        flip(self.flip_twin)
        one: Any = app.get(
            "/api/data/{name:path}", summary="One domain of data", response_model=None
        )
        one(self.domain_twin)

    def channel(self, asked: Mapping[str, str]) -> Channel | None:
        """The live page that a stream's address asks for; None for another kind of page."""
        if "data" not in asked or self._gatherer is None:
            return None
        name, number = asked["data"], asked.get("flip", "")
        if number.isascii() and number.isdecimal() and len(number) < 18:
            return self._flip_channel(name, int(number))
        return self._domain_channel(name, sheet_of(asked)) if name else self._all_channel()

    async def all_page(self) -> HTMLResponse:
        if self._gatherer is None:
            view = DataView(self._clock_s(), "The sync is not installed yet", False, "", None,
                            (), ())  # fmt: skip
            return HTMLResponse(self._whole(self._drawn(view), self._all_channel(), ""))
        return await self._page(self._all_channel(), {"data": ""}, "")

    async def domain_page(self, name: str, request: Request) -> HTMLResponse:
        sheet = sheet_of(request.query_params)
        asked = {"data": name, "class": sheet.drift or "", "page": str(sheet.page)}
        missing = f"No data flips as {name}."
        return await self._page(self._domain_channel(name, sheet), asked, missing)

    async def flip_page(self, name: str, number: int) -> HTMLResponse:
        asked = {"data": name, "flip": str(number)}
        missing = f"{name} has no flip {number}."
        return await self._page(self._flip_channel(name, number), asked, missing)

    async def all_twin(self) -> dict[str, Any] | JSONResponse:
        if self._gatherer is None:
            return {"at": iso_time(self._clock_s()), "is_installed": False}
        return data_twin(data_view(await self._gatherer.facts()))

    async def domain_twin(self, name: str, request: Request) -> dict[str, Any] | JSONResponse:
        try:
            view = await self._domain_view(name, sheet_of(request.query_params))
        except SourceAway as exc:
            return problem(503, "Source away", str(exc))
        if view is None:
            return problem(404, "No such domain", f"No data flips as {name}.")
        return data_twin(view)

    async def flip_twin(self, name: str, number: int) -> dict[str, Any] | JSONResponse:
        try:
            view = await self._flip_view(name, number)
        except SourceAway as exc:
            return problem(503, "Source away", str(exc))
        if view is None:
            return problem(404, "No such flip", f"{name} has no flip {number}.")
        return data_twin(view)

    async def _page(self, channel: Channel, asked: Mapping[str, str], missing: str) -> HTMLResponse:
        try:
            drawn = await channel.current()
        except SourceAway as exc:
            return self._notice(503, "This page cannot be shown now", str(exc))
        if drawn is None:
            return self._notice(404, "There is no such thing", missing)
        query = urlencode({key: value for key, value in asked.items() if value or key == "data"})
        return HTMLResponse(self._whole(drawn, channel, f"/events?{query}"))

    def _whole(self, drawn: Drawn, channel: Channel, stream: str) -> str:
        return self._renderer.live_page(
            drawn.fragments, stream=stream, version=channel.version, now_s=self._clock_s()
        )

    def _notice(self, status: int, title: str, text: str) -> HTMLResponse:
        return HTMLResponse(self._renderer.notice(title, text, self._clock_s()), status)

    def _drawn(self, view: DataView | DataDomain | FlipPage) -> Drawn:
        return Drawn(self._renderer.data(view), view.now_s)

    def _all_channel(self) -> Channel:
        async def draw() -> Drawn | None:
            return self._drawn(data_view(await self._asked().facts()))

        return self._channels.get("data", draw)

    def _domain_channel(self, name: str, sheet: Sheet) -> Channel:
        async def draw() -> Drawn | None:
            view = await self._domain_view(name, sheet)
            return None if view is None else self._drawn(view)

        key = f"data/{quote(name, safe='')}?{sheet.drift or ''}&{sheet.page}"
        return self._channels.get(key, draw)

    def _flip_channel(self, name: str, number: int) -> Channel:
        async def draw() -> Drawn | None:
            view = await self._flip_view(name, number)
            return None if view is None else self._drawn(view)

        return self._channels.get(f"data/{quote(name, safe='')}/{number}", draw)

    async def _domain_view(self, name: str, sheet: Sheet) -> DataDomain | None:
        found = await self._asked().domain(name, sheet)
        return None if found is None else data_domain(name, found[0], found[1])

    async def _flip_view(self, name: str, number: int) -> FlipPage | None:
        gatherer = self._asked()
        found = await gatherer.flip(name, number)
        if found is None:
            return None
        seen = (await gatherer.facts()).core.value
        control = seen.controls.get(name) if seen is not None else None
        is_open = (
            control is not None and control.flip == number and control.phase is not Phase.OWNED
        )
        return flip_page(*found, self._clock_s(), is_open=is_open)

    def _asked(self) -> DataGatherer:
        if self._gatherer is None:
            raise SourceAway("This room was told of no core's database.")
        return self._gatherer


def sheet_of(asked: Mapping[str, str]) -> Sheet:
    """Which differences an address asks for; what makes no sense there is left out."""
    drift, page = asked.get("class", ""), asked.get("page", "")
    is_page = page.isascii() and page.isdecimal() and 0 < len(page) < len(str(_MOST_PAGES))
    return Sheet(
        DriftClass(drift) if drift in set(DriftClass) else None,
        max(1, int(page)) if is_page else 1,
    )
