"""The cutover's addresses: a domain's page, and the one button that takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from cutover.api.acting import Tried, actor_and_reason, form_of, why_not
from cutover.api.cutoverview import CutoverPage, FlipLine, cutover_page
from cutover.api.datajudging import owner_of
from cutover.api.deeds import Deed
from cutover.api.desk import WAIT_S, Desk, sentence, status_of
from cutover.api.gather import SourceAway
from cutover.api.guarding import needs, who_asks
from cutover.api.ledgerview import meets
from cutover.api.live import Channel, Drawn
from cutover.api.writing import BadForm
from cutover.core.access import Permission, Who
from cutover.errors import CutoverError
from cutover.service.rolling_back import RolledBack
from legacy_adapters.ports.flips import Phase
from proxy.routing import Domain, Stage

_HTML: dict[str, Any] = {"response_class": HTMLResponse, "include_in_schema": False}


class Cutovers:
    """Answers for the cutover's addresses. Belongs to one event loop."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._board = desk.board

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses."""
        reading = [Depends(needs(Permission.READ))]
        app.get("/cutover/{name}", **_HTML, dependencies=reading)(self.page)
        app.post("/cutover/{name}/back", **_HTML)(self.back)

    def channel(self, asked: Mapping[str, str]) -> Channel | None:
        """The live page that a stream's address asks for; None for another kind of page."""
        name = asked.get("cutover")
        return None if name is None else self._channel(name)

    async def page(self, name: str, request: Request) -> HTMLResponse:
        return await self._page(name, who_asks(request), Tried())

    async def back(
        self, name: str, request: Request, who: Annotated[Who, Depends(needs(Permission.ROLLBACK))]
    ) -> Response:
        """Take the domain back. Waits for nothing but the files."""
        began = perf_counter()
        fields: dict[str, str] = {}
        try:
            fields = await form_of(request)
            desk = self._desk
            refusal = desk.gatehouse.refusal(request, _subject(name), fields, desk.clock_s())
            if refusal is not None or desk.hands is None:
                return desk.notice(403, "Nothing was changed", refusal or "The room only reads.")
            actor, reason = actor_and_reason(who, fields)
            done = await desk.hands.roll_back(
                name, to=_stage(fields.get("to", "")), actor=actor, reason=reason
            )
        except BadForm as exc:
            return await self._page(name, who, Tried(fields, str(exc), status=422))
        except CutoverError as exc:
            return await self._page(name, who, Tried(fields, sentence(exc), status=status_of(exc)))
        return await self._told(done, perf_counter() - began)

    async def _told(self, done: RolledBack, took_s: float) -> Response:
        """The page that says what was done; the same for who opens it later."""
        desk = self._desk
        assert desk.hands is not None  # noqa: S101 - it was done by them
        taken = await desk.hands.taken(done.revision, within_s=WAIT_S)
        desk.board.channels.expire()
        if done.entry is not None and done.is_change:
            desk.deeds.keep(Deed(done.entry.n, took_s, taken.sentence, done.warnings))
            return Response(status_code=303, headers={"location": f"/ledger/{done.entry.n}/done"})
        if done.is_change:
            words = f"{done.domain} went from {done.before} to {done.after}."
        else:
            words = f"{done.domain} stands at {done.after} already; nothing had to be done."
        deed = Deed(0, took_s, taken.sentence, done.warnings, words)
        html = desk.board.renderer.unwritten(deed, meets(done.after), desk.clock_s())
        return HTMLResponse(html)

    async def _page(self, name: str, who: Who, tried: Tried) -> HTMLResponse:
        desk = self._desk
        channel = self._channel(name)
        try:
            drawn = await channel.current()
        except SourceAway as exc:
            # The way back needs no table in memory: what cannot be shown can be taken back.
            said = f"{exc} The way back is open: banyan rollback {name} --reason …"
            return desk.notice(503, "This domain cannot be shown now", said)
        if drawn is None:
            return desk.notice(404, "No such domain", f"The table in force has no domain {name}.")
        now_s = desk.clock_s()
        form = desk.gatehouse.form(who, Permission.ROLLBACK, _subject(name), now_s, tried)
        is_read_only = desk.gatehouse.is_read_only
        html = desk.board.renderer.live_page(
            drawn.fragments, stream=f"/events?cutover={quote(name, safe='')}",
            version=channel.version, now_s=desk.clock_s(), name=name, form=form,
            why_not=why_not(who, Permission.ROLLBACK, is_read_only=is_read_only),
        )  # fmt: skip
        return HTMLResponse(html, tried.status)

    def _channel(self, name: str) -> Channel:
        async def draw() -> Drawn | None:
            view = await self._view(name)
            return None if view is None else Drawn(self._board.renderer.cutover(view), view.now_s)

        return self._board.channels.get(f"cutover/{name}", draw)

    async def _view(self, name: str) -> CutoverPage | None:
        found = await self._board.gatherer.domain(name)
        if found is None:
            return None
        history = await self._board.gatherer.chronicle()
        flips, problem = await self._flips(found[0])
        return cutover_page(*found, history, flips, problem)

    async def _flips(self, domain: Domain) -> tuple[tuple[FlipLine, ...] | None, str]:
        """The domains of data that flip with one, and how they stand."""
        if self._board.data is None:
            return None, ""
        facts = await self._board.data.facts()
        seen = facts.core.value
        if seen is None or not seen.is_installed:
            return (), facts.core.problem or ""
        found = []
        for name, routes in facts.routes.items():
            if domain.name not in routes:
                continue
            control = owner_of(name, seen)
            is_open = control.phase is not Phase.OWNED
            words = "flips now:" if is_open else f"is owned by the {control.owner.value} side."
            found.append(FlipLine(name, words, control.flip if is_open else 0))
        return tuple(found), facts.core.problem or ""


def _subject(name: str) -> str:
    return f"back/{name}"


def _stage(text: str) -> Stage | None:
    """The stage that the page named: of two who press, the second goes no further back.

    Raises:
        BadForm: it is none that a rollback leads to.
    """
    if not text:
        return None
    if text not in (Stage.LEGACY, Stage.SHADOW):
        raise BadForm("A rollback leads to legacy or shadow.")
    return Stage(text)
