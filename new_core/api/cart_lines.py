"""Routes of the lines of carts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from new_core.api.auth import needs
from new_core.api.cart_answers import LineChanged, LineOut, RowsOut
from new_core.api.cart_bodies import LineNew, LineQuantity, LinesBatch, Reorder
from new_core.api.cart_parameters import CART, Adding, Changing, tagged
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.idempotency import SHORT, Asked, once
from new_core.api.problems import described
from new_core.domain.actor import Actor
from new_core.ports import UnitOfWork
from new_core.service.cart_changes import Mode, add_lines, change_line, remove_line
from new_core.service.cart_merging import reorder
from new_core.service.doing import Doing

Who = Annotated[Actor, needs(own_rows=True)]


def add_line_routes(router: APIRouter, house: House) -> None:
    """Add the routes of lines."""
    _add_single(router, house)
    _add_many(router, house)
    _add_changes(router, house)


def _add_single(router: APIRouter, house: House) -> None:
    @router.post(
        CART + "/lines", response_model=LineChanged, status_code=201,
        responses={200: {"model": LineChanged}, **described(400, 403, 404, 409, 412)},
        openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def add_line(opening: Adding, asked: Asked, actor: Who, body: LineNew) -> Response:
        """Put units of something into a cart: 201 for a new line, 200 where a line grew.

        The answer is the line. What the whole cart costs, a GET of it says.
        """

        async def work(uow: UnitOfWork) -> Response:
            doing = Doing(actor, house.now(), house.new_id)
            added = await add_lines(uow, opening, [body.wish()], Mode.ATOMIC, doing)
            line = added.placed[0].line
            assert line is not None  # noqa: S101 - a refusal raised
            answer = LineChanged(
                cart_id=opening.cart_id, cart_version=added.version,
                line=LineOut.of(line, added.goods[line.variant_id], added.currency),
            )  # fmt: skip
            return tagged(answer, added.version, 201 if added.placed[0].is_new else 200)

        only = once(house, asked, actor, keep=SHORT, guest=opening.token_sha256)
        return await only.in_one(work)


def _add_many(router: APIRouter, house: House) -> None:
    @router.post(
        CART + "/lines:batch", response_model=RowsOut,
        responses=described(400, 403, 404, 409, 412), openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def add_batch(opening: Adding, asked: Asked, actor: Who, body: LinesBatch) -> Response:
        """Put up to 1,000 lines into a cart at once, and tell what became of each."""

        async def work(uow: UnitOfWork) -> Response:
            doing = Doing(actor, house.now(), house.new_id)
            wishes = [one.wish() for one in body.lines]
            added = await add_lines(uow, opening, wishes, body.mode, doing)
            return tagged(RowsOut.of(opening.cart_id, added), added.version)

        only = once(house, asked, actor, keep=SHORT, guest=opening.token_sha256)
        return await only.in_one(work)

    @router.post(
        CART + "/reorder", response_model=RowsOut,
        responses=described(400, 403, 404, 409, 412), openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def add_order(opening: Adding, asked: Asked, actor: Who, body: Reorder) -> Response:
        """Put what an order was of into a cart, at today's prices, as far as it is sold."""

        async def work(uow: UnitOfWork) -> Response:
            doing = Doing(actor, house.now(), house.new_id)
            added = await reorder(uow, opening, body.order_id, doing)
            return tagged(RowsOut.of(opening.cart_id, added), added.version)

        only = once(house, asked, actor, keep=SHORT, guest=opening.token_sha256)
        return await only.in_one(work)


def _add_changes(router: APIRouter, house: House) -> None:
    @router.patch(
        CART + "/lines/{line_id}", response_model=LineChanged,
        responses=described(403, 404, 409, 412, 428), openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def patch_line(
        opening: Changing, line_id: UUID, actor: Who, body: LineQuantity
    ) -> Response:
        """Set how many units a line holds."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            changed = await change_line(uow, opening, line_id, body.quantity, doing)
            await uow.commit()
        answer = LineChanged(
            cart_id=opening.cart_id, cart_version=changed.version,
            line=LineOut.of(changed.line, changed.goods, changed.currency),
        )  # fmt: skip
        return tagged(answer, changed.version)

    @router.delete(
        CART + "/lines/{line_id}", status_code=204,
        responses=described(403, 404, 409, 412, 428), openapi_extra=TAKES_BACK, tags=["carts"],
    )  # fmt: skip
    async def delete_line(opening: Changing, line_id: UUID, actor: Who) -> Response:
        """Take a line out of a cart."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            version = await remove_line(uow, opening, line_id, doing)
            await uow.commit()
        return Response(status_code=204, headers={"etag": f'"v{version}"'})
