"""From the thread that reads a log to the loop that uses it, with a bound."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Batch, Transaction

WAITING_ROWS = 20_000
"""Beyond it the reading thread waits; a transaction of more rows is taken whole."""
_BATCH_ROWS = 5_000
_EMPTY_AFTER_S = 0.9


class Handover:
    """Transactions in their order. `put` and `fail` belong to the thread, the rest to the loop."""

    def __init__(self, start: Position) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._changed = threading.Condition()
        self._waiting: deque[Transaction] = deque()
        self._rows = 0
        self._end = start  # behind all that was put
        self._read_to = start  # behind all that was taken
        self._failure: Exception | None = None
        self._is_open = True

    def put(self, transaction: Transaction | None, position: Position) -> bool:
        """Hand over what was read up to a position; waits while there is no room.

        Returns False when nobody takes it any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._rows < WAITING_ROWS or not self._is_open)
            if not self._is_open:
                return False
            self._end = position
            if transaction is not None:
                self._waiting.append(transaction)
                self._rows += _weight(transaction)
                self._wake()
        return True

    def fail(self, failure: Exception) -> None:
        """Nothing more comes, because of this; what was put before is still taken."""
        with self._changed:
            self._failure = failure
            if self._is_open:
                self._wake()

    def close(self) -> None:
        """Nobody takes any more."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()

    async def take(self) -> Batch:
        """What is there; an empty batch when nothing comes for a while.

        Raises:
            Exception: what the thread failed by, once all before it was taken.
        """
        try:
            async with asyncio.timeout(_EMPTY_AFTER_S):
                await self._arrived.wait()
        except TimeoutError:
            pass
        with self._changed:
            taken: list[Transaction] = []
            rows = 0
            while self._waiting and rows < _BATCH_ROWS:
                taken.append(self._waiting.popleft())
                rows += _weight(taken[-1])
            self._rows -= rows
            if not taken and self._failure is not None:
                raise self._failure
            self._read_to = taken[-1].position if self._waiting else self._end
            if not self._waiting and self._failure is None:
                self._arrived.clear()
            self._changed.notify_all()
        return Batch(tuple(taken), self._read_to)

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._arrived.set)


def _weight(transaction: Transaction) -> int:
    return 1 + len(transaction.changes)
