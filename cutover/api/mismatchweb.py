"""The mismatches' addresses: the list, a group, moving one, and its HTTP archive."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import metadata
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from cutover.api.gather import SourceAway
from cutover.api.grouplist import group_list, wanted_of
from cutover.api.guarding import guard, who_asks
from cutover.api.live import Board
from cutover.api.mismatchpage import Form, MismatchPage, form_for, mismatch_page
from cutover.api.problems import problem
from cutover.api.readings import MismatchReading
from cutover.api.twins import groups_twin, mismatch_twin
from cutover.api.writing import BadForm, Doorkeeper, bounded, read_form, wish_of
from cutover.core.access import Permission
from proxy.routing import Side
from shadow_compare.core.har import har
from shadow_compare.errors import EvidenceUnavailable, NoSuchGroup, WishRefused
from shadow_compare.ports import GroupKeeper

_HTML: dict[str, Any] = {"response_class": HTMLResponse, "include_in_schema": False}
_TRIAGE: Any = guard(Permission.TRIAGE)


class Mismatches:
    """Answers for the mismatches' addresses.

    Args:
        board: what is shown.
        clock_s: seconds since the epoch.
        keeper: moves groups; None when nothing may be changed from here.
        doorkeeper: says who may.
    """

    def __init__(
        self,
        board: Board,
        clock_s: Callable[[], float],
        keeper: GroupKeeper | None,
        doorkeeper: Doorkeeper,
    ) -> None:
        self._board = board
        self._clock_s = clock_s
        self._keeper = keeper
        self._doorkeeper = doorkeeper

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses; more special ones stand first."""
        app.get("/mismatches", **_HTML)(self.list_page)
        app.get("/mismatches/{fingerprint}/archive.har", include_in_schema=False)(self.archive)
        app.get("/mismatches/{fingerprint:path}", **_HTML)(self.page)
        app.post("/mismatches/{fingerprint:path}", dependencies=[_TRIAGE], **_HTML)(self.move)
        listed: Any = app.get("/api/mismatches", summary="Groups", response_model=None)
        listed(self.list_twin)
        one: Any = app.get(
            "/api/mismatches/{fingerprint:path}", summary="One group", response_model=None
        )
        one(self.twin)
        moved: Any = app.post(
            "/api/mismatches/{fingerprint:path}",
            summary="Move a group: act, by, owner, reason, ticket, expires",
            response_model=None,
            dependencies=[_TRIAGE],
        )
        moved(self.move_by_program)

    async def list_page(self, request: Request) -> HTMLResponse:
        wanted, now_s = wanted_of(request.query_params), self._clock_s()
        try:
            groups, table = await self._board.gatherer.groups(wanted.query(now_s))
        except SourceAway as exc:
            return self._notice(503, "The mismatches cannot be shown now", str(exc))
        names = [domain.name for domain in table.value.domains] if table.value else []
        return HTMLResponse(
            self._board.renderer.groups(group_list(wanted, groups, names, self._clock_s()))
        )

    async def list_twin(self, request: Request) -> dict[str, Any] | JSONResponse:
        wanted, now_s = wanted_of(request.query_params), self._clock_s()
        try:
            groups, _ = await self._board.gatherer.groups(wanted.query(now_s))
        except SourceAway as exc:
            return problem(503, "Source away", str(exc))
        return groups_twin(groups, self._clock_s())

    async def page(self, fingerprint: str, example: int = 0) -> HTMLResponse:
        return await self._page(fingerprint, example, {}, "")

    async def _page(
        self, fingerprint: str, example: int, filled: Mapping[str, str], trouble: str
    ) -> HTMLResponse:
        try:
            found = await self._found(fingerprint, example, filled, trouble)
        except SourceAway as exc:
            return self._notice(503, "This mismatch cannot be shown now", str(exc))
        if found is None:
            return self._notice(404, "No such mismatch", f"Nothing is stored under {fingerprint}.")
        html = self._board.renderer.mismatch(found[0])
        return HTMLResponse(html, 422 if trouble else 200)

    async def move(self, fingerprint: str, request: Request) -> Response:
        """A form was sent: do what it wants and show the page again."""
        if self._keeper is None:
            return self._notice(403, "Nothing changes from here", "The room only reads.")
        fields: dict[str, str] = {}
        try:
            fields = read_form(await bounded(request.stream()))
            token = fields.get("token", "")
            refusal = self._doorkeeper.problem_with(
                request.headers, fingerprint, token, self._clock_s()
            )
            if refusal is not None:
                return self._notice(403, "Nothing was changed", refusal)
            await self._keeper.grant(fingerprint, wish_of(_named(fields, request)))
        except (BadForm, WishRefused) as exc:
            trouble = str(exc).removeprefix(f"{fingerprint}: ")
            return await self._page(fingerprint, 0, fields, trouble)
        except NoSuchGroup as exc:
            return self._notice(404, "No such mismatch", f"{exc}.")
        except EvidenceUnavailable as exc:
            return self._notice(503, "Nothing was changed", f"{exc}.")
        return RedirectResponse(f"/mismatches/{quote(fingerprint, safe='')}", 303)

    async def twin(self, fingerprint: str) -> dict[str, Any] | JSONResponse:
        try:
            found = await self._found(fingerprint, 0, {}, "")
        except SourceAway as exc:
            return problem(503, "Source away", str(exc))
        if found is None:
            return problem(404, "No such mismatch", f"Nothing is stored under {fingerprint}.")
        return mismatch_twin(*found)

    async def move_by_program(
        self, fingerprint: str, request: Request
    ) -> dict[str, Any] | JSONResponse:
        """A JSON object: no page of another origin can send one without being asked first."""
        if self._keeper is None:
            return problem(403, "Read only", "The room was started with --read-only.")
        refusal = self._doorkeeper.problem_with(request.headers, fingerprint, None, self._clock_s())
        if refusal is not None:
            return problem(403, "Not from here", refusal)
        try:
            wish = wish_of(_named(await _members(request), request))
            group = await self._keeper.grant(fingerprint, wish)
        except (BadForm, WishRefused, NoSuchGroup, EvidenceUnavailable) as exc:
            status, title = _REFUSALS[type(exc)]
            return problem(status, title, str(exc))
        return jsonable_encoder(asdict(group))  # type: ignore[no-any-return]

    async def archive(self, fingerprint: str) -> Response:
        """Every stored example of the group as HAR, to be saved."""
        try:
            found = await self._board.gatherer.mismatch(fingerprint)
        except SourceAway as exc:
            return self._notice(503, "The archive cannot be made now", str(exc))
        if found is None or found[1].value is None:
            return self._notice(404, "No such mismatch", f"Nothing is stored under {fingerprint}.")
        reading, table = found
        urls = (
            {side: store.url for side, store in table.value.stores.items()} if table.value else {}
        )
        if set(urls) != set(Side):
            return self._notice(503, "The archive cannot be made now", "No table could be read.")
        whole = har(reading.examples, urls, version=metadata.version("banyan-migration"))
        name = reading.group.fingerprint.replace(":", "-")
        headers = {"content-disposition": f'attachment; filename="{name}.har"'}
        return Response(json.dumps(whole), media_type="application/json", headers=headers)

    async def _found(
        self, fingerprint: str, example: int, filled: Mapping[str, str], trouble: str
    ) -> tuple[MismatchPage, MismatchReading] | None:
        found = await self._board.gatherer.mismatch(fingerprint)
        if found is None:
            return None
        reading, table = found
        now_s = self._clock_s()
        form: Form | None = None
        if self._keeper is not None:
            token = self._doorkeeper.token(reading.group.fingerprint, now_s)
            form = form_for(reading.group, token, filled, trouble)
        stores = table.value.stores if table.value else {}
        return mismatch_page(reading, stores, example, now_s, form), reading

    def _notice(self, status: int, title: str, text: str) -> HTMLResponse:
        return HTMLResponse(self._board.renderer.notice(title, text, self._clock_s()), status)


_REFUSALS: Mapping[type[Exception], tuple[int, str]] = {
    BadForm: (422, "Not readable"),
    WishRefused: (422, "Refused"),
    NoSuchGroup: (404, "No such mismatch"),
    EvidenceUnavailable: (503, "Source away"),
}


def _named(fields: Mapping[str, Any], request: Request) -> Mapping[str, Any]:
    """The fields, by whoever asks. Only where nobody is known may they give a name themselves."""
    name = who_asks(request).name
    return {**fields, "by": name} if name else fields


async def _members(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        members = (
            json.loads(await bounded(request.stream())) if kind == "application/json" else None
        )
    except (ValueError, RecursionError) as exc:
        raise BadForm("Send a JSON object.") from exc
    if not isinstance(members, dict):
        raise BadForm("Send a JSON object as application/json.")
    return members
