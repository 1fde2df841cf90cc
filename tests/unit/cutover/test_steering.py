"""Domains go back by themselves and take their ramps, on real files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cutover.core.flip_owners import Owners, Ownership
from cutover.core.live import Tally, WritesApart
from cutover.core.revision import RevisionKind, chain_problems, from_json
from cutover.core.stages import Position, position
from cutover.ports.traffic import Counted
from cutover.service.applying import commit, prepare
from cutover.service.approving import Wish, approve
from cutover.service.books import Books
from cutover.service.in_force import look
from cutover.service.steering import Steered, Steering, Wheel
from cutover.storage.course_file import CourseFile
from cutover.storage.ledger import RevisionFiles
from cutover.storage.restage import reshare, restage
from cutover.storage.turn import FileTurn
from legacy_adapters.mapping.versions import Side as Owner
from proxy.routing import Side, Stage
from shadow_compare.core.evidence import DomainEvidence
from tests.fakes.cutover import NOON, Opening, books_in
from tests.fakes.evidence import FakeEvidence, some_evidence, some_parity

FILE = """\
# What the team wrote stays.
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
  catalog:
    owner: shop
    stage: canary   # since March
    core_share: 1%
    routes: [{path: /c}]
    gates: {parity: {min: 99%, samples: 300}}
    ramp: {steps: [1%, 25%, 100%], soak: 10m, requests: 100}
    rollback: {errors: 0.5%, requests: 100, window: 1m}
"""
CORE = FILE.replace("stage: canary   # since March\n    core_share: 1%", "stage: core")


def good() -> DomainEvidence:
    parity = some_parity(4_000, mismatched=0, lower_ppm=0)
    return some_evidence("catalog", parity, heartbeat_s=1.0)


@dataclass
class World:
    """A table in force, a clock, counters and evidence, all of which a test moves."""

    folder: Path
    text: str = FILE
    now: datetime = NOON
    answers: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(Side, 0))
    errors: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(Side, 0))
    evidence: FakeEvidence = field(default_factory=lambda: FakeEvidence({"catalog": good()}))
    is_proxy_away: bool = False
    owners: Owners = field(default_factory=dict)

    @property
    def books(self) -> Books:
        # Turns are waited for as time passes: two threads take them here.
        turn = FileTurn(self.folder / "cutover.lock", time.monotonic, time.sleep)
        return replace(books_in(self.folder), now=lambda: self.now, turn=turn)

    async def begin(self) -> Steering:
        prepared = await prepare(
            self.books, self.text.encode(), "routing.yaml", Opening(self.evidence).how(), init=True
        )
        commit(self.books, prepared, actor="ops", reason="begin")
        steering = self.steering()
        await steering.look()
        return steering

    def steering(self, known: Tally | None = None) -> Steering:
        wheel = Wheel(
            books=self.books,
            traffic=self.counted,
            restage=restage,
            reshare=reshare,
            open_evidence=Opening(self.evidence).how(),
            owners=lambda: self.owners,
            known={} if known is None else {"catalog": known},
        )
        return Steering(wheel)

    async def counted(self, _apart: Mapping[str, WritesApart]) -> Counted | None:
        if self.is_proxy_away:
            return None
        return {
            ("catalog", side): Tally(n, self.errors[side], {10_000: n})
            for side, n in self.answers.items()
        }

    def shoppers(
        self, core: int, legacy: int, core_errors: int = 0, legacy_errors: int = 0
    ) -> None:
        self.answers[Side.CORE] += core
        self.answers[Side.LEGACY] += legacy
        self.errors[Side.CORE] += core_errors
        self.errors[Side.LEGACY] += legacy_errors

    def stands(self) -> Position:
        table = look(self.books.applied, self.books.ledger).table
        assert table is not None
        return position(table.domain("catalog"))

    def links(self) -> list[tuple[int, bytes]]:
        return RevisionFiles(self.folder / "revisions").links()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def only(steering: Steering) -> Steered:
    (found,) = await steering.look()
    return found


async def test_a_core_that_fails_is_left_at_once_and_the_ledger_says_why(world: World) -> None:
    steering = await world.begin()
    world.shoppers(40, 4_000, core_errors=30)

    found = await only(steering)

    assert found.done == "went back, canary 1 % -> shadow"
    assert world.stands() == Position(Stage.SHADOW)
    last = from_json(world.links()[-1][1]).entry
    assert (last.kind, last.actor) == (RevisionKind.ROLLBACK, "banyan")
    assert last.reason.startswith("by itself: 30 of the core's 40 answers")
    (evidence,) = last.evidence
    assert (evidence.gate, evidence.verdict) == ("live", "fail")
    assert evidence.inputs["core_errors"] == 30
    assert chain_problems(world.links()) == ()


async def test_what_the_team_wrote_stays_but_for_the_stage(world: World) -> None:
    steering = await world.begin()
    world.shoppers(40, 4_000, core_errors=30)

    await steering.look()

    expected = FILE.replace("canary ", "shadow ").replace("    core_share: 1%\n", "")
    assert (world.books.applied.read() or b"").decode() == expected


async def test_it_goes_back_from_core_too_and_waits_for_no_freeze_and_no_people(
    tmp_path: Path,
) -> None:
    frozen = "calendar: {freeze: [{from: 2020-01-01, until: 2090-01-01}]}"
    gates = f"gates: {{approvals: {{count: 9}}, {frozen}}}"
    world = World(tmp_path, CORE.replace("gates: {parity: {min: 99%, samples: 300}}", gates))
    steering = await world.begin()
    world.shoppers(400, 0, core_errors=90)

    await steering.look()

    assert world.stands() == Position(Stage.SHADOW)


async def test_an_outage_of_both_takes_nobody_back(world: World) -> None:
    steering = await world.begin()
    world.shoppers(400, 4_000, core_errors=200, legacy_errors=2_000)

    found = await only(steering)

    assert (found.done, world.stands()) == ("", Position(Stage.CANARY, 100))


async def test_after_going_back_nothing_goes_forward_by_itself(world: World) -> None:
    steering = await world.begin()
    world.shoppers(40, 4_000, core_errors=30)
    await steering.look()

    for _ in range(50):
        world.now += timedelta(minutes=5)
        world.shoppers(0, 1_000)
        await steering.look()

    assert world.stands() == Position(Stage.SHADOW)
    assert len(world.links()) == 2


async def test_a_ramp_takes_each_share_after_its_time_and_ends(world: World) -> None:
    steering = await world.begin()
    stood = []
    for _ in range(9):
        stood.append(world.stands().core_share_bp)
        world.now += timedelta(minutes=5)
        world.shoppers(300, 300)
        await steering.look()

    assert stood == [100, 100, 2_500, 2_500, 10_000, 10_000, 10_000, 10_000, 10_000]
    entries = [from_json(content).entry for _, content in world.links()]
    assert [entry.changes for entry in entries[1:]] == [
        ("catalog: canary 1 % -> canary 25 %",),
        ("catalog: canary 25 % -> canary 100 %",),
    ]
    assert entries[1].reason == "its ramp: 10m and 600 answers of the core at this share"
    assert [one.gate for one in entries[1].evidence] == ["parity", "coverage"]


async def test_a_ramp_waits_for_answers_however_long(world: World) -> None:
    steering = await world.begin()
    world.now += timedelta(days=3)
    world.shoppers(99, 3_000)

    found = await only(steering)

    assert found.course.because == "99 of 100 answers of the core that a share has to see"
    assert world.stands() == Position(Stage.CANARY, 100)


async def test_a_ramp_waits_for_its_gate_and_says_what_is_missing(world: World) -> None:
    steering = await world.begin()
    world.evidence = FakeEvidence()
    steering = world.steering()
    await steering.look()
    world.now += timedelta(minutes=11)
    world.shoppers(300, 300)

    found = await only(steering)

    assert found.problem.startswith("parity gate is inconclusive: ")
    assert world.stands() == Position(Stage.CANARY, 100)


async def test_a_ramp_waits_for_the_calendar(tmp_path: Path) -> None:
    frozen = "calendar: {freeze: [{from: 2027-03-01, until: 2027-03-01, why: sale}]}, parity:"
    world = World(tmp_path, FILE.replace("parity:", frozen))
    steering = await world.begin()
    world.now += timedelta(hours=11)
    world.shoppers(300, 300)

    assert "nothing moves forward (sale)" in (await only(steering)).course.because
    world.now += timedelta(hours=2)
    assert (await only(steering)).done.startswith("canary 1 % -> canary 25 %")


async def test_two_that_steer_take_each_step_once(world: World) -> None:
    one, other = await world.begin(), world.steering()
    await other.look()
    world.now += timedelta(minutes=11)
    world.shoppers(300, 300)

    await asyncio.gather(one.look(), other.look())

    assert world.stands() == Position(Stage.CANARY, 2_500)
    assert len(world.links()) == 2
    world.shoppers(300, 300, core_errors=250)
    await asyncio.gather(one.look(), other.look())
    assert world.stands() == Position(Stage.SHADOW)
    assert len(world.links()) == 3


async def test_an_approval_does_not_make_a_soak_begin_anew(world: World) -> None:
    steering = await world.begin()
    world.now += timedelta(minutes=9)
    approve(world.books, Wish("catalog", Stage.CORE, "ana", "ready"))
    world.now += timedelta(minutes=2)
    world.shoppers(300, 300)

    assert (await only(steering)).done.startswith("canary 1 % -> canary 25 %")


async def test_a_file_that_says_where_the_ramp_began_takes_nothing_back(world: World) -> None:
    steering = await world.begin()
    world.now += timedelta(minutes=11)
    world.shoppers(300, 300)
    await steering.look()
    changed = FILE.replace("owner: shop", "owner: search")

    prepared = await prepare(
        world.books,
        changed.encode(),
        "routing.yaml",
        Opening(world.evidence).how(),
        reshare=reshare,
    )
    commit(world.books, prepared, actor="ops", reason="a new owner")

    assert world.stands() == Position(Stage.CANARY, 2_500)
    assert prepared.notes == (
        (
            "catalog stands at 25 % on its ramp and stays there; the share in routing.yaml is"
            " where it began"
        ),
    )
    down = changed.replace("    ramp: {steps: [1%, 25%, 100%], soak: 10m, requests: 100}\n", "")
    prepared = await prepare(
        world.books, down.encode(), "routing.yaml", Opening(world.evidence).how(), reshare=reshare
    )
    commit(world.books, prepared, actor="ops", reason="hold it at the first share")
    assert world.stands() == Position(Stage.CANARY, 100)


async def test_a_proxy_that_says_nothing_is_told_and_moves_nobody(world: World) -> None:
    steering = await world.begin()
    world.is_proxy_away = True
    world.now += timedelta(minutes=11)

    found = await only(steering)

    assert found.problem == "the proxy does not say what it answers"
    assert world.stands() == Position(Stage.CANARY, 100)


async def test_what_legacy_was_like_outlives_the_stage_in_which_it_answered(world: World) -> None:
    steering = await world.begin()
    world.shoppers(300, 3_000, core_errors=30, legacy_errors=300)
    await steering.look()
    kept = CourseFile(world.folder / "course.json")
    kept.write(world.now, await steering.look(), steering.known)

    assert kept.known()["catalog"].answers == 3_000
    world.text = CORE
    world.folder = world.folder / "later"
    await world.begin()
    later = world.steering(kept.known()["catalog"])
    await later.look()
    world.shoppers(300, 0, core_errors=30)
    assert (await only(later)).done == ""


@pytest.mark.parametrize("content", ["", "{", "[]", '{"known": {"catalog": 3}}', '{"known": 1}'])
def test_a_damaged_course_file_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "course.json").write_text(content)

    assert CourseFile(tmp_path / "course.json").known() == {}


async def test_a_domain_whose_data_the_core_owns_is_not_taken_back_by_a_table_alone(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, CORE.replace("{path: /c}", "{path: /c, methods: [POST]}"))
    await world.begin()
    world.owners = {"catalog": Ownership("orders", Owner.CORE)}
    steering = world.steering()
    await steering.look()
    world.shoppers(100, 0, core_errors=60)

    found = await only(steering)

    assert "banyan flip orders --to legacy" in found.problem
    assert world.stands() == Position(Stage.CORE)
