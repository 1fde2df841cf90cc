"""Processes that may be killed, and a coordinator that is watched step by step."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cutover.edge.children import end_with_parent
from tests.support.processes import wait_for_http


@dataclass
class Proc:
    """A process of the house, started again whenever it is found dead."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    ready: str = ""
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                list(self.command), stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, env=self.env, start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - no thread runs before it
            )  # fmt: skip
        self.starts += 1
        if wait and self.ready:
            wait_for_http(self.ready, 60)

    @property
    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def kill(self, by: int = signal.SIGKILL) -> None:
        """Signal it and all that it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, by)
            if by in {signal.SIGKILL, signal.SIGTERM}:
                self.process.wait(30)

    def stop(self) -> None:
        """End it with grace, then without."""
        if self.is_alive and self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        self.kill()

    def children(self) -> list[int]:
        """Ids of the processes that it started."""
        if not self.is_alive or self.process is None:
            return []
        kept = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in kept.read_text(encoding="ascii").split()]


@dataclass
class Coordinator:
    """`banyan flip … --json` at work; a thread reads what it says.

    Attributes:
        said: its lines, oldest first.
    """

    process: subprocess.Popen[str]
    log: Path
    said: list[Mapping[str, Any]] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _has_ended: bool = False

    @classmethod
    def begin(cls, command: Sequence[str], env: Mapping[str, str], log: Path) -> Coordinator:
        """Start it, in a process group of its own."""
        process = subprocess.Popen(
            list(command), env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - it only calls prctl
        )  # fmt: skip
        found = cls(process, log)
        threading.Thread(target=found._read, name="coordinator", daemon=True).start()
        return found

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.log.open("a", encoding="utf-8") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                with self._news, contextlib.suppress(ValueError):
                    self.said.append(json.loads(line))
                    self._news.notify_all()
        with self._news:
            self._has_ended = True
            self._news.notify_all()

    def reached(self, step: str, within_s: float = 60.0) -> bool:
        """Wait until a step is done, failed or never will be; whether it came to be told."""

        def is_told() -> bool:
            return any(line.get("step") == step for line in self.said)

        with self._news:
            self._news.wait_for(lambda: is_told() or self._has_ended, within_s)
            return is_told()

    def signal(self, by: int) -> None:
        """Signal it, unless it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, by)

    def wait(self, within_s: float = 120.0) -> int:
        """Its exit status; negative for the signal that ended it."""
        status = self.process.wait(within_s)
        with self._news:
            self._news.wait_for(lambda: self._has_ended, 10)
        return status

    @property
    def reds(self) -> tuple[str, ...]:
        """Gates that stand against it, with what was seen."""
        return tuple(
            f"{line['gate']}: {line['told']}" for line in self.said if line.get("is_green") is False
        )

    @property
    def freeze_ms(self) -> float | None:
        """How long writes waited, as it says; None where nothing was held."""
        for line in self.said:
            facts = line.get("facts")
            if isinstance(facts, dict) and "freeze_ms" in facts:
                return float(facts["freeze_ms"])
        return None

    @property
    def steps(self) -> str:
        """What each step took, in ms."""
        return " ".join(
            f"{line['step']} {line['took_ms']:.0f}{'' if line['mark'] == 'done' else '!'}"
            for line in self.said
            if "step" in line
        )

    def settled(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            if self.process.poll() is not None:
                return True
            time.sleep(0.02)
        return False
