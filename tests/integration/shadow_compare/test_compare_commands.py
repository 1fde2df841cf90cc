"""What people and programs read on a terminal."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cutover.cli.tree import build
from proxy.routing import Domain
from proxy.storage.tables import load_routing
from shadow_compare.core.batch import Batch
from shadow_compare.core.epoch import epoch_of
from shadow_compare.core.verdict import Outcome
from shadow_compare.service.rulebook import day_of
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.schema import migrate
from shadow_compare.storage.writer import SqlEvidenceWriter
from tests.support.comparing import DETAIL, LIST, NOW_S, finding, judged
from tests.support.stores import routing

pytestmark = pytest.mark.integration


class Terminal:
    """Runs the commands on a table and a database of their own."""

    def __init__(self, home: Path) -> None:
        self.table = routing(home / "routing.yaml", "http://127.0.0.1:1/shop", "http://127.0.0.1:2")
        self.url = f"sqlite+aiosqlite:///{home}/evidence.sqlite3"
        self.app = build()

    def run(self, *words: str) -> Result:
        places = ["--database", self.url]
        if words[0] == "parity" or set(words) & {"show", "curl", "har"}:
            places += ["--config", str(self.table)]
        return CliRunner().invoke(self.app, [*words, *places], env={"COLUMNS": "160"})

    def store(self) -> None:
        """998 equal answers and two that differ."""
        table = load_routing(self.table)
        domain: Domain = table.domain("catalog")
        epoch = epoch_of(domain, table.stores, day_of(NOW_S), NOW_S)
        frames = [judged(seq, epoch_key=epoch.key) for seq in range(998)]
        frames += [
            judged(seq, Outcome.MISMATCH, route=DETAIL, epoch_key=epoch.key, found=finding())
            for seq in (998, 999)
        ]

        async def write() -> None:
            engine = writer_engine(parse(self.url))
            await migrate(engine)
            accounts = {"run-1": {f"mirrored|catalog|{LIST}": 1_005}}
            batch = Batch(NOW_S, tuple(frames), (epoch,), accounts=accounts)
            await SqlEvidenceWriter(engine).commit(batch)
            await engine.dispose()

        asyncio.run(write())


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_parity_says_how_equal_how_sure_and_where_everything_went(terminal: Terminal) -> None:
    terminal.store()

    said = terminal.run("parity")

    assert said.exit_code == 0
    assert "catalog: at least 99.098 % (95 % sure) equal, 1,000 samples" in said.stdout
    assert "1,007 mirrored = 1,000 compared + 0 lost + 7 pending" in said.stdout
    assert LIST in said.stdout


def test_parity_for_programs_holds_every_figure(terminal: Terminal) -> None:
    terminal.store()

    [found] = json.loads(terminal.run("parity", "catalog", "--json").stdout)

    assert (found["overall"]["compared"], found["overall"]["ratio_ppm"]) == (1_000, 998_000)
    assert [route["route"] for route in found["routes"]] == [DETAIL, LIST]
    assert found["accounting"]["pending"] == 7


def test_parity_before_anything_was_compared_does_not_claim_anything(terminal: Terminal) -> None:
    said = terminal.run("parity")

    assert said.exit_code == 0
    assert "the comparer has not seen it yet" in said.stdout
    assert "100 %" not in said.stdout


def test_mismatches_lists_groups_and_shows_one_by_the_beginning_of_its_name(
    terminal: Terminal,
) -> None:
    terminal.store()

    listed = terminal.run("mismatches", "catalog").stdout
    shown = terminal.run("mismatches", "show", "v1:0000").stdout

    assert "v1:00000000000000aa" in listed
    assert "$.price differs" in listed
    for part in ('"1.00"', '"1.01"', "legacy (200)", "core (200)"):
        assert part in shown
    command = next(line for line in shown.splitlines() if line.startswith("  legacy: curl"))
    assert shlex.split(command)[-1] == "http://127.0.0.1:1/shop/products/7/?q=1"


def test_mismatches_for_programs_hold_every_example(terminal: Terminal) -> None:
    terminal.store()

    [group] = json.loads(terminal.run("mismatches", "--json").stdout)
    shown = json.loads(terminal.run("mismatches", "show", "v1:0000", "--json").stdout)

    assert group["count"] == 2
    assert shown["group"] == group
    assert shown["examples"][0]["leaves"][0]["core"] == '"1.01"'
    assert shown["examples"][0]["curl"]["core"].startswith("curl ")


def test_no_mismatch_is_said_in_words(terminal: Terminal) -> None:
    assert "No mismatch" in terminal.run("mismatches").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["parity", "carts"], "the table has no domain carts; it has catalog"),
        (["mismatches", "show", "v1:ff"], "no group, or more than one"),
        (["mismatches", "curl", "v1:ff"], "no group, or more than one"),
        (["mismatches", "--since", "soon"], "30m, 12h or 7d"),
        (["mismatches", "fix", "v1:ff"], "there is no evidence yet"),
    ],
)
def test_a_wrong_word_gets_one_line_and_a_failure(
    terminal: Terminal, words: list[str], told: str
) -> None:
    said = terminal.run(*words)

    assert said.exit_code == 1
    assert len(said.stderr.splitlines()) == 1
    assert told in said.stderr


def test_a_database_that_cannot_be_read_gets_one_line(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "evidence.sqlite3").write_bytes(b"no database" * 1_000)

    said = terminal.run("parity")

    assert said.exit_code == 1
    assert len(said.stderr.splitlines()) == 1


def test_a_setting_that_makes_no_sense_gets_one_line(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANYAN_SHADOW_CONCURRENCY", "0")
    said = CliRunner().invoke(terminal.app, ["mismatches"])

    assert said.exit_code == 1
    assert "BANYAN_SHADOW_CONCURRENCY" in said.stderr
