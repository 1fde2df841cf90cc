"""One proxy, one client, one store, for tests that are no coroutines."""

from __future__ import annotations

import asyncio
import threading

from tests.conformance import peers
from tests.conformance.case import Case, Recording
from tests.conformance.wire import Slot


class Lab:
    """Ours, and one slot, in an event loop of its own."""

    def __init__(self) -> None:
        self.slot = Slot()
        self.subject = peers.Subject("", (), ())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.slot.store.start(self.slot), self._loop).result(10)

    def play(self, case: Case) -> Recording:
        """Play a case through the proxy."""
        running = self.slot.run(case, self.subject.ports[0])
        return asyncio.run_coroutine_threadsafe(running, self._loop).result(60)

    def log(self) -> str:
        """What the proxy said so far."""
        return "".join(path.read_text() for path in self.subject.logs)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self.slot.store.stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
