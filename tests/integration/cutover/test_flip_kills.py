"""A coordinator is killed with SIGKILL before and after everything that it asks of others.

Real books and real fences, on SQLite and on PostgreSQL; the stream is one statement, and the
proxy a toy. Whoever comes next ends the flip, and one side alone can be written.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from cutover.core.flip import Ending, Kind
from cutover.service.flipping import Done, Preflight, Wish, finish, flip
from cutover.service.flipping_house import House, Limits, Moment, Pace
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.rows import Column, ColumnKind, Table
from legacy_adapters.mapping.versions import NOBODY, Side
from legacy_adapters.ports.flips import Control, Phase
from legacy_adapters.storage import upgrade_sync
from legacy_adapters.storage.fences_gate import SqlFences
from legacy_adapters.storage.fences_open import open_fences
from legacy_adapters.storage.flips import SqlFlips, make_flip_engine
from legacy_adapters.storage.flips_probing import SqlApplied, SqlCounters
from legacy_adapters.storage.opening import open_engine
from legacy_adapters.storage.tables import marks
from new_core.storage import make_engine, upgrade
from tests.fakes.flip_world import DOMAIN, ROUTES, ToyRouters, ToyVerifier
from tests.fakes.flips import AT
from tests.support.databases import fresh_database

pytestmark = pytest.mark.integration

_TOY = Table("toy_order", ("id",), {"id": Column(ColumnKind.INTEGER)})
_WRITE = "INSERT INTO toy_order (id) SELECT COALESCE(MAX(id), 0) + 1 FROM toy_order"
_LIMITS = Limits(budget_s=5.0, spare_s=0.1, lease_s=0.03, poll_s=0.001, retry_s=0.01)

Urls = Mapping[Side, str]


@dataclass(slots=True)
class Deadly:
    """Counts what is asked of a port, before and after, and dies at a number."""

    inner: Any
    watch: Death

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.inner, name)
        if not callable(real):
            return real
        if name in ("draft", "keep"):  # not of a step
            return real

        async def called(*args: object, **options: object) -> object:
            self.watch.passes()
            answer = await real(*args, **options)
            self.watch.passes()
            return answer

        return called


@dataclass(slots=True)
class Death:
    """When it comes: at the how-manyth point; 0 for never."""

    at: int = 0
    passed: int = 0

    def passes(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(slots=True)
class Stream:
    """Says that all is across as soon as the source's gate is closed."""

    side: Side
    engines: Mapping[Side, Any]

    async def applied(self) -> Mapping[tuple[str, str], tuple[int, int, int]]:
        async with self.engines[self.side.other].connect() as connection:
            row = (await connection.execute(sa.select(marks.fence))).one()
        if row.owner == NOBODY:
            await self._write(row.term)
        return await SqlApplied(self.engines[self.side]).applied()

    async def _write(self, term: int) -> None:
        place = {"stream": stream_from(self.side.other), "domain": DOMAIN}
        values = {"term": term, "barrier": term, "position": 1, "writes": 0}
        async with self.engines[self.side].connect() as connection:
            await connection.execute(sa.delete(marks.applied).filter_by(**place))
            await connection.execute(sa.insert(marks.applied).values(**place, **values))
            await connection.commit()


@dataclass(slots=True)
class Place:
    """Both databases, opened."""

    books: SqlFlips
    fences: dict[Side, SqlFences]
    engines: dict[Side, Any]
    moments: list[Moment] = field(default_factory=list)

    def house(self, death: Death) -> House:
        def deadly(inner: object) -> Any:
            return Deadly(inner, death)

        return House(
            books=deadly(self.books),
            fences={side: deadly(one) for side, one in self.fences.items()},
            applied={side: deadly(Stream(side, self.engines)) for side in Side},
            verifier=deadly(ToyVerifier()),
            numbers=deadly(SqlCounters(self.engines[Side.LEGACY])),
            routers=deadly(ToyRouters()),
            pace=Pace(time.monotonic, asyncio.sleep),
            limits=_LIMITS,
        )

    async def flips(self, death: Death, holder: str) -> Done:
        row = await self.books.control(DOMAIN)
        assert row is not None

        async def look(_row: Control) -> Preflight:
            return Preflight({}, ())

        wish = Wish(DOMAIN, Kind.FLIP, row.owner.other, ROUTES, holder, "ann", "")
        return await flip(self.house(death), wish, look, self.moments.append)

    async def writable(self) -> list[Side]:
        """Where an application can write."""
        found: list[Side] = []
        for side, engine in self.engines.items():
            with contextlib.suppress(DBAPIError):
                async with engine.connect() as connection:
                    await connection.exec_driver_sql(_WRITE)
                    await connection.commit()
                    found.append(side)
        return found


@asynccontextmanager
async def _opened(urls: Urls) -> AsyncIterator[Place]:
    engine = make_flip_engine(urls[Side.CORE])
    engines = {side: open_engine(url) for side, url in urls.items()}
    fences = {side: open_fences(url, side) for side, url in urls.items()}
    try:
        yield Place(SqlFlips(engine, lambda: AT), fences, engines)
    finally:
        for one in fences.values():
            await one.close()
        for other in (engine, *engines.values()):
            await other.dispose()


async def _install(urls: Urls) -> None:
    core = make_engine(urls[Side.CORE])
    await upgrade(core)
    await upgrade_sync(core)
    await core.dispose()
    async with _opened(urls) as place:
        for side in Side:
            async with place.engines[side].connect() as connection:
                await connection.exec_driver_sql("CREATE TABLE toy_order (id INTEGER PRIMARY KEY)")
                await connection.commit()
            await place.fences[side].install({DOMAIN: [_TOY]}, Side.LEGACY)
        await place.books.ensure(DOMAIN, Side.LEGACY, 1)


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Urls]:
    with contextlib.ExitStack() as stack:
        found = {side: f"sqlite:///{tmp_path}/{side}.sqlite3" for side in Side}
        (tmp_path / "legacy.sqlite3").touch()
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            found = {side: stack.enter_context(fresh_database(port)) for side in Side}
        asyncio.run(_install(found))
        yield found


def _in_a_process_that_dies(urls: Urls, at: int) -> int:
    """Flip in a child. Returns the signal that ended it, 0 when it came to its end."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):

            async def run() -> None:
                async with _opened(urls) as place:
                    await place.flips(Death(at), f"child {at}")

            asyncio.run(run())
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


async def _look(urls: Urls, before: Control, holder: str) -> tuple[Control, Ending]:
    async with _opened(urls) as place:
        done = await finish(place.house(Death()), DOMAIN, holder, ROUTES, place.moments.append)
        row = await place.books.control(DOMAIN)
        assert row is not None
        assert row.phase is Phase.OWNED
        assert row.term >= before.term
        assert await place.writable() == [row.owner]
        return row, done.ending


async def _count(urls: Urls) -> tuple[int, Control]:
    """How many points a whole flip passes."""
    async with _opened(urls) as place:
        death = Death()
        assert (await place.flips(death, "first")).ending is Ending.COMMITTED
        row = await place.books.control(DOMAIN)
        assert row is not None
        return death.passed, row


@pytest.mark.timeout(300)
def test_whenever_a_coordinator_is_killed_the_next_ends_its_flip_with_one_writer(
    urls: Urls,
) -> None:
    points, row = asyncio.run(_count(urls))
    endings: list[Ending] = []

    for at in range(1, points + 1):
        assert _in_a_process_that_dies(urls, at) == signal.SIGKILL
        row, ending = asyncio.run(_look(urls, row, f"next {at}"))
        endings.append(ending)

    # Before the lease nothing is left over; then it is taken back, then finished.
    assert [one for n, one in enumerate(endings) if n == 0 or endings[n - 1] is not one] == [
        Ending.NOTHING,
        Ending.ABORTED,
        Ending.COMMITTED,
        Ending.NOTHING,
    ]


def test_a_coordinator_that_slept_through_its_flip_changes_nothing(urls: Urls) -> None:
    ready, woken = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            asyncio.run(_sleeps(urls, woken))
            os._exit(0)
        os._exit(1)
    os.read(ready, 1)
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status)

    row, ending = asyncio.run(_look(urls, Control(DOMAIN, Phase.OWNED, Side.LEGACY, 1), "next"))
    os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    after, nothing = asyncio.run(_look(urls, row, "last"))

    assert (ending, nothing, os.WEXITSTATUS(status)) == (Ending.ABORTED, Ending.NOTHING, 0)
    assert after == row


async def _sleeps(urls: Urls, ready: int) -> None:
    """Stop as a whole right before the fence; then try to go on."""

    class Sleepy:
        def __init__(self, inner: SqlFences) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        async def close_gate(self, domain: str, *, term: int, wait_s: float) -> Any:
            os.write(ready, b"x")
            os.kill(os.getpid(), signal.SIGSTOP)
            return await self.inner.close_gate(domain, term=term, wait_s=wait_s)

    async with _opened(urls) as place:
        place.fences = {side: Sleepy(one) for side, one in place.fences.items()}  # type: ignore[misc]
        done = await place.flips(Death(), "sleeper")
    assert done.ending is Ending.LOST
