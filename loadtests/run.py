r"""Shoppers until told to stop, and then a summary.

    python -m loadtests.run --host http://127.0.0.1:8080 --users 20 --rate 80 \
        --json-summary var/shoppers.json --events var/shoppers.jsonl

Runs for `--duration` seconds or until SIGTERM or Ctrl-C. The summary is rewritten every
second while it runs ("final": false), so that others can watch. Exit status: 0 when no
request failed, 1 when one did, 2 when it could not start.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from loadtests.floor import EventSink, Floor, JsonLines, NoEvents
from loadtests.journeys import DOMAINS, Step, with_buyers
from loadtests.report import Report


class CannotStartError(Exception):
    """One line for the person who started the shoppers."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _check_locust()
        _check_shop(options.host)
        with _event_sink(options.events) as sink:
            return _shop(options, sink)
    except CannotStartError as error:
        print(f"shoppers: {error}", file=sys.stderr)
        return 2


def _shop(options: argparse.Namespace, sink: EventSink) -> int:
    # Locust patches the standard library for gevent when it is imported: here, in a process
    # of its own, and nowhere else.
    from loadtests.crowd import CrowdPlan, run_crowd  # noqa: PLC0415 - see above

    domains = {**DOMAINS, **dict(options.domain)}
    floor = Floor(options.host, options.seed, options.shoppers_per_user, sink, domains)
    if options.buyers is not None:
        floor.weights = with_buyers(options.buyers)
    report = Report(floor, options.json_summary, time.time)  # noqa: TID251 - the edge
    _write(report, final=False)

    def tick() -> None:
        # A full disk must not end the shopping; the last write reports it.
        with contextlib.suppress(OSError):
            report.write(final=False)

    def progress() -> None:
        if not options.quiet:
            print(report.progress_line(), flush=True)

    plan = CrowdPlan(
        users=options.users,
        spawn_per_s=options.spawn_rate,
        requests_per_s=options.rate,
        think_s=options.think,
        duration_s=options.duration,
    )
    run_crowd(floor, plan, tick, progress)
    progress()
    _write(report, final=True)
    return 1 if floor.tally.failures else 0


def _write(report: Report, *, final: bool) -> None:
    try:
        report.write(final=final)
    except OSError as error:
        raise CannotStartError(f"cannot write the summary: {error}") from error


def _check_locust() -> None:
    if find_spec("locust") is None:
        raise CannotStartError(
            "locust is not installed; run: pip install 'banyan-migration[shoppers]'"
        )


def _check_shop(base_url: str) -> None:
    """Refuse to shop where nobody answers; connects, and sends nothing."""
    url = urlsplit(base_url)
    default_port = {"http": 80, "https": 443}.get(url.scheme)
    try:
        port = url.port or default_port
    except ValueError:
        port = None
    if not port or not default_port or not url.hostname or url.path.strip("/"):
        raise CannotStartError(f"--host {base_url}: expected http://host:port without a path")
    try:
        socket.create_connection((url.hostname, port), timeout=5).close()
    except OSError as error:
        raise CannotStartError(f"nobody answers at {base_url}: {error}") from None


@contextlib.contextmanager
def _event_sink(path: Path | None) -> Iterator[EventSink]:
    if path is None:
        yield NoEvents()
        return
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise CannotStartError(f"--events {path}: {error.strerror}") from None
    with file:
        yield JsonLines(file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.run",
        description="Shoppers that browse, search and buy until SIGTERM, then a summary.",
        epilog="example: python -m loadtests.run --host http://127.0.0.1:8080 --rate 80",
    )
    add = parser.add_argument
    add("--host", required=True, help="the shop's address, e.g. http://127.0.0.1:8080")
    add("--users", type=_count, default=20, help="shoppers in the shop at a time (20)")
    add("--spawn-rate", type=_amount, default=10.0, help="users that enter per second (10)")
    add("--shoppers-per-user", type=_count, default=8, help="identities of each user (8)")
    add("--rate", type=_amount, help="at most so many requests per second in all")
    add("--think", type=_pause, default=0.2, help="mean pause before a request, s (0.2)")
    add("--duration", type=_amount, help="seconds; without it, until SIGTERM")
    add("--buyers", type=_percent, help="so many visits in a hundred buy, e.g. 20%% (4%%)")
    add("--seed", type=int, default=1, help="the same seed, the same visits (1)")
    add("--json-summary", type=Path, help="file for the summary")
    add("--events", type=Path, help="file for side changes and failures, JSON lines")
    add("--domain", type=_domain, action="append", default=[], help="STEP=NAME, see the docs")
    add("--quiet", action="store_true", help="no progress lines on stdout")
    return parser


def _domain(text: str) -> tuple[Step, str]:
    name, equals, domain = text.partition("=")
    if not equals or not domain or name not in set(Step):
        raise argparse.ArgumentTypeError(f"expected STEP=NAME with one of {', '.join(Step)}")
    return Step(name), domain


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return value


def _amount(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be positive, not {text}")
    return value


def _percent(text: str) -> float:
    value = float(text.removesuffix("%"))
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"must be from 0% to 100%, not {text}")
    return value


def _pause(text: str) -> float:
    return 0.0 if float(text) == 0 else _amount(text)


if __name__ == "__main__":
    sys.exit(main())
