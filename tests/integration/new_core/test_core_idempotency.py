"""A route that demands a key does its work once, whatever is sent and whenever."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Response

from new_core.api import problems
from new_core.api.idempotency import LONG, SHORT, Asked, once, workers
from new_core.domain.actor import Actor, ActorKind
from new_core.domain.events import AuditEntry
from new_core.errors import Conflict, StoreUnavailable
from new_core.ports import UnitOfWork
from new_core.storage import SqlDatabase
from tests.support.asgi import Answered, send_to
from tests.support.core import SetClock, house_on

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

CLERK = Actor(ActorKind.STAFF, "clerk")
KEY = {"idempotency-key": '"one-intent"', "content-type": "application/json"}


async def _clerk() -> Actor:
    return CLERK


Who = Annotated[Actor, Depends(_clerk)]


@dataclass
class Shop:
    """Two routes, as modules write them, and what they did."""

    core: SqlDatabase
    clock: SetClock = field(default_factory=SetClock)
    done: list[Any] = field(default_factory=list)
    gateway: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.house = house_on(self.core, self.clock)
        self.app = FastAPI()
        problems.install(self.app)
        router = APIRouter(prefix="/v1")
        self._add_simple(router)
        self._add_saga(router)
        self.app.include_router(router)

    def _add_simple(self, router: APIRouter) -> None:
        @router.post("/orders")
        async def place(asked: Asked, who: Who, body: dict[str, Any]) -> Response:
            async def work(uow: UnitOfWork) -> Response:
                await uow.audit.add([AuditEntry("placed", "order", "1")], who, self.clock())
                if body.get("refuse"):
                    raise Conflict("insufficient_stock", "there are none left")
                if body.get("break"):
                    return Response(status_code=502)
                self.done.append(body)
                number = str(len(self.done))
                return Response(
                    json.dumps({"number": number}), 201, {"location": f"/v1/orders/{number}"},
                    media_type="application/json",
                )  # fmt: skip

            return await once(self.house, asked, who, keep=SHORT).in_one(work)

    def _add_saga(self, router: APIRouter) -> None:
        @router.post("/checkouts")
        async def check_out(asked: Asked, who: Who, body: dict[str, Any]) -> Response:
            only = once(self.house, asked, who, keep=LONG)
            async with self.core.writing() as uow:
                before = await only.begin(uow)
                if before is not None:
                    return before
                await uow.commit()
            if not self.gateway:
                self.gateway.append("charged")
            if body.get("die"):
                raise StoreUnavailable("died between the two transactions")
            async with self.core.writing() as uow:
                response = Response(json.dumps(self.gateway), media_type="application/json")
                await only.finish(uow, response)
                await uow.commit()
            return response

    async def post(
        self, body: dict[str, Any], headers: dict[str, str] = KEY, path: str = "/v1/orders"
    ) -> Answered:
        return await send_to(self.app, "POST", path, json.dumps(body).encode(), headers)


def code(answer: Answered) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


async def test_without_a_key_nothing_is_done(core: SqlDatabase) -> None:
    shop = Shop(core)

    missing = await shop.post({}, {"content-type": "application/json"})
    odd = await shop.post({}, KEY | {"idempotency-key": '"half'})

    assert code(missing) == (400, "idempotency_key_missing")
    assert code(odd) == (400, "idempotency_key_invalid")
    assert shop.done == []


async def test_the_second_time_gets_the_first_answer_whole(core: SqlDatabase) -> None:
    shop = Shop(core)

    first = await shop.post({"a": 1, "b": 2})
    again = await shop.post({"b": 2, "a": 1})

    assert (
        (first.status, first.content) == (again.status, again.content) == (201, b'{"number": "1"}')
    )
    assert "idempotent-replayed" not in first.headers
    assert again.headers == first.headers | {"idempotent-replayed": "true"}
    assert len(shop.done) == 1


async def test_another_body_with_the_key_is_refused(core: SqlDatabase) -> None:
    shop = Shop(core)
    await shop.post({"a": 1})

    assert code(await shop.post({"a": 2})) == (422, "idempotency_key_reused")
    assert len(shop.done) == 1


async def test_a_refusal_and_a_failure_are_not_kept_and_leave_nothing(core: SqlDatabase) -> None:
    shop = Shop(core)

    assert code(await shop.post({"refuse": True})) == (409, "insufficient_stock")
    assert (await shop.post({"break": True})).status == 502
    assert (await shop.post({})).status == 201


async def test_fifty_at_once_do_it_once(core: SqlDatabase) -> None:
    shop = Shop(core)

    answers = await asyncio.gather(*(shop.post({"a": 1}) for _ in range(50)))

    assert len(shop.done) == 1
    assert {one.status for one in answers} <= {201, 409}
    assert all(code(one)[1] == "request_in_flight" for one in answers if one.status == 409)
    assert all(one.headers["retry-after"] == "1" for one in answers if one.status == 409)
    assert (await shop.post({"a": 1})).headers["idempotent-replayed"] == "true"


async def test_what_died_between_two_transactions_is_in_hand_and_then_taken_up(
    core: SqlDatabase,
) -> None:
    shop = Shop(core)
    assert (await shop.post({"die": 1}, path="/v1/checkouts")).status == 503

    waiting = await shop.post({"die": 1}, path="/v1/checkouts")
    shop.clock.forward(seconds=61)
    taken_up = await shop.post({"die": 1}, path="/v1/checkouts")

    assert code(waiting) == (409, "request_in_flight")
    assert waiting.headers["retry-after"] == "60"
    assert waiting.json()["retryable"]
    assert taken_up.status == 503
    assert shop.gateway == ["charged"]


async def test_two_transactions_keep_the_answer_of_the_second(core: SqlDatabase) -> None:
    shop = Shop(core)

    answers = [await shop.post({}, path="/v1/checkouts") for _ in range(2)]

    assert [one.content for one in answers] == [b'["charged"]'] * 2
    assert answers[1].headers["idempotent-replayed"] == "true"


async def test_an_answer_is_swept_when_its_time_is_up(core: SqlDatabase) -> None:
    shop = Shop(core)
    (sweeper,) = workers(shop.house)
    await shop.post({})
    await shop.post({}, path="/v1/checkouts")

    swept = [await sweeper.run()]
    for days in (1, 29):
        shop.clock.forward(days=days)
        swept.append(await sweeper.run())

    assert swept == [0, 1, 1]
    assert (await shop.post({})).json() == {"number": "2"}
