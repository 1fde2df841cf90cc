"""Prune and purge, as commands on real files: what they leave behind in bytes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import sqlalchemy as sa
import typer
from typer.testing import CliRunner

from proxy.core.redaction import Redactor
from proxy.storage import SpoolReader
from proxy.storage.runs import redaction_key
from shadow_compare import cli
from shadow_compare.core.answer import Answer
from shadow_compare.core.batch import Batch
from shadow_compare.core.drift import Drift
from shadow_compare.core.pairs import RecordedPair
from shadow_compare.core.verdict import Outcome
from shadow_compare.storage import tables
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.proof_tables import drifts, recorded_pairs
from shadow_compare.storage.schema import migrate
from shadow_compare.storage.writer import SqlEvidenceWriter
from tests.support.comparing import epoch, example, finding, frame, judged
from tests.support.stores import Worker

pytestmark = pytest.mark.integration

ANN, BOB = "ann@shop.example", "bob@shop.example"


class Home:
    """A spool, an evidence database, and the commands on them."""

    def __init__(self, folder: Path) -> None:
        self.spool = folder / "spool"
        self.file = folder / "evidence.sqlite3"
        self.url = f"sqlite+aiosqlite:///{self.file}"
        self.redactor = Redactor(redaction_key(self.spool))
        self.now_s = time.time()  # noqa: TID251 - the command's clock is the machine's

    def run(self, command: str, *more: str, said: str = "") -> tuple[int, str]:
        line = [command, "--database", self.url, *more]
        if command == "purge":
            line += ["--spool", str(self.spool)]
        app = typer.Typer()
        app.command()(cli.prune)
        app.command()(cli.purge)
        done = CliRunner().invoke(app, line, input=said)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.exit_code, done.output

    def mark(self, value: str) -> bytes:
        return self.redactor.mark(value.encode()).encode()

    def store(self, people: list[str], *, age_days: float = 0) -> None:
        """An example and a recorded pair of each, so old."""
        at_s = self.now_s - age_days * 24 * 3600

        async def write() -> None:
            engine = writer_engine(parse(self.url))
            await migrate(engine)
            found = []
            for seq, person in enumerate(people, round(age_days) * 100 + 1):
                body = self.redactor.body(
                    json.dumps({"email": person}).encode(), "application/json"
                )
                shown = dataclasses.replace(example(), at_s=at_s, core_body=body.decode())
                pair = RecordedPair(
                    frame(seq, body=body, at_s=at_s), Answer(200, (), body, 1), Outcome.MISMATCH
                )
                one = judged(
                    seq,
                    Outcome.MISMATCH,
                    found=dataclasses.replace(finding(), example=shown),
                )
                found.append(dataclasses.replace(one, at_s=at_s, pair=pair))
            await SqlEvidenceWriter(engine).commit(Batch(at_s, tuple(found), (epoch(),)))
            await engine.dispose()

        asyncio.run(write())

    def rows(self, table: sa.Table) -> int:
        engine = sa.create_engine(f"sqlite:///{self.file}")
        with engine.connect() as connection:
            count = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        engine.dispose()
        return int(count)

    def put(self, table: sa.Table, key: Mapping[str, object], rest: Mapping[str, object]) -> None:
        engine = sa.create_engine(f"sqlite:///{self.file}")
        with engine.begin() as connection:
            connection.execute(sa.insert(table).values({**key, **rest}))
        engine.dispose()

    def sound(self) -> bool:
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            return bool(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])

    def stored(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.file.parent.glob("evidence.sqlite3*"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_purge_leaves_nothing_of_one_person_and_all_of_the_others(home: Home) -> None:
    home.store([ANN, BOB])
    worker = Worker(home.spool, "20261122T000000-1-aaaaaa")
    for person in (ANN, BOB):
        body = home.redactor.body(json.dumps({"email": person}).encode(), "application/json")
        worker.mirror(body=body)
    mismatches = home.rows(tables.groups)

    tried = home.run("purge", "--subject", ANN, "--dry-run")
    held = home.mark(ANN) in home.stored()
    code, said = home.run("purge", "--subject", "-", said=f"{ANN}\n")
    with SpoolReader(home.spool) as reader:
        left = [one for _, one in reader.read()]
    worker.close()

    assert (tried[0], held) == (0, True)
    assert code == 0, said
    assert "frames in the spool: 1" in said
    assert "examples: 1" in said
    assert "recorded pairs: 1" in said
    assert ANN not in said + tried[1]
    spool = b"".join(path.read_bytes() for path in home.spool.rglob("*.seg"))
    assert home.mark(ANN) not in home.stored() + spool
    assert home.mark(BOB) in home.stored()
    assert home.mark(BOB) in spool
    assert [bool(one.body.strip(b"\0")) for one in left] == [False, True]
    assert home.rows(tables.groups) == mismatches
    assert home.rows(recorded_pairs) == 1


def test_a_purge_finds_what_calibration_and_groups_kept_of_a_person(home: Home) -> None:
    home.store([BOB])
    for person in (ANN, BOB):
        mark = json.dumps(home.redactor.mark(person.encode()))
        drift = Drift("legacy", "GET /p", f"$.{person[:3]}", 9, 1, samples=((mark, "1"),))
        place = {"domain": "catalog", "stores": "s", "side": "legacy", "route": "GET /p"}
        kept = {"pattern": drift.pattern, "at_s": 1.0, "drift": msgspec.json.encode(drift)}
        home.put(drifts, place, kept)
    hidden = home.redactor.mark(ANN.encode())
    key = {"domain": "catalog", "epoch": "e", "route": "GET /p"}
    home.put(tables.noise, key, {"pattern": f"$['{hidden}']", "differed": 3})
    seen = {"title": f"{hidden} differs", "patterns": "[]", "first_seen_s": 1.0, "last_seen_s": 1.0}
    home.put(tables.groups, {**key, "fingerprint": "v1:00000000000000cc"}, seen)

    code, said = home.run("purge", "--subject", ANN)

    assert code == 0, said
    assert all(f"{name}: 1\n" in said for name in ("drifts", "noise", "groups"))
    assert home.mark(ANN) not in home.stored()
    assert home.rows(drifts) == 1


class Killed(NamedTuple):
    """Where a purge is killed: at the nth call of a function."""

    where: str
    nth: int


KILLING = """
import os, signal, sys
from typer import Typer
from typer.testing import CliRunner
from shadow_compare import cli
from shadow_compare.storage import retention
from proxy.storage import emptying

name, nth = sys.argv[1], int(sys.argv[2])
place = {"spool": (emptying, "stamp"), "row": (retention.sa, "delete"),
         "table": (retention, "_text_columns"),
         "scrub": (retention.SqlRetention, "_scrub")}[name]
real, seen = getattr(*place), []

def killing(*given):
    seen.append(given)
    if len(seen) == nth:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)

setattr(*place, killing)
app = Typer()
app.command()(cli.purge)
app(sys.argv[3:])
"""


@pytest.mark.parametrize(
    "killed",
    [
        Killed("spool", 2),
        Killed("row", 1),
        Killed("row", 4),
        Killed("table", 9),
        Killed("scrub", 1),
    ],
    ids=lambda one: f"{one.where} {one.nth}",
)
def test_a_purge_killed_in_the_middle_is_done_by_the_next_one(home: Home, killed: Killed) -> None:
    home.store([ANN, BOB, ANN, ANN])
    worker = Worker(home.spool, "20261122T000000-1-aaaaaa")
    for person in (ANN, BOB, ANN, ANN):
        body = home.redactor.body(json.dumps({"email": person}).encode(), "application/json")
        worker.mirror(body=body)
    places = ("--subject", ANN, "--spool", str(home.spool), "--database", home.url)

    died = subprocess.run(
        [sys.executable, "-c", KILLING, killed.where, str(killed.nth), *places], check=False
    )
    code, said = home.run("purge", "--subject", ANN)

    with SpoolReader(home.spool) as reader:
        left = [bool(one.body.strip(b"\0")) for _, one in reader.read()]
    worker.close()
    spool = b"".join(path.read_bytes() for path in home.spool.rglob("*.seg"))
    assert died.returncode == -signal.SIGKILL
    assert code == 0, said
    assert left == [False, True, False, False]
    assert home.mark(ANN) not in home.stored() + spool
    assert home.mark(BOB) in home.stored()
    assert home.mark(BOB) in spool
    assert home.sound()


def test_a_purge_finds_what_an_earlier_key_hid(home: Home) -> None:
    home.store([ANN])
    key = home.spool / "redaction.key"
    key.rename(home.spool / "redaction.key.old-1")
    redaction_key(home.spool)

    code, said = home.run("purge", "--subject", ANN)

    assert code == 0
    assert "examples: 1" in said


def test_a_purge_waits_for_nobody_who_reads_the_spool(home: Home) -> None:
    home.store([ANN])

    with SpoolReader(home.spool):
        code, said = home.run("purge", "--subject", ANN)

    assert code == 1
    assert "Stop it (SIGTERM" in said
    assert home.rows(tables.examples) == 1


def test_a_prune_deletes_what_is_old_and_the_file_uses_its_room_again(home: Home) -> None:
    home.store([BOB], age_days=1)
    home.store([ANN] * 9, age_days=40)
    before = home.rows(tables.examples)

    tried = home.run("prune", "--dry-run")[1]
    code, said = home.run("prune")

    assert code == 0, said
    assert tried.split()[2:] == said.split()[1:]
    assert home.rows(tables.examples) < before
    assert home.rows(recorded_pairs) == 1
    assert home.mark(ANN) not in home.stored()
    assert home.mark(BOB) in home.stored()


def test_a_comparer_prunes_by_itself(home: Home) -> None:
    home.store([ANN] * 9, age_days=40)
    old = home.rows(recorded_pairs)
    home.store([BOB])

    assert (old, home.rows(recorded_pairs)) == (9, 1)
    assert home.mark(BOB) in home.stored()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["prune"], "there is no evidence at"),
        (["purge", "--subject", "ab"], "three characters or more"),
    ],
)
def test_what_cannot_be_done_gets_one_clear_line(home: Home, command: list[str], told: str) -> None:
    code, said = home.run(*command)

    assert code == 1
    assert told in said
    assert len(said.splitlines()) == 1
