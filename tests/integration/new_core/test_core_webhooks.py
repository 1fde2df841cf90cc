"""Deliveries reach a real server signed, in order, and as often as it takes; or not at all."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks.webhooks import Webhook
from typing_extensions import override

from new_core.api.webhook_workers import sent_round
from new_core.api.webhooks_sender import HttpSender
from new_core.domain.actor import Actor, ActorKind
from new_core.domain.events import Event
from new_core.domain.webhooks import (
    MOST_ATTEMPTS,
    DeliveryState,
    Endpoint,
    make_secret,
    read_networks,
)
from new_core.ports import EventQuery
from new_core.ports.webhooks import DeliveryQuery
from new_core.service.doing import Doing
from new_core.service.outbox import number_events
from new_core.service.webhook_endpoints import Wanted, make_endpoint, rotate_secret
from new_core.service.webhooks import (
    LEASE,
    Courier,
    put_in_line,
    replay_delivery,
    replay_endpoint,
)
from new_core.storage import SqlDatabase
from new_core.storage.ids import new_id
from tests.support.core import SetClock, house_on
from tests.support.receiver import Receiver, receiving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

CLERK = Actor(ActorKind.STAFF, "clerk", request_id="req-1")
LOOPBACK = read_networks("127.0.0.0/8")
DEADLINE_S = 5.0


@dataclass
class Post:
    """The core's side: tells, sends, and looks at its lines."""

    core: SqlDatabase
    receiver: Receiver
    clock: SetClock = field(default_factory=SetClock)
    sender: HttpSender = field(default_factory=lambda: HttpSender(LOOPBACK, DEADLINE_S))

    def __post_init__(self) -> None:
        self.house = house_on(self.core, self.clock)
        self.courier = Courier(self.core, self.sender, self.clock, lambda: 0.0)

    def doing(self) -> Doing:
        return Doing(CLERK, self.clock(), new_id)

    async def endpoint(self, url: str | None = None, *types: str) -> Endpoint:
        wanted = Wanted(url or self.receiver.url, "", types or ("orders.*",), True)
        async with self.core.writing() as uow:
            made = await make_endpoint(uow, wanted, make_secret(b"s" * 32), self.doing())
            await uow.commit()
        return made

    async def tell(self, *aggregates: UUID) -> None:
        async with self.core.writing() as uow:
            events = [
                Event("orders.order.changed.v1", "order", one, {"n": 1}) for one in aggregates
            ]
            await uow.outbox.add(events, CLERK, self.clock())
            await uow.commit()
        await self.line()

    async def line(self) -> None:
        await number_events(self.core)
        while await put_in_line(self.core, self.clock, new_id):
            pass

    async def send(self) -> int:
        """Rounds until nothing is due."""
        sent = 0
        while some := await sent_round(self.house, self.courier):
            sent += some
        return sent

    async def states(self, endpoint: Endpoint) -> list[str]:
        """Of an endpoint's deliveries, in the order of its line."""
        async with self.core.reading() as uow:
            found = await uow.webhooks.deliveries(DeliveryQuery(endpoint.id, 1000))
        return [one.state.value for one in reversed(found)]

    async def now(self, endpoint: Endpoint) -> Endpoint:
        async with self.core.reading() as uow:
            found = await uow.webhooks.endpoint(endpoint.id)
        assert found is not None
        return found

    async def told(self, kind: str) -> list[object]:
        await number_events(self.core)
        async with self.core.reading() as uow:
            found = await uow.outbox.page(EventQuery(0, 1000, f"webhooks.endpoint.{kind}.v1"))
        return [one.event.data for one in found]


@pytest.fixture
async def post(core: SqlDatabase) -> AsyncIterator[Post]:
    async with receiving() as receiver:
        made = Post(core, receiver)
        yield made
        await made.sender.close()


async def test_what_arrives_is_a_cloudevent_that_the_standards_library_verifies(
    post: Post,
) -> None:
    order = new_id()
    post.clock.at = _real_now()
    endpoint = await post.endpoint()
    await post.tell(order)

    assert await post.send() == 1
    ((headers, body),) = post.receiver.raw
    assert Webhook(endpoint.secret).verify(body, headers)["aggregateid"] == str(order)
    assert headers["webhook-id"] == json.loads(body)["id"]
    assert headers["content-type"] == "application/cloudevents+json"
    assert await post.states(endpoint) == ["delivered"]


async def test_both_secrets_verify_while_they_overlap(post: Post) -> None:
    post.clock.at = _real_now()
    old = await post.endpoint()
    async with post.core.writing() as uow:
        new = await rotate_secret(uow, old.id, make_secret(b"n" * 32), post.doing())
        await uow.commit()
    await post.tell(new_id())
    await post.send()

    ((headers, body),) = post.receiver.raw
    for secret in (old.secret, new.secret):
        assert Webhook(secret).verify(body, headers)


async def test_an_endpoint_gets_what_it_wants_and_nothing_from_before_it(post: Post) -> None:
    order = new_id()
    await post.tell(order)
    post.clock.forward(seconds=1)
    endpoint = await post.endpoint(None, "orders.order.changed.v1")
    other = await post.endpoint(None, "carts.*")
    await post.tell(order)

    assert await post.send() == 1
    assert post.receiver.of(order) == [2]
    assert (await post.states(endpoint), await post.states(other)) == (["delivered"], [])


async def test_a_failure_holds_up_its_aggregate_and_no_other_until_it_goes(post: Post) -> None:
    bad, good = new_id(), new_id()
    endpoint = await post.endpoint()
    post.receiver.status = lambda event: 500 if event["aggregateid"] == str(bad) else 200
    await post.tell(bad, good, bad, good)

    await post.send()
    assert (post.receiver.of(bad), post.receiver.of(good)) == ([], [1, 2])
    assert await post.states(endpoint) == ["pending", "delivered", "pending", "delivered"]
    assert await post.send() == 0
    post.receiver.status = 204
    post.clock.forward(seconds=10)
    assert await post.send() == 2

    assert post.receiver.of(bad) == [1, 2]
    assert (await post.now(endpoint)).failures_in_a_row == 0


async def test_an_endpoint_that_hangs_is_given_up_and_tried_again(post: Post) -> None:
    endpoint = await post.endpoint()
    post.receiver.hang = True
    post.sender._deadline_s = 0.05
    await post.tell(new_id())

    await post.send()
    async with post.core.reading() as uow:
        (delivery,) = await uow.webhooks.deliveries(DeliveryQuery(endpoint.id, 10))
    assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, 1)
    assert delivery.last_error == "no answer within 0.05 s"
    post.receiver.hang, post.sender._deadline_s = False, DEADLINE_S
    post.clock.forward(seconds=10)
    await post.send()
    assert await post.states(endpoint) == ["delivered"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(post: Post, status: int) -> None:
    endpoint = await post.endpoint()
    post.receiver.status = status
    post.receiver.headers = {"location": f"http://127.0.0.1:{post.receiver.port}/private"}
    await post.tell(new_id())

    await post.send()

    assert post.receiver.asked == ["/hook"]
    assert await post.states(endpoint) == ["pending"]


async def test_gone_disables_the_endpoint_and_says_so(post: Post) -> None:
    endpoint, order = await post.endpoint(), new_id()
    post.receiver.status = 410
    await post.tell(order, order, new_id())

    await post.send()
    await post.tell(order)

    assert set(await post.states(endpoint)) <= {"failed", "dropped"}
    now = await post.now(endpoint)
    assert (now.enabled, now.disabled_because) == (False, "it answered 410 Gone")
    assert len(await post.told("disabled")) == 1


async def test_an_endpoint_that_asks_for_patience_gets_it(post: Post) -> None:
    await post.endpoint()
    post.receiver.status, post.receiver.headers = 429, {"retry-after": "90"}
    await post.tell(new_id())
    await post.send()

    post.clock.forward(seconds=89)
    assert await post.send() == 0
    post.clock.forward(seconds=1)
    assert await post.send() == 1


async def test_a_breaker_opens_lets_one_try_after_its_rest_and_closes_on_success(
    post: Post,
) -> None:
    endpoint = await post.endpoint()
    post.receiver.status = 503
    await post.tell(*(new_id() for _ in range(12)))

    for _ in range(4):
        await sent_round(post.house, post.courier)
    opened = len(post.receiver.asked)
    assert 5 <= opened <= 7
    assert await post.send() == 0
    assert (await post.now(endpoint)).open_until is not None
    assert [one["endpoint_id"] for one in _all(await post.told("degraded"))] == [str(endpoint.id)]

    post.clock.forward(minutes=2)
    assert await sent_round(post.house, post.courier) == 1
    assert await post.send() == 0
    post.receiver.status = 200
    post.clock.forward(hours=1)
    while await post.send():
        post.clock.forward(hours=1)

    assert set(await post.states(endpoint)) == {"delivered"}
    assert len(await post.told("recovered")) == 1
    assert (await post.now(endpoint)).open_until is None


async def test_after_the_last_attempt_the_next_event_has_its_turn(post: Post) -> None:
    endpoint, order = await post.endpoint(), new_id()
    post.receiver.status = lambda event: 500 if event["aggregateseq"] == 1 else 200
    await post.tell(order, order)

    tries = 0
    while (await post.states(endpoint))[0] == "pending":
        tries += await sent_round(post.house, post.courier)
        post.clock.forward(hours=25)
    await post.send()

    assert tries == MOST_ATTEMPTS
    assert await post.states(endpoint) == ["failed", "delivered"]
    assert post.receiver.of(order) == [2]


async def test_what_a_dead_process_had_in_hand_is_sent_again_with_the_same_id(
    post: Post,
) -> None:
    endpoint, order = await post.endpoint(), new_id()
    await post.tell(order, order)
    (taken,) = await post.courier.take()
    await post.sender.send(endpoint.url, {"webhook-id": str(taken.delivery.event_id)}, b"{}")

    assert await post.send() == 0
    post.clock.forward(seconds=LEASE.total_seconds())
    assert await post.send() == 2
    ids = [headers["webhook-id"] for headers, _ in post.receiver.raw]
    assert ids[0] == ids[1] != ids[2]


async def test_many_couriers_send_each_once_and_keep_the_order(post: Post) -> None:
    endpoint, orders = await post.endpoint(), [new_id() for _ in range(5)]
    for _ in range(8):
        await post.tell(*orders)

    await asyncio.gather(*(post.send() for _ in range(3)))
    await post.send()

    assert len(post.receiver.got) == 40
    for order in orders:
        assert post.receiver.of(order) == list(range(1, 9))
    assert set(await post.states(endpoint)) == {"delivered"}


async def test_a_delivery_and_all_from_a_number_on_are_sent_again(post: Post) -> None:
    endpoint, order = await post.endpoint(), new_id()
    await post.tell(order, order, order)
    await post.send()
    async with post.core.writing() as uow:
        first = (await uow.webhooks.deliveries(DeliveryQuery(endpoint.id, 10)))[-1]
        again = await replay_delivery(uow, first.id, post.doing())
        await uow.commit()
    await post.send()
    async with post.core.writing() as uow:
        made = await replay_endpoint(uow, endpoint.id, first.event_seq + 1, post.doing())
        await uow.commit()
    await post.send()

    assert again.replay_of == first.id
    assert made == (2, None)
    assert post.receiver.of(order) == [1, 2, 3, 1, 2, 3]


class Names(AbstractResolver):
    """Leads a name to where the test says, and counts."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for one in self.addresses
        ]

    @override
    async def close(self) -> None:
        pass


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("93.184.215.14", "127.0.0.1")])
async def test_a_name_that_leads_inside_is_not_followed(addresses: tuple[str, ...]) -> None:
    async with receiving() as receiver:
        sender = HttpSender((), DEADLINE_S, Names(*addresses))

        heard = await sender.send(f"https://erp.example.com:{receiver.port}/", {}, b"{}")
        await sender.close()

        assert heard.status is None
        assert "private network" in heard.error
        assert receiver.asked == []


async def test_where_a_name_leads_is_looked_at_each_time() -> None:
    async with receiving() as receiver:
        names = Names("127.0.0.1")
        sender = HttpSender(LOOPBACK, DEADLINE_S, names)
        url = f"http://erp.example.com:{receiver.port}/"

        statuses = [(await sender.send(url, {}, b"{}")).status for _ in range(2)]
        names.addresses = ("10.0.0.1",)
        refused = await sender.send(url, {}, b"{}")
        await sender.close()

        assert (statuses, names.asked) == ([204, 204], 3)
        assert "private network" in refused.error


async def test_an_address_inside_is_refused_also_when_it_was_put_down_before() -> None:
    sender = HttpSender((), DEADLINE_S)

    heard = [
        await sender.send(url, {}, b"{}")
        for url in ("https://127.0.0.1:1/", "https://[::ffff:127.0.0.1]:1/", "http://x.example/")
    ]
    await sender.close()

    assert all(one.status is None and one.error for one in heard)


def _real_now() -> datetime:
    return datetime.now(tz=UTC)  # noqa: TID251 - the standard's library reads the clock


def _all(found: list[object]) -> list[dict[str, object]]:
    return [one for one in found if isinstance(one, dict)]
