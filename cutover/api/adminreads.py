"""What the admin API answers without changing anything. Waits for no apply."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BeforeValidator

from cutover.api import adminbodies as bodies
from cutover.api.adminparts import AdminParts, documented, etag_of, said
from cutover.api.adminproblems import AdminProblem
from cutover.api.guarding import guard
from cutover.core.access import Permission
from cutover.core.plan_file import plan_to_json
from cutover.core.revision import sha256
from cutover.core.stages import position
from cutover.service.in_force import domain_of, look
from cutover.service.ledger_reading import difference, one, page, verification
from cutover.service.plan_files import stands_on
from cutover.service.values import (
    checked_value,
    position_value,
    revision_value,
    whole_revision_value,
)
from proxy.routing import Domain

_READ: Any = [guard(Permission.READ)]
_AWAY = "cannot_read"


def _plain(value: object) -> object:
    """Numbers as JSON writes them: the framework would take 1.0, +1 and 1_0 too."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("write a whole number in digits")
    return value


_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)
PLAIN = BeforeValidator(_plain)
Limit = Annotated[int, PLAIN, Query(ge=1, le=200)]
Name = Annotated[str, Path(pattern=bodies.NAME)]
Number = Annotated[int, PLAIN, Path(ge=1, le=999_999_999)]
PlanId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]


class AdminReads:
    """Answers for addresses that only read."""

    def __init__(self, parts: AdminParts) -> None:
        self._parts = parts
        self._books = parts.books

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses."""
        tagged = documented(bodies.InForce, _AWAY, etag="what If-Match says")
        _get(app, "/in-force", "What is in force", tagged)(self.in_force)
        _get(app, "/domains", "Domains", documented(bodies.Domains, _AWAY))(self.domains)
        one_domain = documented(bodies.Domain, _AWAY, "no_such_domain")
        _get(app, "/domains/{name}", "A domain", one_domain)(self.domain)
        listed = documented(bodies.Revisions, _AWAY)
        _get(app, "/revisions", "Revisions, newest first", listed)(self.revisions)
        whole = documented(bodies.WholeRevision, _AWAY, "no_such_revision")
        _get(app, "/revisions/{n}", "A revision", whole)(self.revision)
        differs = documented(
            bodies.Difference, _AWAY, "no_such_revision", "refused", "routing_file_invalid"
        )
        _get(app, "/revisions/{n}/diff", "What differs", differs)(self.diff)
        checked = documented(bodies.Verification, _AWAY)
        _get(app, "/ledger/verification", "Whether the ledger is whole", checked)(self.verify)
        plan = documented(bodies.Plan, _AWAY, "no_such_plan", etag="what it was made from")
        _get(app, "/plans/{plan_id}", "A plan", plan)(self.plan)
        kept = documented(dict, _AWAY, "no_such_plan")
        _get(app, "/plans/{plan_id}/file", "A plan as a plan file", kept)(self.plan_file)

    async def in_force(self) -> JSONResponse:
        def read() -> tuple[dict[str, Any], str]:
            seen = look(self._books.applied, self._books.ledger)
            tag = etag_of(stands_on(self._books))
            value = {
                "revision": None if seen.last is None else seen.last.n,
                "table": None if seen.on_disk is None else sha256(seen.on_disk)[:12],
                "etag": tag,
                "notes": list(seen.notes),
            }
            return value, tag

        value, tag = await asyncio.to_thread(read)
        return said(value, etag=tag)

    async def domains(
        self,
        limit: Limit = 50,
        cursor: Annotated[str | None, Query(pattern=bodies.NAME)] = None,
    ) -> JSONResponse:
        seen = await asyncio.to_thread(look, self._books.applied, self._books.ledger)
        every = [] if seen.table is None else sorted(seen.table.domains, key=lambda d: d.name)
        found = [one for one in every if cursor is None or one.name > cursor]
        shown = found[:limit]
        after = shown[-1].name if len(found) > limit else None
        return said({"domains": [_domain_value(one) for one in shown], "next_cursor": after})

    async def domain(self, name: Name) -> JSONResponse:
        seen = await asyncio.to_thread(look, self._books.applied, self._books.ledger)
        if seen.table is None:
            raise AdminProblem("no_such_domain", "nothing is in force, so there are no domains")
        return said(_domain_value(domain_of(seen.table, name)))

    async def revisions(
        self,
        limit: Limit = 20,
        cursor: Annotated[str | None, Query(pattern=bodies.DIGITS)] = None,
        domain: Annotated[str | None, Query(pattern=bodies.NAME)] = None,
    ) -> JSONResponse:
        before = None if cursor is None else int(cursor)
        found = await asyncio.to_thread(
            page, self._books.ledger, limit=limit, domain=domain, before=before
        )
        return said(
            {
                "revisions": [revision_value(one) for one in found.revisions],
                "problems": list(found.problems),
                "is_empty": found.is_empty,
                "next_cursor": None if found.before is None else str(found.before),
            }
        )

    async def revision(self, n: Number) -> JSONResponse:
        found = await asyncio.to_thread(one, self._books.ledger, n)
        return said(whole_revision_value(found))

    async def diff(
        self,
        n: Number,
        to: Annotated[int | None, PLAIN, Query(ge=1, le=999_999_999)] = None,
        text: Annotated[
            Literal["true", "false"], Query(description="compare the files line by line")
        ] = "false",
    ) -> JSONResponse:
        found = await asyncio.to_thread(difference, self._books, n, to, as_text=text == "true")
        return said(
            {
                "a": n,
                "b": to,
                "names": list(found.names),
                "is_same_file": found.is_same_file,
                "differences": list(found.sentences),
            }
        )

    async def verify(
        self, head: Annotated[str | None, Query(pattern=bodies.HEAD)] = None
    ) -> JSONResponse:
        found, notes = await asyncio.to_thread(verification, self._books, head)
        return said(checked_value(found, notes))

    async def plan(self, plan_id: PlanId) -> JSONResponse:
        kept = await asyncio.to_thread(self._parts.plans.find, plan_id)
        if kept is None:
            raise no_plan(plan_id)
        return said({"id": kept.id, **kept.shown}, etag=kept.shown["etag"])

    async def plan_file(self, plan_id: PlanId) -> Response:
        kept = await asyncio.to_thread(self._parts.plans.find, plan_id)
        if kept is None:
            raise no_plan(plan_id)
        return Response(plan_to_json(kept.planned), media_type="application/json")


def no_plan(plan_id: str) -> AdminProblem:
    """Where a plan is not kept any more, or never was."""
    return AdminProblem("no_such_plan", f"there is no plan {plan_id}; plans are kept for 7 days")


def _get(app: FastAPI, path: str, summary: str, responses: dict[int | str, Any]) -> Any:
    return app.get(
        path, summary=summary, responses=responses, dependencies=_READ, response_model=None
    )


def _domain_value(domain: Domain) -> dict[str, Any]:
    return {
        "name": domain.name,
        "owner": domain.owner,
        **(position_value(position(domain)) or {}),
        "writes_stay": domain.writes_stay,
        "routes": [route.name for route in domain.routes],
    }
