"""Builds what steers, and keeps it steering."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial

from cutover import app
from cutover.edge.proxy_traffic import ProxyTraffic
from cutover.errors import CutoverError
from cutover.service.steering import Steered, Steering, Wheel
from cutover.settings import COURSE_FILE, CutoverSettings
from cutover.storage.course_file import CourseFile
from cutover.storage.restage import reshare, restage

EVERY_S = 2.0
_LOG = logging.getLogger(__name__)
#: A look must not take more than this part of the time.
_MOST_SHARE = 0.2


def course_file(settings: CutoverSettings) -> CourseFile:
    """Where the last look is kept."""
    return CourseFile(settings.var / COURSE_FILE)


def steering(settings: CutoverSettings) -> Steering:
    """What looks, with what is known from its last life."""
    wheel = Wheel(
        books=app.books(settings),
        traffic=ProxyTraffic(settings.side_door),
        restage=restage,
        reshare=reshare,
        open_evidence=app.evidence(settings),
        owners=partial(app.owners, settings),
        known=course_file(settings).known(),
    )
    return Steering(wheel)


async def steer(
    settings: CutoverSettings,
    told: Callable[[Sequence[Steered]], None],
    *,
    every_s: float = EVERY_S,
    looks: int | None = None,
) -> None:
    """Look every so often, until `looks` of them are done or nobody wants it any more.

    `told` is called after each look. What one look cannot do the next one tries again.
    """
    it, kept, now = steering(settings), course_file(settings), app.books(settings).now
    clock, last = asyncio.get_running_loop().time, ""
    done = 0
    while looks is None or done < looks:
        began, problem = clock(), ""
        try:
            found = await it.look()
            told(found)
            await asyncio.to_thread(kept.write, now(), found, it.known)
        except CutoverError as exc:
            problem = str(exc)
            if looks is not None:
                raise
        except Exception as exc:
            # A brake that one odd answer takes away for good is none.
            if looks is not None:
                raise
            problem = f"{type(exc).__name__}: {exc}"
            if problem != last:
                _LOG.exception("steering: a look ended in a fault of its own; the next one comes")
                last = problem
        if problem and problem != last:
            _LOG.warning("steering: %s", problem)
        last = problem
        done += 1
        if looks is None or done < looks:
            await asyncio.sleep(max(every_s, (clock() - began) / _MOST_SHARE))


def log_what_was_done(found: Sequence[Steered]) -> None:
    """One line for each thing that was done, as the room's log has it."""
    for one in found:
        if one.done:
            sys.stderr.write(f"steering: {one.domain} {one.done}: {one.course.because}\n")
