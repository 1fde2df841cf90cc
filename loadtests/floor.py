"""The shop floor: every shopper of a run, and what is written down about them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol, TextIO

from loadtests.answers import Answer, UnexpectedAnswerError
from loadtests.journeys import DOMAINS, WEIGHTS, Journey, Planned, Step, Visit, Weights, visits
from loadtests.sessions import shopper_id
from loadtests.sides import Observation, SideLog
from loadtests.steps import Memory, Request, read, request_for
from loadtests.tally import Outcome, Tally

FAILURE_EVENTS_MAX = 1_000


class EventSink(Protocol):
    """Where events go, one JSON object each."""

    def write(self, event: dict[str, object]) -> None:
        """Keep the event; it is readable by others when this returns."""
        ...


@dataclass(frozen=True, slots=True)
class JsonLines:
    """Events as lines of a text file, flushed one by one. Events are rare."""

    file: TextIO

    def write(self, event: dict[str, object]) -> None:
        """Append one line."""
        self.file.write(json.dumps(event, separators=(",", ":")) + "\n")
        self.file.flush()


class NoEvents:
    """Keeps nothing."""

    def write(self, event: dict[str, object]) -> None:
        """Forget the event."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and its circumstances. Times are seconds since the epoch.

    Attributes:
        side: value of `X-Served-By`, None when the answer has none.
        request_id: value of `X-Request-ID`, None when the answer has none.
    """

    answer: Answer
    sent_at: float
    at: float
    elapsed_ms: float
    side: str | None = None
    request_id: str | None = None


class Errand:
    """One visit under way: asks for requests to be sent, and is told the replies."""

    def __init__(self, visit: Visit, base_url: str) -> None:
        self.journey: Journey = visit.journey
        self._steps = iter(visit.steps)
        self._memory = Memory(base_url)
        self._open: tuple[Planned, Request] | None = None

    def next_request(self) -> Request | None:
        """The next request, or None when the visit is over."""
        for planned in self._steps:
            request = request_for(planned, self._memory)
            if request is not None:
                self._open = (planned, request)
                return request
        return None

    def tell(self, answer: Answer) -> tuple[Outcome, str]:
        """Judge the answer to the latest request; the text says why it failed."""
        if self._open is None:
            message = "told an answer before a request was taken"
            raise RuntimeError(message)
        planned, request = self._open
        try:
            return read(planned, request, answer, self._memory), ""
        except UnexpectedAnswerError as odd:
            return Outcome.FAILED, str(odd)


class Floor:
    """Everything that the shoppers of a run share. Belongs to one thread.

    Attributes:
        weights: what shoppers come for; changed before the first one enters, if at all.
    """

    def __init__(
        self,
        base_url: str,
        seed: int,
        shoppers_per_user: int,
        events: EventSink,
        domains: Mapping[Step, str] = DOMAINS,
    ) -> None:
        self.weights: Weights = WEIGHTS
        self.base_url = base_url.rstrip("/")
        self.seed = seed
        self.shoppers_per_user = shoppers_per_user
        self.tally = Tally()
        self.sides = SideLog(domains)
        self.closing = False
        self._events = events
        self._users = 0
        self._failure_events = 0

    @property
    def shoppers(self) -> int:
        """How many different shoppers there are so far."""
        return self._users * self.shoppers_per_user

    def enter(self) -> Iterator[tuple[str, Errand]]:
        """Visits for one user of the load generator: (shopper, errand), without end.

        A user plays several shoppers, one after the other and each again and again, so
        that a small share of shoppers is still more than one, and every one returns.
        """
        user = self._users
        self._users += 1
        first = user * self.shoppers_per_user
        played = [
            (shopper_id(self.seed, number), visits(self.seed, number, self.weights))
            for number in range(first, first + self.shoppers_per_user)
        ]
        return self._visits(played, Random(f"{self.seed}/user/{user}"))  # noqa: S311 - repeatable

    def _visits(
        self, played: list[tuple[str, Iterator[Visit]]], whim: Random
    ) -> Iterator[tuple[str, Errand]]:
        while True:
            shopper, plans = whim.choice(played)
            yield shopper, Errand(next(plans), self.base_url)

    def record(self, shopper: str, step: Step, reply: Reply, outcome: Outcome, reason: str) -> None:
        """Write down one finished step."""
        self.tally.add(step, outcome, reply.elapsed_ms, reason)
        if reply.side is not None:
            seen = Observation(shopper, step, reply.side, reply.sent_at, reply.at)
            change = self.sides.observe(seen)
            if change is not None:
                self._events.write(change.as_event())
        if step is Step.CHECKOUT and outcome is Outcome.OK:
            self._events.write(_order(shopper, reply))
        if outcome is Outcome.FAILED and self._failure_events < FAILURE_EVENTS_MAX:
            self._failure_events += 1
            self._events.write(
                {
                    "kind": "failure",
                    "shopper": shopper,
                    "step": step.value,
                    "reason": reason,
                    "status": reply.answer.status,
                    "side": reply.side,
                    "request_id": reply.request_id,
                    "sent_at": reply.sent_at,
                    "at": reply.at,
                }
            )

    def crashed(self, problem: str) -> None:
        """A shopper broke down by a mistake of this package: never silently fewer shoppers."""
        self.tally.add("shopper_crash", Outcome.FAILED, 0.0, problem)

    def as_json(self) -> dict[str, object]:
        """The body of the summary."""
        return {
            "host": self.base_url,
            "seed": self.seed,
            "shoppers": self.shoppers,
            **self.tally.as_json(),
            "sides": self.sides.by_domain(),
            "side_observations_repeated": self.sides.repeated,
            "side_changes": self.sides.changes,
        }


def _order(shopper: str, reply: Reply) -> dict[str, object]:
    """What the store said of an order that it took: whoever keeps books compares with it."""
    body = reply.answer.body if isinstance(reply.answer.body, dict) else {}
    return {
        "kind": "order",
        "shopper": shopper,
        "number": str(body.get("number")),
        "total": str(body.get("total_incl_tax")),
        "side": reply.side,
        "sent_at": reply.sent_at,
        "at": reply.at,
    }
