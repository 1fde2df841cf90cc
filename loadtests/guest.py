"""A shopper as a Locust user. Importing this patches the process for gevent."""

from __future__ import annotations

import json
import random
import time
from typing import ClassVar

import gevent
from locust import FastHttpUser, task
from locust.contrib.fasthttp import FastResponse
from locust.exception import StopUser
from typing_extensions import override

from loadtests.answers import Answer
from loadtests.floor import Errand, Floor, Reply
from loadtests.pace import Pace
from loadtests.sessions import session_header
from loadtests.steps import Request
from loadtests.tally import Outcome


class Guest(FastHttpUser):
    """Plays the shoppers that the floor hands out, one visit after the other.

    Attributes:
        floor: shared by all users of the run; set before the first one starts.
        think_s: mean pause before a request.
    """

    abstract = True
    network_timeout = 10.0
    connection_timeout = 5.0
    floor: ClassVar[Floor]
    pace: ClassVar[Pace]
    think_s: ClassVar[float] = 0.2

    @override
    def on_start(self) -> None:
        """Take a place on the floor."""
        self._visits = self.floor.enter()
        self._pause = random.Random()  # noqa: S311 - spreads load, decides nothing

    @task
    def visit(self) -> None:
        """One visit of one shopper."""
        shopper, errand = next(self._visits)
        while (request := errand.next_request()) is not None:
            self._wait()
            self._send(shopper, errand, request)
        self.floor.tally.journeys[errand.journey] += 1

    def _wait(self) -> None:
        if self.think_s:
            gevent.sleep(min(self._pause.expovariate(1 / self.think_s), 5 * self.think_s))
        wait_s = self.pace.reserve(time.monotonic())
        if wait_s:
            gevent.sleep(wait_s)
        if self.floor.closing:
            raise StopUser

    def _send(self, shopper: str, errand: Errand, request: Request) -> None:
        # A basket cookie of the last shopper would move that basket into this session.
        self.client.cookiejar.clear()
        headers = {
            "Accept": "application/json",
            "Session-Id": session_header(self.floor.base_url, shopper),
        }
        sent_at = _now_s()
        with self.client.request(
            request.method,
            request.path,
            name=request.step.value,
            headers=headers,
            json=request.body,
            catch_response=True,
            allow_redirects=False,
        ) as response:
            answer = _answer(response)
            reply = Reply(
                answer=answer,
                sent_at=sent_at,
                at=_now_s(),
                elapsed_ms=response.request_meta["response_time"],
                side=_header(response, "x-served-by"),
                request_id=_header(response, "x-request-id"),
            )
            outcome, reason = errand.tell(answer)
            self.floor.record(shopper, request.step, reply, outcome, reason)
            if outcome is Outcome.FAILED:
                response.failure(reason)
            else:
                response.success()


def _now_s() -> float:
    return time.time()  # noqa: TID251 - the edge: events carry wall-clock times


def _answer(response: FastResponse) -> Answer:
    if not response.status_code:
        return Answer(0, error=f"no answer: {_problem(response)}")
    try:
        content = response.content
    except Exception as error:  # noqa: BLE001 - the body broke off, by whatever error of the client
        return Answer(0, error=f"no whole answer: {error!r}")
    # Locust reads first. Where the body broke off it keeps the error to itself, and a second
    # read finds what is left of it, nothing as a rule: an empty 200 that the store never sent.
    if not response.isclosed():
        return Answer(0, error="no whole answer: the body broke off")
    try:
        body = json.loads(content) if content else None
    except ValueError:
        return Answer(response.status_code, error=f"status {response.status_code}, not JSON")
    return Answer(response.status_code, body)


def _problem(response: FastResponse) -> str:
    """What the client says of an answer that never came; its type is not a FastResponse."""
    return repr(getattr(response, "error", None))


def _header(response: FastResponse, name: str) -> str | None:
    value = response.headers.get(name) if response.headers else None
    return str(value) if value else None
