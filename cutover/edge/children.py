"""Child processes under one roof: started in order, restarted when they die, all stopped.

A child never outlives its parent. 1. The parent is killed with -9 and can stop nobody.
2. The kernel sends each child SIGTERM, because it asked for that (PR_SET_PDEATHSIG).
3. The child stops as it always does, its own children included.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Self

import aiohttp

from cutover.errors import CutoverError

_PR_SET_PDEATHSIG = 1
_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 0.2, 5.0


class PortTaken(CutoverError):
    """Somebody else listens where a service of ours wants to."""


class ChildFailed(CutoverError):
    """A service stopped or did not become ready at its start."""


@dataclass(frozen=True, slots=True)
class Service:
    """A process to run.

    Attributes:
        name: shown to people, names the log file.
        command: argument vector.
        listens: host and port pairs that must be free before the start.
        ready_url: answers 200 when the service can be used; None needs no wait.
        env: added to the environment.
        ready_timeout_s: how long a start may take.
        nice: added to its niceness, so that what only observes, or would stand on another
            machine, never takes the processor from what answers shoppers.
    """

    name: str
    command: tuple[str, ...]
    listens: tuple[tuple[str, int], ...] = ()
    ready_url: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    ready_timeout_s: float = 30
    nice: int = 0


def check_ports(services: tuple[Service, ...]) -> None:
    """Refuse to start anything when one port is taken.

    Raises:
        PortTaken: names every taken port and the service that wants it.
    """
    taken = [
        f"port {port} ({service.name}) is in use"
        for service in services
        for host, port in service.listens
        if not _is_free(host, port)
    ]
    if taken:
        message = (
            f"{'; '.join(taken)}. Stop what listens there, or choose other ports "
            "(BANYAN_PROXY_PORT, BANYAN_SIDE_DOOR_PORT, BANYAN_ROOM_PORT, BANYAN_CORE_PORT, "
            "BANYAN_LEGACY_PORT)."
        )
        raise PortTaken(message[0].upper() + message[1:])


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


class Children:
    """Runs services; use as an async context manager, owned by one task.

    Args:
        logs: directory for one log file per service, appended to.
        on_restart: told the service's name and exit code each time one is restarted.
    """

    def __init__(
        self, logs: Path, on_restart: Callable[[str, int], None] = lambda _name, _code: None
    ) -> None:
        self._logs = logs
        self._on_restart = on_restart
        self._running: dict[str, _Child] = {}

    async def __aenter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop_all()

    async def start(self, service: Service) -> None:
        """Start and wait until it is ready; from then on it is restarted when it dies.

        Raises:
            ChildFailed: it ended or was not ready in time; the end of its log is quoted.
        """
        child = _Child(service, self._logs / f"{service.name}.log", self._on_restart)
        self._running[service.name] = child
        await child.start()

    def pid(self, name: str) -> int:
        """Process id of a running service, for tests that kill it."""
        return self._running[name].pid

    async def stop(self, name: str) -> int:
        """Stop one service and return its exit code."""
        return await self._running.pop(name).stop()

    async def stop_all(self) -> None:
        """Stop everything, last started first."""
        while self._running:
            _name, child = self._running.popitem()
            await child.stop()


class _Child:
    def __init__(self, service: Service, log: Path, on_restart: Callable[[str, int], None]) -> None:
        self._service = service
        self._log = log
        self._on_restart = on_restart
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            message = f"{self._service.name} is not running"
            raise ChildFailed(message)
        return self._process.pid

    async def start(self) -> None:
        process = await self._spawn()
        try:
            async with asyncio.timeout(self._service.ready_timeout_s):
                await self._until_ready(process)
        except TimeoutError as exc:
            await self.stop()
            wait_s = self._service.ready_timeout_s
            message = f"{self._service.name} was not ready after {wait_s:.0f} s.{self._tail()}"
            raise ChildFailed(message) from exc
        loop = asyncio.get_running_loop()
        self._watch = loop.create_task(self._keep_alive(), name=f"watch {self._service.name}")

    async def _spawn(self) -> asyncio.subprocess.Process:
        out: IO[bytes]
        with self._log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *self._service.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **self._service.env},  # noqa: TID251 - handed on whole
                start_new_session=True,
                preexec_fn=partial(_before_exec, self._service.nice),
            )
        return self._process

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        if self._service.ready_url is None:
            return
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as client:
            while process.returncode is None:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with client.get(self._service.ready_url) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)
        message = (
            f"{self._service.name} stopped at its start with code "
            f"{process.returncode}.{self._tail()}"
        )
        raise ChildFailed(message)

    async def _keep_alive(self) -> None:
        backoff_s = _FIRST_BACKOFF_S
        while self._process is not None:
            code = await self._process.wait()
            self._on_restart(self._service.name, code)
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, _LAST_BACKOFF_S)
            await self._spawn()

    async def stop(self) -> int:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(15):
                code = await process.wait()
        except TimeoutError:
            code = -signal.SIGKILL
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return code

    def _tail(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").splitlines()[-5:]
        except OSError:
            return ""
        return "".join(f"\n  {line}" for line in lines) + f"\n  (all of it: {self._log})"


def _before_exec(nice: int) -> None:
    os.nice(nice)
    end_with_parent()


def end_with_parent() -> None:
    """Ask the kernel, from inside a child, for SIGTERM at the parent's end."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
