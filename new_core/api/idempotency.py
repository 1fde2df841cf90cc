"""Routes that do a thing once, however often they are asked to, by `Idempotency-Key`.

A simple command does all in one transaction; a refusal (an error that `work` raises) is not
kept, since it had no effect:

    @router.post("/orders/{order_id}/cancel", responses=described(400, 409, 422))
    async def cancel(order_id: UUID, asked: Asked, actor: Annotated[Actor, needs("orders:write")]):
        async def work(uow: UnitOfWork) -> Response:
            order = await cancel_order(uow, order_id, Doing(actor, house.now(), house.new_id))
            return changed(OrderOut.of(order))

        return await once(house, asked, actor, keep=LONG).in_one(work)

A command that calls others between two transactions begins in the first and finishes in the
second, beside what it tells of:

    only = once(house, asked, actor, keep=LONG, guest=f"cart:{cart_id}")
    async with house.database.writing() as uow:
        before = await only.begin(uow)
        if before is not None:
            return before
        placed = await place(uow, ...)
        await uow.commit()
    outcome = await gateway.authorise(placed)
    async with house.database.writing() as uow:
        response = changed(await settle(uow, placed, outcome))
        await only.finish(uow, response)
        await uow.commit()
    return response

When the process dies in between, others are told that the request is in hand until
`in_hand_s` are over; then the next one begins again, finds what the first one placed, and
goes on from there. `begin` therefore never means that nothing happened yet.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Header, Request
from starlette.responses import Response

from new_core.api.house import House, Worker
from new_core.domain.actor import Actor
from new_core.domain.idempotency import fingerprint, principal_of, read_key
from new_core.ports import KeptAnswer, RequestKey, UnitOfWork

SHORT = timedelta(hours=24)
LONG = timedelta(days=30)
"""How long an answer is kept: of carts, and of orders, payments and refunds."""

REPLAYED = "idempotent-replayed"

_NOT_KEPT = frozenset(("content-length", "date", "server", "x-request-id"))
_SWEPT_AT_A_TIME = 500
_SWEEP_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class AskedOnce:
    """What a request says of itself.

    Attributes:
        route: method and path.
    """

    route: str
    key: str
    fingerprint: str


async def _asked(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            max_length=600,
            description="required: one new value per thing that the user wants, e.g. a UUID; "
            "the same with every retry of it",
        ),
    ] = None,
) -> AskedOnce:
    key = read_key(idempotency_key)
    asked = fingerprint(request.url.query, await request.body())
    return AskedOnce(f"{request.method} {request.url.path}"[:512], key, asked)


Asked = Annotated[AskedOnce, Depends(_asked)]
"""A route's parameter: it demands `Idempotency-Key`. Answers 400 without, so the route says
`described(400, 409, 422)`.
"""


def once(
    house: House,
    asked: AskedOnce,
    actor: Actor,
    *,
    keep: timedelta,
    guest: str = "",
    in_hand_s: float = 60.0,
) -> Once:
    """What keeps this request from being done twice.

    Args:
        house: of the route.
        asked: the route's parameter.
        actor: who asks; keys of others are others.
        keep: how long the answer is given again, SHORT or LONG.
        guest: of the anonymous something that only they know, e.g. their cart's id.
        in_hand_s: after how long somebody else may take up what was begun and not finished.

    Raises:
        BadRequest: a guest's key that others could guess.
    """
    principal = principal_of(actor, guest, asked.key)
    request = RequestKey(principal, asked.route, asked.key, asked.fingerprint)
    return Once(house, request, keep, timedelta(seconds=in_hand_s))


@dataclass(frozen=True, slots=True)
class Once:
    """One request that is done once. See the module for its two usages."""

    house: House
    request: RequestKey
    keep: timedelta
    in_hand: timedelta

    async def in_one(self, work: Callable[[UnitOfWork], Awaitable[Response]]) -> Response:
        """Do `work` and keep its answer in one transaction, or give the answer of the first
        time. `work` leaves the commit to this. An answer of 500 and more undoes all.

        Raises:
            RequestInFlight, RequestKeyReused: see the port.
        """
        async with self.house.database.writing() as uow:
            before = await self.begin(uow)
            if before is not None:
                return before
            response = await work(uow)
            if response.status_code < 500:
                await self.finish(uow, response)
                await uow.commit()
        return response

    async def begin(self, uow: UnitOfWork) -> Response | None:
        """Take the request in hand: None means go on, an answer is given again.

        Raises:
            RequestInFlight, RequestKeyReused: see the port.
        """
        now = self.house.now()
        kept = await uow.idempotency.begin(
            self.request, now, locked_until=now + self.in_hand, expires_at=now + self.keep
        )
        return None if kept is None else _again(kept)

    async def finish(self, uow: UnitOfWork, response: Response) -> None:
        """Keep the answer, in the transaction of what it tells of."""
        headers = tuple(
            (name, value) for name, value in response.headers.items() if name not in _NOT_KEPT
        )
        answer = KeptAnswer(response.status_code, headers, bytes(response.body))
        await uow.idempotency.finish(self.request, answer, self.house.now())

    async def forget(self, uow: UnitOfWork) -> None:
        """Let go: it came to nothing, and the next try begins anew."""
        await uow.idempotency.forget(self.request)


def _again(kept: KeptAnswer) -> Response:
    response = Response(kept.body, kept.status, headers=dict(kept.headers))
    response.headers[REPLAYED] = "true"
    return response


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""

    async def sweep() -> int:
        async with house.database.writing() as uow:
            gone = await uow.idempotency.sweep(house.now(), _SWEPT_AT_A_TIME)
            await uow.commit()
        return gone

    return (Worker("idempotency-sweeper", sweep, _SWEEP_EVERY_S),)
