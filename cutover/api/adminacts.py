"""What the admin API does: plans, applications, rollbacks, approvals, undos."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from cutover.api import adminbodies as bodies
from cutover.api.adminonce import turn_of
from cutover.api.adminparts import AdminParts, documented, etag_of, json_only, json_or_yaml, said
from cutover.api.adminproblems import AdminProblem
from cutover.api.adminreads import Name, Number, PlanId, no_plan
from cutover.api.guarding import needs
from cutover.core.access import Permission, Who
from cutover.core.plan_file import (
    NewerPlan,
    NotAPlan,
    PlanFile,
    changed_since,
    plan_from_json,
)
from cutover.core.revision import Revision, RevisionKind
from cutover.core.stages import ROLLBACK, position
from cutover.errors import PlanFileError
from cutover.service.applying import Prepared
from cutover.service.approving import Wish
from cutover.service.hands import Hands
from cutover.service.in_force import domain_of, look
from cutover.service.ledger_reading import one, written_since
from cutover.service.plan_files import stands_on
from cutover.service.values import (
    plan_value,
    revision_value,
    rolled_back_value,
    taken_value,
)
from cutover.storage.kept_plans import KeptPlan
from proxy.routing import Stage

_Step = Annotated[Who, Depends(needs(Permission.STEP))]
_Rollback = Annotated[Who, Depends(needs(Permission.ROLLBACK))]
_Approve = Annotated[Who, Depends(needs(Permission.APPROVE))]
_SENT = (
    *("malformed_request", "idempotency_key_invalid", "other_actor", "not_from_here"),
    *("read_only", "conflict", "request_in_flight", "nothing_in_force", "too_large"),
    *("unsupported_media_type", "idempotency_key_reused", "cannot_read", "cannot_write", "busy"),
)
_FILES = ("changed_meanwhile", "refused", "routing_file_invalid", "plan_file_invalid")


class AdminActs:
    """Answers for addresses that do something."""

    def __init__(self, parts: AdminParts) -> None:
        self._parts = parts

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses."""
        made = documented(
            bodies.Plan, *_SENT, *_FILES, status=201, etag="what it was made from", location="of it"
        )
        body = {"schema": bodies.PlanWish.model_json_schema()}
        yaml = {"schema": {"type": "string", "description": "a routing file"}}
        content = {"application/json": body, "application/yaml": yaml}
        _post(
            app, "/plans", "Plan a desired state", made, kind=json_or_yaml, status_code=201,
            openapi_extra={"requestBody": {"required": True, "content": content}},
        )(self.plan)  # fmt: skip
        applied = documented(
            bodies.Applied, *_SENT, *_FILES, "no_such_plan", "plan_refused", "if_match_missing"
        )
        _post(app, "/plans/{plan_id}/applications", "Put a plan in force", applied)(self.apply)
        back = documented(bodies.RolledBack, *_SENT, "no_such_domain", "illegal_step", "refused")
        _post(app, "/domains/{name}/rollbacks", "Take a domain back", back)(self.roll_back)
        yes = documented(bodies.Revision, *_SENT, "no_such_domain", "illegal_step")
        _post(app, "/domains/{name}/approvals", "Say yes to a step", yes)(self.approve)
        undone = documented(
            bodies.Plan, *_SENT, *_FILES, "no_such_revision", "cannot_undo",
            status=201, etag="what it was made from", location="of it",
        )  # fmt: skip
        _post(app, "/revisions/{n}/undo", "Plan to take a revision back", undone, status_code=201)(
            self.undo
        )

    async def plan(self, request: Request, who: _Step) -> JSONResponse:
        wish = await _plan_wish(request)
        hands, actor = self._parts.acting(), self._parts.actor_of(who, wish.actor)
        async with self._parts.steps.taken():
            against: tuple[str, ...] = ()
            if wish.plan_file is not None:
                planned = _read_plan(wish.plan_file)
                prepared = await hands.plan_again(planned, actor=actor)
                against = _against(planned, prepared)
            else:
                text = (wish.routing_yaml or "").encode()
                prepared = await hands.plan(text, wish.file, actor, init=wish.init)
                planned = await hands.keep(prepared, file=wish.file, actor=actor, init=wish.init)
            return await self._keep(planned, prepared, against)

    async def undo(self, n: Number, wish: bodies.UndoWish, who: _Step) -> JSONResponse:
        hands, actor = self._parts.acting(), self._parts.actor_of(who, wish.actor)
        async with self._parts.steps.taken():
            await asyncio.to_thread(one, hands.books.ledger, n)
            prepared = await hands.undo(n, actor=actor, and_later=wish.and_later)
            planned = await hands.keep(prepared, file=prepared.name, actor=actor)
            return await self._keep(planned, prepared)

    async def _keep(
        self, planned: PlanFile, prepared: Prepared, against: tuple[str, ...] = ()
    ) -> JSONResponse:
        shown = {
            **plan_value(prepared.plan),
            "name": planned.name,
            "etag": etag_of(planned.made_from),
            "file": planned.file,
            "made_by": planned.made_by,
            "made_at": planned.made_at.isoformat(timespec="milliseconds"),
            "is_in_force": _is_in_force(prepared),
            "undoes": prepared.undoes,
            "notes": list(prepared.notes),
            "against": list(against),
        }
        kept = await asyncio.to_thread(self._parts.plans.keep, planned, shown, prepared.undoes)
        place = f"/admin/v1/plans/{kept.id}"
        return said({"id": kept.id, **shown}, 201, etag=shown["etag"], location=place)

    async def apply(
        self,
        plan_id: PlanId,
        wish: bodies.ApplyWish,
        request: Request,
        who: _Step,
        if_match: Annotated[str | None, Header(max_length=100)] = None,
    ) -> JSONResponse:
        hands, actor = self._parts.acting(), self._parts.actor_of(who, wish.actor)
        kept = await asyncio.to_thread(self._parts.plans.find, plan_id)
        if kept is None:
            raise no_plan(plan_id)
        async with self._parts.steps.taken():
            written = await self._earlier(request, kept, actor, wish.reason)
            if written is None:
                await self._refuse_if_moved(hands, if_match)
                prepared = await hands.plan_again(kept.planned, actor=actor)
            else:
                prepared = await hands.plan(
                    kept.planned.routing_yaml.encode(), kept.planned.file, actor, init=True
                )
                if _is_in_force(prepared) or not await self._died(hands, written):
                    return await self._applied(kept.shown, (), written)
            prepared = _as_undo(prepared, kept)
            against = _against(kept.planned, prepared)
            if prepared.plan.refused or against:
                more = {"plan": plan_value(prepared.plan), "against": list(against)}
                raise AdminProblem("plan_refused", _refused(prepared, against), more)
            if _is_in_force(prepared):
                return said(_applied_value(plan_value(prepared.plan), prepared.notes))
            if written is None:
                revision = await hands.apply(
                    prepared, actor=actor, reason=wish.reason, planned=kept.planned
                )
            else:
                prepared = replace(prepared, undoes=None)
                revision = await hands.apply(prepared, actor=actor, reason=written.entry.reason)
        return await self._applied(plan_value(prepared.plan), prepared.notes, revision)

    async def roll_back(
        self, name: Name, wish: bodies.RollbackWish, request: Request, who: _Rollback
    ) -> JSONResponse:
        hands, actor = self._parts.acting(), self._parts.actor_of(who, wish.actor)
        to = None if wish.to is None else Stage(wish.to)
        async with self._parts.rollbacks.taken():
            turn = turn_of(request)
            if to is None and turn is not None:
                # 1. One step back, 2. the room dies, 3. the same request comes again: it
                # must not lead one step further, so where it leads is written down first.
                to = await self._target(hands, name)
                if to is not None:
                    try:
                        to = Stage((await turn.remember({"to": str(to)}))["to"])
                    except (KeyError, ValueError):
                        to = None
            done = await hands.roll_back(name, to=to, actor=actor, reason=wish.reason)
            if turn is not None and turn.since is not None and done.entry is None:
                found = await asyncio.to_thread(written_since, hands.books.ledger, turn.since)
                mine = _mine(found, RevisionKind.ROLLBACK, actor, wish.reason, name)
                done = replace(done, entry=mine)
        async with self._parts.waits.taken():
            taken = await hands.taken(done.revision)
        return said(rolled_back_value(done, taken))

    async def approve(
        self, name: Name, wish: bodies.ApprovalWish, request: Request, who: _Approve
    ) -> JSONResponse:
        hands, actor = self._parts.acting(), self._parts.actor_of(who, wish.actor)
        async with self._parts.steps.taken():
            turn = turn_of(request)
            if turn is not None and turn.since is not None:
                found = await asyncio.to_thread(written_since, hands.books.ledger, turn.since)
                mine = _mine(found, RevisionKind.APPROVAL, actor, wish.reason, name)
                if mine is not None:
                    return said(revision_value(mine))
            said_yes = Wish(name, wish.to, actor, wish.reason, wish.withdrawn)
            return said(revision_value(await hands.approve(said_yes)))

    async def _applied(self, plan: Any, notes: Sequence[str], revision: Revision) -> JSONResponse:
        async with self._parts.waits.taken():
            taken = await self._parts.acting().taken(revision.table_sha256[:12])
        done = {"is_applied": True, "revision": revision_value(revision)}
        return said({**_applied_value(plan, notes), **done, "proxy": taken_value(taken)})

    async def _refuse_if_moved(self, hands: Hands, if_match: str | None) -> None:
        if if_match is None:
            raise AdminProblem(
                "if_match_missing", "say If-Match with the ETag of the plan or of /in-force"
            )
        now = etag_of(await asyncio.to_thread(stands_on, hands.books))
        if now not in [tag.strip() for tag in if_match.split(",")] and if_match.strip() != "*":
            raise AdminProblem(
                "changed_meanwhile",
                f"{now} is in force, and the request is about {if_match}; make the plan anew",
                {"in_force": now},
            )

    async def _earlier(
        self, request: Request, kept: KeptPlan, actor: str, reason: str
    ) -> Revision | None:
        """The revision that the same request wrote before the room died."""
        turn = turn_of(request)
        if turn is None or turn.since is None:
            return None
        found = await asyncio.to_thread(written_since, self._parts.books.ledger, turn.since)
        return next(
            (
                revision
                for revision in found
                if revision.entry.kind in (RevisionKind.APPLY, RevisionKind.INIT)
                and revision.entry.actor == actor
                and reason in revision.entry.reason
                and f"plan {kept.planned.name} of " in revision.entry.reason
            ),
            None,
        )

    async def _died(self, hands: Hands, written: Revision) -> bool:
        """Whether a revision was written and its table was never swapped in."""
        seen = await asyncio.to_thread(look, hands.books.applied, hands.books.ledger)
        return seen.last == written and seen.found is None

    async def _target(self, hands: Hands, name: str) -> Stage | None:
        seen = await asyncio.to_thread(look, hands.books.applied, hands.books.ledger)
        if seen.table is None:
            return None
        return ROLLBACK[position(domain_of(seen.table, name)).stage]


def _post(
    app: FastAPI,
    path: str,
    summary: str,
    responses: dict[int | str, Any],
    *,
    kind: Any = json_only,
    **more: Any,
) -> Any:
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "the same request with the same key is done once, for 24 hours",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    }
    extra = {**more.pop("openapi_extra", {}), "parameters": [key]}
    return app.post(
        path,
        summary=summary,
        responses=responses,
        dependencies=[Depends(kind)],
        response_model=None,
        openapi_extra=extra,
        **more,
    )


async def _plan_wish(request: Request) -> bodies.PlanWish:
    body = await request.body()
    try:
        if request.headers["content-type"].lower().startswith("application/yaml"):
            wish = bodies.PlanWish(routing_yaml=body.decode())
        else:
            wish = bodies.PlanWish.model_validate_json(body)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_input=False, include_context=False)
        told = [{**error, "loc": ("body", *error["loc"])} for error in errors]
        raise RequestValidationError(told) from exc
    except UnicodeDecodeError as exc:
        raise AdminProblem("malformed_request", "the routing file is no UTF-8") from exc
    if (wish.routing_yaml is None) == (wish.plan_file is None):
        raise AdminProblem("invalid_request", "say routing_yaml or plan_file, and only one of them")
    return wish


def _read_plan(text: str) -> PlanFile:
    try:
        return plan_from_json(text.encode())
    except (NotAPlan, NewerPlan) as exc:
        raise PlanFileError(f"the plan file: {exc}; make the plan anew") from exc


def _as_undo(prepared: Prepared, kept: KeptPlan) -> Prepared:
    if kept.undoes is None:
        return prepared
    return replace(prepared, drift=(), undoes=kept.undoes)


def _is_in_force(prepared: Prepared) -> bool:
    seen = prepared.in_force
    return prepared.plan.is_empty and seen.on_disk == seen.text


def _against(planned: PlanFile, prepared: Prepared) -> tuple[str, ...]:
    """A plan is approved as it reads: one that says "refused" was approved by nobody."""
    if not planned.refused:
        return changed_since(planned, prepared.plan)
    names = ", ".join(planned.refused)
    return (f"it was refused when it was made, because of {names}; make the plan anew",)


def _refused(prepared: Prepared, against: Sequence[str]) -> str:
    found = [f"{c.domain}: {why}" for c in prepared.plan.refused for why in c.refusals]
    return "; ".join((*against, *found))


def _applied_value(plan: Any, notes: Sequence[str]) -> dict[str, Any]:
    shown = {name: plan[name] for name in bodies.PlanShown.model_fields}
    return {
        "is_applied": False,
        "plan": shown,
        "revision": None,
        "proxy": None,
        "notes": list(notes),
        "against": [],
    }


def _mine(
    found: Sequence[Revision], kind: RevisionKind, actor: str, reason: str, domain: str
) -> Revision | None:
    return next(
        (
            revision
            for revision in found
            if (revision.entry.kind, revision.entry.actor, revision.entry.reason)
            == (kind, actor, reason)
            and any(line.startswith(f"{domain}: ") for line in revision.entry.changes)
        ),
        None,
    )
