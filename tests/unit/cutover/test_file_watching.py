"""A watched file: put in force when it changes, and never again what was taken back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cutover.core.revision import Entry, Revision, RevisionKind, from_json
from cutover.core.watched_file import Standing, Watched, reason_for, sentence
from cutover.errors import CannotWrite
from cutover.service.books import Books
from cutover.service.file_watching import AGAIN_S, FileWatching, Watch
from cutover.service.in_force import look
from cutover.service.rolling_back import roll_back
from cutover.storage.restage import reshare, restage
from proxy.routing import Stage
from tests.fakes.cutover import NOON, Opening
from tests.fakes.evidence import FakeEvidence
from tests.fakes.memory_books import MemoryApplied, MemoryLedger, MemoryNotes, MemoryTurn

HEAD = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
"""
#: Steps forward are closed in the mornings: the gate that a test opens and shuts.
GATES = "{calendar: {freeze: [{from: 2027-03-01, until: 2027-03-02}]}}"
SHUT, OPEN = NOON, NOON + timedelta(days=3)


def content(note: int, **stages: str) -> str:
    """A file with domains in stages, "canary 10%" with its share, and a comment of its own."""
    text = f"# edit {note}\n{HEAD}"
    for name, stage in stages.items():
        at, _, share = stage.partition(" ")
        told = f"{at}, core_share: {share}" if share else at
        routes = f"[{{path: /{name}}}]"
        text += f"  {name}: {{owner: s, stage: {told}, routes: {routes}, gates: {GATES}}}\n"
    return text


@dataclass
class World:
    """A file, rooms that watch it, people who roll back, and a clock."""

    folder: Path
    now: datetime = OPEN
    clock_s: float = 0.0
    applied: MemoryApplied = field(default_factory=MemoryApplied)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    notes: MemoryNotes = field(default_factory=MemoryNotes)
    turn: MemoryTurn = field(default_factory=MemoryTurn)

    @property
    def file(self) -> Path:
        return self.folder / "routing.yaml"

    @property
    def books(self) -> Books:
        return Books(self.applied, self.ledger, MemoryTurn(), lambda: self.now)

    def room(self) -> FileWatching:
        return FileWatching(
            Watch(
                file=self.file,
                actor="gitops",
                books=self.books,
                notes=self.notes,
                turn=self.turn,
                reshare=reshare,
                open_evidence=Opening(FakeEvidence()).how(),
                owners=dict,
                clock_s=lambda: self.clock_s,
            )
        )

    def begin(self, **stages: str) -> None:
        text = content(0, **stages)
        self.file.write_text(text)
        self.applied.content = text.encode()
        entry = Entry(self.now, "ops", RevisionKind.INIT, "begin", ("begun",), (), text)
        self.ledger.append(entry)

    def edit(self, note: int, **stages: str) -> None:
        self.file.write_text(content(note, **stages))

    def roll_back(self, domain: str = "catalog") -> None:
        roll_back(self.books, domain, restage, to=None, actor="ann", reason="slow")

    async def looks(self, room: FileWatching, count: int = 3) -> Watched:
        for _ in range(count):
            await room.look()
            self.clock_s += 1
        return self.notes.watched

    @property
    def stage(self) -> Stage:
        table = look(self.applied, self.ledger).table
        assert table is not None
        return table.domain("catalog").stage

    @property
    def last(self) -> Revision:
        return from_json(self.ledger.kept[-1])


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path)
    found.begin(catalog="legacy")
    return found


async def test_an_edit_is_put_in_force_and_the_ledger_says_which(world: World) -> None:
    room = world.room()
    assert (await world.looks(room)).standing is Standing.SAME
    world.edit(1, catalog="shadow")

    known = await world.looks(room)

    assert world.stage is Stage.SHADOW
    assert world.last.entry.actor == "gitops"
    assert world.last.entry.reason == f"{world.file} changed (sha256 {known.handled})"
    assert (known.standing, known.n) == (Standing.APPLIED, 2)


async def test_content_counts_when_two_looks_in_a_row_find_the_same(world: World) -> None:
    room = world.room()
    await world.looks(room)
    for note in range(1, 6):
        world.edit(note, catalog="shadow")
        await world.looks(room, 1)

    before = world.stage
    await world.looks(room, 1)

    assert (before, world.stage) == (Stage.LEGACY, Stage.SHADOW)


async def test_what_was_rolled_back_stays_so_also_after_a_restart_until_an_edit(
    world: World,
) -> None:
    room = world.room()
    world.edit(1, catalog="shadow")
    await world.looks(room)
    world.roll_back()

    await world.looks(room, 40)
    same = world.stage
    await world.looks(world.room(), 40)
    restarted = world.stage
    world.edit(2, catalog="shadow")
    await world.looks(world.room())

    assert (same, restarted, world.stage) == (Stage.LEGACY, Stage.LEGACY, Stage.SHADOW)


async def test_a_room_that_died_before_it_noted_its_apply_does_not_take_it_again(
    world: World,
) -> None:
    world.edit(1, catalog="shadow")
    room = world.room()
    await world.looks(room, 1)
    before = world.notes.watched
    await world.looks(room, 1)
    world.notes.watched = before  # as the process was killed before
    world.roll_back()

    known = await world.looks(world.room(), 40)

    assert world.stage is Stage.LEGACY
    assert (known.standing, known.n) == (Standing.APPLIED, 2)


async def test_where_all_that_was_known_is_lost_the_ledger_still_tells(world: World) -> None:
    world.edit(1, catalog="shadow")
    await world.looks(world.room())
    world.roll_back()
    world.notes.watched = Watched()

    await world.looks(world.room(), 40)

    assert world.stage is Stage.LEGACY


async def test_content_that_a_person_applied_and_another_took_back_is_not_taken_at_first_sight(
    world: World,
) -> None:
    world.edit(1, catalog="shadow")
    text = world.file.read_text()
    changes = ("catalog: legacy -> shadow",)
    world.ledger.append(Entry(OPEN, "ops", RevisionKind.APPLY, "by hand", changes, (), text))
    world.applied.content = text.encode()
    world.roll_back()

    known = await world.looks(world.room())

    assert world.stage is Stage.LEGACY
    assert known.standing is Standing.TAKEN_BACK
    assert "it was rolled back from shadow to legacy" in sentence("f", known)


async def test_a_refused_plan_is_asked_again_until_its_gate_opens(world: World) -> None:
    world.begin(catalog="shadow", cart="legacy")
    world.now = SHUT
    world.edit(1, catalog="canary 10%", cart="shadow")
    room = world.room()

    known = await world.looks(room)
    await world.looks(room, round(AGAIN_S) + 2)
    revisions = len(world.ledger.kept)
    world.now = OPEN
    await world.looks(room, round(AGAIN_S) + 2)

    assert known.standing is Standing.REFUSED
    assert "calendar gate fails" in known.told
    assert revisions == 2  # none of it, also not what no gate keeps back
    assert world.stage is Stage.CANARY


async def test_what_is_rolled_back_while_a_plan_waits_is_not_what_the_plan_was_about(
    world: World,
) -> None:
    world.begin(catalog="canary 10%")
    world.now = SHUT
    world.edit(1, catalog="canary 50%")
    room = world.room()
    await world.looks(room)
    world.roll_back()
    world.now = OPEN

    known = await world.looks(room, round(AGAIN_S) + 2)

    assert world.stage is Stage.SHADOW
    assert known.standing is Standing.TAKEN_BACK
    assert "until it changes" in sentence("f", known)


async def test_a_rollback_elsewhere_keeps_no_plan_back(world: World) -> None:
    world.begin(catalog="shadow", cart="canary 10%")
    world.now = SHUT
    world.edit(1, catalog="canary 10%", cart="shadow")
    room = world.room()
    await world.looks(room)
    world.roll_back("cart")
    world.now = OPEN

    await world.looks(room, round(AGAIN_S) + 2)

    assert world.stage is Stage.CANARY


@pytest.mark.parametrize("text", ["", "}{", "\0", "domains: {}", "x" * 1_000])
async def test_what_does_not_load_changes_nothing_and_is_told(world: World, text: str) -> None:
    room = world.room()
    await world.looks(room)
    world.file.write_text(text)

    known = await world.looks(room)
    world.edit(1, catalog="shadow")
    after = await world.looks(room)

    assert known.standing is Standing.BROKEN
    assert known.told
    assert (after.standing, world.stage) == (Standing.APPLIED, Stage.SHADOW)


async def test_a_file_that_is_gone_changes_nothing_and_what_was_there_is_not_taken_again(
    world: World,
) -> None:
    room = world.room()
    world.edit(1, catalog="shadow")
    await world.looks(room)
    world.roll_back()
    text = world.file.read_text()
    world.file.unlink()

    gone = await world.looks(room)
    world.file.write_text(text)
    await world.looks(room)

    assert gone.standing is Standing.BROKEN
    assert world.stage is Stage.LEGACY


async def test_a_checkout_that_is_swapped_by_its_link_counts(world: World) -> None:
    for name, stage in (("one", "legacy"), ("two", "shadow")):
        (world.folder / name).mkdir()
        (world.folder / name / "routing.yaml").write_text(content(1, catalog=stage))
    link = world.folder / "current"
    link.symlink_to("one")
    world = replace(world, folder=link)
    room = world.room()
    await world.looks(room)
    draft = link.parent / "next"
    draft.symlink_to("two")
    draft.replace(link)

    await world.looks(room)

    assert world.stage is Stage.SHADOW


async def test_where_nothing_can_be_noted_nothing_is_put_in_force(world: World) -> None:
    room = world.room()
    world.edit(1, catalog="shadow")
    world.notes.fails = True

    with pytest.raises(CannotWrite):
        await world.looks(room)

    assert len(world.ledger.kept) == 1


async def test_while_another_looks_a_room_rests(world: World) -> None:
    with world.turn.take(wait_s=0):
        assert await world.room().look() is None


async def test_of_two_rooms_one_acts_and_both_rest(world: World) -> None:
    one, other = world.room(), world.room()
    world.edit(1, catalog="shadow")
    for _ in range(4):
        await world.looks(one, 1)
        await world.looks(other, 1)

    assert len(world.ledger.kept) == 2


async def test_a_hands_edit_of_what_is_in_force_is_not_run_over_by_what_waits(
    world: World,
) -> None:
    world.begin(catalog="canary 10%")
    world.now = SHUT
    world.edit(1, catalog="canary 50%")
    room = world.room()
    await world.looks(room)
    world.applied.content = content(9, catalog="legacy").encode()
    world.now = OPEN

    known = await world.looks(room, round(AGAIN_S) + 2)

    assert world.stage is Stage.LEGACY
    assert "changed outside Banyan" in known.told


async def test_a_share_that_grew_on_its_ramp_is_not_taken_back_by_an_edit(world: World) -> None:
    ramp = (
        "ramp: {steps: [1%, 25%, 100%], soak: 10m, requests: 100},"
        " rollback: {errors: 1%, requests: 100, window: 1m}, gates"
    )
    world.begin(catalog="canary 1%")
    begun = world.file.read_text().replace("gates", ramp)
    grown = begun.replace("core_share: 1%", "core_share: 25%")
    changes = ("catalog: canary 1 % -> canary 25 %",)
    world.ledger.append(Entry(OPEN, "banyan", RevisionKind.APPLY, "ramp", changes, (), grown))
    world.applied.content = grown.encode()
    world.file.write_text(begun + "  cart: {owner: shop, stage: legacy, routes: [{path: /cart}]}\n")

    await world.looks(world.room())

    table = look(world.applied, world.ledger).table
    assert table is not None
    assert table.domain("catalog").core_share_bp == 2_500
    assert table.domain("cart").stage is Stage.LEGACY


def test_the_ledgers_reason_names_the_commit_where_one_is_known() -> None:
    assert reason_for("r.yaml", "0" * 12, "commit 1f: First") == (
        "r.yaml changed (sha256 000000000000), commit 1f: First"
    )
