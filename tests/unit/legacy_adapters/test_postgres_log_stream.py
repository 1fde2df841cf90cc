"""What lies ready of PostgreSQL's log when a taker comes, over a wire without a server."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self, cast

import pytest

from legacy_adapters.capture.pgoutput import PgoutputReader
from legacy_adapters.capture.postgres_stream import LogStream
from legacy_adapters.capture.postgres_wire import Wire
from legacy_adapters.errors import SourceLost
from legacy_adapters.mapping.rows import Column, ColumnKind, Table

THING = Table("thing", ("id",), {"id": Column(ColumnKind.INTEGER)})
RELATION = (
    b"R" + struct.pack(">I", 1) + b"public\0thing\0f" + struct.pack(">H", 1)
    + b"\1id\0" + struct.pack(">Ii", 23, -1)
)  # fmt: skip


def transaction(number: int) -> list[bytes]:
    """One row of its own, which ends at a place of its own."""
    key = str(number).encode()
    return [
        b"B" + struct.pack(">QqI", 0, 0, number),
        RELATION,
        b"I" + struct.pack(">I", 1) + b"N" + struct.pack(">HcI", 1, b"t", len(key)) + key,
        b"C" + struct.pack(">BQQq", 0, 0, number * 100, 0),
    ]


class ScriptedWire:
    """Gives what it is told to; None is a moment in which nothing has come."""

    def __init__(self, script: Sequence[bytes | Exception | None]) -> None:
        self._script = list(script)
        self._ear, self._mouth = os.pipe()
        self.is_done = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._ear)
        os.close(self._mouth)

    def fileno(self) -> int:
        return self._ear

    def receive(self) -> bytes | None:
        self.is_done = not self._script
        said = self._script.pop(0) if self._script else None
        if isinstance(said, Exception):
            self.is_done = True
            raise said
        return said

    def tell(self, _read: int, _flushed: int, *, asks: bool) -> None: ...


@asynccontextmanager
async def stream_of(*script: bytes | Exception | None) -> AsyncIterator[LogStream]:
    """A stream whose thread has read all of the script."""
    wire = ScriptedWire(script)
    stream = LogStream(cast("Any", lambda: wire), PgoutputReader([THING]), 0)
    await stream.start()
    try:
        async with asyncio.timeout(10):
            while not wire.is_done:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        yield stream
    finally:
        await stream.stop()


async def test_a_taker_that_is_behind_gets_all_that_is_ready_at_once() -> None:
    script = [said for n in (1, 2, 3) for said in (*transaction(n), None)]

    async with stream_of(*script) as stream:
        batch = await anext(stream)

    assert [one.name for one in batch.transactions] == ["1", "2", "3"]
    assert batch.read_to.order == 300


async def test_what_ends_the_log_comes_after_what_was_read_of_it() -> None:
    async with stream_of(
        *transaction(1), None, *transaction(2), None, SourceLost("gone")
    ) as stream:
        batch = await anext(stream)

        for _ in range(2):
            with pytest.raises(SourceLost, match="gone"):
                await anext(stream)

    assert [one.name for one in batch.transactions] == ["1", "2"]


def test_the_script_stands_for_a_wire() -> None:
    used = {"fileno", "receive", "tell", "__enter__", "__exit__"}

    assert used <= vars(Wire).keys() & vars(ScriptedWire).keys()
