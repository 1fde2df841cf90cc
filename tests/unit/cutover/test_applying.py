"""Planning and applying on real files: what comes into force, what is written down."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cutover.core.gate import Verdict
from cutover.core.revision import Entry, Found, Revision, RevisionKind, chain_problems, from_json
from cutover.errors import CannotWrite, Conflict, CutoverError, RelativeFiles
from cutover.ports import Draft
from cutover.service.applying import Prepared, commit, prepare
from cutover.service.books import Books
from cutover.service.in_force import look
from cutover.storage.applied import AppliedFile
from cutover.storage.ledger import RevisionFiles
from proxy.errors import RoutingFileError
from shadow_compare.core.evidence import DomainEvidence
from tests.fakes.cutover import NOON, Opening, books_in
from tests.fakes.evidence import FakeEvidence, some_evidence, some_parity

LEGACY = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
  catalog:
    owner: shop
    stage: legacy
    routes: [{path: /c}]
    gates: {parity: {min: 99%, samples: 300}}
"""
SHADOW = LEGACY.replace("stage: legacy", "stage: shadow")
CANARY = LEGACY.replace("stage: legacy", "stage: canary\n    core_share: 10%")


def seen(matched: int, mismatched: int = 0) -> DomainEvidence:
    parity = some_parity(matched, mismatched=mismatched, lower_ppm=0)
    return some_evidence("catalog", parity, heartbeat_s=1.0)


async def planned(
    books: Books, text: str, evidence: FakeEvidence | None = None, *, init: bool = False
) -> Prepared:
    opening = Opening(evidence or FakeEvidence())
    return await prepare(books, text.encode(), "routing.yaml", opening.how(), init=init)


async def applied(books: Books, text: str, evidence: FakeEvidence | None = None) -> Revision:
    prepared = await planned(books, text, evidence)
    return commit(books, prepared, actor="op", reason="because")


async def test_the_first_apply_begins_table_and_ledger(tmp_path: Path) -> None:
    books = books_in(tmp_path / "new" / "var")

    revision = await applied(books, LEGACY)

    assert (revision.n, revision.entry.kind) == (1, RevisionKind.INIT)
    assert books.applied.read() == LEGACY.encode()
    assert look(books.applied, books.ledger).notes == ()


async def test_each_apply_adds_one_link_to_the_chain(tmp_path: Path) -> None:
    books = books_in(tmp_path)
    for text in (LEGACY, SHADOW, LEGACY, SHADOW):
        await applied(books, text)

    links = RevisionFiles(tmp_path / "revisions").links()

    assert [n for n, _ in links] == [1, 2, 3, 4]
    assert chain_problems(links) == ()
    told = json.loads(links[1][1])
    assert told["changes"] == ["catalog: legacy -> shadow"]
    assert (told["actor"], told["reason"], told["kind"]) == ("op", "because", "apply")
    assert told["at"] == NOON.isoformat(timespec="milliseconds")
    assert told["routing_yaml"] == SHADOW


async def test_a_step_is_written_down_with_the_evidence_it_was_taken_on(tmp_path: Path) -> None:
    books = books_in(tmp_path)
    await applied(books, LEGACY)
    await applied(books, SHADOW)

    revision = await applied(books, CANARY, FakeEvidence({"catalog": seen(400)}))

    evidence, covered = revision.entry.evidence
    assert (evidence.domain, evidence.verdict, evidence.compared) == ("catalog", "pass", 400)
    assert (covered.gate, covered.verdict) == ("coverage", "pass")
    assert covered.inputs["routes"] >= 1
    assert covered.inputs["unseen"] == 0
    assert evidence.lower_ppm >= evidence.min_ppm == 990_000


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (FakeEvidence(), Verdict.INCONCLUSIVE),
        (FakeEvidence({"catalog": seen(100)}), Verdict.INCONCLUSIVE),
        (FakeEvidence({"catalog": seen(400, 40)}), Verdict.FAIL),
        (FakeEvidence(away="the file is not a database"), Verdict.INCONCLUSIVE),
    ],
)
async def test_a_step_whose_gate_does_not_pass_keeps_the_whole_plan_back(
    tmp_path: Path, evidence: FakeEvidence, verdict: Verdict
) -> None:
    books = books_in(tmp_path)
    await applied(books, LEGACY)
    await applied(books, SHADOW)

    prepared = await planned(books, CANARY, evidence)

    (change,) = prepared.plan.refused
    assert change.judgement is not None
    assert change.judgement.verdict is verdict
    with pytest.raises(CutoverError):
        commit(books, prepared, actor="op", reason="")
    assert books.applied.read() == SHADOW.encode()


async def test_the_evidence_is_not_opened_for_steps_without_a_gate(tmp_path: Path) -> None:
    books = books_in(tmp_path)
    await applied(books, LEGACY)
    opening = Opening(FakeEvidence(away="down"))

    prepared = await prepare(books, SHADOW.encode(), "routing.yaml", opening.how())

    assert not prepared.plan.refused
    assert opening.opened == 0


async def test_a_file_with_problems_is_not_planned(tmp_path: Path) -> None:
    with pytest.raises(RoutingFileError):
        await planned(books_in(tmp_path), "nonsense")


async def test_a_plan_is_not_applied_when_something_else_came_into_force(tmp_path: Path) -> None:
    books = books_in(tmp_path)
    await applied(books, LEGACY)
    mine, theirs = await planned(books, SHADOW), await planned(books, LEGACY + "# theirs\n")
    commit(books, theirs, actor="they", reason="")

    with pytest.raises(Conflict, match="changed by they meanwhile"):
        commit(books, mine, actor="me", reason="")

    assert books.applied.read() == (LEGACY + "# theirs\n").encode()
    assert chain_problems(RevisionFiles(tmp_path / "revisions").links()) == ()


async def test_an_apply_does_not_start_while_another_is_at_work(tmp_path: Path) -> None:
    books = books_in(tmp_path)
    prepared = await planned(books, LEGACY)

    with books.turn.take(wait_s=0) as is_ours:
        assert is_ours
        with pytest.raises(Conflict, match="another apply or rollback is at work"):
            commit(books_in(tmp_path), prepared, actor="op", reason="")

    assert books.applied.read() is None


@dataclass(frozen=True, slots=True)
class FullDisk:
    """An applied file on a disk that is full from some moment on."""

    file: AppliedFile
    fails_at: str

    @property
    def name(self) -> str:
        return self.file.name

    def read(self) -> bytes | None:
        return self.file.read()

    @contextmanager
    def draft(self, content: bytes) -> Iterator[Draft]:
        full = OSError(errno.ENOSPC, "No space left on device")
        if self.fails_at == "draft":
            raise CannotWrite(f"{self.name} cannot be written: {full.strerror}")
        with self.file.draft(content):
            yield FailingDraft()

    def overwrite(self, content: bytes) -> None:
        self.file.overwrite(content)


class FailingDraft:
    def put_in_force(self, *, instead_of: bytes | None) -> None:
        raise CannotWrite("cannot be replaced")


@pytest.mark.parametrize("fails_at", ["draft", "swap"])
async def test_a_full_disk_leaves_table_and_ledger_as_they_were(
    tmp_path: Path, fails_at: str
) -> None:
    books = books_in(tmp_path)
    await applied(books, LEGACY)
    full = replace(books, applied=FullDisk(AppliedFile(tmp_path / "applied.yaml"), fails_at))

    with pytest.raises(CannotWrite):
        await applied(full, SHADOW)

    assert books.applied.read() == LEGACY.encode()
    assert [n for n, _ in RevisionFiles(tmp_path / "revisions").links()] == [1]
    assert (await applied(books, SHADOW)).n == 2


async def test_a_ledger_that_cannot_be_written_keeps_the_table_out_of_force(
    tmp_path: Path,
) -> None:
    books = books_in(tmp_path)
    (tmp_path / "revisions").write_text("a file where the folder should be")
    prepared = await planned(books, LEGACY)

    with pytest.raises(CannotWrite, match="revisions"):
        commit(books, prepared, actor="op", reason="")

    assert "the ledger is out of reach" in prepared.in_force.notes[0]
    assert books.applied.read() is None


async def test_a_table_edited_by_hand_counts_and_is_written_down_with_the_next_apply(
    tmp_path: Path,
) -> None:
    books = books_in(tmp_path)
    await applied(books, LEGACY)
    by_hand = SHADOW + "# quick fix\n"
    (tmp_path / "applied.yaml").write_text(by_hand)

    before = look(books.applied, books.ledger)
    revision = await applied(books, LEGACY)

    assert "changed outside Banyan after revision 1" in before.notes[0]
    assert revision.entry.changes == ("catalog: shadow -> legacy",)
    assert revision.entry.found is not None
    assert (revision.entry.found.routing_yaml, revision.entry.found.loads) == (by_hand, True)
    assert look(books.applied, books.ledger).notes == ()


async def test_an_applied_file_that_does_not_load_is_replaced_and_kept_in_the_ledger(
    tmp_path: Path,
) -> None:
    books = books_in(tmp_path)
    await applied(books, LEGACY)
    (tmp_path / "applied.yaml").write_bytes(b"\xff garbage")

    before = look(books.applied, books.ledger)
    revision = await applied(books, SHADOW)

    assert "does not load" in before.notes[0]
    assert before.text == LEGACY.encode()
    assert revision.entry.changes == ("catalog: legacy -> shadow",)
    assert revision.entry.found is not None
    assert revision.entry.found.routing_yaml == "\\xff garbage"
    assert books.applied.read() == SHADOW.encode()


async def test_a_missing_applied_file_is_told_and_written_again(tmp_path: Path) -> None:
    books = books_in(tmp_path)
    await applied(books, SHADOW.replace("shadow", "legacy"))
    (tmp_path / "applied.yaml").unlink()

    prepared = await planned(books, LEGACY)

    assert "is missing; revision 1 says what was in force" in prepared.in_force.notes[0]
    assert prepared.plan.is_empty
    commit(books, prepared, actor="op", reason="")
    assert books.applied.read() == LEGACY.encode()


async def test_an_apply_that_died_between_revision_and_swap_is_told_from_an_edit(
    tmp_path: Path,
) -> None:
    books = books_in(tmp_path)
    await applied(books, LEGACY)
    entry = from_json(books.ledger.latest()[0][1]).entry
    books.ledger.append(replace(entry, kind=RevisionKind.APPLY, routing_yaml=SHADOW))

    state = look(books.applied, books.ledger)

    assert state.notes == (
        "revision 2 never came into force: its apply was interrupted; revision 1 is in force",
    )
    assert state.found is None
    assert (await applied(books, SHADOW)).n == 3
    assert look(books.applied, books.ledger).notes == ()


async def test_a_damaged_revision_is_named_and_does_not_stop_an_apply(tmp_path: Path) -> None:
    books = books_in(tmp_path)
    for text in (LEGACY, SHADOW):
        await applied(books, text)
    (tmp_path / "revisions" / "000002.json").write_bytes(b"{torn")

    state = look(books.applied, books.ledger)
    revision = await applied(books, LEGACY)

    assert "revision 000002 is damaged: it cannot be read" in state.notes[0]
    assert revision.n == 3
    assert revision.entry.found == Found(
        table_sha256=state.found.table_sha256 if state.found else "",
        routing_yaml=SHADOW,
        loads=True,
    )
    problems = chain_problems(RevisionFiles(tmp_path / "revisions").links())
    assert problems == ("revision 000002 is damaged: it cannot be read",)


async def test_a_table_in_force_without_any_ledger_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "applied.yaml").write_text(SHADOW)
    books = books_in(tmp_path)

    revision = await applied(books, LEGACY)

    assert revision.n == 1
    assert revision.entry.found is not None
    assert revision.entry.kind is RevisionKind.APPLY


def test_two_writers_never_share_a_number(tmp_path: Path) -> None:
    entry = Entry(NOON, "op", RevisionKind.APPLY, "", (), (), LEGACY)
    one, two = RevisionFiles(tmp_path), RevisionFiles(tmp_path)

    numbers = [ledger.append(entry).n for ledger in (one, two, one, two)]

    assert numbers == [1, 2, 3, 4]
    assert chain_problems(one.links()) == ()


def test_drafts_of_dead_writers_are_swept(tmp_path: Path) -> None:
    applied_file = AppliedFile(tmp_path / "applied.yaml")
    stale = tmp_path / ".applied.yaml.4194399.abcd1234.draft"
    stale.write_text("half")

    with applied_file.draft(b"whole") as draft:
        draft.put_in_force(instead_of=None)

    assert [path.name for path in tmp_path.iterdir()] == ["applied.yaml"]


RELATIVE = LEGACY.replace(
    'core: {url: "http://b"}',
    'core: {url: "https://b", tls: {ca: certs/ca.pem, key: k.pem, certificate: /etc/shop.pem}}',
)


async def test_a_certificate_named_from_the_files_folder_is_refused_with_the_way_out(
    tmp_path: Path,
) -> None:
    books = books_in(tmp_path / "var")
    work = prepare(
        books, RELATIVE.encode(), f"{tmp_path}/routing.yaml", Opening(FakeEvidence()).how()
    )

    with pytest.raises(RelativeFiles) as refused:
        await work

    told = str(refused.value)
    assert f'{tmp_path}/routing.yaml: stores.core.tls.ca: "certs/ca.pem" is relative' in told
    assert f"looked for in {tmp_path}/var; write {tmp_path}/certs/ca.pem" in told
    assert f"write {tmp_path}/k.pem" in told
    assert "shop.pem" not in told
    assert books.applied.read() is None


async def test_a_certificate_of_the_whole_path_is_applied_as_it_is_written(tmp_path: Path) -> None:
    books = books_in(tmp_path)
    text = RELATIVE.replace("certs/", "/etc/certs/").replace("k.pem", "/etc/k.pem")

    prepared = await planned(books, text)
    commit(books, prepared, actor="op", reason="")

    assert books.applied.read() == prepared.desired == text.encode()
