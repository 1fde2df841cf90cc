"""The two files the room reads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cutover.api import SourceAway
from cutover.api.files import ledger_asker, table_asker
from cutover.api.readings import DAMAGED
from cutover.core.revision import GENESIS, Entry, RevisionKind, seal, to_json

ROUTING = """\
apiVersion: banyan/v1
stores:
  legacy: {url: "http://127.0.0.1:8083"}
  core: {url: "http://127.0.0.1:8082"}
shopper: ["cookie:sessionid"]
domains:
  catalog:
    owner: merchandising
    stage: shadow
    routes: [{path: "/api/products/", methods: [GET]}]
    gates: {}
"""


async def test_the_table_in_force_is_read_and_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "applied.yaml"
    file.write_text(ROUTING)
    ask = table_asker(file)
    before = await ask()

    file.write_text(ROUTING.replace("stage: shadow", "stage: core"))
    after = await ask()

    assert (before.domains[0].stage, after.domains[0].stage) == ("shadow", "core")
    assert before.revision != after.revision


async def test_a_table_that_does_not_load_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "applied.yaml"
    file.write_text(ROUTING.replace("stage: shadow", "stage: moon"))

    with pytest.raises(SourceAway, match=r"applied\.yaml:9"):
        await table_asker(file)()


async def test_a_table_that_is_not_there_is_away(tmp_path: Path) -> None:
    with pytest.raises(SourceAway, match="does not load"):
        await table_asker(tmp_path / "applied.yaml")()


def write_revision(folder: Path, n: int, kind: RevisionKind, change: str) -> Path:
    at = datetime(2026, 11, 22, 1, n, tzinfo=UTC)
    entry = Entry(at, "platform", kind, "because", (change,), (), ROUTING)
    path = folder / f"{n:06}.json"
    path.write_bytes(to_json(seal(n, entry, GENESIS)))
    return path


async def test_revisions_are_read_newest_first(tmp_path: Path) -> None:
    write_revision(tmp_path, 1, RevisionKind.INIT, "catalog: new")
    write_revision(tmp_path, 2, RevisionKind.ROLLBACK, "catalog: canary 10 % -> shadow")

    lines = await ledger_asker(tmp_path)()

    assert [(line.n, line.kind) for line in lines] == [(2, "rollback"), (1, "init")]
    assert lines[0].changes == ("catalog: canary 10 % -> shadow",)
    assert lines[0].at_s == datetime(2026, 11, 22, 1, 2, tzinfo=UTC).timestamp()


async def test_a_tampered_revision_is_shown_as_damaged_beside_the_others(tmp_path: Path) -> None:
    write_revision(tmp_path, 1, RevisionKind.INIT, "catalog: new")
    tampered = write_revision(tmp_path, 2, RevisionKind.APPLY, "catalog: legacy -> shadow")
    tampered.write_bytes(tampered.read_bytes().replace(b"platform", b"sam!"))

    lines = await ledger_asker(tmp_path)()

    assert [line.kind for line in lines] == [DAMAGED, "init"]


async def test_no_ledger_yet_is_an_empty_one(tmp_path: Path) -> None:
    assert await ledger_asker(tmp_path / "revisions")() == ()
