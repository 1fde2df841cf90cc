"""Worker processes as their supervisor sees them: started, asked, heard, buried."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import msgspec

from proxy.edge.control import (
    Answer,
    Asked,
    Channel,
    Closed,
    Done,
    Drain,
    Killed,
    Ready,
    TakeTable,
    Took,
)
from proxy.edge.orders import WorkerOrders

log = logging.getLogger(__name__)

ANSWER_S = 2.0
_LOOK_S = 0.001
# Started by path and not by name: a file called proxy.py in the working directory, or
# the distribution of that name, must not be taken for this package.
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from proxy.compiled import enable; sys.argv[3] == 'compiled' and enable(); "
    "from proxy.edge.worker import main; sys.exit(main())"
)


@dataclass(slots=True, eq=False)
class Hand:
    """One worker process.

    Attributes:
        is_ready: it accepts connections.
        is_closed: it accepts no more.
        leaves_by: when it is killed for not having ended; None while it is to stay.
        told: number of the table that it was given last.
        told_at: when, on the monotonic clock; None when it has taken it.
        took: number of the last table that it answered for.
    """

    run: str
    process: subprocess.Popen[bytes]
    started_at: float
    channel: Channel | None = None
    is_ready: bool = False
    is_closed: bool = False
    leaves_by: float | None = None
    told: int = 0
    told_at: float | None = None
    took: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def drain(self, *, is_last: bool) -> None:
        """Tell it to finish what it has and end."""
        if self.channel is None or not self.channel.say(Drain(is_last)):
            self.process.send_signal(signal.SIGTERM)

    @property
    def serves(self) -> bool:
        """It accepts connections, and has not died."""
        return (
            self.is_ready
            and not self.is_closed
            and self.channel is not None
            and self.channel.is_open
        )

    def give_table(self, number: int, paper: int) -> None:
        """Give it the table of a number, unless it has it. To be called again and again:
        who does not read now is told the next time.
        """
        if self.told == number or self.channel is None:
            return
        if self.channel.say(TakeTable(number), paper):
            self.told, self.told_at = number, time.monotonic()

    def complain(self) -> None:
        """Say so once when it has not taken its table in time."""
        if self.told_at is not None and time.monotonic() > self.told_at + ANSWER_S:
            self.told_at = None
            log.error("worker %s has not taken the new table in time", self.run)


@dataclass(slots=True)
class _Question:
    waiting: set[Hand]
    answers: dict[int, Done] = field(default_factory=dict)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)

    def settle(self, hand: Hand) -> None:
        self.waiting.discard(hand)
        if not self.waiting:
            self.is_over.set()


class Crew:
    """All processes that were started and are not buried. Belongs to the event loop."""

    def __init__(self, on_killed: Callable[[Killed], None], on_change: Callable[[], None]) -> None:
        """Take who is told.

        Args:
            on_killed: when a worker was killed by signal and could not write it down.
            on_change: when one accepts, or accepts no more.
        """
        self._on_change = on_change
        self.hands: list[Hand] = []
        self._on_killed = on_killed
        self._questions: dict[int, _Question] = {}
        self._numbers = count(1)

    def start(self, listener: socket.socket, orders: WorkerOrders) -> Hand:
        """Start a worker on a listener; what is said from now on waits until it reads."""
        home = str(Path(__file__).parents[2])
        ours, theirs = socket.socketpair()
        # Orders hold a whole routing file, more than a socket takes at once, and nobody
        # here may wait until a young interpreter reads.
        paper = os.memfd_create("orders")
        try:
            with open(paper, "wb", closefd=False) as file:
                file.write(msgspec.json.encode(orders))
            form = "compiled" if orders.is_compiled else "source"
            name = "banyan-proxy-worker"
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                [sys.executable, "-P", "-c", _BOOT, home, name, form, str(paper)],
                stdin=theirs.fileno(),
                pass_fds=(listener.fileno(), paper),
            )
        finally:
            os.close(paper)
            theirs.close()
        hand = Hand(orders.run, process, time.monotonic())
        self.hands.append(hand)
        hand.channel = Channel(
            ours, Answer, lambda answer: self._heard(hand, answer), lambda: self._left(hand)
        )
        return hand

    def bury(self, hand: Hand) -> None:
        """Its process is gone."""
        self.hands.remove(hand)
        if hand.channel is not None:
            hand.channel.close()
        self._left(hand)
        hand.changed.set()

    async def ask(self, command: Callable[[int], Asked]) -> tuple[Mapping[int, Done], list[int]]:
        """Tell every worker, and wait until each has done it, died, or let 2 s pass.

        Returns the answers by pid, and the pids that gave none in time.
        """
        number = next(self._numbers)
        message = command(number)
        told = [hand for hand in self.hands if hand.channel and hand.channel.say(message)]
        question = self._questions[number] = _Question(set(told))
        if not told:
            question.is_over.set()
        try:
            await asyncio.wait_for(question.is_over.wait(), ANSWER_S)
        except TimeoutError:
            pids = sorted(hand.process.pid for hand in question.waiting)
            log.error("workers %s did not answer in time", pids)  # noqa: TRY400
        finally:
            del self._questions[number]
        return question.answers, sorted(hand.process.pid for hand in question.waiting)

    async def taken(self, number: int) -> list[int]:
        """Wait until every worker that serves has answered for a table, died, or let 2 s pass.

        Returns the pids that did not answer.
        """
        end = time.monotonic() + ANSWER_S
        while True:
            late = [hand for hand in self.hands if hand.serves and hand.took < number]
            if not late or time.monotonic() > end:
                return sorted(hand.process.pid for hand in late)
            await asyncio.sleep(_LOOK_S)

    def _heard(self, hand: Hand, answer: Answer) -> None:
        match answer:
            case Ready():
                hand.is_ready = True
                hand.changed.set()
                self._on_change()
            case Closed():
                hand.is_closed = True
                hand.changed.set()
                self._on_change()
            case Killed():
                self._on_killed(answer)
            case Took():
                hand.took = answer.number
                if answer.number == hand.told:
                    hand.told_at = None
                if answer.problem is not None:
                    log.error("worker %s cannot go by the table: %s", hand.run, answer.problem)
            case Done():
                question = self._questions.get(answer.id)
                if question is not None:
                    question.answers[hand.process.pid] = answer
                    question.settle(hand)

    def _left(self, hand: Hand) -> None:
        for question in self._questions.values():
            question.settle(hand)
        self._on_change()
