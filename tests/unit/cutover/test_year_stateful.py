"""A year of a domain: people, clocks, evidence, shoppers and two that steer, in any order.

Whatever comes, no step is in the ledger that its gates had not let through, nothing moved
forward in a freeze, the way back was open in every state, and the ledger is whole.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from cutover.core.calendar import is_open
from cutover.core.revision import Revision, RevisionKind, chain_problems, from_json
from cutover.core.stages import Direction, Position, direction, position
from cutover.errors import IllegalStep
from cutover.service.applying import commit, prepare
from cutover.service.approving import Wish, approve, domain_in
from cutover.service.rolling_back import roll_back
from cutover.service.steering import Steering
from cutover.storage.restage import reshare, restage
from proxy.routing import Calendar, Freeze, Hours, Stage
from shadow_compare.core.evidence import DomainEvidence
from tests.fakes.cutover import Opening
from tests.fakes.evidence import some_evidence, some_parity
from tests.unit.cutover.test_steering import World

#: Making a year shorter takes minutes, and its rules tell the story as they stand.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
FILE = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
  catalog:
    owner: shop
    stage: STAGE
    routes: [{path: /c}]
    gates:
      parity: {min: 99%, samples: 300}
      approvals: {count: 2, within: 7d}
      calendar:
        hours: [mon-fri 08:00-18:00]
        freeze: [{from: 2026-03-01, until: 2026-03-20}, {from: 2026-11-20, until: 2026-12-31}]
    ramp: {steps: [1%, 25%, 100%], soak: 1h, requests: 100}
    rollback: {errors: 0.5%, requests: 100, window: 5m}
"""
CALENDAR = Calendar(
    "UTC",
    (),
    (
        Freeze(date(2026, 3, 1), date(2026, 3, 20), ""),
        Freeze(date(2026, 11, 20), date(2026, 12, 31), ""),
    ),
)
OPEN = replace(CALENDAR, hours=(Hours(frozenset(range(5)), 8 * 60, 18 * 60),))
ASKED = {
    Stage.LEGACY: "legacy",
    Stage.SHADOW: "shadow",
    Stage.CORE: "core",
    Stage.RETIRED: "retired",
}


def evidence_of(equal: int, unequal: int) -> DomainEvidence:
    parity = some_parity(equal, mismatched=unequal, lower_ppm=0)
    return some_evidence("catalog", parity, heartbeat_s=1.0)


def a_file(stage: Stage) -> str:
    return FILE.replace("STAGE", ASKED.get(stage, "canary\n    core_share: 1%"))


class Year(RuleBasedStateMachine):
    """The house of one domain, and everybody who touches it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="banyan-year-"))
        self.world = World(self.folder, a_file(Stage.LEGACY), NEW_YEAR)
        self.steering: list[Steering] = []
        self.is_failing = False
        self.yes: dict[str, Stage] = {}
        self.stood = Position(Stage.LEGACY)

    @initialize()
    def begin(self) -> None:
        self.steering = [self.loop.run_until_complete(self.world.begin()), self.world.steering()]
        self.look(0)
        self.look(1)

    @override
    def teardown(self) -> None:
        self.loop.close()
        shutil.rmtree(self.folder)

    @rule(minutes=st.sampled_from([1, 7, 61, 9 * 60, 24 * 60, 5 * 24 * 60, 30 * 24 * 60]))
    def time_goes_by(self, minutes: int) -> None:
        self.world.now += timedelta(minutes=minutes)

    @rule(n=st.sampled_from([5, 150, 400]))
    def shoppers_come(self, n: int) -> None:
        at = self.world.stands()
        core = n if at.stage in {Stage.CANARY, Stage.CORE, Stage.RETIRED} else 0
        legacy = n if at.stage in {Stage.LEGACY, Stage.SHADOW, Stage.CANARY} else 0
        failed = core * 4 // 5 if self.is_failing else 0
        self.world.shoppers(core, legacy, core_errors=failed)

    @rule(is_failing=st.booleans())
    def a_release_of_the_core(self, is_failing: bool) -> None:
        self.is_failing = is_failing

    @rule(found=st.sampled_from([(4_000, 0), (4_000, 300), (50, 0), None]))
    def evidence_is(self, found: tuple[int, int] | None) -> None:
        self.world.evidence.domains.clear()
        if found is not None:
            self.world.evidence.domains["catalog"] = evidence_of(*found)

    @rule(by=st.sampled_from(["ana", "bo", "cy"]), withdrawn=st.booleans())
    def somebody_approves(self, by: str, withdrawn: bool) -> None:
        ladder = list(Stage)
        here = ladder.index(self.world.stands().stage)
        if here + 1 < len(ladder):
            wish = Wish("catalog", ladder[here + 1], by, "seen", withdrawn)
            approve(self.world.books, wish)
            self.follow()
            self.yes.pop(by, None)
            if not withdrawn:
                self.yes[by] = ladder[here + 1]

    @rule(to=st.sampled_from(list(Stage)), actor=st.sampled_from(["ana", "ops"]))
    def somebody_applies(self, to: Stage, actor: str) -> None:
        work = prepare(
            self.world.books,
            a_file(to).encode(),
            "routing.yaml",
            Opening(self.world.evidence).how(),
            actor=actor,
            reshare=reshare,
        )
        prepared = self.loop.run_until_complete(work)
        if not prepared.plan.refused and not prepared.plan.is_empty:
            self.follow()
            before = self.stood
            commit(self.world.books, prepared, actor=actor, reason="go on")
            forward = direction(before, self.world.stands()) is Direction.FORWARD
            if forward and to is not before.stage and to is not Stage.SHADOW:
                assert sum(said is to for by, said in self.yes.items() if by != actor) >= 2

    @rule(actor=st.sampled_from(["ana", "ops"]), steps=st.integers(1, 3))
    def everybody_does_it_right(self, actor: str, steps: int) -> None:
        for _ in range(steps):
            self.one_step_is_done_right(actor)

    def one_step_is_done_right(self, actor: str) -> None:
        """Wait for the calendar, show parity, ask two people, apply."""
        while not is_open(OPEN, self.world.now):
            self.world.now += timedelta(hours=1)
        self.evidence_is((4_000, 0))
        self.is_failing = False
        for by in ("bo", "cy"):
            self.somebody_approves(by, withdrawn=False)
        ladder = list(Stage)
        here = ladder.index(self.world.stands().stage)
        to = ladder[min(here + 1, len(ladder) - 1)]
        self.somebody_applies(to, actor)
        assert self.world.stands().stage is to

    @rule(to=st.sampled_from([None, Stage.LEGACY, Stage.SHADOW]))
    def somebody_rolls_back(self, to: Stage | None) -> None:
        before = self.world.stands()
        try:
            roll_back(self.world.books, "catalog", restage, to=to, actor="ops", reason="to be sure")
        except IllegalStep:
            assert before.stage is Stage.LEGACY
            assert to is Stage.SHADOW
            return
        assert direction(before, self.world.stands()) in {Direction.BACKWARD, Direction.SAME}

    @rule(which=st.integers(0, 1))
    def look(self, which: int) -> None:
        self.loop.run_until_complete(self.steering[which].look())

    @rule()
    def both_look_at_once(self) -> None:
        async def both() -> None:
            await asyncio.gather(*(one.look() for one in self.steering))

        self.loop.run_until_complete(both())

    @precondition(lambda self: self.world.stands().stage is not Stage.RETIRED)
    @rule()
    def both_see_at_once_a_core_that_fails(self) -> None:
        while self.world.stands().stage in {Stage.LEGACY, Stage.SHADOW}:
            self.one_step_is_done_right("ops")
        self.both_look_at_once()
        if self.world.stands().stage in {Stage.CANARY, Stage.CORE}:
            self.world.shoppers(300, 0, core_errors=290)
            self.both_look_at_once()
            assert self.world.stands().stage is Stage.SHADOW

    @rule()
    def a_yes_is_tried_twice(self) -> None:
        self.one_step_is_done_right("ops")
        roll_back(self.world.books, "catalog", restage, to=None, actor="ops", reason="a try")
        self.follow()
        self.evidence_is((4_000, 0))
        ladder = list(Stage)
        here = ladder.index(self.world.stands().stage)
        self.somebody_applies(ladder[here + 1], "ops")

    def follow(self) -> None:
        """Every step uses up what was said before it."""
        at = self.world.stands()
        if at != self.stood:
            self.yes, self.stood = {}, at

    @rule()
    def one_that_steers_begins_anew(self) -> None:
        self.steering[0] = self.world.steering()
        self.look(0)

    @precondition(lambda self: self.world.stands().stage is not Stage.RETIRED)
    @rule()
    def a_core_that_fails_is_left_within_one_look(self) -> None:
        while self.world.stands().stage in {Stage.LEGACY, Stage.SHADOW}:
            self.one_step_is_done_right("ops")
        self.look(1)
        if self.world.stands().stage not in {Stage.CANARY, Stage.CORE}:
            return
        at = self.world.stands()
        self.world.shoppers(300, 300 if at.stage is Stage.CANARY else 0, core_errors=290)

        self.look(1)

        assert self.world.stands().stage is Stage.SHADOW

    @invariant()
    def no_step_without_its_gates(self) -> None:
        revisions = [from_json(content) for _, content in self.world.links()]
        before = Position(Stage.LEGACY)
        for one in revisions:
            found = domain_in(one, "catalog")
            assert found is not None
            after = position(found)
            way = direction(before, after)
            assert way is not Direction.SKIP
            if way is Direction.FORWARD:
                _let_through(one, before, after)
            if one.entry.kind is RevisionKind.APPROVAL:
                assert way is Direction.SAME
            before = after

    @invariant()
    def the_ledger_is_whole(self) -> None:
        assert chain_problems(self.world.links()) == ()


def _let_through(step: Revision, before: Position, after: Position) -> None:
    assert is_open(CALENDAR, step.entry.at)
    assert step.entry.at.weekday() < 5
    assert 8 <= step.entry.at.hour < 18
    gates = {one.gate: one.verdict for one in step.entry.evidence}
    assert gates["calendar"] == "pass"
    if before.stage is not Stage.LEGACY:
        assert gates["parity"] == "pass"
        if before.stage is not after.stage:
            assert gates["approvals"] == "pass"


Year.TestCase.settings = settings(
    max_examples=settings().max_examples // 6, stateful_step_count=30, phases=PHASES
)
TestYear = Year.TestCase
