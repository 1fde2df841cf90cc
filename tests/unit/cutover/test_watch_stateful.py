"""Edits, rollbacks, undos, gates, crashes, two rooms: what was taken back stays so.

Room, ledger, plan, rollback and undo are the real ones, over files in memory.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from cutover.core.revision import RevisionKind, chain_problems, from_json, sha256
from cutover.core.stages import Direction, direction, position
from cutover.errors import CannotUndo, CannotWrite
from cutover.service.applying import commit, prepare
from cutover.service.file_watching import AGAIN_S
from cutover.service.in_force import look
from cutover.service.undoing import undo
from cutover.storage.graft import graft
from proxy.routing import Domain
from proxy.storage.tables import parse_routing
from tests.fakes.cutover import Opening
from tests.fakes.evidence import FakeEvidence
from tests.unit.cutover.test_file_watching import OPEN, SHUT, World

STAGES = ("legacy", "shadow", "canary 10%", "canary 50%", "core")
NAMES = ("catalog", "cart")


class Watching(RuleBasedStateMachine):
    """`forbidden` is content that was taken back, and stays so until the file changes."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World(Path(tempfile.mkdtemp()))
        self.note = 0
        self.seen: str | None = None
        self.forbidden: str | None = None
        self.checked = 1

    @override
    def teardown(self) -> None:
        self.loop.close()
        shutil.rmtree(self.world.folder)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @property
    def text(self) -> str:
        return self.world.file.read_text()

    def domains(self) -> dict[str, Domain]:
        table = look(self.world.applied, self.world.ledger).table
        assert table is not None
        return {domain.name: domain for domain in table.domains}

    @initialize()
    def begin(self) -> None:
        self.world.begin(**dict.fromkeys(NAMES, "canary 10%"))
        self.rooms = [self.world.room(), self.world.room()]
        self.looks(0, 3, is_open=True)

    @rule(catalog=st.sampled_from(STAGES), cart=st.sampled_from(STAGES))
    def edit(self, catalog: str, cart: str) -> None:
        self.note += 1
        self.world.edit(self.note, catalog=catalog, cart=cart)

    @rule(is_open=st.booleans(), data=st.data())
    def edit_one_step(self, is_open: bool, data: st.DataObject) -> None:
        """A step that may be taken, seen by a room whose gate is open, or is not yet."""
        at = {name: str(position(one)).replace(" %", "%") for name, one in self.domains().items()}
        name = data.draw(st.sampled_from(NAMES))
        ahead = STAGES[STAGES.index(at[name]) + 1 :][:1] or STAGES[-1:]
        self.edit(**{**at, name: ahead[0]})
        self.looks(0, 3, is_open=is_open)

    @rule(room=st.integers(0, 1), count=st.integers(1, 3), is_open=st.booleans())
    def looks(self, room: int, count: int, *, is_open: bool) -> None:
        self.gate(is_open=is_open)
        self.world.clock_s += AGAIN_S + 1
        for _ in range(count):
            self.run(self.world.looks(self.rooms[room], 1))
            self.note_what_is_known()

    def note_what_is_known(self) -> None:
        """The content that the rooms have begun; an edit that they have seen frees what was."""
        digest = sha256(self.text.encode())[:12]
        known = self.world.notes.watched
        self.seen = self.text if digest in {known.pending, known.handled} else None
        if self.seen is not None and self.forbidden not in {None, self.seen}:
            self.forbidden = None

    def gate(self, *, is_open: bool) -> None:
        self.world.now = OPEN if is_open else SHUT

    @rule(names=st.sampled_from([NAMES, NAMES[:1], NAMES[1:]]))
    def roll_back(self, names: tuple[str, ...]) -> None:
        for name in names:
            before = len(self.world.ledger.kept)
            self.world.roll_back(name)
            if len(self.world.ledger.kept) > before and self.asks_for_more(name):
                self.forbidden = self.seen

    def asks_for_more(self, name: str) -> bool:
        if self.seen is None:
            return False
        asked = position(parse_routing(self.seen.encode(), "").domain(name))
        return asked != position(self.domains()[name])

    @rule(back=st.integers(0, 2))
    def take_back_a_revision(self, back: int) -> None:
        world, n = self.world, len(self.world.ledger.kept) - back
        if n < 2:
            return
        try:
            wanted = undo(world.books, n, graft, and_later=False)
        except CannotUndo:
            return
        work = prepare(world.books, wanted.desired, "undo", Opening(FakeEvidence()).how())
        prepared = self.run(work)
        if not prepared.plan.refused and not prepared.plan.is_empty:
            commit(world.books, prepared, actor="ann", reason=f"undo of revision {n}: slow")
            self.forbidden = self.seen

    @rule()
    def restart(self) -> None:
        self.rooms = [self.world.room(), self.world.room()]

    @rule()
    def die_between_apply_and_note(self) -> None:
        """Whatever the room does with the file, it does not come to note it."""
        self.world.notes.dies_when_done = True
        try:
            self.looks(0, 2, is_open=True)
        except CannotWrite:
            self.note_what_is_known()
        finally:
            self.world.notes.dies_when_done = False
        self.restart()

    @rule()
    def full_disk(self) -> None:
        self.world.notes.fails = True
        try:
            self.run(self.world.looks(self.rooms[0], 2))
        except CannotWrite:
            pass
        finally:
            self.world.notes.fails = False

    @precondition(lambda self: self.forbidden is None)
    @rule()
    def settle(self) -> None:
        """Where nothing forbids it, the file is in force in the end."""
        before = {name: position(one) for name, one in self.domains().items()}
        handled = self.world.notes.watched.handled
        self.looks(0, 3, is_open=True)
        wanted = {one.name: position(one) for one in parse_routing(self.text.encode(), "").domains}
        is_legal = all(
            direction(before[name], wanted[name]) is not Direction.SKIP for name in NAMES
        )
        was_done_with = handled == sha256(self.text.encode())[:12]
        if is_legal and not was_done_with:
            assert {name: position(one) for name, one in self.domains().items()} == wanted

    @invariant()
    def what_was_taken_back_stays_so(self) -> None:
        kept = self.world.ledger.kept
        for content in kept[self.checked :]:
            entry = from_json(content).entry
            if entry.actor == "gitops":
                assert entry.kind is RevisionKind.APPLY
                assert entry.routing_yaml != self.forbidden
        self.checked = len(kept)

    @invariant()
    def the_ledger_is_whole(self) -> None:
        assert chain_problems(self.world.ledger.links()) == ()


TestWatching = Watching.TestCase
TestWatching.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
