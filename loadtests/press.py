"""Locust as a press: sends the requests of a profile at the moments at which they are due.

    python -m loadtests.press WISH.json RESULT.json

`banyan loadtest` starts it. Requests do not wait for answers to earlier ones, as shoppers do
not wait for each other, and a time counts from the moment at which its request was due: a store
that stands still for a second is seen by all who would have come in that second. Until the end
the result is a count, rewritten every half second; then it is whole, and says so. SIGTERM ends
it at once, without a result. It ends with its parent.
"""

from __future__ import annotations

import json
import os
import random
import signal
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar

import gevent
from gevent.event import Event
from locust import FastHttpUser, task
from locust.env import Environment
from locust.exception import StopUser
from locust.log import setup_logging

from loadtests.arrivals import arrivals, length_s
from loadtests.pressed import Pressed

_WRITE_EVERY_S = 0.5
_BEAT_S = 0.02
_LAST_REQUEST_S = 10.0
#: What was due just before the end is made a little after it; what comes later was not reached.
_GRACE_S = 0.25


@dataclass(slots=True)
class Floor:
    """What all users of a run share."""

    pressed: Pressed
    moments: Iterator[float]
    names: list[tuple[str, str]]
    weights: list[int]
    targets: list[tuple[list[str], list[int]]]
    headers: dict[str, str]
    prefix: str
    dice: random.Random
    began_s: float = 0.0
    ends_s: float = 0.0
    is_over: bool = False

    def pick(self) -> tuple[str, str, str]:
        """Name, method and target of the next request."""
        index = self.dice.choices(range(len(self.names)), cum_weights=self.weights)[0]
        targets, weights = self.targets[index]
        name, method = self.names[index]
        return name, method, self.prefix + self.dice.choices(targets, cum_weights=weights)[0]


class Visitor(FastHttpUser):
    """Takes the next moment that is nobody's, and asks then."""

    abstract = True
    network_timeout = _LAST_REQUEST_S
    connection_timeout = 5.0
    floor: ClassVar[Floor]

    @task
    def ask(self) -> None:
        """One request."""
        floor = self.floor
        moment_s = next(floor.moments, None)
        if moment_s is None:
            raise StopUser
        due_s = floor.began_s + moment_s
        wait_s = due_s - time.monotonic()
        if wait_s > 0:
            gevent.sleep(wait_s)
        else:
            floor.pressed.late += 1
        if floor.is_over or time.monotonic() > floor.ends_s + _GRACE_S:
            # It was due and is not made: the rate was not reached.
            raise StopUser
        self._send(due_s)

    def _send(self, due_s: float) -> None:
        floor = self.floor
        name, method, path = floor.pick()
        self.client.cookiejar.clear()  # nobody becomes a shopper who comes again
        with self.client.request(
            method, path, name=name, headers=floor.headers, catch_response=True,
            allow_redirects=False,
        ) as response:  # fmt: skip
            status, error = response.status_code, ""
            try:
                _ = response.content
            except Exception as exc:  # noqa: BLE001 - the body broke off, by whatever error
                status, error = 0, type(exc).__name__
            if not status:
                error = error or type(getattr(response, "error", None)).__name__
            now_s = time.monotonic()
            floor.pressed.add(name, now_s - floor.began_s, (now_s - due_s) * 1_000, status, error)
            side = response.headers.get("x-served-by") if response.headers else None
            if side:
                floor.pressed.sides[str(side)] += 1
            response.success()


def main(arguments: list[str]) -> int:
    """Press; returns the exit status: 0 when the result is final."""
    # a file, and not arguments: paths of a shop are many
    wish = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    result = Path(arguments[1])
    parent = os.getppid()
    setup_logging("ERROR")  # type: ignore[no-untyped-call] # untyped in locust
    floor = _floor(wish)
    asked = sum(1 for _ in arrivals(wish["phases"], random.Random(wish["seed"])))  # noqa: S311 - load
    members: dict[str, Any] = {"floor": floor, "host": wish["url"]}
    tls = wish.get("tls")
    if tls is not None:
        context = _trust(tls)  # once: it takes long to make, and each visitor asks for one
        members |= {"insecure": False, "ssl_context_factory": staticmethod(lambda: context)}
    environment = Environment(
        user_classes=[type("Visitor", (Visitor,), members)],
        host=wish["url"],
        stop_timeout=_LAST_REQUEST_S,
    )
    runner = environment.create_local_runner()
    over = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, over.set)
    users = int(wish["users"])
    floor.began_s = time.monotonic() + 0.2
    floor.ends_s = floor.began_s + length_s(wish["phases"])
    runner.start(users, spawn_rate=users)
    beat = gevent.spawn(_beat, floor)
    cpu_s, began_s = time.process_time(), time.monotonic()
    ends = floor.ends_s + _LAST_REQUEST_S + 1  # until when the last answers are awaited
    while not over.is_set() and time.monotonic() < ends and os.getppid() == parent:
        over.wait(_WRITE_EVERY_S)
        if time.monotonic() > floor.ends_s and not runner.user_count:
            break
        _write(result, {"final": False, "requests": floor.pressed.requests})
    ended_early = over.is_set() or os.getppid() != parent
    share = _share(cpu_s, began_s)
    floor.is_over = True
    beat.kill()
    if ended_early:
        return 1
    runner.quit()
    if asked and not floor.pressed.requests:
        print("no visitor could ask anything", file=sys.stderr)
        return 1
    told = {"final": True, "asked": asked, "cpu": round(share, 4)}
    _write(result, {**told, **floor.pressed.as_json()})
    return 0


def _trust(tls: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.get("ca"))
    if tls.get("server_name"):
        context.check_hostname = False  # the name is not the address's; the authority counts
    if tls.get("certificate"):
        context.load_cert_chain(tls["certificate"], tls.get("key"))
    return context


def _floor(wish: dict[str, Any]) -> Floor:
    seed = wish["seed"]
    routes = wish["routes"]
    return Floor(
        pressed=Pressed(),
        moments=arrivals(wish["phases"], random.Random(seed)),  # noqa: S311 - load
        names=[(one["name"], one["method"]) for one in routes],
        weights=list(accumulate(one["weight"] for one in routes)),
        targets=[
            ([t for t, _ in one["targets"]], list(accumulate(n for _, n in one["targets"])))
            for one in routes
        ],
        headers=wish["headers"],
        prefix=wish["prefix"],
        dice=random.Random(seed + 1),  # noqa: S311 - load
    )


def _beat(floor: Floor) -> None:
    """Learn by how much this process is late by itself: then its times say nothing."""
    while not floor.is_over:
        due_s = time.monotonic() + _BEAT_S
        gevent.sleep(_BEAT_S)
        floor.pressed.lag_ms.append(max(time.monotonic() - due_s, 0.0) * 1_000)


def _share(cpu_s: float, began_s: float) -> float:
    """Of one processor, since the start."""
    return (time.process_time() - cpu_s) / max(time.monotonic() - began_s, 0.001)


def _write(result: Path, told: dict[str, object]) -> None:
    draft = result.with_name(f".{result.name}.draft")
    draft.write_text(json.dumps(told), encoding="utf-8")
    draft.replace(result)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
