"""A rollback works with everything else down, and loses nothing that others did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cutover.core.revision import Entry, RevisionKind, chain_problems, sha256
from cutover.core.stages import ROLLBACK
from cutover.errors import (
    CannotWrite,
    Conflict,
    IllegalStep,
    NothingInForce,
    UnknownDomain,
)
from cutover.ports import Draft
from cutover.service.books import Books
from cutover.service.in_force import look
from cutover.service.rolling_back import RolledBack, roll_back
from cutover.storage.applied import AppliedFile
from cutover.storage.ledger import RevisionFiles
from cutover.storage.restage import restage
from proxy.routing import Stage
from proxy.storage.tables import load_routing
from tests.fakes.cutover import NOON, books_in

FILE = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
  catalog:
    owner: shop   # kept
    stage: STAGE
    routes: [{path: /c}]
  price: {owner: shop, stage: canary, core_share: 5%, routes: [{path: /p}]}
"""


def table(stage: str) -> str:
    return FILE.replace("STAGE", "canary\n    core_share: 10%" if stage == "canary" else stage)


@pytest.fixture
def books(tmp_path: Path) -> Books:
    found = books_in(tmp_path)
    put(found, table("core"))
    return found


def put(books: Books, text: str) -> None:
    """Put a table in force the way an apply does."""
    with books.applied.draft(text.encode()) as draft:
        draft.put_in_force(instead_of=books.applied.read())
        books.ledger.append(Entry(NOON, "op", RevisionKind.APPLY, "", (), (), text))


def rolled_back(books: Books, domain: str = "catalog", to: Stage | None = None) -> RolledBack:
    return roll_back(books, domain, restage, to=to, actor="night shift", reason="slow")


@pytest.mark.parametrize("stage", Stage)
def test_a_domain_goes_back_to_where_legacy_answers(tmp_path: Path, stage: Stage) -> None:
    books = books_in(tmp_path)
    put(books, table(stage))

    done = rolled_back(books)

    in_force = load_routing(tmp_path / "applied.yaml")
    assert in_force.domain("catalog").stage is done.after.stage is ROLLBACK[stage]
    assert in_force.domain("price").core_share_bp == 500
    assert done.is_change == (stage is not Stage.LEGACY)
    assert done.revision == in_force.revision


def test_a_rollback_is_written_down_and_the_chain_holds(tmp_path: Path, books: Books) -> None:
    done = rolled_back(books)

    links = RevisionFiles(tmp_path / "revisions").links()
    assert chain_problems(links) == ()
    assert done.entry is not None
    assert done.entry.entry.kind is RevisionKind.ROLLBACK
    assert done.entry.entry.changes == ("catalog: core -> shadow",)
    assert (done.entry.entry.actor, done.entry.entry.reason) == ("night shift", "slow")
    assert done.entry.table_sha256 == sha256((tmp_path / "applied.yaml").read_bytes())
    assert done.warnings == ()


def test_all_but_the_stage_stays_as_it_was_written(tmp_path: Path, books: Books) -> None:
    rolled_back(books)

    assert (tmp_path / "applied.yaml").read_text() == table("shadow")


def test_the_way_back_can_be_longer_but_never_forward(books: Books) -> None:
    assert rolled_back(books, to=Stage.LEGACY).after.stage is Stage.LEGACY

    with pytest.raises(IllegalStep, match="a step forward"):
        rolled_back(books, to=Stage.SHADOW)


def test_a_second_rollback_to_the_same_stage_changes_nothing(tmp_path: Path, books: Books) -> None:
    rolled_back(books, to=Stage.SHADOW)

    again = rolled_back(books, to=Stage.SHADOW)

    assert not again.is_change
    assert len(RevisionFiles(tmp_path / "revisions").links()) == 2


def test_an_unknown_domain_is_told_with_the_one_that_was_meant(books: Books) -> None:
    with pytest.raises(UnknownDomain, match="did you mean catalog"):
        rolled_back(books, "catlog")


def test_where_nothing_was_applied_there_is_nothing_to_take_back(tmp_path: Path) -> None:
    with pytest.raises(NothingInForce, match="legacy answers everything"):
        rolled_back(books_in(tmp_path))


def test_a_ledger_out_of_reach_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "applied.yaml").write_text(table("core"))
    (tmp_path / "revisions").write_text("a file where the folder should be")

    done = rolled_back(books_in(tmp_path))

    assert load_routing(tmp_path / "applied.yaml").domain("catalog").stage is Stage.SHADOW
    assert done.entry is None
    assert "in force, but not in the ledger" in done.warnings[-1]


def test_a_rollback_that_no_revision_knows_of_is_written_down_with_the_next_one(
    tmp_path: Path, books: Books
) -> None:
    (tmp_path / "revisions").rename(tmp_path / "away")
    (tmp_path / "revisions").write_text("")
    rolled_back(books)
    (tmp_path / "revisions").unlink()
    (tmp_path / "away").rename(tmp_path / "revisions")

    done = rolled_back(books)

    assert done.entry is not None
    assert done.entry.entry.found is not None
    assert done.entry.entry.found.routing_yaml == table("shadow")
    assert look(books.applied, books.ledger).notes == ()


@pytest.mark.parametrize("content", [b"\xff garbage", b"", b"domains: ["])
def test_an_applied_file_in_ruins_is_replaced_from_the_ledger(
    tmp_path: Path, books: Books, content: bytes
) -> None:
    (tmp_path / "applied.yaml").write_bytes(content)

    done = rolled_back(books)

    assert (tmp_path / "applied.yaml").read_text() == table("shadow")
    assert "does not load" in done.warnings[0]


def test_a_missing_applied_file_is_written_again(tmp_path: Path, books: Books) -> None:
    (tmp_path / "applied.yaml").unlink()

    done = rolled_back(books)

    assert done.is_change
    assert (tmp_path / "applied.yaml").read_text() == table("shadow")


def test_an_apply_that_hangs_is_not_waited_for(tmp_path: Path, books: Books) -> None:
    with books.turn.take(wait_s=0):
        done = rolled_back(books_in(tmp_path))

    assert done.is_change
    assert done.warnings == ("an apply is at work and was not waited for",)


def test_the_apply_that_was_not_waited_for_does_not_undo_the_rollback(
    tmp_path: Path, books: Books
) -> None:
    before = books.applied.read()
    # 1. An apply wrote its table beside the applied file, 2. a rollback swapped its own
    # in, 3. the apply comes to its swap.
    with books.applied.draft(b"theirs") as draft:
        rolled_back(books)
        with pytest.raises(Conflict):
            draft.put_in_force(instead_of=before)

    assert (tmp_path / "applied.yaml").read_text() == table("shadow")


def test_a_table_swapped_in_meanwhile_is_kept(tmp_path: Path, books: Books) -> None:
    raced = replace(books, applied=Raced(AppliedFile(tmp_path / "applied.yaml"), [tmp_path]))

    done = rolled_back(raced)

    assert done.is_change
    assert (tmp_path / "applied.yaml").read_text() == table("shadow") + "# theirs\n"


@dataclass(frozen=True, slots=True)
class Raced:
    """An applied file that somebody else writes once, between our look and our swap."""

    file: AppliedFile
    left: list[Path]

    @property
    def name(self) -> str:
        return self.file.name

    def read(self) -> bytes | None:
        return self.file.read()

    @contextmanager
    def draft(self, content: bytes) -> Iterator[Draft]:
        if self.left:
            self.left.pop()
            self.file.path.write_text(table("core") + "# theirs\n")
        with self.file.draft(content) as draft:
            yield draft

    def overwrite(self, content: bytes) -> None:
        self.file.overwrite(content)


@dataclass(frozen=True, slots=True)
class FullDisk:
    """An applied file on a disk that has no room for a second one."""

    file: AppliedFile

    @property
    def name(self) -> str:
        return self.file.name

    def read(self) -> bytes | None:
        return self.file.read()

    def draft(self, content: bytes) -> AbstractContextManager[Draft]:
        raise CannotWrite("no space left on device")

    def overwrite(self, content: bytes) -> None:
        self.file.overwrite(content)


def test_on_a_full_disk_the_table_is_written_in_place(tmp_path: Path, books: Books) -> None:
    full = replace(books, applied=FullDisk(AppliedFile(tmp_path / "applied.yaml")))

    done = rolled_back(full)

    assert (tmp_path / "applied.yaml").read_text() == table("shadow")
    assert done.warnings == ("written in place, because no space left on device",)
