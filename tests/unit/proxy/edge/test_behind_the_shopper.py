"""The bounded queue between exchanges and those who write about them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.edge.behind import Behind
from proxy.edge.observer import ExchangeFacts
from proxy.storage import Account
from tests.unit.proxy.edge.test_access_log_lines import FACTS


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    made = Account.create(tmp_path / "account")
    yield made
    made.close()


def count(account: Account, reason: str) -> int:
    return account.values[account.slot(f"unobserved|log|{reason}")]


def test_a_hung_sink_costs_lines_and_nobody_waits(account: Account) -> None:
    entered, go_on, taken = threading.Event(), threading.Event(), list[int]()

    def take(batch: list[ExchangeFacts]) -> None:
        entered.set()
        go_on.wait(10)
        taken.append(len(batch))

    behind = Behind("log", take, account, bound=10, every_s=0.001)
    behind.start()
    behind.put(FACTS)
    assert entered.wait(10)
    for _ in range(25):
        behind.put(FACTS)
    full = count(account, "queue_full")
    go_on.set()
    behind.stop(10)

    assert full == 15
    assert sum(taken) == 11


def test_what_the_sink_loses_is_counted_by_its_reason(account: Account) -> None:
    behind = Behind("log", lambda _: "write_error", account, bound=10)
    behind.put(FACTS)
    behind.put(FACTS)
    behind.start()
    behind.stop(10)

    assert count(account, "write_error") == 2


def test_a_sink_with_a_defect_is_asked_again(account: Account) -> None:
    taken: list[int] = []

    def take(batch: list[ExchangeFacts]) -> None:
        taken.append(len(batch))
        raise RuntimeError("a defect")

    behind = Behind("log", take, account, bound=1_000)
    for _ in range(700):
        behind.put(FACTS)
    behind.start()
    behind.stop(10)

    assert taken == [500, 200]
    assert count(account, "defect") == 700
