"""The report's addresses: the page, the same as one file to pass on, and as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse

from cutover.api.live import Board
from cutover.api.problems import problem
from cutover.api.reportgather import make_report
from cutover.api.reporttwin import report_twin
from cutover.api.reportview import Report
from cutover.core.window import NoSuchTime
from cutover.errors import UnknownDomain

_HTML: dict[str, Any] = {"response_class": HTMLResponse, "include_in_schema": False}


class Reports:
    """Answers for the report's addresses. Belongs to one event loop."""

    def __init__(self, board: Board, clock_s: Callable[[], float]) -> None:
        self._board = board
        self._clock_s = clock_s

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses."""
        app.get("/report", **_HTML)(self.page)
        app.get("/report.html", **_HTML)(self.file)
        twin: Any = app.get("/api/report", summary="The report", response_model=None)
        twin(self.twin)

    async def page(self, request: Request) -> HTMLResponse:
        try:
            view = await self._made(request)
        except (NoSuchTime, UnknownDomain) as exc:
            return self._refused(exc)
        draw, query = self._board.renderer.report_page, request.url.query
        return HTMLResponse(await asyncio.to_thread(draw, view, query))

    async def file(self, request: Request) -> HTMLResponse:
        try:
            view = await self._made(request)
        except (NoSuchTime, UnknownDomain) as exc:
            return self._refused(exc)
        name = f'attachment; filename="report-{view.window.until:%Y-%m-%d}.html"'
        html = await asyncio.to_thread(self._board.renderer.report_file, view)
        return HTMLResponse(html, headers={"content-disposition": name})

    async def twin(self, request: Request) -> dict[str, Any] | JSONResponse:
        try:
            return report_twin(await self._made(request))
        except NoSuchTime as exc:
            return problem(400, "No such time", f"{exc}.")
        except UnknownDomain as exc:
            return problem(404, "No such domain", f"{exc}.")

    async def _made(self, request: Request) -> Report:
        asked = request.query_params
        return await make_report(
            self._board.gatherer, self._board.data, self._clock_s,
            since=asked.get("since", ""), domain=asked.get("domain", ""),
        )  # fmt: skip

    def _refused(self, exc: NoSuchTime | UnknownDomain) -> HTMLResponse:
        status, title = (
            (404, "No such domain") if isinstance(exc, UnknownDomain) else (400, "No such time")
        )
        said = f"{str(exc)[:1].upper()}{str(exc)[1:]}"
        said = said if said.endswith("?") else f"{said}."
        return HTMLResponse(self._board.renderer.notice(title, said, self._clock_s()), status)
