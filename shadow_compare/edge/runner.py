"""The comparer's process: open everything, go round until told to stop, close everything."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from proxy.core import Redactor
from proxy.errors import RoutingFileError
from proxy.routing import KeyKind, RoutingTable
from proxy.storage import redaction_key
from proxy.storage.tables import TableWatcher
from shadow_compare.edge.asker import HttpAsker, Limits
from shadow_compare.edge.metrics import PrometheusMeter, serve_metrics
from shadow_compare.edge.spool import SpoolSource
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.ports import EvidenceWriter
from shadow_compare.service.comparer import Comparer, Gear

IDLE_S = 0.2

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """What one comparer works on.

    Attributes:
        config: the routing table in force; watched.
        spool: the proxy's spool directory.
        key: redaction key; None when it lies in the spool.
        once: end when the spool holds no more frames.
        listen: host and port for metrics, or None.
        max_age_s: older exchanges are lost as stale.
    """

    config: Path
    spool: Path
    key: bytes | None
    limits: Limits
    max_age_s: float
    once: bool = False
    listen: tuple[str, int] | None = None


class WallClock:
    """The machine's clocks."""

    def now_s(self) -> float:
        return time.time()  # noqa: TID251 - the edge's clock

    def tick_s(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> Awaitable[None]:
        return asyncio.sleep(seconds)


async def run(job: Job, writer: EvidenceWriter) -> None:
    """Compare until SIGTERM or SIGINT, or with `once` until the spool is empty.

    A signal lets the batch in hand come to its end. It is safe to kill at any moment.

    Raises:
        RoutingFileError: there is no good table to begin with.
        SpoolBusy: another comparer reads this spool.
        EvidenceUnavailable: the evidence store does not answer.
        OSError: the metrics address is taken.
    """
    watcher = TableWatcher(job.config)
    table = watcher.load()
    with _stop_on_signals() as stop:
        if not await _spool_appears(job, stop):
            return
        async with AsyncExitStack() as stack:
            meter = PrometheusMeter()
            if job.listen is not None:
                port = await stack.enter_async_context(serve_metrics(meter, *job.listen))
                log.info("metrics at http://%s:%d/metrics", job.listen[0], port)
            checkpoints = await writer.checkpoints()
            source = await asyncio.to_thread(SpoolSource, job.spool, checkpoints)
            stack.push_async_callback(source.close)
            key = job.key
            if key is None:
                key = await asyncio.to_thread(redaction_key, job.spool)
            asker = HttpAsker(table.stores, _redactor(key, table), job.limits)
            stack.push_async_callback(asker.close)
            gear = Gear(source, writer, asker, WallClock(), meter)
            comparer = Comparer(gear, table, max_age_s=job.max_age_s)

            def use(new: RoutingTable) -> None:
                asker.use(new.stores, _redactor(key, new))
                comparer.use(new)
                log.info("judging by table %s", new.revision)

            log.info("comparing what %s holds by table %s", job.spool, table.revision)
            async with _watching(watcher, use):
                await _go_round(comparer, stop, once=job.once)
            log.info("stopped; everything read is stored")


async def _go_round(comparer: Comparer, stop: asyncio.Event, *, once: bool) -> None:
    while not stop.is_set():
        try:
            frames = await comparer.round(lambda: not stop.is_set())
        except EvidenceUnavailable:
            if not stop.is_set():
                raise
            log.warning("stopped before the last batch was stored; the next start repeats it")
            return
        if frames:
            continue
        if once:
            return
        await _wait(stop, IDLE_S)


async def _spool_appears(job: Job, stop: asyncio.Event) -> bool:
    """Wait for the spool directory. False when told to stop, or when `once` will not wait."""
    if await asyncio.to_thread(job.spool.is_dir):
        return True
    if job.once:
        log.warning("there is no spool at %s; nothing to compare", job.spool)
        return False
    log.warning("waiting for the spool %s; a proxy makes it when it starts", job.spool)
    while not await asyncio.to_thread(job.spool.is_dir):
        await _wait(stop, IDLE_S)
        if stop.is_set():
            return False
    return True


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


@asynccontextmanager
async def _watching(
    watcher: TableWatcher, use: Callable[[RoutingTable], None]
) -> AsyncIterator[None]:
    def complain(problem: RoutingFileError) -> None:
        log.warning("the table does not load, the last good one stays in force: %s", problem)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(watcher.run(use, complain), name="watch the table")
        try:
            yield
        finally:
            task.cancel()


@contextmanager
def _stop_on_signals() -> Iterator[asyncio.Event]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _redactor(key: bytes, table: RoutingTable) -> Redactor:
    headers = [key.name for key in table.shopper if key.kind is KeyKind.HEADER]
    return Redactor(key, headers, table.privacy.show, table.privacy.hide)
