"""Heartbeats: rows that are written on one side only to be seen to arrive on the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from legacy_adapters.errors import SourceUnavailable
from new_core.errors import StoreUnavailable
from new_core.ports.clock import Clock

_LOG = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Beatable(Protocol):
    """A database with a heartbeat row: `RowStore` and `CoreStore` are such."""

    async def beat(self, name: str, beat: int, sent_us: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Beating:
    """One stream's heart, in its source.

    A beat's number is its time, so that it grows over restarts.
    """

    stream: str
    store: Beatable
    now: Clock
    every_s: float = 1.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> None:
        """Beat until cancelled. A beat that cannot be written is left out."""
        while True:
            sent_us = (self.now() - _EPOCH) // timedelta(microseconds=1)
            try:
                await self.store.beat(self.stream, sent_us, sent_us)
            except (SourceUnavailable, StoreUnavailable) as exc:
                _LOG.warning("no heartbeat of stream %s: %s", self.stream, exc)
            await self.sleep(self.every_s)
