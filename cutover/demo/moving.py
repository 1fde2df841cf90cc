"""The chapters in which the orders change hands, there and back, while shoppers order."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from cutover.demo.bookkeeping import OrderBooks, Told, balance
from cutover.demo.commands import Ended
from cutover.demo.stage import StageError
from cutover.demo.telling import REFUSED, Telling
from legacy_adapters.oscar.domains import DOMAINS

ORDERS = "orders"
ROUTES = next(one.routes for one in DOMAINS if one.name == ORDERS)
"""Where a flip of orders sends shoppers elsewhere, and no other command does here."""
_ABORTED = 5
_TRIES = 12


@dataclass(frozen=True, slots=True)
class Moved:
    """Figures of both flips, in milliseconds, and what was said of the way back between."""

    freeze_there_ms: float
    freeze_back_ms: float
    readiness: str
    is_ready: bool


class Moving:
    """Tells how orders move. Owned by one task."""

    def __init__(self, telling: Telling, before: tuple[Told, ...]) -> None:
        """Take how a chapter is told, and the orders from before the first shopper."""
        self._telling, self._stage, self._screen = telling, telling.stage, telling.screen
        self._before = before

    async def into_step(self) -> None:
        """Both databases follow each other from here on."""
        self._screen.chapter("Both databases in step, both ways")
        await self._telling.command("sync", "install", most_lines=12)
        await self._stage.start_sync()
        await self._telling.command("sync", "backfill", most_lines=16)
        await self._idle()
        self._screen.say(
            "Each order, basket, customer and stock record of one side is on the other a moment "
            "later. Only its owner may write it: a fence in the database sees to that."
        )
        await self._compared()

    async def there_and_back(self) -> Moved:
        """Flip to the core, let shoppers order there, flip back."""
        self._screen.chapter("The orders change hands")
        await self._rehearsed("core")
        there = await self._flipped("core", "the orders move")
        await self._telling.linger("shoppers order on the core", self._telling.pace.step_s)
        readiness = await self._readiness()
        self._screen.chapter("And back, with every order that the core took")
        await self._compared()
        await self._rehearsed("legacy")
        back = await self._flipped("legacy", "to show the way back")
        await self._telling.linger("shoppers order on legacy again", self._telling.pace.step_s / 2)
        return Moved(there, back, readiness["sentence"], readiness["is_ready"])

    async def balanced(self, told: tuple[Told, ...]) -> OrderBooks:
        """Every order that a shopper was told of against both databases."""
        await self._idle()
        legacy, core = self._stage.orders("legacy"), self._stage.orders("core")
        return balance(told, legacy, core, self._before)

    # --- details --------------------------------------------------------------------------

    async def _rehearsed(self, side: str) -> None:
        await self._insisted(side, "--rehearse")

    async def _flipped(self, side: str, why: str) -> float:
        ended = await self._insisted(side, "--reason", why)
        self._telling.note(why, ROUTES, ended)
        last = await self._stage.last_flip(ORDERS)
        if last is None or last.freeze_ms is None:
            raise StageError(f"the flip of {ORDERS} to {side} left no record")
        self._screen.say(
            f"Writes waited [bold]{last.freeze_ms:.0f} ms[/]; nobody saw an error, and reads "
            "went on all the while."
        )
        return last.freeze_ms

    async def _insisted(self, side: str, *how: str) -> Ended:
        """Flip, or rehearse it, until it is not refused or aborted for what passes by itself.

        A shop under load has moments in which a stream is late; whoever flips looks again.

        Raises:
            StageError: it never was let through.
        """
        args, said = ("flip", ORDERS, "--to", side, *how, "--yes"), ""
        for _ in range(_TRIES):
            ended = await self._telling.command(
                *args, may_end_with=(0, REFUSED, _ABORTED), but="  green "
            )
            if ended.code == 0:
                return ended
            self._screen.say("Not now: it says why, and nothing happened. Looking again.")
            await asyncio.sleep(3)
            said = ended.out.splitlines()[-1]
            if "drift: " in said or "last clean pass: " in said:
                await self._telling.quietly("reconcile", ORDERS, may_end_with=(0, 1))
            if "rehearsal: " in said:
                await self._rehearsed(side)
        raise StageError(f"{ORDERS} could not go to {side}: {said}")

    async def _compared(self) -> None:
        await self._telling.command("reconcile", "--full", most_lines=16)

    async def _readiness(self) -> dict[str, Any]:
        """Whether there is a way back: asked again as a flip is, where a stream is late."""
        found: dict[str, Any] = {}
        for _ in range(_TRIES):
            found = (await self._telling.quietly("readiness", ORDERS, "--json")).json()
            if found["is_ready"]:
                break
            await asyncio.sleep(2)
        await self._telling.command("readiness", ORDERS)
        return found

    async def _idle(self) -> None:
        """Wait until neither stream has anything left to do."""
        since = time.monotonic()

        async def look() -> int:
            status = (await self._telling.quietly("sync", "status", "--json")).json()
            dirty = [part["dirty"] for one in status for part in one["domains"]]
            return sum(int(one) for one in dirty) + sum(bool(one["problem"]) for one in status)

        first = await look()
        await self._telling.watch(
            "both streams catch up",
            look,
            lambda waiting: waiting == 0,
            goal=max(first, 1),
            measure=lambda waiting: max(first, 1) - waiting,
            note=lambda waiting: f"{waiting} wait, {time.monotonic() - since:.0f} s",
        )
