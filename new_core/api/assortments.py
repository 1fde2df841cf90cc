"""Routes of assortments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from new_core.api.answers import answer, changed
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.problems import described
from new_core.api.schemas import Answer
from new_core.domain.actor import Actor
from new_core.domain.assortment import AssignedTo, Assortment, AssortmentRule, RuleKind
from new_core.domain.catalog import Stored
from new_core.service.assorting import assign, put_assortment
from new_core.service.doing import Doing

Code = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class RuleBody(BaseModel):
    """Takes products in, or leaves them out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    includes: StrictBool
    kind: RuleKind
    target_id: UUID | None = Field(default=None, description="null for `all`, and only then")


class AssortmentIn(BaseModel):
    """A part of the catalogue: what any rule takes in and none leaves out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")
    rules: list[RuleBody] = Field(max_length=1000)


class AssortmentOut(Answer):
    """A part of the catalogue."""

    id: UUID
    code: str
    name: str
    rules: list[RuleBody]
    version: int
    updated_at: datetime

    @classmethod
    def of(cls, stored: Stored[Assortment]) -> AssortmentOut:
        """An assortment with its rules."""
        one = stored.value
        return cls(
            id=one.id,
            code=one.code,
            name=one.name,
            rules=[
                RuleBody(includes=r.includes, kind=r.kind, target_id=r.target_id) for r in one.rules
            ],
            version=stored.version,
            updated_at=stored.updated_at,
        )


class AssortmentList(Answer):
    """All assortments, by code."""

    data: list[AssortmentOut]


def add_assortments(router: APIRouter, house: House) -> None:
    """Add the routes of assortments."""

    @router.get("/assortments", response_model=AssortmentList, tags=["catalog"])
    async def list_assortments(
        request: Request, _actor: Annotated[Actor, needs("catalog:write")]
    ) -> Response:
        """All assortments."""
        async with house.database.reading() as uow:
            found = await uow.assortments.every()
        return answer(request, AssortmentList(data=[AssortmentOut.of(one) for one in found]))

    @router.put(
        "/assortments/{code}", response_model=AssortmentOut, openapi_extra=TAKES_BACK,
        tags=["catalog"],
    )  # fmt: skip
    async def write_assortment(
        actor: Annotated[Actor, needs("catalog:write")], code: Code, body: AssortmentIn
    ) -> Response:
        """Write an assortment whole."""
        rules = tuple(AssortmentRule(r.includes, r.kind, r.target_id) for r in body.rules)
        async with house.database.writing() as uow:
            doing = Doing(actor, house.now(), house.new_id)
            stored = await put_assortment(uow, code, body.name, rules, doing)
        return changed(AssortmentOut.of(stored))

    for method, given in (("PUT", True), ("DELETE", False)):
        _add_assignment(router, house, method, given=given)


def _add_assignment(router: APIRouter, house: House, method: str, *, given: bool) -> None:
    async def change(
        actor: Annotated[Actor, needs("catalog:write")],
        code: Code,
        scope: AssignedTo,
        scope_id: UUID,
    ) -> Response:
        async with house.database.writing() as uow:
            doing = Doing(actor, house.now(), house.new_id)
            await assign(uow, code, scope, scope_id, doing, given=given)
        return Response(status_code=204)

    router.add_api_route(
        "/assortments/{code}/assignments/{scope}/{scope_id}",
        change,
        methods=[method],
        status_code=204,
        responses=described(404),
        openapi_extra=TAKES_BACK,
        tags=["catalog"],
        name="assign_assortment" if given else "unassign_assortment",
        description="Limit what somebody sees to this assortment and others they have."
        if given
        else "Take an assortment from somebody; without any they see everything.",
    )
