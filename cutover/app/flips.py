"""Wires the coordinator of flips with both databases and the proxy."""

from __future__ import annotations

import asyncio
import os
import socket
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from cutover import app
from cutover.core.flip_gates import Drift
from cutover.core.flip_watch import Seen
from cutover.edge.flip_door import FlipDoor
from cutover.edge.flip_facts import DriftOf, Observer
from cutover.edge.flip_routers import TableRouters
from cutover.errors import DoorClosed, SettingsError, UnknownDomain
from cutover.service.flipping_house import House, Limits, Pace
from cutover.settings import CutoverSettings
from legacy_adapters.mapping.aggregates import SyncDomain
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.membership import membership
from legacy_adapters.mapping.versions import Side
from legacy_adapters.oscar.kinds import DOMAINS, KINDS
from legacy_adapters.ports.flips import Control
from legacy_adapters.storage.backfill_books import SqlBackfillBooks
from legacy_adapters.storage.fences_open import open_fences
from legacy_adapters.storage.flips import SqlFlips, make_flip_engine
from legacy_adapters.storage.flips_probing import SqlApplied, SqlCounters, oldest_transaction
from legacy_adapters.storage.opening import open_engine
from legacy_adapters.storage.stage import SqlStage
from new_core.storage import SqlDatabase, make_reader
from shadow_compare.edge.reconcile_opening import Places, Reconciliation, open_reconciliation
from shadow_compare.service.hot_verify import HotVerifier


@dataclass(frozen=True, slots=True)
class Desk:
    """All that the commands of flips need.

    Attributes:
        holder: names this process, differently from every other one that ever was.
    """

    house: House
    observer: Observer
    holder: str
    door_url: str

    @property
    def domains(self) -> Sequence[SyncDomain]:
        """Everything that flips as one."""
        return DOMAINS

    def domain(self, name: str) -> SyncDomain:
        """What flips under a name. Raises UnknownDomain."""
        for domain in DOMAINS:
            if domain.name == name:
                return domain
        known = ", ".join(domain.name for domain in DOMAINS)
        raise UnknownDomain(f"no data flips as {name}; there are: {known}")

    async def control(self, name: str) -> Control:
        """A domain's row, made as its fences are when there is none."""
        row = await self.house.books.control(name)
        if row is not None:
            return row
        for side, fences in self.house.fences.items():
            fence = (await fences.rows()).get(name)
            if fence is not None and fence.owner == side.value:
                return await self.house.books.ensure(name, side, fence.term)
        raise UnknownDomain(f"{name} has no fences yet; banyan sync install makes them")

    async def routes(self, domain: SyncDomain) -> tuple[str, ...]:
        """Those of its routing domains that the table in force has."""
        return tuple(await self.house.routers.known(domain.routes))

    async def seen(self, domain: SyncDomain, owner: Side, since: Control) -> Seen:
        """What a watch looks at, now."""
        back = stream_from(owner)
        stage = self.observer.stage
        at, waiting = await stage.checkpoint(back), await stage.waiting(back, domain.name)
        rogues = [one for one in await stage.rogues(1_000) if one.domain == since.domain]
        drift = (
            None if self.observer.drift is None else await self.observer.drift(domain.name, owner)
        )
        answers, errors = await asyncio.to_thread(_answers, self.door_url, domain.routes)
        return Seen(
            answers=answers,
            errors=errors,
            rogues=len(rogues),
            parked=waiting.parked,
            lag_ms=None if at is None else at.lag_ms,
            problem="it never ran" if at is None else at.problem,
            drift=None if drift is None else drift.unresolved,
        )


def _drift_of(compared: Reconciliation) -> DriftOf:
    """What the comparison's books say."""

    async def drift(domain: str, owner: Side) -> Drift:
        found = await compared.books.drifts(domain)
        last = await compared.books.last(domain, owner, clean=True)
        ended_s = None if last is None else last.ended_s
        age_s = None if ended_s is None else _now().timestamp() - ended_s
        return Drift(len(found), age_s)

    return drift


@asynccontextmanager
async def open_flips(
    settings: CutoverSettings,
    *,
    budget_s: float = 3.0,
) -> AsyncIterator[Desk]:
    """Open both databases; connections are made when first used.

    Raises:
        SettingsError: BANYAN_CORE_DATABASE or BANYAN_LEGACY_DATABASE is missing or no use.
        AdapterError: a database cannot be opened.
    """
    core_url, legacy_url = (
        _url(settings, f"BANYAN_{name}_DATABASE") for name in ("CORE", "LEGACY")
    )
    async with AsyncExitStack() as open_things:
        engine = make_flip_engine(core_url)
        open_things.push_async_callback(engine.dispose)
        database = SqlDatabase(engine, make_reader(core_url, pool_size=1))
        open_things.push_async_callback(database.dispose)
        legacy = open_engine(legacy_url)
        open_things.push_async_callback(legacy.dispose)
        fences = {Side.CORE: open_fences(core_url, Side.CORE)}
        fences[Side.LEGACY] = open_fences(legacy_url, Side.LEGACY)
        for one in fences.values():
            open_things.push_async_callback(one.close)
        places = Places(legacy_url, core_url, settings.evidence_database, None)
        compared = await open_things.enter_async_context(open_reconciliation(places))
        house = House(
            books=SqlFlips(engine, _now),
            fences=fences,
            applied={Side.CORE: SqlApplied(engine), Side.LEGACY: SqlApplied(legacy)},
            verifier=HotVerifier(compared.looker, compared.books),
            numbers=SqlCounters(legacy),
            routers=TableRouters(FlipDoor(settings.side_door), app.books(settings)),
            pace=Pace(time.monotonic, asyncio.sleep),
            limits=Limits(budget_s=budget_s),
        )
        homes = membership((kind.translation.shape, kind.domain) for kind in KINDS)
        observer = Observer(
            house=house,
            stage=SqlStage(engine, homes, {kind.name: kind.domain for kind in KINDS}, _now),
            backfills=SqlBackfillBooks(database),
            door=app.door(settings),
            oldest={
                Side.CORE: partial(oldest_transaction, engine),
                Side.LEGACY: partial(oldest_transaction, legacy),
            },
            now=_now,
            drift=_drift_of(compared),
            sources=compared.sources,
        )
        yield Desk(house, observer, _holder(), settings.side_door)


def _url(settings: CutoverSettings, name: str) -> str:
    url = settings.environment.get(name, "")
    if not url:
        raise SettingsError(f"{name} is not set; flips need both databases")
    path = url.partition(":///")[2].partition("?")[0]
    if url.startswith("sqlite") and not Path(path).is_file():
        raise SettingsError(f"{name}: there is no {path}")
    return url


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the edge's clock


def _holder() -> str:
    """Never the same twice: a process id comes again."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def _answers(door: str, routes: Sequence[str]) -> tuple[int, int]:
    """Answers and errors of routing domains, by the proxy's metrics."""
    try:
        with urllib.request.urlopen(f"{door}/metrics", timeout=2) as got:  # noqa: S310 - ours
            text = got.read().decode()
    except (OSError, ValueError) as exc:
        raise DoorClosed(f"{door} gives no metrics: {exc}", is_refused=False) from exc
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "banyan_requests_total" and sample.labels.get("domain") in routes
    ]
    errors = [one for one in samples if one.labels.get("status_class") == "5xx"]
    return int(sum(one.value for one in samples)), int(sum(one.value for one in errors))
