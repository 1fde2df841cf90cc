"""Run `banyan` commands the way an engineer would, and show them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cutover.edge.children import end_with_parent
from cutover.errors import CutoverError


class CommandFailed(CutoverError):
    """A command of the story did not end as it must."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A finished command. Times in seconds; `began_at_s` since the epoch."""

    code: int
    out: str
    err: str
    began_at_s: float
    ended_at_s: float

    @property
    def elapsed_s(self) -> float:
        """Wall time from the start of the process to its end."""
        return self.ended_at_s - self.began_at_s

    def json(self) -> Any:
        """What a command with --json answered."""
        return json.loads(self.out)


class Banyan:
    """The command line, with the demo's settings in its environment."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = dict(env)

    @staticmethod
    def argv(*args: str) -> tuple[str, ...]:
        """Argument vector of a banyan command in this environment."""
        return (sys.executable, "-m", "cutover", *args)

    async def run(self, *args: str, may_end_with: tuple[int, ...] = (0,)) -> Ended:
        """Run to the end.

        Raises:
            CommandFailed: the exit code is not one of `may_end_with`; stderr is quoted.
        """
        began = time.time()  # noqa: TID251 - compared with the shoppers' wall clock
        process = await asyncio.create_subprocess_exec(
            *self.argv(*args),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._env,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:  # told to stop while the command runs
                process.kill()
                await process.wait()
        ended = Ended(
            process.returncode or 0,
            out.decode(errors="replace"),
            err.decode(errors="replace"),
            began,
            time.time(),  # noqa: TID251 - see above
        )
        if ended.code not in may_end_with:
            message = (
                f"banyan {' '.join(args)} ended with code {ended.code}: "
                f"{(ended.err or ended.out).strip()[-2000:]}"
            )
            raise CommandFailed(message)
        return ended
