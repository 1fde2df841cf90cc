"""Routes of the book of movements, of promises, and of what both are worth."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from new_core.api.answers import answer, changed, id_cursor, read_id_cursor
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.idempotency import LONG, Asked, once
from new_core.api.parameters import After, Limit
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.api.stock_schemas import (
    AccuracyOut,
    DriftOut,
    MovementList,
    MovementOut,
    RepairNew,
    RepairOut,
    ReservationList,
    ReservationOut,
)
from new_core.domain.actor import Actor
from new_core.domain.reservation import Owner, ReservationState
from new_core.domain.stock_movement import MovementKind
from new_core.errors import InvalidValue
from new_core.ports import MovementQuery, ReservationQuery, UnitOfWork
from new_core.service.doing import Doing
from new_core.service.reconciling import look, repair

_Reads = Annotated[Actor, needs("stock:read")]
_Writes = Annotated[Actor, needs("stock:write")]
_OwnerType = Annotated[str | None, Query(min_length=1, max_length=16, pattern=r"^[a-z_]+$")]


def add_books(router: APIRouter, house: House) -> None:
    """Add the routes of movements, reservations and accuracy."""
    _add_movements(router, house)
    _add_reservations(router, house)
    _add_accuracy(router, house)


def _add_movements(router: APIRouter, house: House) -> None:
    @router.get("/stock-movements", response_model=MovementList, tags=["stock"])
    async def list_movements(
        request: Request,
        _actor: _Reads,
        limit: Limit = 50,
        after: After = None,
        stock_id: UUID | None = None,
        variant_id: UUID | None = None,
        kind: MovementKind | None = None,
    ) -> Response:
        """The book of movements, oldest first."""
        query = MovementQuery(
            limit=limit + 1,
            after=_read_seq(after) if after is not None else None,
            stock_level_id=stock_id,
            variant_id=variant_id,
            kind=kind,
        )
        async with house.database.reading() as uow:
            found = await uow.stock_books.movements(query)
        shown, more = found[:limit], len(found) > limit
        cursor = id_cursor(UUID(int=shown[-1].seq)) if more else None
        data = [MovementOut.of(one) for one in shown]
        body = MovementList(data=data, page=Page(next=cursor, has_more=more))
        return answer(request, body, next_page=cursor)


def _read_seq(after: str) -> int:
    seq = read_id_cursor(after).int
    if seq >= 2**63:
        raise InvalidValue("after", "is not a cursor of this list; take it from page.next")
    return seq


def _add_reservations(router: APIRouter, house: House) -> None:
    @router.get("/reservations", response_model=ReservationList, tags=["stock"])
    async def list_reservations(  # noqa: PLR0913, PLR0917 - one argument per query parameter
        request: Request,
        _actor: _Reads,
        limit: Limit = 50,
        after: After = None,
        owner_type: _OwnerType = None,
        owner_id: UUID | None = None,
        stock_id: UUID | None = None,
        state: ReservationState | None = None,
    ) -> Response:
        """Promises of units, past ones too; an owner is asked for by type and id."""
        if (owner_type is None) != (owner_id is None):
            raise InvalidValue("owner_type", "and owner_id go together")
        owner = Owner(owner_type, owner_id) if owner_type and owner_id else None
        query = ReservationQuery(
            limit=limit + 1,
            after=read_id_cursor(after) if after is not None else None,
            owner=owner,
            stock_level_id=stock_id,
            state=state,
        )
        async with house.database.reading() as uow:
            found = await uow.reservations.page(query)
        shown, more = found[:limit], len(found) > limit
        cursor = id_cursor(shown[-1].value.id) if more else None
        data = [ReservationOut.of(one) for one in shown]
        body = ReservationList(data=data, page=Page(next=cursor, has_more=more))
        return answer(request, body, next_page=cursor)


def _add_accuracy(router: APIRouter, house: House) -> None:
    @router.get("/stock-accuracy", response_model=AccuracyOut, tags=["stock"])
    async def get_accuracy(
        request: Request,
        _actor: _Reads,
        fresh: Annotated[bool, Query(description="look into all books now; that may take")] = False,
    ) -> Response:
        """The last measurement of the books; one is made every quarter of an hour."""
        async with house.database.reading() as uow:
            found = None if fresh else await uow.stock_books.latest()
            if found is None:
                found = await look(uow, house.new_id(), house.now())
        return answer(request, AccuracyOut.of(found))

    @router.post(
        "/stock-repairs", response_model=RepairOut, responses=described(400, 409),
        openapi_extra=TAKES_BACK, tags=["stock"],
    )  # fmt: skip
    async def post_repair(body: RepairNew, asked: Asked, actor: _Writes) -> Response:
        """Make levels what their books say, where they are not. Nothing repairs by itself."""
        doing = Doing(actor, house.now(), house.new_id)

        async def work(uow: UnitOfWork) -> Response:
            drifts = await repair(uow, set(body.stock_ids), body.reason, doing)
            return changed(RepairOut(data=[DriftOut.of(one) for one in drifts]))

        return await once(house, asked, actor, keep=LONG).in_one(work)
