"""Where a backfill by snapshots keeps how far it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from legacy_adapters.mapping.versions import Version


@dataclass(frozen=True, slots=True)
class Part:
    """A range of a table's primary keys, read by one task.

    Attributes:
        number: from 0, ascending with the keys.
        after: the key text before the first of it; None for the table's first.
        to: its last key text; None for the table's last.
        last: the last key that was delivered; None before the first.
        rows: delivered so far.
    """

    table: str
    number: int
    after: str | None
    to: str | None
    last: str | None = None
    rows: int = 0
    is_finished: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A backfill of a domain.

    Attributes:
        since: every row of the source is staged at this version or newer when it has ended;
            what is staged and older by then is gone from the source.
        total: rows that the source had when it began, about.
    """

    domain: str
    since: Version
    total: int
    parts: tuple[Part, ...]
    started_at: datetime
    finished_at: datetime | None = None

    @property
    def rows(self) -> int:
        """Delivered so far."""
        return sum(part.rows for part in self.parts)


class BackfillBooks(Protocol):
    """The runs, in the core's database. Each call is one transaction.

    Raises: StoreUnavailable, from any call.
    """

    async def run(self, domain: str) -> Run | None:
        """The newest run of a domain."""
        ...

    async def runs(self) -> Mapping[str, Run]:
        """The newest run of every domain that has one."""
        ...

    async def begin(self, run: Run) -> None:
        """A new run in the place of the last one."""
        ...

    async def move(self, domain: str, part: Part) -> None:
        """A part is as far as it says."""
        ...

    async def finish(self, domain: str, at: datetime) -> None:
        """All parts are read, and what is gone from the source is gone."""
        ...


def unfinished(run: Run) -> Sequence[Part]:
    """What is left of a run."""
    return [part for part in run.parts if not part.is_finished]
