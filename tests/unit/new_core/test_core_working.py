"""Workers go round beside requests, survive their own errors, and let go of what they hold."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import pytest

from new_core.api.house import Worker
from new_core.api.working import working
from new_core.errors import WriteFenced


@dataclass
class Rounds:
    """Does what it is told to, round by round, and then nothing."""

    outcomes: list[int | Exception]
    done: list[int] = field(default_factory=list)
    closed: int = 0
    is_through: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> int:
        if not self.outcomes:
            self.is_through.set()
            return 0
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        self.done.append(outcome)
        return outcome

    async def close(self) -> None:
        self.closed += 1


async def test_a_round_with_something_to_do_is_followed_by_the_next_at_once() -> None:
    rounds = Rounds([3, 2, 1])

    async with working([Worker("busy", rounds.run, 3600.0)]):
        await asyncio.wait_for(rounds.is_through.wait(), 30)

    assert rounds.done == [3, 2, 1]


async def test_what_a_worker_holds_is_let_go_of_when_the_core_ends() -> None:
    rounds = Rounds([1])

    async with working([Worker("holds", rounds.run, 3600.0, rounds.close)]):
        await asyncio.wait_for(rounds.is_through.wait(), 30)
        assert rounds.closed == 0

    assert rounds.closed == 1


async def test_an_error_of_one_worker_ends_neither_it_nor_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("new_core.api.working._AFTER_ERROR_S", 0.0)
    bad, good = Rounds([ValueError("a bug"), 1]), Rounds([1])

    async with working([Worker("bad", bad.run, 0.0), Worker("good", good.run, 0.0)]):
        await asyncio.wait_for(asyncio.gather(bad.is_through.wait(), good.is_through.wait()), 30)

    assert (bad.done, good.done) == ([1], [1])


async def test_a_worker_that_cannot_let_go_does_not_hold_up_the_end() -> None:
    rounds = Rounds([])

    async def broken() -> None:
        raise OSError("already gone")

    async with working([Worker("breaks", rounds.run, 3600.0, broken)]):
        await asyncio.wait_for(rounds.is_through.wait(), 30)


async def test_a_worker_that_may_not_write_says_so_once_and_goes_on_when_it_may(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("new_core.api.working._AFTER_ERROR_S", 0.0)
    rounds = Rounds([WriteFenced("orders"), WriteFenced("orders"), WriteFenced("orders"), 1])

    with caplog.at_level(logging.INFO, "new_core.api.working"):
        async with working([Worker("sweep", rounds.run, 0.0)]):
            await asyncio.wait_for(rounds.is_through.wait(), 30)

    told = [(one.levelname, one.message) for one in caplog.records]
    assert told == [("INFO", "sweep waits: this core does not take writes of orders now")]
    assert rounds.done == [1]
