"""Routes of rules of quantity."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from new_core.api.auth import needs
from new_core.api.cart_bodies import Body, Quantity
from new_core.api.cart_parameters import IfMatch, demanded_versions, shown, tagged
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.problems import described
from new_core.api.schemas import Answer
from new_core.domain.actor import Actor
from new_core.domain.cart_lines import QuantityRule
from new_core.domain.catalog import Stored
from new_core.service.cart_rules import delete_rule, put_rule, quantity_rule
from new_core.service.doing import Doing

_PATH = "/quantity-rules/{variant_id}"
Staff = Annotated[Actor, needs("catalog:write")]


class RuleIn(Body):
    """How many units of a variant a line may hold."""

    minimum: Quantity = 1
    maximum: Quantity | None = Field(default=None, description="null for no bound")
    step: Quantity = Field(default=1, description="a line holds a multiple of it")


class RuleOut(Answer):
    """How many units of a variant a line may hold."""

    variant_id: UUID
    minimum: int
    maximum: int | None
    step: int
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, stored: Stored[QuantityRule]) -> RuleOut:
        """A rule as it is now."""
        rule = stored.value
        return cls(
            variant_id=rule.variant_id, minimum=rule.minimum, maximum=rule.maximum,
            step=rule.step, updated_at=stored.updated_at, version=stored.version,
        )  # fmt: skip


def add_rule_routes(router: APIRouter, house: House) -> None:
    """Add the routes of rules of quantity."""

    @router.get(_PATH, response_model=RuleOut, responses=described(404), tags=["carts"])
    async def get_rule(
        request: Request, variant_id: UUID, actor: Annotated[Actor, needs()]
    ) -> Response:
        """How many units of a variant a line may hold; 404 where it is sold by the piece."""
        del actor
        async with house.database.reading() as uow:
            found = await quantity_rule(uow, variant_id)
        return shown(request, RuleOut.of(found), found.version)

    @router.put(
        _PATH, response_model=RuleOut, responses=described(403, 404, 409, 412, 428),
        openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def write_rule(
        variant_id: UUID, actor: Staff, body: RuleIn, if_match: IfMatch = None
    ) -> Response:
        """Say how many units of a variant a line may hold; `If-Match: *` for a first time."""
        versions = demanded_versions(if_match)
        rule = QuantityRule(variant_id, body.minimum, body.maximum, body.step)
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            stored = await put_rule(uow, rule, versions, doing)
            await uow.commit()
        return tagged(RuleOut.of(stored), stored.version)

    @router.delete(
        _PATH, status_code=204, responses=described(403, 404, 409, 412, 428),
        openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def remove_rule(variant_id: UUID, actor: Staff, if_match: IfMatch = None) -> Response:
        """Sell a variant by the piece again."""
        versions = demanded_versions(if_match)
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            await delete_rule(uow, variant_id, versions, doing)
            await uow.commit()
        return Response(status_code=204)
