"""The kill switch of one process: what its file says, what it was told, what a signal said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from proxy.edge.tasks import Tasks
from proxy.routing import Kill
from proxy.storage.kill_file import ALL, NOTHING, KillWatcher, add_kill

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.1


class KillSwitch:
    """Belongs to the event loop. The file is the truth, because it outlives everybody;
    the other two roads count on while it cannot be written.

    Attributes:
        kill: in force now.
        problem: why the file kills everything without saying so.
    """

    def __init__(
        self,
        path: Path,
        told: Kill,
        on_change: Callable[[], None],
        on_unwritten: Callable[[], None],
    ) -> None:
        """Read the file; `on_change` is called at later changes only.

        Args:
            path: the kill file, there or not.
            told: what the supervisor keeps in memory.
            on_change: `kill` or `problem` is another.
            on_unwritten: a signal killed, and the file could not be written.
        """
        self._path = path
        self._watcher = KillWatcher(path)
        self._on_change = on_change
        self._on_unwritten = on_unwritten
        found = self._watcher.read()
        self._file = found.kill
        self._told = told
        self._pulled = NOTHING
        self._looking = asyncio.Lock()
        self.problem = found.problem
        self.kill = self._file | told

    async def run(self) -> None:
        """Watch the file until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._watcher.is_due():
                await self.look()

    async def look(self) -> None:
        """Read the file now. In a thread: a hung disk must not hang the shoppers."""
        # One at a time: an older look that ends later must not undo a newer one.
        async with self._looking:
            found = await asyncio.to_thread(self._watcher.read)
        is_new = found.problem != self.problem
        self._file, self.problem = found.kill, found.problem
        self._settle(is_new=is_new)

    def tell(self, told: Kill) -> None:
        """Take what the supervisor keeps in memory; a signal's kill is in it by now."""
        self._told = told
        self._pulled = NOTHING
        self._settle(is_new=False)

    def pull(self, tasks: Tasks) -> None:
        """Kill all at once, then write it down for the others and for those to come."""
        log.warning("a signal sends everything to legacy")
        self._pulled = ALL
        self._settle(is_new=False)
        tasks.spawn(self._write_down(), "kill file")

    async def _write_down(self) -> None:
        try:
            await asyncio.to_thread(add_kill, self._path, ALL)
        except OSError as exc:
            log.error("the kill file %s cannot be written: %s", self._path, exc)  # noqa: TRY400
            self._on_unwritten()
            return
        await self.look()
        self._pulled = NOTHING
        self._settle(is_new=False)

    def _settle(self, *, is_new: bool) -> None:
        kill = self._file | self._told | self._pulled
        if kill != self.kill:
            log.warning("killed from now on: %s", ", ".join(kill.scopes) or "nothing")
            self.kill = kill
            is_new = True
        if is_new:
            self._on_change()
