"""Asks stores whether they are well, each worker for itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from random import random
from typing import cast

from typing_extensions import override

from proxy.core.address import StoreAddress
from proxy.edge.dial import DialError
from proxy.edge.pool import Pool
from proxy.edge.tasks import Tasks
from proxy.routing.model import HealthCheck

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]")
_LINE_BYTES = 1_024
# Workers and stores must not beat in time: each pause is a tenth shorter or longer.
_JITTER = 0.1


def follow(
    pools: Iterable[tuple[Pool, StoreAddress]],
    tasks: Tasks,
    jitter: Callable[[], float] = random,
) -> None:
    """Start a check for each pool that wants one and has none by its present rule. A check
    ends by itself when its pool is retired or gets another rule.
    """
    for pool, address in pools:
        rule = pool.treatment.health
        if rule is pool.checked_by:
            continue
        pool.checked_by = rule
        if rule is not None:
            tasks.spawn(_keep_checking(pool, address, rule, jitter), f"health of {pool.side}")


async def _keep_checking(
    pool: Pool, address: StoreAddress, rule: HealthCheck, jitter: Callable[[], float]
) -> None:
    # The first comes at a time of its own too, for all workers start together.
    await asyncio.sleep(rule.every_s * _JITTER * jitter())
    while pool.checked_by is rule and not pool.is_retired:
        problem = await check(pool, address, rule)
        if pool.checked_by is rule:
            pool.checked(problem)
        await asyncio.sleep(rule.every_s * (1 - _JITTER + 2 * _JITTER * jitter()))


async def check(pool: Pool, address: StoreAddress, rule: HealthCheck) -> str | None:
    """Ask once, on a connection of its own. What is wrong, or None."""
    probe = _Probe(_request(rule.path, address))
    try:
        async with asyncio.timeout(rule.timeout_s):
            await pool.dialer.dial(lambda: probe)
            status = await probe.status
    except TimeoutError:
        return f"GET {rule.path} was not answered in {rule.timeout_s:g} s"
    except (DialError, _NoAnswerError) as exc:
        return f"GET {rule.path}: {exc}"
    finally:
        probe.close()
    return f"GET {rule.path} was answered with {status}" if status >= 500 else None


def _request(path: str, address: StoreAddress) -> bytes:
    return (
        b"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: banyan-health\r\nAccept: */*\r\n"
        b"Connection: close\r\n\r\n" % (path.encode("ascii", "replace"), address.authority)
    )


class _NoAnswerError(Exception):
    """The connection ended, or what came is no answer."""


class _Probe(asyncio.Protocol):
    """Sends a request and reads the status, no further."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    @override
    def data_received(self, data: bytes) -> None:
        if self.status.done():
            return
        self._buffer += data
        if b"\r\n" not in self._buffer and len(self._buffer) < _LINE_BYTES:
            return
        found = _STATUS.match(self._buffer)
        if found is None:
            self.status.set_exception(_NoAnswerError("what came is no HTTP answer"))
        else:
            self.status.set_result(int(found[1]))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.status.done():
            self.status.set_exception(_NoAnswerError("the connection ended without an answer"))

    def close(self) -> None:
        """End the connection, whatever it was about to say."""
        self.status.cancel()
        if self.status.done() and not self.status.cancelled():
            self.status.exception()  # somebody looked
        if self._transport is not None:
            self._transport.abort()
