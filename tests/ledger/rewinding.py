"""Sets how far streams are back to where they were, with the log still there from then on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import asyncpg

from tests.ledger.databases import run
from tests.ledger.house import House

_TRIES = 50
_NOTED = "SELECT stream, position, token, terms FROM mig_checkpoint"


@contextmanager
def rewound(house: House) -> Iterator[Callable[[], None]]:
    """Note how far both streams are; what is given sets them back. Call it while nobody reads.

    1. A source is told that a batch is done, 2. the commit of it in the core's database is not
    there after all, as after a restore. The log has it still, and it comes once more.
    """
    with ExitStack() as kept:
        # First what is kept, then the place: a place must not be older than the log.
        givers = [kept.enter_context(_kept(url)) for url in (house.legacy, house.core)]
        noted = run(house.core, _NOTED)

        def rewind() -> None:
            for give in givers:
                give()
            run(house.core, *(_back(*row) for row in noted))

        yield rewind


def _back(stream: str, position: int, token: str, terms: str) -> str:
    return (
        f"UPDATE mig_checkpoint SET position = {position}, token = '{token}', terms = '{terms}'"  # noqa: S608 - own values
        f" WHERE stream = '{stream}'"
    )


@contextmanager
def _kept(url: str) -> Iterator[Callable[[], None]]:
    """Keep a database's log from now on; what is given puts it back."""
    if url.startswith("sqlite"):
        with _kept_rows(url) as give:
            yield give
    elif url.startswith("postgresql"):
        with _kept_slot(url) as give:
            yield give
    else:
        # MariaDB keeps its log whoever has read it.
        yield lambda: None


@contextmanager
def _kept_rows(url: str) -> Iterator[Callable[[], None]]:
    """Rows of the changelog, which are deleted when they were read, are copied before."""
    run(
        url,
        "CREATE TABLE ledger_kept AS SELECT * FROM mig_changelog WHERE 0",
        "CREATE TRIGGER ledger_keeps BEFORE DELETE ON mig_changelog BEGIN"
        " INSERT INTO ledger_kept SELECT * FROM mig_changelog WHERE seq = OLD.seq; END",
    )
    try:
        yield lambda: (run(url, "INSERT OR IGNORE INTO mig_changelog SELECT * FROM ledger_kept"),
                       None)[1]  # fmt: skip
    finally:
        run(url, "DROP TRIGGER ledger_keeps", "DROP TABLE ledger_kept")


@contextmanager
def _kept_slot(url: str) -> Iterator[Callable[[], None]]:
    """A copy of the slot stays where it was."""
    database = url.rpartition("/")[2]
    (slot,) = run(
        url,
        f"SELECT slot_name FROM pg_replication_slots WHERE database = '{database}'"  # noqa: S608 - own name
        " AND slot_name NOT LIKE 'ledger%'",
    )[0]
    kept = f"ledger_{database}"
    run(url, f"SELECT pg_copy_logical_replication_slot('{slot}', '{kept}')")

    def give() -> None:
        # A server needs a moment to see that a killed reader is gone.
        for left in range(_TRIES, -1, -1):
            try:
                run(url, f"SELECT pg_drop_replication_slot('{slot}')")
                break
            except asyncpg.ObjectInUseError:
                if not left:
                    raise
                time.sleep(0.2)
        run(url, f"SELECT pg_copy_logical_replication_slot('{kept}', '{slot}')")

    try:
        yield give
    finally:
        with contextlib.suppress(Exception):
            run(url, f"SELECT pg_drop_replication_slot('{kept}')")
