"""The locustfile: `python -m locust -f loadtests/shoppers.py --host http://127.0.0.1:8080`.

Takes Locust's own options, and `--seed`, `--rate`, `--think` and `--events`. `python -m
loadtests.run` is the same crowd with a summary at its end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from locust import events
from locust.env import Environment

from loadtests.floor import EventSink, Floor, JsonLines, NoEvents
from loadtests.guest import Guest
from loadtests.pace import Pace


class Shopper(Guest):
    """The one kind of user that Locust starts from this file."""


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator] # untyped in locust
def _add_options(parser: Any, **_: Any) -> None:
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same visits")
    parser.add_argument("--rate", type=float, help="at most so many requests per second")
    parser.add_argument("--think", type=float, default=0.2, help="mean pause in seconds")
    parser.add_argument("--events", type=str, default="", help="JSON lines of side changes")


@events.test_start.add_listener  # type: ignore[untyped-decorator] # untyped in locust
def _open_floor(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    if options is None or not environment.host:
        return
    sink: EventSink = NoEvents()
    if options.events:
        sink = JsonLines(Path(options.events).open("a", encoding="utf-8"))  # noqa: SIM115 - lives as long as the run
    Shopper.floor = Floor(environment.host, options.seed, shoppers_per_user=8, events=sink)
    Shopper.pace = Pace(options.rate)
    Shopper.think_s = options.think


@events.test_stopping.add_listener  # type: ignore[untyped-decorator] # untyped in locust
def _close_floor(environment: Environment, **_: Any) -> None:
    if environment.host:
        Shopper.floor.closing = True
