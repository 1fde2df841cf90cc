"""All workers' accounts as one, over the life of a supervisor."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from proxy.edge.counters import (
    CAPTURE_QUEUE,
    CLIENTS,
    HOLD_WAITING,
    IN_FLIGHT,
    STORE_BREAKER,
    STORE_CONNECTIONS,
    STORE_HEALTH,
    STORE_WAITING,
    TUNNELS,
)
from proxy.storage import counter_name, read_accounts

GAUGES = frozenset(
    (
        CAPTURE_QUEUE,
        CLIENTS,
        HOLD_WAITING,
        IN_FLIGHT,
        STORE_BREAKER,
        STORE_CONNECTIONS,
        STORE_HEALTH,
        STORE_WAITING,
        TUNNELS,
    )
)
_KEPT_S = 60.0


class WorkerNote(msgspec.Struct, frozen=True):
    """What a worker says of itself.

    Attributes:
        revision: of the routing file in force, kill or not.
        problem: why the routing file does not load.
        kill: scopes in force, the first of them.
        compiled: whether its hot modules run compiled.
        strangers: domains among them that the table does not have.
    """

    pid: int
    revision: str
    problem: str | None
    kill: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    compiled: bool = False


def _kind(name: str) -> str:
    return name.partition("|")[0]


class Totals:
    """Sums accounts of the runs that one supervisor started.

    A dead run counts on: first by its account, while that is there, then by what was
    last seen of it. So sums of counters never go back.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._live: set[str] = set()
        self._dead_since: dict[str, float] = {}
        self._last: dict[str, Mapping[str, int]] = {}
        self._carried: Counter[str] = Counter()

    def began(self, run: str) -> None:
        """A worker was started."""
        self._live.add(run)

    def ended(self, run: str) -> None:
        """Its process is gone."""
        self._live.discard(run)
        self._dead_since[run] = time.monotonic()

    def count(self, *name: str) -> None:
        """Count what the supervisor itself has to tell."""
        self._carried[counter_name(*name)] += 1

    def read(self) -> tuple[Mapping[str, int], Mapping[str, WorkerNote]]:
        """Sums of counters and gauges by name, and the notes of the live workers by run."""
        accounts = read_accounts(self._directory)
        notes = {}
        sums: Counter[str] = Counter(self._carried)
        for run in (*self._live, *self._dead_since):
            account = accounts.get(run)
            if account is not None:
                self._last[run] = account.counters
            is_live = run in self._live
            for name, value in self._last.get(run, {}).items():
                if is_live or _kind(name) not in GAUGES:
                    sums[name] += value
            if account is not None and is_live and account.note:
                notes[run] = msgspec.json.decode(account.note, type=WorkerNote)
        self._carry(accounts)
        return sums, notes

    def _carry(self, accounts: Iterable[str]) -> None:
        """Fold runs in that are gone from disk, or dead for so long that they are final."""
        known, now = set(accounts), time.monotonic()
        for run, since in tuple(self._dead_since.items()):
            if run in known and now - since < _KEPT_S:
                continue
            del self._dead_since[run]
            last = self._last.pop(run, {})
            self._carried.update({n: v for n, v in last.items() if _kind(n) not in GAUGES})
