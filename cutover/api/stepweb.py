"""Taking a domain forward from its page: a yes, and a step that is looked at before it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cutover.api.acting import ActForm, Tried, actor_and_reason, form_of
from cutover.api.approvalview import next_stage
from cutover.api.desk import Desk, sentence, status_of
from cutover.api.guarding import needs
from cutover.api.planview import Preview, plan_view, target_of, targets
from cutover.api.writing import BadForm
from cutover.core.access import Permission, Who
from cutover.errors import CutoverError, NothingInForce
from cutover.service.applying import Prepared
from cutover.service.approving import Wish
from cutover.service.hands import Hands
from cutover.service.tables import parsed
from cutover.storage.restage import advance
from proxy.errors import RoutingFileError
from proxy.routing import Domain

_HTML: dict[str, Any] = {"response_class": HTMLResponse, "include_in_schema": False}
STALE = (
    "What is in force, or what would change, is not what you looked at. Nothing was"
    " changed. This is the plan as it is now."
)
_NAME = "the table in force with one step more"
_ASIDE = (
    "The desired state in your repository is as it was; write the step there too, or the next"
    " apply of that file takes it back."
)


@dataclass(frozen=True, slots=True)
class Acts:
    """What somebody may do on a domain's page; None for what they may not.

    Attributes:
        approve: the form of a yes.
        to: the stage that a yes is to.
        steps: the steps that may be looked at: how an address names each, and its words.
    """

    approve: ActForm | None = None
    to: str = ""
    steps: tuple[tuple[str, str], ...] = ()


async def acts_for(desk: Desk, name: str, who: Who) -> Acts:
    """What somebody may do on a domain's page."""
    domain = await _domain(desk, name)
    if domain is None or desk.hands is None:
        return Acts()
    approve, to = None, next_stage(domain)
    if to is not None:
        approve = desk.gatehouse.form(who, Permission.APPROVE, f"approve/{name}", desk.clock_s())
    return Acts(
        approve, to.value if to else "", targets(domain) if who.may(Permission.STEP) else ()
    )


async def _domain(desk: Desk, name: str) -> Domain | None:
    table, _ = await desk.board.gatherer.routing()
    domains = table.value.domains if table.value is not None else ()
    return next((one for one in domains if one.name == name), None)


class Steps:
    """Answers for the addresses by which a domain goes forward. Belongs to one event loop."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses."""
        app.get("/cutover/{name}/step", **_HTML)(self.preview)
        app.post("/cutover/{name}/step", **_HTML)(self.step)
        app.post("/cutover/{name}/approve", **_HTML)(self.approve)

    async def preview(
        self,
        name: str,
        who: Annotated[Who, Depends(needs(Permission.STEP))],
        to: str = "",
    ) -> HTMLResponse:
        """The plan of a step, to be looked at."""
        return await self._looked_at(name, to, who, Tried())

    async def step(
        self, name: str, request: Request, who: Annotated[Who, Depends(needs(Permission.STEP))]
    ) -> Response:
        """Take the step that was looked at, or none."""
        began = perf_counter()
        desk, fields = self._desk, dict[str, str]()
        try:
            fields = await form_of(request)
            refusal = desk.gatehouse.refusal(request, f"step/{name}", fields, desk.clock_s())
            if refusal is not None or desk.hands is None:
                return desk.notice(403, "Nothing was changed", refusal or "The room only reads.")
            actor, reason = actor_and_reason(who, fields)
            return await self._taken(desk.hands, name, fields, who, (actor, reason, began))
        except BadForm as exc:
            tried = Tried(fields, str(exc), status=422)
        except (CutoverError, RoutingFileError) as exc:
            tried = Tried(fields, sentence(exc), status=status_of(exc))
        return await self._looked_at(name, fields.get("to", ""), who, tried)

    async def _taken(
        self,
        hands: Hands,
        name: str,
        fields: Mapping[str, str],
        who: Who,
        act: tuple[str, str, float],
    ) -> Response:
        """`act` is who, why, and when the form arrived."""
        actor, reason, began = act
        to = fields.get("to", "")
        prepared = await self._prepared(hands, name, to, actor)
        view = None if prepared is None else plan_view(prepared)
        if prepared is None or view is None or not view.is_what(fields.get("mark", "")):
            return await self._looked_at(name, to, who, Tried(fields, stale=STALE, status=409))
        revision = await hands.apply(prepared, actor=actor, reason=reason)
        return await self._desk.settled(revision, began)

    async def approve(
        self, name: str, request: Request, who: Annotated[Who, Depends(needs(Permission.APPROVE))]
    ) -> Response:
        """Write a yes down, or that it is taken back."""
        desk = self._desk
        try:
            fields = await form_of(request)
            refusal = desk.gatehouse.refusal(request, f"approve/{name}", fields, desk.clock_s())
            if refusal is not None or desk.hands is None:
                return desk.notice(403, "Nothing was changed", refusal or "The room only reads.")
            actor, reason = actor_and_reason(who, fields)
            domain = await _domain(desk, name)
            to = None if domain is None else next_stage(domain)
            if to is None or to.value != fields.get("to"):
                said = f"{name} does not stand where it did when you opened the page."
                return desk.notice(409, "Nothing was changed", said)
            is_withdrawn = fields.get("act") == "withdraw"
            await desk.hands.approve(Wish(name, to, actor, reason, withdrawn=is_withdrawn))
            desk.board.channels.expire()
        except BadForm as exc:
            return desk.notice(422, "Nothing was changed", str(exc))
        except CutoverError as exc:
            return desk.refused(exc)
        return RedirectResponse(f"/domains/{quote(name, safe='')}#approvals", 303)

    async def _prepared(self, hands: Hands, name: str, to: str, actor: str) -> Prepared | None:
        """The plan of a step from what is in force now; None where none leads there.

        Raises:
            CutoverError, RoutingFileError: it cannot be made.
        """
        desired = await asyncio.to_thread(_desired, hands, name, to)
        return None if desired is None else await hands.plan(desired, _NAME, actor)

    async def _looked_at(self, name: str, to: str, who: Who, tried: Tried) -> HTMLResponse:
        desk = self._desk
        if desk.hands is None:
            return desk.notice(403, "Nothing changes from here", "The room only reads.")
        try:
            prepared = await self._prepared(desk.hands, name, to, who.name)
        except (CutoverError, RoutingFileError) as exc:
            return desk.refused(exc)
        if prepared is None:
            said = f"No step leads {name} to {_words(to) or 'there'} from where it stands now."
            return desk.notice(tried.status if tried.trouble or tried.stale else 404,
                               "No such step", said)  # fmt: skip
        view = plan_view(prepared)
        title = f"Take {name} to {_words(to)}"
        page = Preview(
            now_s=desk.clock_s(),
            title=title,
            does=title,
            action=f"/cutover/{quote(name, safe='')}/step",
            hidden={"to": to, "mark": view.mark},
            plan=view,
            back=(f"/domains/{quote(name, safe='')}", name),
            tried=tried,
            aside=(_ASIDE,),
        )
        return desk.previewed(page, who, f"step/{name}")


def _desired(hands: Hands, name: str, to: str) -> bytes | None:
    """The table in force, as its file has it now, but for one domain's place."""
    text = hands.books.applied.read()
    if text is None:
        raise NothingInForce("nothing is in force yet: banyan apply first")
    domains = parsed(text, hands.books.applied.name).domains
    domain = next((one for one in domains if one.name == name), None)
    target = None if domain is None else target_of(domain, to)
    return None if target is None else advance(text, name, target)


def _words(to: str) -> str:
    stage, _, share = to.partition("-")
    return f"{stage} {int(share) / 100:g} %" if share.isascii() and share.isdecimal() else stage
