"""The ledger's addresses: entries, one of them, what an act did, and taking one back."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from cutover.api.acting import Tried, actor_and_reason, form_of
from cutover.api.desk import Desk, sentence, status_of
from cutover.api.gather import SourceAway
from cutover.api.guarding import needs, who_asks
from cutover.api.ledgerview import EntryPage, entry_page, ledger_page
from cutover.api.planview import Preview, plan_view
from cutover.api.stepweb import STALE
from cutover.api.writing import BadForm
from cutover.core.access import Permission, Who
from cutover.errors import CannotUndo, CutoverError
from proxy.errors import RoutingFileError

_HTML: dict[str, Any] = {"response_class": HTMLResponse, "include_in_schema": False}
_LARGEST = 999_999_999


class LedgerPages:
    """Answers for the ledger's addresses. Belongs to one event loop."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._board = desk.board

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses."""
        reading = [Depends(needs(Permission.READ))]
        app.get("/ledger", **_HTML, dependencies=reading)(self.list_page)
        app.get("/ledger/{number:int}", **_HTML, dependencies=reading)(self.page)
        app.get("/ledger/{number:int}/done", **_HTML, dependencies=reading)(self.done)
        app.get("/ledger/{number:int}/undo", **_HTML)(self.preview)
        app.post("/ledger/{number:int}/undo", **_HTML)(self.undo)

    async def list_page(self, request: Request) -> HTMLResponse:
        history = await self._board.gatherer.chronicle()
        table, _ = await self._board.gatherer.routing()
        names = [domain.name for domain in table.value.domains] if table.value else []
        view = ledger_page(history, names, request.query_params, self._desk.clock_s())
        return HTMLResponse(self._board.renderer.ledger(view))

    async def page(self, number: int, request: Request) -> HTMLResponse:
        may_undo = self._desk.hands is not None and who_asks(request).may(Permission.STEP)
        found = await self._found(number)
        if isinstance(found, HTMLResponse):
            return found
        return HTMLResponse(self._board.renderer.entry(found, may_undo=may_undo))

    async def done(self, number: int) -> HTMLResponse:
        """What an act did, to be sent to others."""
        found = await self._found(number)
        if isinstance(found, HTMLResponse):
            return found
        return HTMLResponse(self._board.renderer.done(found))

    async def preview(
        self,
        number: int,
        who: Annotated[Who, Depends(needs(Permission.STEP))],
        later: bool = False,
    ) -> HTMLResponse:
        """The plan of an undo, to be looked at."""
        return await self._looked_at(number, who, Tried(), and_later=later)

    async def undo(
        self, number: int, request: Request, who: Annotated[Who, Depends(needs(Permission.STEP))]
    ) -> Response:
        """Take back what was looked at, or nothing."""
        began = perf_counter()
        desk, fields = self._desk, dict[str, str]()
        try:
            fields = await form_of(request)
            refusal = desk.gatehouse.refusal(request, f"undo/{number}", fields, desk.clock_s())
            if refusal is not None or desk.hands is None:
                return desk.notice(403, "Nothing was changed", refusal or "The room only reads.")
            actor, reason = actor_and_reason(who, fields)
            later = _later(fields)
            prepared = await desk.hands.undo(number, actor=actor, and_later=later)
            if plan_view(prepared).is_what(fields.get("mark", "")):
                revision = await desk.hands.apply(prepared, actor=actor, reason=reason)
                return await desk.settled(revision, began)
            tried = Tried(fields, stale=STALE, status=409)
        except BadForm as exc:
            tried = Tried(fields, str(exc), status=422)
        except (CutoverError, RoutingFileError) as exc:
            tried = Tried(fields, sentence(exc), status=status_of(exc))
        return await self._looked_at(number, who, tried, and_later=_later(fields))

    async def _found(self, number: int) -> EntryPage | HTMLResponse:
        desk, gatherer = self._desk, self._board.gatherer
        if not 0 < number <= _LARGEST:
            return desk.notice(404, "No such revision", f"There is no revision {number}.")
        try:
            revision = await gatherer.revision(number)
        except SourceAway as exc:
            return desk.notice(503, "This revision cannot be shown", str(exc))
        if revision is None:
            return desk.notice(404, "No such revision", f"There is no revision {number}.")
        try:
            before = await gatherer.revision(number - 1) if number > 1 else None
        except SourceAway:
            before = None  # the page says that it cannot be read
        table, _ = await gatherer.routing()
        history = await gatherer.chronicle()
        head = history.value.head if history.value else None
        return entry_page(
            revision, before, table.value.domains if table.value else (),
            desk.deeds.of(number), head[0] if head else 0, desk.clock_s(),
        )  # fmt: skip

    async def _looked_at(
        self, number: int, who: Who, tried: Tried, *, and_later: bool
    ) -> HTMLResponse:
        desk = self._desk
        if desk.hands is None:
            return desk.notice(403, "Nothing changes from here", "The room only reads.")
        try:
            prepared = await desk.hands.undo(number, actor=who.name, and_later=and_later)
        except CannotUndo as exc:
            return self._cannot(number, exc, and_later=and_later)
        except (CutoverError, RoutingFileError) as exc:
            return desk.refused(exc)
        view = plan_view(prepared)
        what = f"revision {number}" + (" and all since" if and_later else "")
        page = Preview(
            now_s=desk.clock_s(),
            title=f"Take back {what}",
            does=f"Take back {what}",
            action=f"/ledger/{number}/undo",
            hidden={"mark": view.mark, "later": "true" if and_later else ""},
            plan=view,
            back=(f"/ledger/{number}", f"Revision {number}"),
            tried=tried,
        )
        return desk.previewed(page, who, f"undo/{number}")

    def _cannot(self, number: int, exc: CannotUndo, *, and_later: bool) -> HTMLResponse:
        """Why not, and whether taking back all since would do."""
        more = None
        if not and_later and "--and-later" in str(exc):
            more = (
                f"/ledger/{number}/undo?later=true",
                f"Look at taking back all since {number}",
            )
        renderer, now_s = self._board.renderer, self._desk.clock_s()
        html = renderer.notice("It cannot be taken back alone" if more else "It cannot be taken"
                               " back", sentence(exc), now_s, way=more)  # fmt: skip
        return HTMLResponse(html, 422)


def _later(fields: Mapping[str, str]) -> bool:
    return fields.get("later") == "true"
