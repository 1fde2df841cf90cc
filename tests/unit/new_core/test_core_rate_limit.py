"""A bucket lets through what was agreed and no more, and every answer tells what is left."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from new_core.api.deprecation import deprecated
from new_core.api.observe import Metrics, Observed
from new_core.api.rate_limits import MOST_CLIENTS, RateLimited
from new_core.domain.rate_limit import Bucket, RateLimit, take
from tests.support.asgi import Answered, send_to

TEN = RateLimit(per_minute=60, burst=10)


@given(
    per_minute=st.integers(1, 6_000),
    burst=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 30), max_size=80),
)
def test_nobody_gets_more_than_the_burst_and_what_came_back_since(
    per_minute: int, burst: int, gaps: list[float]
) -> None:
    limit, bucket, now, allowed = RateLimit(per_minute, burst), None, 0.0, 0
    for gap in gaps:
        now += gap
        allowance = take(limit, bucket, now)
        bucket, allowed = allowance.bucket, allowed + allowance.is_allowed
        assert 0 <= allowance.left <= burst

    assert allowed <= burst + now * per_minute / 60 + 1e-6


@given(per_minute=st.integers(1, 6_000), burst=st.integers(1, 50), tokens=st.floats(0, 0.999))
def test_whoever_waits_as_told_is_let_through(per_minute: int, burst: int, tokens: float) -> None:
    limit = RateLimit(per_minute, burst)
    refused = take(limit, Bucket(tokens, 100.0), 100.0)

    later = take(limit, refused.bucket, 100.0 + refused.wait_s)

    assert not refused.is_allowed
    assert refused.wait_s >= 1
    assert later.is_allowed


def test_a_clock_that_stands_gives_nothing_back() -> None:
    assert take(TEN, Bucket(0.0, 50.0), 50.0).is_allowed is False
    assert take(TEN, Bucket(0.0, 50.0), 40.0).is_allowed is False


async def fine() -> str:
    return "fine"


class Limited:
    """An application with one route, on a clock of the test."""

    def __init__(self) -> None:
        self.now_s = 0.0
        inner = FastAPI()
        going = deprecated(
            datetime(2026, 1, 1, tzinfo=UTC),
            sunset=datetime(2026, 12, 31, tzinfo=UTC),
            see="https://docs.example/moved",
        )
        inner.get("/v1/old", openapi_extra=going)(fine)
        inner.get("/v1/new")(fine)
        inner.get("/healthz")(fine)
        self.limited = RateLimited(inner, RateLimit(60, 3), lambda: self.now_s)
        self.app = Observed(self.limited, Metrics())
        self.schema = inner.openapi()

    async def get(self, path: str = "/v1/new", token: str = "") -> Answered:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return await send_to(self.app, "GET", path, headers=headers)


async def test_answers_tell_the_policy_and_what_is_left() -> None:
    one = await Limited().get()

    assert one.headers["ratelimit-policy"] == '"client";q=3;w=3'
    assert one.headers["ratelimit"] == '"client";r=2;t=1'


async def test_too_many_are_429_until_the_time_that_is_told() -> None:
    core = Limited()
    statuses = [(await core.get()).status for _ in range(3)]
    refused = await core.get()
    core.now_s += float(refused.headers["retry-after"])

    assert statuses == [200] * 3
    assert (refused.status, refused.json()["code"]) == (429, "rate_limited")
    assert refused.json()["retryable"] is True
    assert refused.json()["request_id"] == refused.headers["x-request-id"]
    assert (await core.get()).status == 200


async def test_each_client_has_its_own_bucket_and_probes_have_none() -> None:
    core = Limited()
    for _ in range(4):
        await core.get(token="one")

    assert (await core.get(token="one")).status == 429
    assert (await core.get(token="two")).status == 200
    assert (await core.get("/healthz")).status == 200
    assert "ratelimit" not in (await core.get("/healthz")).headers


async def test_many_clients_do_not_fill_the_memory() -> None:
    core = Limited()
    for n in range(MOST_CLIENTS + 5):
        core.limited._take(str(n).encode())

    assert len(core.limited._buckets) == MOST_CLIENTS


async def test_a_route_that_will_go_says_so_and_no_other_does() -> None:
    core = Limited()

    old, new = await core.get("/v1/old", "a"), await core.get("/v1/new", "b")

    assert old.headers["deprecation"] == "@1767225600"
    assert old.headers["sunset"] == "Thu, 31 Dec 2026 00:00:00 GMT"
    assert old.headers["link"].startswith('<https://docs.example/moved>; rel="deprecation"')
    assert not {"deprecation", "sunset"} & new.headers.keys()
    assert core.schema["paths"]["/v1/old"]["get"]["deprecated"] is True
