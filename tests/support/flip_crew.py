"""Coordinators of flips that a test moves call by call, lets sleep, and ends in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from cutover.service.flipping_house import House, Pace

Park = Callable[[object], Any]
"""Makes a port's calls wait until the test lets them go on, one by one."""


@dataclass(slots=True)
class Coordinator:
    """One process that works on flips. It has its own clock, which moves when it sleeps.

    Attributes:
        build: a house over parked ports, for this coordinator's pace.
        nap_s: real time that each of its pauses takes, for what others do meanwhile.
    """

    number: int
    loop: asyncio.AbstractEventLoop
    build: Callable[[Park, Pace], House]
    nap_s: float = 0.0
    now_s: float = 0.0
    lives: int = 0
    task: asyncio.Task[Any] | None = None
    _gate: asyncio.Future[None] | None = None
    _parked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_busy(self) -> bool:
        return self.task is not None

    def begin(self, work: Callable[[House, str], Coroutine[Any, Any, Any]]) -> None:
        """Start work as a new process, with a name of its own."""
        self.lives += 1
        house = self.build(lambda inner: _Parked(inner, self), Pace(self._seconds, self._sleep))
        doing = work(house, f"{self.number}.{self.lives}")

        async def begun() -> None:
            # Before it runs: it asks who it is.
            self.task = asyncio.get_running_loop().create_task(doing)

        self.loop.run_until_complete(begun())
        self._settle()

    def step(self) -> None:
        """Let one call go on."""
        if self._gate is not None:
            self._gate.set_result(None)
            self._gate = None
            self._settle()

    def end(self) -> None:
        """End it where it is."""
        if self.task is not None:
            self.task.cancel()
            self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
            self.task = self._gate = None

    async def parks(self) -> None:
        """Wait for the test; what shows that we live waits for nobody and is left out."""
        if asyncio.current_task() is not self.task:
            await asyncio.get_running_loop().create_future()
        self._gate = asyncio.get_running_loop().create_future()
        self._parked.set()
        await self._gate

    def _seconds(self) -> float:
        return self.now_s

    async def _sleep(self, seconds: float) -> None:
        await self.parks()
        self.now_s += seconds
        if self.nap_s:
            await asyncio.sleep(self.nap_s)

    def _settle(self) -> None:
        """Let it run until it waits for us again, or has ended."""
        self.loop.run_until_complete(self._until_parked())
        if self.task is not None and self.task.done():
            self.task.result()
            self.task = self._gate = None

    async def _until_parked(self) -> None:
        assert self.task is not None
        waiting = asyncio.ensure_future(self._parked.wait())
        await asyncio.wait({self.task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        self._parked.clear()


@dataclass(slots=True)
class _Parked:
    inner: Any
    coordinator: Coordinator

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.inner, name)
        if not callable(real) or name == "draft":
            return real

        async def called(*args: object, **options: object) -> object:
            await self.coordinator.parks()
            return await real(*args, **options)

        return called
