"""What operators switch: kills and holds, in every worker and for those to come."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from proxy.core.hold import HoldLimits
from proxy.edge.control import Done, Hold, Killed, Release, TakeKill, TellHolds
from proxy.edge.crew import Crew
from proxy.errors import ProxyError
from proxy.routing import Kill, RoutingTable, parse_kill
from proxy.storage.kill_file import NOTHING, add_kill, read_kill, remove_kill

log = logging.getLogger(__name__)


class SwitchError(ProxyError):
    """It cannot be switched so; the text says why and what to do.

    Attributes:
        status: for HTTP: whose fault it is.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class KillState:
    """Where the kill stands.

    Attributes:
        kill: asked for: by the file, and by what is kept in memory.
        is_kept: the file says all of it, so that it outlives the proxy.
        workers: scopes in force by pid.
        silent: pids that did not answer.
    """

    kill: Kill
    problem: str | None
    is_kept: bool
    workers: Mapping[int, tuple[str, ...]]
    silent: list[int]


@dataclass(frozen=True, slots=True)
class HeldState:
    """A hold over all workers. `remaining_s` is what its bound leaves it."""

    domain: str
    remaining_s: float
    waiting: int
    waiting_bytes: int
    in_flight_writes: int
    workers: Mapping[int, int]
    silent: list[int]


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The table in force after a look at its file.

    Attributes:
        problem: why the file as it stands is not in force; None when it is.
        silent: pids that did not say in time that they go by it.
    """

    revision: str
    problem: str | None
    silent: list[int]


class Switchboard:
    """Belongs to the supervisor's event loop.

    Attributes:
        told: kills that the file could not be given.
    """

    def __init__(
        self, crew: Crew, kill_file: Path, limits: HoldLimits, table: Callable[[], RoutingTable]
    ) -> None:
        """Take who is told, where kills are kept, and which domains there are."""
        self._crew = crew
        self._path = kill_file
        self._limits = limits
        self._table = table
        self._until_s: dict[str, float] = {}
        # One change at a time, so that two at once do not answer with each other's state.
        self._changing = asyncio.Lock()
        self.told = NOTHING

    @property
    def holds(self) -> dict[str, float]:
        """When each hold in force ends, for a worker that starts now."""
        now = time.monotonic()
        self._until_s = {name: at for name, at in self._until_s.items() if at > now}
        return dict(self._until_s)

    async def kill(self, kill: Kill) -> KillState:
        """Kill: in the file, and at once in every worker.

        Raises:
            SwitchError: a domain is none of the table's.
        """
        if strangers := kill.strangers(self._table().domains):
            raise SwitchError(404, self._no_domain(strangers[0]))
        async with self._changing:
            try:
                await asyncio.to_thread(add_kill, self._path, kill)
            except OSError as exc:
                log.error("the kill file %s cannot be written: %s", self._path, exc)  # noqa: TRY400
                self.told |= kill
            return await self._take_kill()

    async def release_kill(self, kill: Kill | None) -> KillState:
        """Take scopes back, or all.

        Raises:
            SwitchError: the file cannot be changed, so that nothing was released.
        """
        async with self._changing:
            try:
                await asyncio.to_thread(remove_kill, self._path, kill)
            except OSError as exc:
                problem = f"the kill file {self._path} cannot be changed: {exc.strerror or exc}"
                raise SwitchError(500, problem) from exc
            gone = self.told.scopes if kill is None else kill.scopes
            kept = (scope for scope in self.told.scopes if scope not in gone)
            self.told = parse_kill(" ".join(kept))
            return await self._take_kill()

    async def kill_state(self) -> KillState:
        """Where the kill stands, asked of every worker."""
        async with self._changing:
            return await self._take_kill()

    def on_killed(self, killed: Killed) -> Kill:
        """A worker was killed by signal and could not write it down: keep it for all."""
        self.told |= parse_kill(" ".join(killed.scopes))
        return self.told

    async def spread(self) -> None:
        """Tell every worker what is kept in memory."""
        async with self._changing:
            await self._take_kill()

    async def hold(self, domain: str, for_s: float) -> HeldState:
        """Hold a domain's writes in every worker.

        Raises:
            SwitchError: no such domain, too long, or a worker did not confirm; then
                nothing is held.
        """
        if domain not in {known.name for known in self._table().domains}:
            raise SwitchError(404, self._no_domain(domain))
        if not 0 < for_s <= self._limits.longest_s:
            longest = f"{self._limits.longest_s:g} s"
            raise SwitchError(400, f"a hold lasts more than 0 s and at most {longest}")
        async with self._changing:
            until_s = time.monotonic() + for_s
            # First kept, then said: a worker that starts between the two holds as well.
            self._until_s[domain] = until_s
            answers, silent = await self._crew.ask(lambda n: Hold(n, domain, until_s))
            if silent or not answers:
                self._until_s.pop(domain, None)
                await self._crew.ask(lambda n: Release(n, domain))
                who = f"workers {silent} did not confirm" if silent else "no worker is up"
                raise SwitchError(503, f"{domain} is not held: {who}")
            return self._held(domain, answers, silent)

    async def hold_all(self, domains: Sequence[str], for_s: float) -> list[HeldState]:
        """Hold several domains, all of them or none. Raises SwitchError, as `hold`."""
        held: list[HeldState] = []
        try:
            for domain in domains:
                held.append(await self.hold(domain, for_s))  # noqa: PERF401 - kept to be undone
        except SwitchError:
            for state in held:
                with contextlib.suppress(SwitchError):
                    await self.release(state.domain)
            raise
        return held

    async def release(self, domain: str) -> list[int]:
        """End a hold; give the pids that did not confirm, in which its time bound ends it.

        Raises:
            SwitchError: the domain is not held (any more): its writes went on already.
        """
        async with self._changing:
            was_held = domain in self.holds
            self._until_s.pop(domain, None)
            answers, silent = await self._crew.ask(lambda n: Release(n, domain))
            if not was_held and not any(answer.released for answer in answers.values()):
                raise SwitchError(
                    409, f"{domain} is not held; if it was, its time is over and its writes went on"
                )
            return silent

    async def held(self) -> list[HeldState]:
        """Every hold in force."""
        async with self._changing:
            holds = self.holds
            if not holds:
                return []
            answers, silent = await self._crew.ask(TellHolds)
            return [self._held(domain, answers, silent) for domain in self.holds]

    async def _take_kill(self) -> KillState:
        file = await asyncio.to_thread(read_kill, self._path)
        answers, silent = await self._crew.ask(lambda n: TakeKill(n, self.told.scopes))
        return KillState(
            kill=file.kill | self.told,
            problem=file.problem,
            is_kept=(file.kill | self.told) == file.kill,
            workers={pid: answer.kill for pid, answer in answers.items()},
            silent=silent,
        )

    def _held(self, domain: str, answers: Mapping[int, Done], silent: list[int]) -> HeldState:
        found = {pid: a.holds[domain] for pid, a in answers.items() if domain in a.holds}
        return HeldState(
            domain=domain,
            remaining_s=max(0.0, self._until_s.get(domain, 0.0) - time.monotonic()),
            waiting=sum(held.waiting for held in found.values()),
            waiting_bytes=sum(held.waiting_bytes for held in found.values()),
            in_flight_writes=sum(held.in_flight_writes for held in found.values()),
            workers={pid: held.in_flight_writes for pid, held in found.items()},
            silent=silent,
        )

    def _no_domain(self, name: str) -> str:
        known = ", ".join(domain.name for domain in self._table().domains) or "none"
        return f'"{name[:60]}" is no domain of the routing table; there are: {known}'
