"""The room's HTTP face: pages, their JSON twins, the event stream, health and metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Header, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutover.api.acting import Gatehouse
from cutover.api.cutoverweb import Cutovers
from cutover.api.dataweb import DataPages
from cutover.api.desk import Desk
from cutover.api.gather import SourceAway
from cutover.api.guarding import goes_on, guard, who_asks
from cutover.api.ledgerweb import LedgerPages
from cutover.api.live import Board, Channel
from cutover.api.meters import Meters
from cutover.api.mismatchweb import Mismatches
from cutover.api.problems import problem
from cutover.api.reportweb import Reports
from cutover.api.stepweb import Steps, acts_for
from cutover.api.stream import EventStream, Seats
from cutover.api.twins import domain_twin, overview_twin
from cutover.api.writing import Doorkeeper
from cutover.core.access import Permission
from cutover.service.hands import Hands
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
_READ: Any = guard(Permission.READ)


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


def create_app(  # noqa: PLR0913 - each is a part of the room
    board: Board,
    clock_s: Callable[[], float],
    *,
    meters: Meters | None = None,
    seats: Seats | None = None,
    stopping: Callable[[], bool] = lambda: False,
    writing: tuple[GroupKeeper, Doorkeeper] | None = None,
    hands: Hands | None = None,
) -> FastAPI:
    """Build the app.

    Args:
        board: what is shown.
        clock_s: seconds since the epoch.
        meters: the room's own metrics.
        seats: bounds how many may watch live.
        writing: what moves groups, and who may; None for a room that only reads.
        hands: what acts on the table in force; None for a room that only reads.
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
        dependencies=[_READ],  # an address that changes something asks for more
    )
    app.add_middleware(Guarded)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    keeper, doorkeeper = writing or (None, Doorkeeper(b""))
    # A room that only reads has no hands, and a doorkeeper without a secret lets nobody in.
    hands = hands if writing else None
    desk = Desk(board, clock_s, hands, Gatehouse(doorkeeper, is_read_only=hands is None))
    _add_pages(app, desk)
    _add_twins(app, board)
    cutovers = Cutovers(desk)
    for more in (cutovers, Steps(desk), LedgerPages(desk)):
        more.add_to(app)
    Mismatches(board, clock_s, keeper, doorkeeper).add_to(app)
    pages = DataPages(board.data, board.renderer, board.channels, clock_s)
    pages.add_to(app)
    Reports(board, clock_s).add_to(app)

    def channel(asked: Mapping[str, str]) -> Channel:
        name = asked.get("domain")
        found = pages.channel(asked) or cutovers.channel(asked)
        return found or (board.overview() if name is None else board.domain(name))

    _add_stream(app, channel, clock_s, seats, stopping)
    _add_service(app, meters)
    return app


def _add_pages(app: FastAPI, desk: Desk) -> None:
    board, clock_s = desk.board, desk.clock_s

    def notice(status: int, title: str, text: str) -> HTMLResponse:
        return HTMLResponse(board.renderer.notice(title, text, clock_s()), status)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def overview() -> HTMLResponse:
        html = await _page(board, board.overview(), clock_s, "/events?page=overview")
        return HTMLResponse(html or "")

    @app.get("/domains/{name:path}", response_class=HTMLResponse, include_in_schema=False)
    async def domain(name: str, request: Request) -> HTMLResponse:
        stream = f"/events?domain={quote(name, safe='')}"
        try:
            acts = await acts_for(desk, name, who_asks(request))
            html = await _page(board, board.domain(name), clock_s, stream, name=name, acts=acts)
        except SourceAway as exc:
            return notice(503, "This domain cannot be shown now", str(exc))
        if html is None:
            return notice(404, "No such domain", f"The table in force has no domain {name}.")
        return HTMLResponse(html)


async def _page(
    board: Board,
    channel: Channel,
    clock_s: Callable[[], float],
    stream: str,
    **more: object,
) -> str | None:
    """A live page as a whole; None when there is no such page."""
    drawn = await channel.current()
    if drawn is None:
        return None
    return board.renderer.live_page(
        drawn.fragments, stream=stream, version=channel.version, now_s=clock_s(), **more
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
    channel: Callable[[Mapping[str, str]], Channel],
    clock_s: Callable[[], float],
    seats: Seats,
    stopping: Callable[[], bool],
) -> None:
    @app.get("/events", include_in_schema=False)
    async def events(
        request: Request,
        seen: Annotated[str, Query()] = "",
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        still_let_in = goes_on(request)
        if seats.full:
            text = f"{seats.limit} viewers are live already; the page still works by reloading."
            return PlainTextResponse(text, 503, headers={"retry-after": "15"})
        return EventStream(
            channel(request.query_params),
            last_event_id or seen,
            seats,
            clock_s=clock_s,
            stopping=lambda: stopping() or not still_let_in(),
        )


def _add_service(app: FastAPI, meters: Meters) -> None:
    async def healthz(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    app.add_route("/healthz", healthz, include_in_schema=False)  # asks nobody who they are

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(meters.exposition(), media_type=meters.content_type)

    @app.exception_handler(404)
    async def not_found(request: Request, _exc: Exception) -> Response:
        if request.url.path.startswith("/api/"):
            return problem(404, "Not found", f"There is nothing at {request.url.path}.")
        return PlainTextResponse("There is nothing here. All domains are at /\n", 404)
