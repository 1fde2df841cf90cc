"""The shipper's process: from one spool into the bus, until told to stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from shadow_compare.core.note import Note
from shadow_compare.edge.bus import open_bus
from shadow_compare.edge.bus_place import BusPlace
from shadow_compare.edge.bus_sink import NatsSink
from shadow_compare.edge.metrics import serve_metrics
from shadow_compare.edge.runner import IDLE_S, WallClock, pause, spool_appears, stop_on_signals
from shadow_compare.edge.ship_metrics import ShipCounters
from shadow_compare.edge.spool import SpoolSource
from shadow_compare.errors import BusUnavailable
from shadow_compare.ports import FrameSink
from shadow_compare.service.shipper import Dock, Shipper, Stopped

_RETRY_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Load:
    """What one shipper works on.

    Attributes:
        spool: the proxy's spool directory.
        once: end when the spool holds no more frames.
        listen: host and port for metrics, or None.
    """

    spool: Path
    bus: BusPlace
    once: bool = False
    listen: tuple[str, int] | None = None


async def ship(load: Load) -> None:
    """Send until SIGTERM or SIGINT, or with `once` until the spool is empty.

    Safe to kill at any moment.

    Raises:
        BusRefused: the bus will not have us, and says why.
        SpoolBusy: somebody else reads this spool.
        OSError: the metrics address is taken.
    """
    meter = ShipCounters()
    with stop_on_signals() as stop:
        async with AsyncExitStack() as stack:
            if load.listen is not None:
                port = await stack.enter_async_context(serve_metrics(meter, *load.listen))
                log.info("metrics at http://%s:%d/metrics", load.listen[0], port)
            if not await spool_appears(load.spool, stop, once=load.once):
                return
            try:
                bus = await stack.enter_async_context(
                    open_bus(load.bus, "ship", lambda: not stop.is_set())
                )
                sink = NatsSink(bus)
                notes = await _notes(sink, meter, stop)
                checkpoints = {run: note.checkpoint for run, note in notes.items()}
                source = await asyncio.to_thread(SpoolSource, load.spool, checkpoints)
                stack.push_async_callback(source.close)
                log.info("sending what %s holds to %s", load.spool, load.bus.shown)
                shipper = Shipper(Dock(source, sink, WallClock(), meter), notes)
                await _go_round(shipper, stop, once=load.once)
            except (Stopped, BusUnavailable):
                log.warning("stopped while the bus took nothing; the next start sends the rest")


async def _go_round(shipper: Shipper, stop: asyncio.Event, *, once: bool) -> None:
    while not stop.is_set():
        frames = await shipper.round(lambda: not stop.is_set())
        if frames:
            continue
        if once:
            return
        await pause(stop, IDLE_S)
    log.info("stopped; everything read is sent")


async def _notes(sink: FrameSink, meter: ShipCounters, stop: asyncio.Event) -> Mapping[str, Note]:
    """What the bus knows, waited for: a bus that begins may be up before its streams are."""
    complained = False
    while True:
        try:
            notes = await sink.notes()
        except BusUnavailable as exc:
            meter.trouble(str(exc))
            if stop.is_set():
                raise Stopped from exc
            if not complained:
                log.warning("the bus is not ready, trying on: %s", exc)
            complained = True
            await pause(stop, _RETRY_S)
        else:
            meter.trouble(None)
            return notes
