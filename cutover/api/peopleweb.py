"""The page of people: who may use the room, and what admins change of that.

What the page does the commands do as well, by the same enrolment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cutover.api.acting import Gatehouse
from cutover.api.desk import sentence, status_of
from cutover.api.gate import Room
from cutover.api.guarding import guard, who_asks
from cutover.api.peopleview import Secret, Trouble, people_view, roles_in
from cutover.api.writing import BadForm, bounded, read_exactly
from cutover.core.access import Permission, Role
from cutover.core.people import folded
from cutover.errors import CutoverError, PeopleError
from cutover.service.enrolment import Enrolment
from cutover.service.passwords import new_password

_HTML: dict[str, Any] = {"response_class": HTMLResponse, "include_in_schema": False}
_MANAGE: Any = guard(Permission.MANAGE)
_SUBJECT = "people"
_KEEP = "Pass it on by a way that you trust. It is not shown again, and not kept here."
#: What an act gives: its name and whom it was about, or something to show.
_Given = tuple[str, str] | Secret
_Act = Callable[[Mapping[str, str]], _Given]


class PeoplePages:
    """Answers for the page's addresses. Belongs to one event loop."""

    def __init__(self, room: Room, *, is_read_only: bool) -> None:
        self._room = room
        self._identity = room.identity
        self._gatehouse = Gatehouse(room.doorkeeper, is_read_only=is_read_only)
        self._enrolment = Enrolment(room.identity.people, self._now)

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses, for admins alone."""
        acts: dict[str, Any] = {
            "/people": self.add,
            "/people/{name}/roles": self.give_roles,
            "/people/{name}/password": self.give_password,
            "/people/{name}/disable": self.disable,
            "/people/{name}/enable": self.enable,
            "/tokens": self.issue,
            "/tokens/{name}/revoke": self.revoke,
        }
        app.get("/people", dependencies=[_MANAGE], **_HTML)(self.page)
        for path, act in acts.items():
            app.post(path, dependencies=[_MANAGE], **_HTML)(act)

    async def page(self, request: Request) -> HTMLResponse:
        asked = request.query_params
        return self._page(request, Trouble(), (asked.get("done", ""), asked.get("name", "")))

    async def add(self, request: Request) -> Response:
        def act(fields: Mapping[str, str]) -> _Given:
            roles, password = roles_in(fields), fields.get("password", "")
            self._must_begin_with_an_admin(is_one=Role.ADMIN in roles)
            person = self._enrolment.add(
                fields.get("name", ""), roles, password or (made := new_password())
            )
            if password:
                return "added", person.name
            return Secret(f"A password for {person.name}", made, _KEEP)

        return await self._done(request, "add", act)

    async def give_roles(self, name: str, request: Request) -> Response:
        def act(fields: Mapping[str, str]) -> _Given:
            return "roles", self._enrolment.give_roles(name, roles_in(fields)).name

        return await self._done(request, f"roles/{name}", act)

    async def give_password(self, name: str, request: Request) -> Response:
        def act(fields: Mapping[str, str]) -> _Given:
            password = fields.get("password", "")
            person = self._enrolment.give_password(name, password or (made := new_password()))
            if password:
                return "password", person.name
            more = f"{_KEEP} Open sessions of {person.name} have ended."
            return Secret(f"A new password for {person.name}", made, more)

        return await self._done(request, f"password/{name}", act)

    async def disable(self, name: str, request: Request) -> Response:
        def act(_fields: Mapping[str, str]) -> _Given:
            return "disabled", self._enrolment.disable(name).name

        return await self._done(request, f"disable/{name}", act)

    async def enable(self, name: str, request: Request) -> Response:
        def act(_fields: Mapping[str, str]) -> _Given:
            return "enabled", self._enrolment.enable(name).name

        return await self._done(request, f"enable/{name}", act)

    async def issue(self, request: Request) -> Response:
        def act(fields: Mapping[str, str]) -> _Given:
            self._must_begin_with_an_admin(is_one=False)
            name, lasts = fields.get("name", ""), fields.get("expires", "").strip()
            secret = self._enrolment.issue(name, roles_in(fields), lasts or None)
            return Secret(f"The token of {folded(name)}", secret, _KEEP)

        return await self._done(request, "issue", act)

    async def revoke(self, name: str, request: Request) -> Response:
        def act(_fields: Mapping[str, str]) -> _Given:
            self._enrolment.revoke(name)
            return "revoked", name

        return await self._done(request, f"revoke/{name}", act)

    def _must_begin_with_an_admin(self, *, is_one: bool) -> None:
        """Otherwise: 1. the room closes, 2. nobody may manage, 3. the page is of no use.

        Raises PeopleError.
        """
        if not is_one and not self._enrolment.book():
            raise PeopleError("the first person has to be an admin, who lets others in")

    async def _done(self, request: Request, where: str, act: _Act) -> Response:
        """Do what a form asks for; lead back to the page, or show what is shown once."""
        fields: dict[str, str] = {}
        try:
            # As it was typed: spaces in a password count.
            fields = read_exactly(await bounded(request.stream()))
            now_s = self._identity.clock_s()
            refusal = self._gatehouse.refusal(request, _SUBJECT, fields, now_s)
            if refusal is not None:
                return self._room.refused(request, 403, "Nothing was changed", refusal)
            given = await asyncio.to_thread(act, fields)
        except (BadForm, CutoverError) as exc:
            status = 422 if isinstance(exc, BadForm) else status_of(exc)
            kept = {name: text for name, text in fields.items() if name != "password"}
            return self._page(request, Trouble(where, sentence(exc), kept, status))
        if isinstance(given, Secret):
            html = self._room.renderer.secret(given, self._identity.clock_s())
            return HTMLResponse(html)
        said = urlencode({"done": given[0], "name": given[1]})
        return RedirectResponse(f"/people?{said}", 303)

    def _page(
        self, request: Request, trouble: Trouble, done: tuple[str, str] = ("", "")
    ) -> HTMLResponse:
        now_s, who = self._identity.clock_s(), who_asks(request)
        form = self._gatehouse.form(who, Permission.MANAGE, _SUBJECT, now_s)
        view = people_view(
            self._enrolment.book(), self._identity.sign_ins.all(), now_s,
            token=form.token if form else "", done=done, trouble=trouble,
        )  # fmt: skip
        return HTMLResponse(self._room.renderer.people(view), trouble.status)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._identity.clock_s(), UTC)
