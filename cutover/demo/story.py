"""The migration that the demo tells: one catalogue, from legacy to core and back and forth.

Everything shown is done by the same commands, processes and files that an engineer would
use; the story only waits, reads and speaks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from cutover.demo.commands import Ended
from cutover.demo.promises import Step, Summary, unexplained
from cutover.demo.screen import Screen
from cutover.demo.stage import Stage, StageError
from shadow_compare.core.evidence import DomainEvidence

CATALOG = "catalog"
_GATE_WAIT_S = 90.0
_SHADOWED = ("price", "stock")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the story lingers, in seconds; long enough to see traffic move."""

    warm_up_s: float = 4.0
    step_s: float = 6.0


class Story:
    """Tells the story once. Owned by one task.

    Args:
        stage: the processes and files the story plays on.
        screen: where it is told.
    """

    def __init__(self, stage: Stage, screen: Screen, pace: Pace) -> None:
        self._stage, self._screen, self._pace = stage, screen, pace
        self._steps: list[Step] = []
        self._rollback_s = 0.0

    async def tell(self) -> Summary:
        """Play all chapters and return the figures.

        Raises:
            CutoverError: something did not happen that had to; the message says what.
        """
        began = time.monotonic()
        await self._open_the_store()
        await self._fill_the_core()
        await self._stand_in_front()
        await self._let_shoppers_in()
        await self._shadow()
        await self._find_the_difference()
        await self._ramp_up()
        await self._back_and_forward()
        return await self._sum_up(began)

    # --- chapters -------------------------------------------------------------------------

    async def _open_the_store(self) -> None:
        self._screen.chapter("A real store")
        with self._screen.waiting("preparing the shop", 2) as bar:
            await self._stage.prepare_store(lambda line: bar.at(0, line))
            bar.at(1, "starting")
            await self._stage.start_store()
            bar.at(2, "open")
        count = len(await self._stage.get_json("legacy", "/api/products/"))
        self._screen.say(
            f"django-oscar sells {count} products on {self._stage.url('legacy')}; "
            "nobody has told it about Banyan."
        )

    async def _fill_the_core(self) -> None:
        self._screen.chapter("The new core, filled from the store's database")
        with self._screen.waiting("starting the core", 1) as bar:
            await self._stage.start_core()
            bar.at(1, "ready")
        await self._command("backfill", "--from", self._stage.store_database)
        self._screen.say("Every row was counted and checksummed on both sides.")

    async def _stand_in_front(self) -> None:
        self._screen.chapter("Banyan steps in front")
        await self._command("apply", *self._rules, "--yes", "--reason", "the demo begins")
        with self._screen.waiting("starting proxy, comparer and control room", 1) as bar:
            await self._stage.start_front()
            bar.at(1, "ready")
        self._screen.say(
            f"Shoppers come to {self._stage.url('proxy')} from now on; "
            "everything still goes to the legacy store."
        )
        self._screen.say(f"Watch it in the control room: [bold]{self._stage.url('room')}[/]")

    async def _let_shoppers_in(self) -> None:
        self._screen.chapter("Shoppers")
        await self._stage.start_shoppers()
        await self._linger("shoppers browse, fill baskets and check out", self._pace.warm_up_s)

    async def _shadow(self) -> None:
        self._screen.chapter("Shadow: the core is asked too, and no shopper waits for it")
        for domain in (CATALOG, *_SHADOWED):
            await self._set(domain, "shadow", quiet=domain != CATALOG)
        await self._apply("compare before anything moves")
        await self._watch(
            "answers are compared",
            lambda seen: seen.overall.compared >= 150,
            goal=150,
            measure=lambda seen: seen.overall.compared,
        )
        await self._command("parity", *self._applied)
        self._screen.say(
            "Stock differs with every order, because orders still change it on the legacy side "
            "alone. That is why stock stays where it is, and its gate sees to it."
        )

    async def _find_the_difference(self) -> None:
        self._screen.chapter("A real difference")
        groups = await self._stage.groups(CATALOG)
        if not groups:
            message = "no difference was found in the catalogue, which the story expects"
            raise StageError(message)
        top = groups[0]
        await self._command("mismatches", CATALOG)
        await self._command("mismatches", "show", top.fingerprint, most_lines=26)
        await self._set(CATALOG, "canary", "10%")
        refused = await self._command(
            "apply", *self._rules, "--yes", "--reason", "too early", may_end_with=(3,)
        )
        self._screen.say(f"Refused, as it should be (exit code {refused.code}).")
        self._screen.say(
            "date_updated says when a row was last written. Each store stamps its own writes, "
            "so the values can never agree."
        )
        await self._set(CATALOG, "shadow", quiet=True)
        await self._command(
            "routes", "accept", CATALOG, "$..date_updated", *self._rules,
            "--as", "timestamp", "--owner", "merchandising",
            "--reason", "each store stamps its own writes", "--days", "180",
        )  # fmt: skip
        await self._apply("accept the write stamps")
        self._screen.say("New rules are a new epoch: the evidence starts again from nothing.")
        await self._watch_the_gate()

    async def _ramp_up(self) -> None:
        self._screen.chapter("Canary, then core: each step on evidence")
        for share in ("10%", "50%"):
            await self._set(CATALOG, "canary", share)
            await self._apply(f"{share} of shoppers")
            await self._linger(f"{share} of shoppers read from the core", self._pace.step_s)
        await self._set(CATALOG, "core")
        await self._apply("the catalogue moves")
        await self._linger("the core answers every shopper; legacy is asked too", self._pace.step_s)
        await self._command("status", *self._rules)

    async def _back_and_forward(self) -> None:
        self._screen.chapter("Back in under a second, and forward again")
        ended = await self._step(
            "rollback", "rollback", CATALOG, *self._rules, "--reason", "to show that it works"
        )
        self._rollback_s = ended.elapsed_s
        self._screen.say(
            f"From the key press to the last proxy worker: [bold]{ended.elapsed_s:.2f} s[/]. "
            "No gate was asked."
        )
        await self._linger("legacy answers every shopper again", self._pace.step_s / 2)
        for stage, share in (("canary", "50%"), ("core", None)):
            await self._set(CATALOG, stage, share, quiet=True)
            await self._apply("forward again")
            await self._linger("shoppers return to the core", self._pace.step_s / 2)

    async def _sum_up(self, began: float) -> Summary:
        shopping = await self._stage.stop_shoppers()
        evidence = await self._settled()
        overall, books = evidence.overall, await self._stage.books()
        lost_changes = unexplained(shopping.side_changes, self._steps)
        return Summary(
            requests=shopping.requests,
            failures=shopping.failures,
            shoppers=shopping.shoppers,
            side_changes=len(shopping.side_changes),
            side_changes_unexplained=len(lost_changes),
            rollback_s=round(self._rollback_s, 3),
            compared=overall.compared,
            parity_ppm=overall.ratio_ppm or 0,
            parity_lower_ppm=overall.lower_ppm,
            confidence_bp=overall.confidence_bp,
            mirrored=books.mirrored,
            lost=books.lost,
            balance_gap=books.mirrored - books.compared - books.lost - books.pending,
            restarts=self._stage.restarts,
            story_s=round(time.monotonic() - began, 1),
        )

    # --- how it is done -------------------------------------------------------------------

    @property
    def _rules(self) -> tuple[str, ...]:
        return ("--config", str(self._stage.rules))

    @property
    def _applied(self) -> tuple[str, ...]:
        return ("--config", str(self._stage.house.applied))

    async def _command(
        self, *args: str, may_end_with: tuple[int, ...] = (0,), most_lines: int = 40
    ) -> Ended:
        self._screen.command("banyan " + _quoted(args))
        ended = await self._stage.banyan.run(*args, may_end_with=may_end_with)
        self._screen.output(ended.out or ended.err, most_lines=most_lines)
        return ended

    async def _set(
        self, domain: str, stage: str, share: str | None = None, *, quiet: bool = False
    ) -> None:
        args = ["routes", "set", domain, *self._rules, "--stage", stage]
        if share is not None:
            args += ["--core-share", share]
        if quiet:
            await self._stage.banyan.run(*args)
        else:
            await self._command(*args)

    async def _apply(self, reason: str) -> None:
        """Apply the file; where a gate still waits for evidence, wait with it."""
        await self._until_not_refused()
        await self._step(reason, "apply", *self._rules, "--yes", "--reason", reason)

    async def _until_not_refused(self) -> None:
        deadline = time.monotonic() + _GATE_WAIT_S
        plan: dict[str, Any] = {"changes": []}
        while time.monotonic() < deadline:
            plan = (await self._stage.banyan.run("plan", *self._rules, "--json")).json()
            if not plan["is_refused"]:
                return
            await asyncio.sleep(1)
        refusals = [r for change in plan["changes"] for r in change["refusals"]]
        message = f"the plan is still refused after {_GATE_WAIT_S:.0f} s: {'; '.join(refusals)}"
        raise StageError(message)

    async def _step(self, what: str, *args: str) -> Ended:
        ended = await self._command(*args)
        # Only the catalogue ever changes side; a change in another domain has no excuse.
        self._steps.append(Step(CATALOG, what, ended.began_at_s, ended.ended_at_s))
        return ended

    async def _linger(self, what: str, seconds: float) -> None:
        with self._screen.waiting(what, seconds) as bar:
            began = time.monotonic()
            while (passed := time.monotonic() - began) < seconds:
                bar.at(passed, await self._stage.pulse())
                await asyncio.sleep(0.5)
            bar.at(seconds, await self._stage.pulse())

    async def _watch(
        self,
        what: str,
        enough: Callable[[DomainEvidence], bool],
        *,
        goal: float,
        measure: Callable[[DomainEvidence], float],
    ) -> DomainEvidence:
        with self._screen.waiting(what, goal) as bar:
            deadline = time.monotonic() + _GATE_WAIT_S
            while time.monotonic() < deadline:
                seen = await self._stage.evidence(CATALOG)
                bar.at(min(measure(seen), goal), _parity_note(seen))
                if enough(seen):
                    return seen
                await asyncio.sleep(0.5)
        message = f"{what}: not enough evidence after {_GATE_WAIT_S:.0f} s"
        raise StageError(message)

    async def _watch_the_gate(self) -> None:
        gate = self._stage.gate(CATALOG)
        await self._watch(
            "parity climbs",
            lambda seen: (
                seen.overall.samples >= gate.samples and seen.overall.lower_ppm >= gate.min_ppm
            ),
            goal=gate.samples,
            measure=lambda seen: seen.overall.samples,
        )

    async def _settled(self) -> DomainEvidence:
        """Evidence after the comparer has read all that the proxy wrote."""
        return await _until(
            lambda: self._stage.evidence(CATALOG),
            self._nothing_pending,
            timeout_s=20,
        )

    async def _nothing_pending(self) -> bool:
        return (await self._stage.books()).pending == 0


async def _until(
    read: Callable[[], Awaitable[DomainEvidence]],
    done: Callable[[], Awaitable[bool]],
    *,
    timeout_s: float,
) -> DomainEvidence:
    deadline = time.monotonic() + timeout_s
    while not await done() and time.monotonic() < deadline:  # noqa: ASYNC110 - another process's state
        await asyncio.sleep(0.2)
    return await read()


def _parity_note(seen: DomainEvidence) -> str:
    overall = seen.overall
    if overall.ratio_ppm is None:
        return "nothing compared yet"
    return (
        f"{overall.samples:,} samples, {overall.ratio_ppm / 10_000:.2f} % equal, "
        f"at least {overall.lower_ppm / 10_000:.2f} %"
    )


def _quoted(args: tuple[str, ...]) -> str:
    return " ".join(f'"{arg}"' if " " in arg or "$" in arg else arg for arg in args)
