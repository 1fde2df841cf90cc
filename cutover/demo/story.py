"""The migration that the demo tells: a catalogue moves by requests, orders move with their data.

Everything shown is done by the same commands, processes and files that an engineer would
use; the story only waits, reads and speaks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from cutover.demo.bookkeeping import Told
from cutover.demo.early_release import FAULT
from cutover.demo.moving import Moved, Moving
from cutover.demo.promises import Summary, unexplained
from cutover.demo.screen import Screen
from cutover.demo.stage import EARLY, MENDED, Stage
from cutover.demo.telling import REFUSED, Pace, Telling
from shadow_compare.core.evidence import DomainEvidence

CATALOG, PRICE = "catalog", "price"
_SHADOWED = (PRICE, "stock")
_WRONG_PRICES, _DIFFERING = 60, 30
_ALL_BP = 10_000


class Story:
    """Tells the story once. Owned by one task.

    Args:
        stage: the processes and files the story plays on.
        screen: where it is told.
    """

    def __init__(self, stage: Stage, screen: Screen, pace: Pace) -> None:
        self._stage, self._screen, self._pace = stage, screen, pace
        self._telling = Telling(stage, screen, pace)
        self._rollback_s = 0.0
        self._was_held_back = False
        self._before: tuple[Told, ...] = ()

    async def tell(self) -> Summary:
        """Play all chapters and return the figures.

        Raises:
            CutoverError: something did not happen that had to; the message says what.
        """
        began = time.monotonic()
        await self._open_the_store()
        await self._audit()
        await self._fill_the_core()
        await self._stand_in_front()
        await self._let_shoppers_in()
        await self._shadow()
        await self._hold_a_bad_release()
        await self._find_the_difference()
        await self._load()
        await self._ramp_up()
        await self._back_and_forward()
        moving = Moving(self._telling, self._before)
        await moving.into_step()
        moved = await moving.there_and_back()
        return await self._sum_up(began, moving, moved)

    # --- chapters -------------------------------------------------------------------------

    async def _open_the_store(self) -> None:
        self._screen.chapter("A real store")
        with self._screen.waiting("preparing the shop", 2) as bar:
            await self._stage.prepare_store(lambda line: bar.at(0, line))
            bar.at(1, "starting")
            await self._stage.start_store()
            bar.at(2, "open")
        self._before = self._stage.orders("legacy")
        count = len(await self._stage.get_json("legacy", "/api/products/"))
        self._screen.say(
            f"django-oscar sells {count} products on {self._stage.url('legacy')}; "
            "nobody has told it about Banyan."
        )

    async def _audit(self) -> None:
        self._screen.chapter("Where we stand")
        await self._telling.command("preflight", most_lines=16, may_end_with=(0, 1))
        await self._telling.command("risks", *self._telling.rules)
        self._screen.say("What could go wrong is written down before anything moves.")

    async def _fill_the_core(self) -> None:
        self._screen.chapter("The new core, filled from the store's database")
        with self._screen.waiting("starting the core", 1) as bar:
            await self._stage.start_core()
            bar.at(1, "ready")
        await self._telling.command("backfill", "--from", self._stage.store_database)
        self._screen.say("Every row was counted and checksummed on both sides.")
        await self._stage.deploy_early_release()
        self._screen.say(
            f"Release {EARLY} of the core is deployed. The story has planted a fault in it: "
            f"{FAULT}."
        )

    async def _stand_in_front(self) -> None:
        self._screen.chapter("Banyan steps in front")
        await self._telling.command(
            "apply", *self._telling.rules, "--yes", "--reason", "the demo begins"
        )
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
        await self._telling.linger(
            "shoppers browse, fill baskets and check out", self._pace.warm_up_s
        )

    async def _shadow(self) -> None:
        self._screen.chapter("Shadow: the core is asked too, and no shopper waits for it")
        for domain in (CATALOG, *_SHADOWED):
            await self._telling.set(domain, "shadow", quiet=domain != CATALOG)
        await self._telling.apply("compare before anything moves", CATALOG)
        await self._telling.watch(
            "answers are compared",
            self._evidence,
            lambda seen: seen.overall.compared >= 150,
            goal=150,
            measure=lambda seen: seen.overall.compared,
            note=_parity_note,
        )
        await self._telling.command("parity", *self._telling.applied)
        self._screen.say(
            "Stock differs with every order, because orders still change it on the legacy side "
            "alone: it has to move with the orders, and with their data."
        )

    async def _hold_a_bad_release(self) -> None:
        self._screen.chapter("A bad release")
        await self._telling.watch(
            "prices are compared",
            lambda: self._stage.evidence(PRICE),
            lambda seen: seen.overall.unequal >= _WRONG_PRICES,
            goal=_WRONG_PRICES,
            measure=lambda seen: seen.overall.unequal,
            note=_parity_note,
        )
        await self._telling.set(PRICE, "canary", "25%")
        refused = await self._telling.command(
            "apply",
            *self._telling.rules,
            "--yes",
            "--reason",
            "prices move",
            may_end_with=(REFUSED,),
        )
        self._was_held_back = "parity gate fails" in refused.out + refused.err
        self._screen.say(f"The gate holds it back (exit code {refused.code}); no shopper saw it.")
        await self._telling.command("mismatches", PRICE)
        await self._telling.set(PRICE, "shadow", quiet=True)
        await self._stage.deploy_mended_release()
        await self._telling.apply(f"release {MENDED} rounds as it should", CATALOG)
        self._screen.say(
            "A new release is a new epoch: what the bad one showed says nothing of it."
        )

    async def _find_the_difference(self) -> None:
        self._screen.chapter("A real difference")
        groups = await self._telling.watch(
            "the catalogue is compared",
            lambda: self._stage.groups(CATALOG),
            lambda found: sum(one.count for one in found) >= _DIFFERING,
            goal=_DIFFERING,
            measure=lambda found: sum(one.count for one in found),
            note=lambda found: f"{len(found)} groups of mismatches",
        )
        top = groups[0]
        await self._telling.command("mismatches", CATALOG)
        await self._telling.command("mismatches", "show", top.fingerprint, most_lines=26)
        await self._telling.set(CATALOG, "canary", "25%")
        refused = await self._telling.command(
            "apply", *self._telling.rules, "--yes", "--reason", "too early", may_end_with=(3,)
        )
        self._screen.say(f"Refused, as it should be (exit code {refused.code}).")
        await self._telling.command(
            "calibrate", CATALOG, "--requests", "40", "--spacing", "0.5", most_lines=14
        )
        self._screen.say("Each store agrees with itself, so this is no noise: it is a difference.")
        self._screen.say(
            "date_updated says when a row was last written. Each store stamps its own writes, "
            "so the values can never agree."
        )
        await self._telling.set(CATALOG, "shadow", quiet=True)
        await self._stage.retire_early_release()
        await self._telling.command(
            "routes", "accept", CATALOG, "$..date_updated", *self._telling.rules,
            "--as", "timestamp", "--owner", "merchandising",
            "--reason", "each store stamps its own writes", "--days", "180",
        )  # fmt: skip
        await self._telling.apply("accept the write stamps", CATALOG)
        self._screen.say("New rules are a new epoch: the evidence starts again from nothing.")
        await self._watch_the_gate()

    async def _load(self) -> None:
        self._screen.chapter("Under load")
        await self._telling.command(
            "loadtest", CATALOG, *self._telling.rules, "--profile", "1x", "--rate", "15",
            "--duration", "8s", "--yes", most_lines=24,
        )  # fmt: skip
        self._screen.say(
            "Both stores were asked what shoppers ask, beside the shoppers. Here the gate only "
            "watches: this machine runs both stores, so its figures say little of a shop's."
        )

    async def _ramp_up(self) -> None:
        self._screen.chapter("Canary, then core: each step on evidence")
        await self._telling.set(CATALOG, "canary", "25%")
        await self._telling.apply("25% of shoppers", CATALOG)
        self._screen.say(
            "From here its ramp takes the next shares by itself, each by the gate's leave; where "
            "the core surely did worse, it would go back by itself."
        )
        await self._telling.watch(
            "the ramp climbs",
            self._share,
            lambda share: share == _ALL_BP,
            goal=_ALL_BP,
            measure=lambda share: share,
            note=lambda share: f"{share / 100:g} % of shoppers; {self._stage.course(CATALOG)}",
        )
        await self._telling.command("ledger", "list", most_lines=14)
        await self._telling.set(CATALOG, "core")
        await self._telling.apply("the catalogue moves", CATALOG)
        await self._telling.linger(
            "the core answers every shopper; legacy is asked too", self._pace.step_s
        )
        await self._telling.command("status", *self._telling.rules)

    async def _back_and_forward(self) -> None:
        self._screen.chapter("Back in under a second, and forward again")
        ended = await self._telling.step(
            "rollback",
            (CATALOG,),
            "rollback",
            CATALOG,
            *self._telling.rules,
            "--reason",
            "to show that it works",
        )
        self._rollback_s = ended.elapsed_s
        self._screen.say(
            f"From the key press to the last proxy worker: [bold]{ended.elapsed_s:.2f} s[/]. "
            "No gate was asked."
        )
        await self._telling.linger("legacy answers every shopper again", self._pace.step_s / 2)
        for stage, share in (("canary", "50%"), ("core", None)):
            await self._telling.set(CATALOG, stage, share, quiet=True)
            await self._telling.apply("forward again", CATALOG)
            await self._telling.linger("shoppers return to the core", self._pace.step_s / 2)

    async def _sum_up(self, began: float, moving: Moving, moved: Moved) -> Summary:
        self._screen.chapter("The books are balanced")
        shopping = await self._stage.stop_shoppers()
        orders = await moving.balanced(tuple(one.told for one in shopping.orders))
        self._screen.say(
            f"{orders.acknowledged:,} orders were acknowledged to shoppers: {orders.lost} lost, "
            f"{orders.doubled} doubled, {orders.differing} with another total, on either side."
        )
        evidence = await self._settled()
        report = await self._report()
        overall, books = evidence.overall, await self._stage.books()
        steps = (*self._telling.steps, *self._stage.taken_by_itself())
        lost_changes = unexplained(shopping.side_changes, steps)
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
            orders=orders.acknowledged,
            orders_on_core=sum(one.is_from_core for one in shopping.orders),
            orders_lost=orders.lost,
            orders_doubled=orders.doubled,
            orders_differing=orders.differing,
            freeze_there_ms=round(moved.freeze_there_ms, 1),
            freeze_back_ms=round(moved.freeze_back_ms, 1),
            readiness=moved.readiness,
            was_ready=moved.is_ready,
            restarts=self._stage.restarts,
            report=str(report),
            was_held_back=self._was_held_back,
            ramp_steps=len(self._stage.taken_by_itself()),
            story_s=round(time.monotonic() - began, 1),
        )

    async def _report(self) -> Path:
        file = self._stage.house.var / "report.html"
        await self._telling.command("report", *self._telling.applied, "--html", str(file))
        return file

    # --- how it is done -------------------------------------------------------------------

    async def _evidence(self) -> DomainEvidence:
        return await self._stage.evidence(CATALOG)

    async def _share(self) -> int:
        return self._stage.in_force(CATALOG).core_share_bp

    async def _watch_the_gate(self) -> None:
        gate = self._stage.gate(CATALOG)
        await self._telling.watch(
            "parity climbs",
            self._evidence,
            lambda seen: (
                seen.overall.samples >= gate.samples and seen.overall.lower_ppm >= gate.min_ppm
            ),
            goal=gate.samples,
            measure=lambda seen: seen.overall.samples,
            note=_parity_note,
        )

    async def _settled(self) -> DomainEvidence:
        """Evidence after the comparer has read all that the proxy wrote."""
        return await _until(self._evidence, self._nothing_pending, timeout_s=20)

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
