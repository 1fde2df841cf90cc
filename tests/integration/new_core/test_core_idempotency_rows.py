"""A request that comes again finds its answer, or that it is in hand, or that it may begin."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from new_core.errors import RequestInFlight, RequestKeyReused
from new_core.ports import KeptAnswer, RequestKey
from new_core.storage import SqlDatabase
from new_core.storage.database import SqlUnitOfWork

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ASKED = RequestKey("customer-1", "POST /v1/orders", "key-1", "f" * 64)
ANSWER = KeptAnswer(201, (("location", "/v1/orders/1"),), b'{"id":1}')


async def begin(
    uow: SqlUnitOfWork, request: RequestKey = ASKED, at: datetime = NOW
) -> KeptAnswer | None:
    return await uow.idempotency.begin(
        request, at, locked_until=at + timedelta(seconds=30), expires_at=at + timedelta(days=1)
    )


async def begun(core: SqlDatabase) -> None:
    async with core.writing() as uow:
        assert await begin(uow) is None
        await uow.commit()


async def finished(core: SqlDatabase, answer: KeptAnswer = ANSWER) -> None:
    async with core.writing() as uow:
        await uow.idempotency.finish(ASKED, answer, NOW)
        await uow.commit()


async def test_an_answer_is_given_again_as_it_was(core: SqlDatabase) -> None:
    await begun(core)
    await finished(core)

    async with core.writing() as uow:
        assert await begin(uow) == ANSWER


async def test_a_request_in_hand_is_refused_with_the_time_to_ask_again(
    core: SqlDatabase,
) -> None:
    await begun(core)

    async with core.writing() as uow:
        with pytest.raises(RequestInFlight) as refused:
            await begin(uow, at=NOW + timedelta(seconds=10))
    assert refused.value.retry_after_s == 20


async def test_a_request_whose_transaction_is_open_is_refused_at_once(
    core_on_postgres: SqlDatabase,
) -> None:
    async with core_on_postgres.writing() as first, core_on_postgres.writing() as second:
        assert await begin(first) is None

        with pytest.raises(RequestInFlight):
            await begin(second)


async def test_a_key_with_another_request_is_refused_also_when_it_was_answered(
    core: SqlDatabase,
) -> None:
    other = RequestKey(ASKED.principal, ASKED.route, ASKED.key, "e" * 64)
    await begun(core)

    for _ in range(2):
        async with core.writing() as uow:
            with pytest.raises(RequestKeyReused):
                await begin(uow, other)
        await finished(core)


async def test_the_same_key_of_another_one_or_for_another_route_is_another_request(
    core: SqlDatabase,
) -> None:
    await begun(core)

    async with core.writing() as uow:
        for other in (
            RequestKey("customer-2", ASKED.route, ASKED.key, ASKED.fingerprint),
            RequestKey(ASKED.principal, "POST /v1/carts", ASKED.key, ASKED.fingerprint),
        ):
            assert await begin(uow, other) is None


async def test_what_somebody_began_and_left_is_taken_over_by_one(core: SqlDatabase) -> None:
    await begun(core)
    later = NOW + timedelta(seconds=31)

    async def again() -> bool:
        async with core.writing() as uow:
            try:
                assert await begin(uow, at=later) is None
            except RequestInFlight:
                return False
            await uow.commit()
            return True

    took = await asyncio.gather(*(again() for _ in range(6)))
    assert took.count(True) == 1


async def test_the_first_answer_stays(core: SqlDatabase) -> None:
    await begun(core)
    await finished(core)
    await finished(core, KeptAnswer(402, (), b"late"))

    async with core.writing() as uow:
        assert await begin(uow) == ANSWER


async def test_what_came_to_nothing_begins_anew(core: SqlDatabase) -> None:
    await begun(core)
    async with core.writing() as uow:
        await uow.idempotency.forget(ASKED)
        await uow.commit()

    async with core.writing() as uow:
        assert await begin(uow) is None


async def test_what_is_over_begins_anew_and_is_swept(core: SqlDatabase) -> None:
    await begun(core)
    await finished(core)
    later = NOW + timedelta(days=1)

    async with core.writing() as uow:
        other = RequestKey(ASKED.principal, ASKED.route, ASKED.key, "e" * 64)
        assert await begin(uow, other, later) is None
    async with core.writing() as uow:
        assert await uow.idempotency.sweep(later - timedelta(seconds=1), 10) == 0
        assert await uow.idempotency.sweep(later, 10) == 1
        assert await begin(uow) is None
