"""Who waits for news of a stream can always be ended."""

from __future__ import annotations

import asyncio

import pytest

from legacy_adapters.service.streaming_course import Course


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_waiter_that_is_cancelled_as_news_arrive_ends(turns: int) -> None:
    async def ends() -> bool:
        course = Course("legacy>core", ["orders"])

        async def waits() -> None:
            while True:
                await course.news("orders", 60.0)

        waiting = asyncio.ensure_future(waits())
        await asyncio.sleep(0.01)
        course.is_at(7, {})
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting], timeout=1.0)
        has_ended = waiting.done()
        waiting.cancel()
        return has_ended

    assert asyncio.run(ends())
