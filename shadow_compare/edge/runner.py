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

from proxy.errors import RoutingFileError
from proxy.routing import RoutingTable
from proxy.storage import redaction_key, sealing_key
from proxy.storage.runs import KEY_FILE, SEALING_FILE
from proxy.storage.tables import TableWatcher
from shadow_compare.edge.asker import HttpAsker, Keys, Limits
from shadow_compare.edge.bus_place import BusPlace
from shadow_compare.edge.metrics import PrometheusMeter, serve_metrics
from shadow_compare.edge.spool import SpoolSource
from shadow_compare.errors import BusUnavailable, CompareError, EvidenceUnavailable
from shadow_compare.ports import EvidenceWriter, FrameSource
from shadow_compare.service.comparer import Comparer, Gear
from shadow_compare.settings import secret_from_environment

IDLE_S = 0.2
GATHER_S = 0.5
KEEP_S = 30 * 24 * 3600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """What one comparer works on.

    Attributes:
        config: the routing table in force; watched.
        spool: the proxy's spool directory.
        bus: where frames come from instead; the spool is then only looked at for its key.
        key: redaction key; None when it lies in the spool.
        once: end when the spool holds no more frames.
        listen: host and port for metrics, or None.
        max_age_s: older exchanges are lost as stale.
        keep_s: how long examples, pairs and journals are kept.
        sealing_key: of sealed credentials; None when it lies in the spool.
    """

    config: Path
    spool: Path
    key: bytes | None
    limits: Limits
    max_age_s: float
    bus: BusPlace | None = None
    keep_s: float = KEEP_S
    once: bool = False
    listen: tuple[str, int] | None = None
    sealing_key: bytes | None = None


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
    with stop_on_signals() as stop:
        if job.bus is None and not await spool_appears(job.spool, stop, once=job.once):
            return
        async with AsyncExitStack() as stack:
            meter = PrometheusMeter()
            if job.listen is not None:
                port = await stack.enter_async_context(serve_metrics(meter, *job.listen))
                log.info("metrics at http://%s:%d/metrics", job.listen[0], port)
            keys = Keys(await _key(job), await asyncio.to_thread(_sealing_key, job))
            try:
                source = await _source(job, writer, stack, stop)
            except BusUnavailable:
                if not stop.is_set():
                    raise
                return
            stack.push_async_callback(source.close)
            asker = HttpAsker(
                table,
                keys,
                job.limits,
                base=job.config.parent,
                secret=secret_from_environment,
            )
            stack.push_async_callback(asker.close)
            gear = Gear(source, writer, asker, WallClock(), meter)
            comparer = Comparer(
                gear,
                table,
                max_age_s=job.max_age_s,
                lanes=job.limits.concurrency,
                # What a bus has handed out is in memory, and kept from the other comparers.
                most=1_000 if job.bus is None else 200,
            )

            def use(new: RoutingTable) -> None:
                asker.use(new)
                comparer.use(new)
                log.info("judging by table %s", new.revision)

            place = job.spool if job.bus is None else job.bus.shown
            log.info("comparing what %s holds by table %s", place, table.revision)
            async with _watching(watcher, use):
                await _go_round(comparer, stop, once=job.once)
            log.info("stopped; everything read is stored")


async def _source(
    job: Job, writer: EvidenceWriter, stack: AsyncExitStack, stop: asyncio.Event
) -> FrameSource:
    if job.bus is None:
        checkpoints = await writer.checkpoints()
        return await asyncio.to_thread(SpoolSource, job.spool, checkpoints)
    # Whoever keeps its frames on the disk needs no library for a bus.
    from shadow_compare.edge.bus import open_bus  # noqa: PLC0415
    from shadow_compare.edge.bus_source import nats_source  # noqa: PLC0415

    bus = await stack.enter_async_context(
        open_bus(job.bus, "compare", lambda: not stop.is_set() and not job.once)
    )
    return await stack.enter_async_context(nats_source(bus))


async def _key(job: Job) -> bytes:
    """The proxy's redaction key.

    It never travels over a bus: who reads the bus could then try out whom a mark hides.
    """
    if job.key is not None:
        return job.key
    if job.bus is not None and not await asyncio.to_thread((job.spool / KEY_FILE).exists):
        raise CompareError(
            f"there is no redaction key: set BANYAN_REDACTION_KEY to the proxy's, or --spool to "
            f"a spool of its that holds {KEY_FILE}"
        )
    return await asyncio.to_thread(redaction_key, job.spool)


def _sealing_key(job: Job) -> bytes | None:
    """None where frames come over a bus and nobody gave the key: what is sealed stays so."""
    if job.sealing_key is not None:
        return job.sealing_key
    if job.bus is not None and not (job.spool / SEALING_FILE).exists():
        return None
    return sealing_key(job.spool)


async def _go_round(comparer: Comparer, stop: asyncio.Event, *, once: bool) -> None:
    while not stop.is_set():
        try:
            frames = await comparer.round(lambda: not stop.is_set())
        except EvidenceUnavailable:
            if not stop.is_set():
                raise
            log.warning("stopped before the last batch was stored; the next start repeats it")
            return
        if comparer.is_behind or (once and frames):
            continue
        if once:
            return
        # A moment's frames stored together cost a fraction of each stored alone.
        await pause(stop, GATHER_S if frames else IDLE_S)


async def spool_appears(spool: Path, stop: asyncio.Event, *, once: bool) -> bool:
    """Wait for the spool directory. False when told to stop, or when `once` will not wait."""
    if await asyncio.to_thread(spool.is_dir):
        return True
    if once:
        log.warning("there is no spool at %s; nothing to do", spool)
        return False
    log.warning("waiting for the spool %s; a proxy makes it when it starts", spool)
    while not await asyncio.to_thread(spool.is_dir):
        await pause(stop, IDLE_S)
        if stop.is_set():
            return False
    return True


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, or less long when told to stop."""
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
def stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set."""
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
