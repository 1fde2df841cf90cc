"""The relay that the ledger test cuts networks with."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.tcp_relay import TcpRelay, Way, tcp_relay

pytestmark = pytest.mark.integration

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that says what it hears; what it heard."""
    heard: list[bytes] = []
    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(1_000):
                heard.append(piece)
                writer.write(piece)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], heard
    await asyncio.gather(*[one for one in serving if one is not None])


@asynccontextmanager
async def connected(relay: TcpRelay) -> AsyncIterator[Line]:
    line = await asyncio.open_connection("127.0.0.1", relay.port)
    try:
        yield line
    finally:
        line[1].close()
        with contextlib.suppress(ConnectionError):
            await line[1].wait_closed()


async def said(line: Line, text: bytes, within_s: float = 5.0) -> bytes:
    """What comes back."""
    line[1].write(text)
    return await asyncio.wait_for(line[0].read(1_000), within_s)


async def is_gone(line: Line) -> bool:
    """Whether the connection is over, in whatever way."""
    try:
        return await said(line, b"two") == b""
    except ConnectionError:
        return True


async def test_bytes_go_through_both_ways() -> None:
    async with echo() as (port, heard):
        with tcp_relay(port) as relay:
            async with connected(relay) as line:
                assert await said(line, b"hello") == b"hello"

            assert heard == [b"hello"]
            assert relay.passed == 10


async def test_a_cut_resets_what_is_open_and_what_comes_until_it_is_healed() -> None:
    async with echo() as (port, _):
        with tcp_relay(port) as relay:
            async with connected(relay) as before:
                assert await said(before, b"one") == b"one"

                await asyncio.to_thread(relay.cut)

                assert await is_gone(before)
            async with connected(relay) as meanwhile:
                assert await is_gone(meanwhile)
            await asyncio.to_thread(relay.heal)
            async with connected(relay) as after:
                assert await said(after, b"three") == b"three"


@pytest.mark.parametrize(("way", "is_heard"), [(Way.UP, False), (Way.DOWN, True)])
async def test_a_way_that_hangs_keeps_its_bytes_until_it_is_healed(
    way: Way, *, is_heard: bool
) -> None:
    async with echo() as (port, heard):
        with tcp_relay(port) as relay:
            async with connected(relay) as line:
                assert await said(line, b"one") == b"one"
                await asyncio.to_thread(relay.hang, way)
                with pytest.raises(TimeoutError):
                    await said(line, b"two", within_s=0.2)
                assert (b"two" in heard) is is_heard

                await asyncio.to_thread(relay.heal)

                assert await asyncio.wait_for(line[0].read(1_000), 5) == b"two"
