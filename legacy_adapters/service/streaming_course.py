"""Where the reader of a stream is, as its appliers see it. One event loop, no locks."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Collection

from legacy_adapters.mapping.dirtying import Beat
from legacy_adapters.mapping.landing import Step, Terms


class Course:
    """Told by a stream's reader after each commit of its books; asked by its appliers."""

    def __init__(self, stream: str, domains: Collection[str]) -> None:
        self.stream = stream
        self.order = -1
        """How far is read; -1 before anything is known."""
        self.terms: Terms = {}
        self.altered: frozenset[str] = frozenset()
        """Tables whose definition is not what was declared."""
        self._news = {domain: asyncio.Event() for domain in domains}
        self._passed = dict.fromkeys(domains, -1)
        self._beats: deque[Beat] = deque(maxlen=1_000)

    def moved(self, step: Step, beat: Beat | None) -> None:
        """The books have this step; whoever waits for it goes on at once."""
        if beat is not None:
            self._beats.append(beat)
        self.is_at(step.position.order, step.terms)

    def is_at(self, order: int, terms: Terms) -> None:
        """The books stand here."""
        self.order, self.terms = order, terms
        for event in self._news.values():
            event.set()

    async def news(self, domain: str, wait_s: float) -> None:
        """Wait until the stream has moved since the last call, or for so long."""
        event = self._news[domain]
        # 1. News arrive, 2. before this task runs it is cancelled, 3. `wait_for` of Python 3.11
        # finds the news, and the cancellation is lost: a sync that never ends.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await event.wait()
        event.clear()

    def passed(self, domain: str, order: int) -> Beat | None:
        """Everything of a domain up to here is across. The newest heartbeat that is so of all."""
        self._passed[domain] = max(order, self._passed[domain])
        through, newest = min(self._passed.values()), None
        while self._beats and self._beats[0].order <= through:
            newest = self._beats.popleft()
        return newest
