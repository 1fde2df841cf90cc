"""How a chapter is told: commands are run and shown, evidence is waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cutover.demo.commands import Ended
from cutover.demo.promises import Step
from cutover.demo.screen import Screen
from cutover.demo.stage import Stage, StageError

T = TypeVar("T")
GATE_WAIT_S = 90.0
REFUSED = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the story lingers, in seconds; long enough to see traffic move."""

    warm_up_s: float = 4.0
    step_s: float = 6.0


class Telling:
    """Shared by all chapters. Owned by one task.

    Attributes:
        steps: what was done that may send a shopper to another side.
    """

    def __init__(self, stage: Stage, screen: Screen, pace: Pace) -> None:
        """Take the processes and files, where it is told, and how slowly."""
        self.stage, self.screen, self.pace = stage, screen, pace
        self.steps: list[Step] = []

    @property
    def rules(self) -> tuple[str, ...]:
        """Options that name the file which the story edits."""
        return ("--config", str(self.stage.rules))

    @property
    def applied(self) -> tuple[str, ...]:
        """Options that name the table in force."""
        return ("--config", str(self.stage.house.applied))

    async def command(
        self,
        *args: str,
        may_end_with: tuple[int, ...] = (0,),
        most_lines: int = 40,
        but: str | None = None,
    ) -> Ended:
        """Run a command, and show it with its answer.

        When it did not do what was asked, lines that begin with `but` are left out.
        """
        self.screen.command("banyan " + _quoted(args))
        ended = await self.stage.banyan.run(*args, may_end_with=may_end_with)
        said = ended.out or ended.err
        if ended.code and but is not None:
            said = "\n".join(line for line in said.splitlines() if not line.startswith(but))
        self.screen.output(said, most_lines=most_lines)
        return ended

    async def quietly(self, *args: str, may_end_with: tuple[int, ...] = (0,)) -> Ended:
        """Run a command that adds nothing to the story."""
        return await self.stage.banyan.run(*args, may_end_with=may_end_with)

    async def set(
        self, domain: str, stage: str, share: str | None = None, *, quiet: bool = False
    ) -> None:
        """Edit the file."""
        args = ["routes", "set", domain, *self.rules, "--stage", stage]
        if share is not None:
            args += ["--core-share", share]
        await (self.quietly(*args) if quiet else self.command(*args))

    async def apply(self, reason: str, *domains: str) -> None:
        """Apply the file; where a gate still waits for evidence, wait with it."""
        args = ("apply", *self.rules, "--yes", "--reason", reason)
        while True:
            await self._until_not_refused()
            # 1. The plan passes, 2. more exchanges are mirrored than are compared, 3. the gate
            # waits for them again.
            ended = await self.command(*args, may_end_with=(0, REFUSED))
            if ended.code == 0:
                return self.note(reason, domains, ended)

    async def step(self, what: str, domains: Sequence[str], *args: str) -> Ended:
        """Run a command that may send shoppers of these domains to another side."""
        ended = await self.command(*args)
        self.note(what, domains, ended)
        return ended

    def note(self, what: str, domains: Sequence[str], ended: Ended) -> None:
        """Write down that a command may have sent shoppers of these domains elsewhere."""
        # A change of side in a domain that no step names has no excuse.
        self.steps += [Step(one, what, ended.began_at_s, ended.ended_at_s) for one in domains]

    async def linger(self, what: str, seconds: float) -> None:
        """Let traffic flow, and show that it does."""
        with self.screen.waiting(what, seconds) as bar:
            began = time.monotonic()
            while (passed := time.monotonic() - began) < seconds:
                bar.at(passed, await self.stage.pulse())
                await asyncio.sleep(0.5)
            bar.at(seconds, await self.stage.pulse())

    async def watch(
        self,
        what: str,
        look: Callable[[], Awaitable[T]],
        enough: Callable[[T], bool],
        *,
        goal: float,
        measure: Callable[[T], float],
        note: Callable[[T], str],
    ) -> T:
        """Look again and again, with a bar, until it is enough.

        Raises:
            StageError: it was not, in time.
        """
        with self.screen.waiting(what, goal) as bar:
            deadline = time.monotonic() + GATE_WAIT_S
            while True:
                seen = await look()
                bar.at(min(measure(seen), goal), note(seen))
                if enough(seen):
                    return seen
                if time.monotonic() > deadline:
                    break
                await asyncio.sleep(0.5)
        message = f"{what}: not enough after {GATE_WAIT_S:.0f} s; last seen: {note(seen)}"
        raise StageError(message)

    async def _until_not_refused(self) -> None:
        deadline = time.monotonic() + GATE_WAIT_S
        plan: dict[str, Any] = {"changes": []}
        while time.monotonic() < deadline:
            plan = (await self.quietly("plan", *self.rules, "--json")).json()
            if not plan["is_refused"]:
                return
            await asyncio.sleep(1)
        refusals = [r for change in plan["changes"] for r in change["refusals"]]
        message = f"the plan is still refused after {GATE_WAIT_S:.0f} s: {'; '.join(refusals)}"
        raise StageError(message)


def _quoted(args: tuple[str, ...]) -> str:
    return " ".join(f'"{arg}"' if " " in arg or "$" in arg else arg for arg in args)
