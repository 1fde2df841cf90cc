"""The real coordinators between real databases with a real sync, moved at random.

The actions are those of the models: start, take over, crash, sleep, go on, give up, writes by
either side, and a sync that is killed with SIGKILL at any moment. Coordinators wait before each
call until the machine lets them go on; the sync is a process and waits for nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.exc import DBAPIError
from typing_extensions import override

from cutover.core.flip import Kind
from cutover.service.flipping import Preflight, Wish, finish, flip
from cutover.service.flipping_house import House, Limits, Pace
from legacy_adapters.app.sync_work import install
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import Control
from legacy_adapters.ports.flips import Phase as Standing
from legacy_adapters.storage.fences_open import open_fences
from legacy_adapters.storage.flips import SqlFlips, make_flip_engine
from legacy_adapters.storage.flips_probing import SqlApplied, SqlCounters
from legacy_adapters.storage.opening import open_engine
from tests.fakes.flip_world import ToyRouters, ToyVerifier
from tests.fakes.flips import AT
from tests.fakes.toy_kinds import Doc
from tests.support.databases import fresh_database
from tests.support.flip_crew import Coordinator, Park
from tests.support.toy_sync import Running, opened, prepare

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

DOMAIN, ROUTES = "people", ("account",)
_CREW = (0, 1)
_LIMITS = Limits(budget_s=2.0, spare_s=0.1, lease_s=0.1, poll_s=0.02, retry_s=0.05)
_MOST_CALLS = 2_000
_SETTLED_S = 30.0

NewCore = Callable[[ExitStack, Path], str]
"""URL of an empty database for a core; the stack takes it away again."""


async def _install(legacy: str, core: str) -> None:
    await prepare(legacy, core)
    async with opened(legacy, core) as sync:
        await install(sync)


class Flips(RuleBasedStateMachine):
    """See the module."""

    def __init__(self, new_core: NewCore) -> None:
        super().__init__()
        self.stack, self.loop = ExitStack(), asyncio.new_event_loop()
        folder = Path(tempfile.mkdtemp(prefix="flip-machine-"))
        self.stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self.file = folder / "legacy.sqlite3"
        urls = {Side.LEGACY: f"sqlite:///{self.file}", Side.CORE: new_core(self.stack, folder)}
        self.run(_install(urls[Side.LEGACY], urls[Side.CORE]))
        self.core = make_flip_engine(urls[Side.CORE])
        self.engines = {side: open_engine(url) for side, url in urls.items()}
        self.fences = {side: open_fences(url, side) for side, url in urls.items()}
        self.books, self.routers = SqlFlips(self.core, lambda: AT), ToyRouters()
        self.run(self.books.ensure(DOMAIN, Side.LEGACY, 1))
        self.sync = Running(urls[Side.LEGACY], urls[Side.CORE])
        self.crew = [Coordinator(one, self.loop, self.house, nap_s=0.01) for one in _CREW]
        self.is_synced = True
        self.acked: list[str] = []
        self.tried = 0
        self.terms = (0, 0, 0)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def house(self, park: Park, pace: Pace) -> House:
        return House(
            books=park(self.books),
            fences={side: park(one) for side, one in self.fences.items()},
            applied={side: park(SqlApplied(engine)) for side, engine in self.engines.items()},
            verifier=park(ToyVerifier()),
            numbers=park(SqlCounters(self.engines[Side.LEGACY])),
            routers=park(self.routers),
            pace=pace,
            limits=_LIMITS,
        )

    @property
    def row(self) -> Control:
        found = self.run(self.books.control(DOMAIN))
        assert isinstance(found, Control)
        return found

    # Coordinators, and the sync.

    @rule(number=st.sampled_from(_CREW), kind=st.sampled_from(Kind))
    def start(self, number: int, kind: Kind) -> None:
        row = self.row
        if not self.crew[number].is_busy and row.phase is Standing.OWNED:

            async def look(_row: Control) -> Preflight:
                return Preflight({}, ())

            async def work(house: House, holder: str) -> object:
                wish = Wish(DOMAIN, kind, row.owner.other, ROUTES, holder, "ann", "")
                return await flip(house, wish, look, lambda _moment: None)

            self.crew[number].begin(work)

    @rule(number=st.sampled_from(_CREW))
    def take_over(self, number: int) -> None:
        if not self.crew[number].is_busy and self.row.phase is not Standing.OWNED:
            self.crew[number].begin(
                lambda house, holder: finish(house, DOMAIN, holder, ROUTES, lambda _moment: None)
            )

    @rule(number=st.sampled_from(_CREW), calls=st.integers(1, 25))
    def go_on(self, number: int, calls: int) -> None:
        for _ in range(calls):
            self.crew[number].step()

    @rule(number=st.sampled_from(_CREW), kind=st.sampled_from(Kind), calls=st.integers(10, 80))
    def go_far(self, number: int, kind: Kind, calls: int) -> None:
        """Deep states are met often enough so, with writes in all of them."""
        self.start(number, kind)
        self.take_over(number)
        for call in range(calls):
            if call % 4 == 0:
                self.write_wherever_it_may(1)
            self.crew[number].step()

    @rule(number=st.sampled_from(_CREW), is_meant=st.sampled_from((False, True)))
    def crash(self, number: int, is_meant: bool) -> None:
        if is_meant:
            self.crew[number].end()

    @rule(number=st.sampled_from(_CREW), is_meant=st.sampled_from((False, False, True)))
    def run_out_of_time(self, number: int, is_meant: bool) -> None:
        if is_meant:
            self.crew[number].now_s += _LIMITS.budget_s

    @rule(is_meant=st.sampled_from((False, True)))
    def kill_the_sync(self, is_meant: bool) -> None:
        if is_meant and self.is_synced:
            self.sync.end()
            self.is_synced = False

    @rule()
    def start_the_sync(self) -> None:
        if not self.is_synced:
            self.sync.start()
            assert self.sync.hear() == "running"
            self.is_synced = True

    # Applications.

    @rule(count=st.integers(1, 4))
    def write_wherever_it_may(self, count: int) -> None:
        for _ in range(count):
            self.tried += 1
            taken = [
                name
                for name, write in (
                    (f"legacy {self.tried}", self._in_the_legacy),
                    (f"core {self.tried}", self._in_the_core),
                )
                if write(name)
            ]
            assert len(taken) <= 1
            self.acked += taken

    def _in_the_legacy(self, name: str) -> bool:
        with (
            contextlib.closing(sqlite3.connect(self.file, timeout=20)) as shop,
            contextlib.suppress(sqlite3.IntegrityError),
        ):
            shop.execute("INSERT INTO shop_customer (name) VALUES (?)", (name,))
            shop.commit()
            return True
        return False

    def _in_the_core(self, name: str) -> bool:
        doc = Doc(UUID(int=self.tried), name)
        values = {"id": str(doc.id), "body": msgspec.json.encode(doc).decode()}

        async def write() -> None:
            async with self.engines[Side.CORE].connect() as connection:
                asked = sa.text("INSERT INTO core_customer (id, body) VALUES (:id, :body)")
                await connection.execute(asked, values)
                await connection.commit()

        with contextlib.suppress(DBAPIError):
            self.run(write())
            return True
        return False

    # What must hold.

    @invariant()
    def one_side_at_most_writes_and_has_all_that_was_acknowledged(self) -> None:
        rows = {side: self.run(one.rows())[DOMAIN] for side, one in self.fences.items()}
        open_ones = [side for side, row in rows.items() if row.owner == side]
        assert len(open_ones) <= 1
        now = (self.row.term, rows[Side.LEGACY].term, rows[Side.CORE].term)
        assert all(a <= b for a, b in zip(self.terms, now, strict=True))
        self.terms = now
        for held in (self._held()[side is Side.CORE] for side in open_ones):
            assert not Counter(self.acked) - held

    @override
    def teardown(self) -> None:
        """Whatever was left behind, one more coordinator brings it to rest, and both sides then
        have every write that was acknowledged, once.
        """
        try:
            for one in self.crew:
                one.end()
            self.start_the_sync()
            self.take_over(0)
            for _ in range(_MOST_CALLS):
                self.crew[0].step()
            assert self.row.phase is Standing.OWNED
            fence = self.run(self.fences[self.row.owner].rows())[DOMAIN]
            assert fence.owner == self.row.owner
            self._settles()
        finally:
            self._close()

    def _settles(self) -> None:
        wanted = Counter(self.acked)
        deadline = time.monotonic() + _SETTLED_S
        while (held := self._held()) != (wanted, wanted) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert held == (wanted, wanted)

    def _held(self) -> tuple[Counter[str], Counter[str]]:
        with contextlib.closing(sqlite3.connect(self.file, timeout=20)) as shop:
            legacy = Counter(
                str(name) for (name,) in shop.execute("SELECT name FROM shop_customer")
            )

        async def read() -> Counter[str]:
            async with self.engines[Side.CORE].connect() as connection:
                found = await connection.execute(sa.text("SELECT body FROM core_customer"))
                return Counter(msgspec.json.decode(body, type=Doc).text for (body,) in found)

        return legacy, self.run(read())

    def _close(self) -> None:
        if self.is_synced:
            self.sync.end()

        async def close() -> None:
            for fences in self.fences.values():
                await fences.close()
            for engine in (self.core, *self.engines.values()):
                await engine.dispose()

        self.run(close())
        self.loop.close()
        self.stack.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_core(request: pytest.FixtureRequest) -> NewCore:
    def sqlite(_stack: ExitStack, folder: Path) -> str:
        return f"sqlite:///{folder}/core.sqlite3"

    def postgresql(stack: ExitStack, _folder: Path) -> str:
        return stack.enter_context(fresh_database(request.getfixturevalue("postgres_port")))

    return sqlite if request.param == "sqlite" else postgresql


def test_however_coordinators_syncs_and_writers_meet_nothing_is_lost_or_written_twice(
    new_core: NewCore,
) -> None:
    run_state_machine_as_test(
        lambda: Flips(new_core),  # type: ignore[arg-type]  # anything that makes one will do
        settings=settings(
            max_examples=6,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # A failing example takes seconds; making it small would take an hour.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
        ),
    )
