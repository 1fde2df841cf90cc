"""The room's HTTP face: pages, their JSON twins, the event stream, health and metrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Header, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutover.api.gather import SourceAway
from cutover.api.live import Board, Channel
from cutover.api.meters import Meters
from cutover.api.mismatchweb import Mismatches
from cutover.api.problems import problem
from cutover.api.stream import EventStream, Seats
from cutover.api.twins import domain_twin, overview_twin
from cutover.api.writing import Doorkeeper
from shadow_compare.ports import GroupKeeper

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # With "no-referrer" a browser hides the origin of the room's own forms from the room too.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_STATIC = Path(__file__).parent / "static"


class Guarded:
    """Adds the security headers to every answer, the failed ones included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(k.encode(), v.encode()) for k, v in SECURITY_HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(name.lower() == b"cache-control" for name, _ in headers):
                    keep = b"no-cache" if scope["path"].startswith("/static/") else b"no-store"
                    headers.append((b"cache-control", keep))
                message["headers"] = headers + self._headers
            await send(message)

        await self._app(scope, receive, guarded if scope["type"] == "http" else send)


def create_app(
    board: Board,
    clock_s: Callable[[], float],
    *,
    meters: Meters | None = None,
    seats: Seats | None = None,
    stopping: Callable[[], bool] = lambda: False,
    writing: tuple[GroupKeeper, Doorkeeper] | None = None,
) -> FastAPI:
    """Build the app. All that a page can change is where a mismatch group stands.

    Args:
        board: what is shown.
        clock_s: seconds since the epoch.
        meters: the room's own metrics.
        seats: bounds how many may watch live.
        writing: what moves groups, and who may; None for a room that only reads.
        stopping: True once the server is on its way down; ends the event streams.
    """
    seats = seats or Seats()
    meters = meters or Meters(seats)
    app = FastAPI(
        title="Banyan control room",
        description="What the pages say, as JSON.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.add_middleware(Guarded)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    _add_pages(app, board, clock_s)
    _add_twins(app, board)
    keeper, doorkeeper = writing or (None, Doorkeeper(b""))
    Mismatches(board, clock_s, keeper, doorkeeper).add_to(app)
    _add_stream(app, board, clock_s, seats, stopping)
    _add_service(app, meters)
    return app


def _add_pages(app: FastAPI, board: Board, clock_s: Callable[[], float]) -> None:
    def notice(status: int, title: str, text: str) -> HTMLResponse:
        return HTMLResponse(board.renderer.notice(title, text, clock_s()), status)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def overview() -> HTMLResponse:
        html = await _page(board, board.overview(), clock_s, "/events?page=overview")
        return HTMLResponse(html or "")

    @app.get("/domains/{name:path}", response_class=HTMLResponse, include_in_schema=False)
    async def domain(name: str) -> HTMLResponse:
        try:
            html = await _page(
                board, board.domain(name), clock_s, f"/events?domain={quote(name, safe='')}"
            )
        except SourceAway as exc:
            return notice(503, "This domain cannot be shown now", str(exc))
        if html is None:
            return notice(404, "No such domain", f"The table in force has no domain {name}.")
        return HTMLResponse(html)


async def _page(
    board: Board, channel: Channel, clock_s: Callable[[], float], stream: str
) -> str | None:
    """A live page as a whole; None when there is no such page."""
    drawn = await channel.current()
    if drawn is None:
        return None
    return board.renderer.live_page(
        drawn.fragments, stream=stream, version=channel.version, now_s=clock_s()
    )


def _add_twins(app: FastAPI, board: Board) -> None:
    @app.get("/api/overview", summary="All domains in brief")
    async def overview() -> dict[str, Any]:
        return overview_twin(await board.overview_view())

    @app.get("/api/domains/{name:path}", summary="One domain", response_model=None)
    async def domain(name: str) -> dict[str, Any] | JSONResponse:
        try:
            view = await board.domain_view(name)
        except SourceAway as exc:
            return problem(503, "Source away", str(exc))
        if view is None:
            return problem(404, "No such domain", f"The table in force has no domain {name}.")
        return domain_twin(view)


def _add_stream(
    app: FastAPI,
    board: Board,
    clock_s: Callable[[], float],
    seats: Seats,
    stopping: Callable[[], bool],
) -> None:
    @app.get("/events", include_in_schema=False)
    async def events(
        domain: Annotated[str | None, Query()] = None,
        seen: Annotated[str, Query()] = "",
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        if seats.full:
            text = f"{seats.limit} viewers are live already; the page still works by reloading."
            return PlainTextResponse(text, 503, headers={"retry-after": "15"})
        channel = board.overview() if domain is None else board.domain(domain)
        return EventStream(
            channel, last_event_id or seen, seats, clock_s=clock_s, stopping=stopping
        )


def _add_service(app: FastAPI, meters: Meters) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(meters.exposition(), media_type=meters.content_type)

    @app.exception_handler(404)
    async def not_found(request: Request, _exc: Exception) -> Response:
        if request.url.path.startswith("/api/"):
            return problem(404, "Not found", f"There is nothing at {request.url.path}.")
        return PlainTextResponse("There is nothing here. All domains are at /\n", 404)
