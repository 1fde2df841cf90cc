"""Runs shoppers with Locust as a library. Importing this patches the process for gevent."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.log import setup_logging

from loadtests.floor import Floor
from loadtests.guest import Guest
from loadtests.pace import Pace

SUMMARY_EVERY_S = 1.0
PROGRESS_EVERY_S = 5.0
LAST_REQUEST_S = 12  # longer than a request may take


@dataclass(frozen=True, slots=True)
class CrowdPlan:
    """How many shoppers, how fast, how long.

    Attributes:
        think_s: mean pause of a user before a request.
        duration_s: None means until SIGTERM or SIGINT.
    """

    users: int
    spawn_per_s: float
    requests_per_s: float | None
    think_s: float
    duration_s: float | None


def run_crowd(
    floor: Floor,
    plan: CrowdPlan,
    on_tick: Callable[[], object],
    on_progress: Callable[[], object],
) -> None:
    """Let shoppers in, and return when the last one has left.

    `on_tick` is called every second, `on_progress` every five.
    """
    setup_logging("WARNING")  # type: ignore[no-untyped-call] # untyped in locust
    crowd = type(
        "Shopper",
        (Guest,),
        {"floor": floor, "pace": Pace(plan.requests_per_s), "think_s": plan.think_s},
    )
    environment = Environment(
        user_classes=[crowd], host=floor.base_url, stop_timeout=LAST_REQUEST_S
    )
    on_error = environment.events.user_error
    on_error.add_listener(_crash_listener(floor))  # type: ignore[no-untyped-call] # same
    runner = environment.create_local_runner()
    over = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, over.set)
    runner.start(plan.users, spawn_rate=plan.spawn_per_s)
    _watch(over, plan.duration_s, on_tick, on_progress)
    # 1. The flag stops each user before its next request, 2. quit() waits for the requests
    # that are under way: no request is cut off and counted neither way.
    floor.closing = True
    runner.quit()


def _watch(
    over: Event,
    duration_s: float | None,
    on_tick: Callable[[], object],
    on_progress: Callable[[], object],
) -> None:
    started_s = time.monotonic()
    next_progress_s = started_s + PROGRESS_EVERY_S
    while not over.is_set():
        now_s = time.monotonic()
        left_s = SUMMARY_EVERY_S if duration_s is None else started_s + duration_s - now_s
        if left_s <= 0:
            return
        over.wait(min(left_s, SUMMARY_EVERY_S))
        on_tick()
        if time.monotonic() >= next_progress_s:
            next_progress_s += PROGRESS_EVERY_S
            on_progress()


def _crash_listener(floor: Floor) -> Callable[..., None]:
    def note(exception: BaseException, **_: Any) -> None:
        logging.getLogger(__name__).error("a shopper broke down", exc_info=exception)
        floor.crashed(repr(exception))

    return note
