"""A comparer's rounds over a spool in memory, killed wherever it can be killed."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from typing_extensions import override

from proxy.core.frame import Frame
from proxy.routing import Accept, Domain, RoutingTable, Side, Store
from shadow_compare.core.answer import Answer
from shadow_compare.core.batch import Batch, Checkpoint
from shadow_compare.core.verdict import Outcome
from shadow_compare.errors import AskError, EvidenceUnavailable
from shadow_compare.ports import FrameSource, RunState
from shadow_compare.service.comparer import HEARTBEAT_S, Comparer, Gear
from tests.fakes.evidence_store import EvidenceInMemory
from tests.fakes.frames import (
    FakeAsker,
    FakeClock,
    FakeMeter,
    FakeRun,
    FakeSource,
    FakeSpool,
    no_answer,
    same_answer,
)
from tests.support import comparing
from tests.support.comparing import DETAIL, LIST, NOW_S, STORES, domain, frame

ALWAYS, NEVER = (lambda: True), (lambda: False)


def table(*domains: Domain, core_release: str | None = None, revision: str = "abc") -> RoutingTable:
    stores = {**STORES, Side.CORE: replace(STORES[Side.CORE], release=core_release)}
    return RoutingTable(domains or (domain(),), stores, (), revision)


class House:
    """A comparer with everything around it."""

    def __init__(
        self, *frames: Frame, answer: Callable[[Side, Frame], Answer] = same_answer
    ) -> None:
        self.spool = FakeSpool()
        self.evidence = EvidenceInMemory(now_s=NOW_S)
        self.asker = FakeAsker(answer)
        self.clock = FakeClock(NOW_S)
        self.meter = FakeMeter()
        self.table = table()
        for one in frames:
            self.mirror(one)
        self.start()

    def start(self) -> None:
        checkpoints = dict(self.evidence.runs)
        self.source: FrameSource = FakeSource(self.spool, checkpoints)
        self.comparer = Comparer(
            Gear(self.source, self.evidence, self.asker, self.clock, self.meter),
            self.table,
            max_age_s=900,
        )

    def mirror(self, one: Frame) -> None:
        run = self.spool.runs.setdefault(one.run, FakeRun())
        run.count(f"mirrored|{one.domain}|{one.route}")
        run.frames.append(one)

    async def round(self) -> int:
        return await self.comparer.round(NEVER)

    async def books(self) -> tuple[int, int, int, dict[str, int]]:
        found = (await self.evidence.domain(domain())).accounting
        return found.mirrored, found.compared, found.pending, found.losses

    @property
    def ends(self) -> list[str]:
        return [str(one.outcome or one.loss) for one in self.evidence.judged]


async def test_a_frame_is_asked_of_the_other_side_and_counted() -> None:
    house = House(frame())

    taken = await house.round()

    assert taken == 1
    assert [side for side, _ in house.asker.asked] == [Side.CORE]
    assert house.ends == ["match"]
    assert await house.books() == (1, 1, 0, {})
    assert house.meter.frames == house.evidence.judged


class CrowdedAsker:
    """Implements ports.Asker; counts the questions that are open at the same time."""

    def __init__(self) -> None:
        self.open: Counter[Side] = Counter()
        self.most: Counter[Side] = Counter()

    async def ask(self, side: Side, frame: Frame, *, dry_run: bool = False) -> Answer:
        del dry_run
        self.open[side] += 1
        self.most |= self.open
        for _ in range(3):
            await asyncio.sleep(0)
        self.open[side] -= 1
        return same_answer(side, frame)


async def test_each_side_has_lanes_of_its_own_and_no_more() -> None:
    frames = [frame(n, side="core" if n % 3 else "legacy") for n in range(1, 16)]
    house, asker = House(*frames), CrowdedAsker()
    gear = Gear(house.source, house.evidence, asker, house.clock, house.meter)
    comparer = Comparer(gear, house.table, max_age_s=900, lanes=2)

    taken = await comparer.round(NEVER)

    assert taken == len(frames)
    assert asker.most == {Side.CORE: 2, Side.LEGACY: 2}
    assert [one.seq for one in house.evidence.judged] == list(range(1, 16))


async def test_a_comparer_is_behind_while_it_takes_all_that_it_may() -> None:
    house = House(*(frame(n) for n in range(1, 21)))
    behind = []
    for _ in range(2):
        await house.round()
        behind.append(house.comparer.is_behind)

    assert behind == [True, False]


async def test_after_the_cutover_legacy_is_asked_and_stays_the_control() -> None:
    def legacy_differs(_side: Side, one: Frame) -> Answer:
        return Answer(200, one.headers, b'[{"id": "of legacy"}]')

    house = House(frame(side="core"), answer=legacy_differs)

    await house.round()

    [judged] = house.evidence.judged
    assert [side for side, _ in house.asker.asked] == [Side.LEGACY]
    assert judged.finding is not None
    assert judged.finding.example.leaves[0].legacy == '"of legacy"'
    assert judged.finding.example.live_side == "core"
    assert [(t.side, t.role) for t in judged.timings] == [("core", "live"), ("legacy", "shadow")]


async def test_a_status_of_500_is_an_error_of_the_side_that_gave_it() -> None:
    house = House(
        frame(1, status=500),
        frame(2),
        answer=lambda _s, one: Answer(499 + one.seq, one.headers, b""),
    )

    await house.round()

    assert [[(t.side, t.is_error) for t in one.timings] for one in house.evidence.judged] == [
        [("legacy", True), ("core", True)],
        [("legacy", False), ("core", True)],
    ]


@pytest.mark.parametrize(
    ("loss", "errors"),
    [
        ("shadow_timeout", [("core", None)]),
        ("shadow_unreachable", [("core", None)]),
        # What only the comparer could not read says nothing of the store.
        ("shadow_opaque", []),
        ("credentials_missing", []),
    ],
)
async def test_a_shadow_that_gives_no_answer_is_an_error_of_its_side(
    loss: str, errors: list[tuple[str, None]]
) -> None:
    def silent(_side: Side, _one: Frame) -> Answer:
        raise AskError(loss, "no answer")

    house = House(frame(), answer=silent)

    await house.round()

    [judged] = house.evidence.judged
    assert judged.loss == loss
    assert [(t.side, t.elapsed_us) for t in judged.timings if t.is_error] == errors


async def test_noise_asks_the_live_side_again_and_excuses_only_what_moved_there() -> None:
    def restless(side: Side, one: Frame) -> Answer:
        said = {"legacy": {**json.loads(one.body), "n": 2}, "core": {"n": 3, "a": one.seq}}
        return Answer(200, one.headers, json.dumps(said[side.value]).encode())

    house = House(
        frame(1, noise=True, body=b'{"n": 1, "a": 1}'),
        frame(2, noise=True, body=b'{"n": 1, "a": "two"}'),
        frame(3, body=b'{"n": 1, "a": 3}'),
        answer=restless,
    )

    await house.round()

    first, second, third = house.evidence.judged
    assert (first.outcome, first.noise) == (Outcome.ACCEPTED, ("$.n",))
    assert (second.outcome, second.noise) == (Outcome.MISMATCH, ("$.n",))
    assert (third.outcome, third.noise) == (Outcome.MISMATCH, None)


async def test_a_live_side_that_does_not_answer_again_only_costs_the_excuse() -> None:
    def live_is_gone(side: Side, one: Frame) -> Answer:
        if side is Side.LEGACY:
            raise AskError("shadow_timeout", "late")
        return same_answer(side, one)

    house = House(frame(noise=True), answer=live_is_gone)

    await house.round()

    assert house.ends == ["match"]
    assert house.evidence.judged[0].noise is None


@pytest.mark.parametrize(
    ("one", "loss"),
    [
        pytest.param(frame(of="gone"), "domain_gone", id="domain left the table"),
        pytest.param(frame(route="GET /old/"), "route_gone", id="route left the table"),
        pytest.param(frame(at_s=NOW_S - 901), "stale", id="too old"),
        pytest.param(
            frame(target="/products/?q=[hmac:0123456789abcdef]"), "redacted_request", id="hidden"
        ),
        pytest.param(
            frame(request_body=b'{"email": "[hmac:0123456789abcdef]"}'),
            "redacted_request",
            id="hidden in the body",
        ),
    ],
)
async def test_a_frame_that_cannot_be_compared_fairly_is_a_loss_and_not_asked(
    one: Frame, loss: str
) -> None:
    house = House(one)

    await house.round()

    assert house.ends == [loss]
    assert house.asker.asked == []


async def test_a_side_that_does_not_answer_is_a_loss() -> None:
    house = House(frame(), answer=no_answer)

    await house.round()

    assert house.ends == ["shadow_unreachable"]
    assert await house.books() == (1, 0, 0, {"shadow_unreachable": 1})


async def test_new_rules_begin_an_epoch_at_once_even_when_nothing_flows() -> None:
    house = House(frame())
    await house.round()
    accepted = domain("catalog", comparing.rule("$[*].id", Accept.ANY))

    house.comparer.use(table(accepted))
    await house.round()

    found = await house.evidence.domain(accepted)
    assert found.epoch
    assert found.overall.compared == 0
    assert (await house.evidence.domain(domain())).overall.compared == 1


async def test_a_rule_that_expires_overnight_begins_an_epoch() -> None:
    today = comparing.rule("$[*].id", Accept.ANY, expires=comparing.TODAY)
    house = House()
    house.table = table(domain("catalog", today))
    house.start()
    await house.round()
    before = house.evidence.current["catalog"].key

    house.clock.time_s += 24 * 3600
    await house.round()

    assert house.evidence.current["catalog"].key != before


async def test_what_an_old_release_answered_is_no_evidence_of_the_new_one() -> None:
    house = House()
    await house.round()
    house.comparer.use(table(core_release="2", revision="next"))
    house.mirror(frame(1, at_s=NOW_S - 1))
    house.mirror(replace_revision(frame(2, at_s=NOW_S - 1), "next"))
    house.mirror(frame(3, at_s=NOW_S + 1))

    await house.round()

    assert house.ends == ["other_release", "match", "match"]


def replace_revision(one: Frame, revision: str) -> Frame:
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    return Frame(**{**fields, "revision": revision})


async def test_an_idle_comparer_shows_that_it_lives() -> None:
    house = House()
    await house.round()
    stored = len(house.evidence.batches)

    await house.round()
    at_once = len(house.evidence.batches)
    house.clock.time_s += HEARTBEAT_S
    await house.round()

    assert at_once == stored
    assert len(house.evidence.batches) == stored + 1
    assert house.evidence.heartbeats["catalog"] == NOW_S + HEARTBEAT_S


async def test_a_store_that_fails_for_a_while_gets_the_same_batch_again() -> None:
    house = House(frame(1), frame(2))
    house.evidence.fail_commits = 3

    taken = await house.comparer.round(ALWAYS)

    assert taken == 2
    assert house.ends == ["match", "match"]
    assert len(house.asker.asked) == 2


async def test_told_to_stop_a_batch_that_cannot_be_stored_is_left_for_the_next_start() -> None:
    house = House(frame(1), frame(2))
    house.evidence.fail_commits = 1

    with pytest.raises(EvidenceUnavailable):
        await house.round()
    house.start()
    await house.round()

    assert house.ends == ["match", "match"]


async def test_nothing_leaves_the_spool_before_it_is_stored() -> None:
    house = House(frame(1))
    house.evidence.fail_commits = 1

    with pytest.raises(EvidenceUnavailable):
        await house.round()

    assert house.spool.runs["run-1"].released == 0


async def test_a_dead_run_is_closed_with_its_missing_frames_and_forgotten() -> None:
    house = House(frame(1))
    run = house.spool.runs["run-1"]
    run.count(f"mirrored|catalog|{LIST}")
    run.alive = False

    for _ in range(3):
        await house.round()
        house.clock.time_s += HEARTBEAT_S

    assert house.spool.runs == {}
    assert await house.books() == (2, 1, 0, {"crash": 1})
    assert await house.evidence.checkpoints() == {}


async def test_a_dead_run_that_found_no_room_in_a_full_batch_is_read_and_not_given_up() -> None:
    runs = [f"run-{number:02}" for number in range(20)]  # more than the first batch has room for
    house = House(*(frame(1, run=run) for run in runs))
    for run in runs:
        house.spool.runs[run].alive = False

    for _ in range(4):
        await house.round()

    assert await house.books() == (20, 20, 0, {})


async def test_a_run_that_someone_deleted_is_closed_too() -> None:
    house = House(frame(1))
    house.spool.runs["run-1"].count(f"mirrored|catalog|{LIST}")
    await house.round()

    del house.spool.runs["run-1"]
    await house.round()

    assert await house.books() == (2, 1, 0, {"spool_removed": 1})


async def test_a_run_that_cannot_be_removed_is_counted_once_all_the_same() -> None:
    class Stubborn(FakeSource):
        @override
        async def forget(self, run: str) -> None:
            return

    house = House(frame(1))
    house.source = Stubborn(house.spool, {})
    house.comparer = Comparer(
        Gear(house.source, house.evidence, house.asker, house.clock, house.meter),
        house.table,
        max_age_s=900,
    )
    house.spool.runs["run-1"].alive = False

    for _ in range(4):
        await house.round()
        house.clock.time_s += HEARTBEAT_S

    assert await house.books() == (1, 1, 0, {})


async def test_a_run_that_dies_after_its_counters_were_read_is_closed_by_the_next_round() -> None:
    class DiesMeanwhile(FakeSource):
        @override
        async def runs(self) -> Mapping[str, RunState]:
            seen = await super().runs()
            for run in self._spool.runs.values():
                if run.alive:
                    run.count(f"mirrored|catalog|{LIST}")
                    run.alive = False
            return seen

    house = House(frame(1))
    house.source = DiesMeanwhile(house.spool, {})
    house.comparer = Comparer(
        Gear(house.source, house.evidence, house.asker, house.clock, house.meter),
        house.table,
        max_age_s=900,
    )

    await house.round()
    await house.round()

    assert await house.books() == (2, 1, 0, {"crash": 1})


async def test_batches_grow_while_the_other_side_is_quick() -> None:
    house = House(*(frame(seq) for seq in range(1, 301)))

    taken = [await house.round() for _ in range(6)]

    assert taken[0] == 16
    assert sum(taken) == 300
    assert max(taken) > 100


class Killed(Exception):
    """The process is gone."""


class FragileEvidence(EvidenceInMemory):
    """Kills the comparer before or after a commit."""

    kill: str = ""

    @override
    async def commit(self, batch: Batch) -> Batch:
        if self.kill == "before the commit":
            raise Killed
        stored = await super().commit(batch)
        if self.kill == "after the commit":
            raise Killed
        return stored


class FragileSource(FakeSource):
    """Kills the comparer between a commit and what follows it."""

    kill: str = ""

    @override
    async def release(self, batch: Batch) -> None:
        await super().release(batch)
        if self.kill == "after the release":
            raise Killed

    @override
    async def forget(self, run: str) -> None:
        if self.kill == "before forgetting":
            raise Killed
        await super().forget(run)
        if self.kill == "after forgetting":
            raise Killed


KILLS = (
    "before the commit",
    "after the commit",
    "after the release",
    "before forgetting",
    "after forgetting",
)


class CrashingComparer(RuleBasedStateMachine):
    """Proxies that mirror, drop and die; a comparer that is killed anywhere.

    At every moment the books balance and never count more than happened; once all is
    quiet, every mirrored exchange has exactly one end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spool = FakeSpool()
        self.evidence = FragileEvidence(now_s=NOW_S)
        self.clock = FakeClock(NOW_S)
        self.run = 0
        self.mirrored = 0
        self.dropped = 0
        self.unwritten = 0
        self.comparer: Comparer | None = None

    def _run(self) -> FakeRun:
        return self.spool.runs.setdefault(f"run-{self.run}", FakeRun())

    @rule(count=st.integers(1, 40), route=st.sampled_from([LIST, DETAIL, "GET /gone/"]))
    def mirror(self, count: int, route: str) -> None:
        run = self._run()
        for _ in range(count):
            run.count(f"mirrored|catalog|{route}")
            seq = len(run.frames) + 1
            run.frames.append(frame(seq, run=f"run-{self.run}", route=route))
            self.mirrored += 1

    @rule(reason=st.sampled_from(["queue_full", "spool_full"]))
    def drop(self, reason: str) -> None:
        self._run().count(f"mirrored|catalog|{LIST}")
        self._run().count(f"dropped|catalog|{LIST}|{reason}")
        self.mirrored += 1
        self.dropped += 1

    @rule(in_memory=st.integers(0, 5))
    def proxy_dies(self, in_memory: int) -> None:
        run = self._run()
        for _ in range(in_memory):
            run.count(f"mirrored|catalog|{LIST}")
        self.mirrored += in_memory
        self.unwritten += in_memory
        run.alive = False
        self.run += 1

    @rule()
    def compare(self) -> None:
        self._round("")

    @rule(kill=st.sampled_from(KILLS))
    def compare_and_be_killed(self, kill: str) -> None:
        self._round(kill)

    @rule()
    def comparer_is_killed(self) -> None:
        self.comparer = None

    def _round(self, kill: str) -> None:
        if self.comparer is None:
            checkpoints = asyncio.run(self.evidence.checkpoints())
            self.source = FragileSource(self.spool, checkpoints)
            self.comparer = Comparer(
                Gear(self.source, self.evidence, FakeAsker(answer), self.clock, FakeMeter()),
                table(),
                max_age_s=900,
            )
        self.evidence.kill = self.source.kill = kill
        self.clock.time_s += 1
        try:
            asyncio.run(self.comparer.round(NEVER))
        except Killed:
            self.comparer = None

    @invariant()
    def no_frame_is_counted_twice(self) -> None:
        names = Counter((one.run, one.seq) for one in self.evidence.judged)
        assert not names or max(names.values()) == 1

    @invariant()
    def the_books_balance(self) -> None:
        found = asyncio.run(self.evidence.domain(domain())).accounting
        assert found.mirrored == found.compared + found.lost + found.pending
        assert found.pending >= 0
        assert found.mirrored <= self.mirrored

    @override
    def teardown(self) -> None:
        self.proxy_dies(0)
        for _ in range(60):
            self._round("")
        self.the_books_balance()
        self.no_frame_is_counted_twice()
        found = asyncio.run(self.evidence.domain(domain())).accounting
        assert (found.mirrored, found.pending) == (self.mirrored, 0)
        assert found.losses.get("crash", 0) == self.unwritten
        drops = sum(found.losses.get(why, 0) for why in ("queue_full", "spool_full"))
        assert drops == self.dropped
        assert len(self.evidence.judged) == self.mirrored - self.dropped - self.unwritten
        assert self.spool.runs == {}


def answer(side: Side, one: Frame) -> Answer:
    """Something of everything: equal, unequal, unreadable, nothing."""
    match one.seq % 4:
        case 0:
            raise AskError("shadow_timeout", "late")
        case 1:
            return Answer(200, one.headers, b"[2]")
        case 2:
            return Answer(200, one.headers, b"{")
        case _:
            return same_answer(side, one)


CrashingComparer.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None
)
TestCrashingComparer = CrashingComparer.TestCase


def test_the_stores_of_a_table_are_compared_by_value() -> None:
    assert table().stores == table().stores
    assert Store(Side.CORE, "x") != Store(Side.CORE, "x", release="2")
    assert Checkpoint() == (1, 0)
