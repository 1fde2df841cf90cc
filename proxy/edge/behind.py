"""Work that shoppers must not wait for: a bounded queue, emptied by a thread in batches."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from proxy.edge.counters import UNOBSERVED
from proxy.edge.observer import ExchangeFacts
from proxy.storage import Account, counter_name

log = logging.getLogger(__name__)

Take = Callable[[list[ExchangeFacts]], str | None]


class Behind:
    """Takes facts on the event loop and hands them to a sink in its thread.

    What does not fit is dropped and counted; so is what the sink could not take.
    """

    def __init__(
        self, name: str, take: Take, account: Account, *, bound: int, every_s: float = 0.2
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            name: of the thread, and in the counters.
            take: the sink; gives None, or why the batch was lost. Runs in the thread.
            account: each reason is counted by one thread only, as it demands.
            bound: facts that may wait.
            every_s: the thread looks this often.
        """
        self._name = name
        self._take = take
        self._account = account
        self._full = account.slot(counter_name(UNOBSERVED, name, "queue_full"))
        self._bound = bound
        self._every_s = every_s
        self._queue: deque[ExchangeFacts] = deque()
        self._ending = threading.Event()
        # A daemon: a sink that hangs must not keep a drained worker alive.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def put(self, facts: ExchangeFacts) -> None:
        """Keep for the thread, or drop and count. Never waits."""
        if len(self._queue) >= self._bound:
            self._account.values[self._full] += 1
        else:
            self._queue.append(facts)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Let it take what waits, for at most this long."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        is_ending = False
        while not is_ending:
            is_ending = self._ending.wait(self._every_s)
            while batch := self._batch():
                self._hand(batch)

    def _batch(self) -> list[ExchangeFacts]:
        queue = self._queue
        return [queue.popleft() for _ in range(min(len(queue), 500))]

    def _hand(self, batch: list[ExchangeFacts]) -> None:
        try:
            lost = self._take(batch)
        except Exception:  # a watcher's defect is not an outage
            log.exception("%s has a defect", self._name)
            lost = "defect"
        if lost is not None:
            self._account.add(counter_name(UNOBSERVED, self._name, lost), len(batch))
