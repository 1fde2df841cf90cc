"""The load tests' addresses: the list, one as a page, and the same as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse

from cutover.api.loadpage import load_page
from cutover.api.problems import problem
from cutover.api.rendering import Renderer
from cutover.core.load_run import LoadRun, comparison, run_to_json
from cutover.errors import CannotRead
from cutover.storage.loadtests import LoadFiles

_HTML: dict[str, Any] = {"response_class": HTMLResponse, "include_in_schema": False}


class LoadPages:
    """Answers for them. Belongs to one event loop."""

    def __init__(self, files: LoadFiles, renderer: Renderer, clock_s: Callable[[], float]) -> None:
        self._files, self._renderer, self._clock_s = files, renderer, clock_s

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses."""
        app.get("/loadtests", **_HTML)(self.list)
        app.get("/loadtests/{wanted}", **_HTML)(self.page)
        twin: Any = app.get("/api/loadtests/{wanted}", summary="A load test", response_model=None)
        twin(self.twin)

    async def list(self) -> HTMLResponse:
        try:
            loads = await asyncio.to_thread(self._files.all)
        except CannotRead as exc:
            return self._notice(503, "Load tests cannot be shown now", str(exc))
        return HTMLResponse(self._renderer.load_list(loads, self._clock_s()))

    async def page(self, wanted: str) -> HTMLResponse:
        try:
            run = await self._read(wanted)
        except CannotRead as exc:
            return self._notice(404, "No such load test", str(exc))
        return HTMLResponse(self._renderer.load_page(load_page(run), self._clock_s()))

    async def twin(self, wanted: str) -> dict[str, Any] | JSONResponse:
        try:
            run = await self._read(wanted)
        except CannotRead as exc:
            return problem(404, "No such load test", str(exc))
        return {**json.loads(run_to_json(run)), "comparison": comparison(run)}

    async def _read(self, wanted: str) -> LoadRun:
        return await asyncio.to_thread(self._files.read, wanted)

    def _notice(self, status: int, title: str, text: str) -> HTMLResponse:
        said = f"{text[:1].upper()}{text[1:]}."
        return HTMLResponse(self._renderer.notice(title, said, self._clock_s()), status)
