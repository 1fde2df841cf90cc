"""The whole ledger for pages: read once at a time, and waited for only a little.

A year of a large table takes seconds to read for the first time. A page that needs it says
so and goes on; whoever asks again meets the reading that is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from cutover.api.readings import History, Reading, SourceAway

PATIENCE_S = 0.4
READING = "is still being read for the first time"


class Chronicle:
    """Reads the ledger for all who ask. Belongs to one event loop."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[History]],
        clock_s: Callable[[], float],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._ask = ask
        self._clock_s = clock_s
        self._patience_s = patience_s
        self._task: asyncio.Task[None] | None = None
        self._reading: Reading[History] = Reading()

    async def read(self) -> Reading[History]:
        """The ledger as of now, or as last read; without a value while there is none yet."""
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._take())
        await asyncio.wait({self._task}, timeout=self._patience_s)
        if self._task.done():
            self._task.result()
        if self._reading.value is None and self._reading.problem is None:
            return Reading(problem=READING)
        return self._reading

    async def _take(self) -> None:
        try:
            history = await self._ask()
        except SourceAway as exc:
            self._reading = replace(self._reading, problem=str(exc))
        else:
            self._reading = Reading(history, self._clock_s(), None)
