"""Runs what is done beside the requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from new_core.api.house import Worker
from new_core.errors import CoreError, WriteFenced

_AFTER_ERROR_S = 5.0
_CLOSING_S = 5.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def working(workers: Sequence[Worker]) -> AsyncIterator[None]:
    """The workers run while this block does, and are stopped in the middle of a round at its
    end: what a round leaves half done, the next one finds.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_again_and_again(one), name=one.name) for one in workers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _again_and_again(worker: Worker) -> None:
    try:
        await _rounds(worker)
    finally:
        if worker.close is not None:
            try:
                async with asyncio.timeout(_CLOSING_S):
                    await worker.close()
            except Exception:
                log.exception("%s does not end", worker.name)


async def _rounds(worker: Worker) -> None:
    task = asyncio.current_task()
    fenced: str | None = None
    # 1. The worker is told to stop while it waits for the database, 2. the driver, which cuts its
    # connection off, answers with an error of its own, 3. nobody tells the worker again.
    while task is None or not task.cancelling():
        try:
            done = await worker.run()
        except WriteFenced as exc:
            # It lasts as long as another store owns the domain: weeks, and no trouble.
            if fenced != exc.domain:
                log.info("%s waits: %s", worker.name, exc)
            fenced = exc.domain
            await asyncio.sleep(max(_AFTER_ERROR_S, worker.every_s))
        except CoreError as exc:
            log.warning("%s: %s", worker.name, exc)
            await asyncio.sleep(max(_AFTER_ERROR_S, worker.every_s))
        except Exception:
            # One worker's bug must not end the process that answers shoppers.
            log.exception("%s", worker.name)
            await asyncio.sleep(max(_AFTER_ERROR_S, worker.every_s))
        else:
            fenced = None
            if not done:
                await asyncio.sleep(worker.every_s)
