"""A room watches a file: an edit is put in force, what was taken back is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from cutover import app
from cutover.app.watching import watch_notes
from cutover.core.revision import Entry, chain_problems, from_json
from cutover.core.watched_file import Standing
from cutover.edge.checkout import commit_of
from cutover.service.rolling_back import roll_back
from cutover.settings import CutoverSettings, load_settings
from cutover.storage.restage import restage
from loadtests.ports import free_port
from proxy.routing import Stage
from proxy.storage.tables import load_routing
from tests.support.ledger_shop import table
from tests.support.processes import spawn_process, wait_for_http

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@dataclass
class Shop:
    """A folder with a routing file, and rooms that watch it."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "routing.yaml"

    @property
    def env(self) -> dict[str, str]:
        return {"BANYAN_VAR": str(self.folder / "var"), "BANYAN_SIDE_DOOR": "127.0.0.1:9"}

    @property
    def settings(self) -> CutoverSettings:
        return load_settings(self.env)

    @property
    def stage(self) -> Stage | None:
        applied = self.settings.applied
        return load_routing(applied).domain("catalog").stage if applied.exists() else None

    @property
    def entries(self) -> list[Entry]:
        links = app.ledger(self.settings).links()
        assert chain_problems(links) == ()
        return [from_json(content).entry for _, content in links]

    @property
    def standing(self) -> Standing:
        return watch_notes(self.settings, self.file).read().standing

    def edit(self, stage: str, note: str = "") -> None:
        self.file.write_text(table(catalog=stage) + note)

    def roll_back(self) -> None:
        books = app.books(self.settings)
        roll_back(books, "catalog", restage, to=None, actor="ann", reason="it is slow")

    @contextmanager
    def room(self) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
        port = free_port()
        words = ("room", "--listen", f"127.0.0.1:{port}", "--side-door", "127.0.0.1:9")
        command = (sys.executable, "-m", "cutover", *words, "--watch", str(self.file))
        log = self.folder / "room.log"
        with spawn_process(command, log=log, env=self.env) as process:
            wait_for_http(f"http://127.0.0.1:{port}/healthz")
            yield process, f"http://127.0.0.1:{port}"
        assert "Traceback" not in log.read_text()


def until(holds: Callable[[], object], timeout_s: float = 60) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < timeout_s, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    found = Shop(tmp_path)
    found.edit("legacy")
    return found


def test_an_edit_is_applied_and_what_was_rolled_back_is_not_applied_again(shop: Shop) -> None:
    with shop.room() as (process, _):
        until(lambda: shop.stage is Stage.LEGACY)
        shop.edit("shadow")
        until(lambda: shop.stage is Stage.SHADOW)
        until(lambda: watch_notes(shop.settings, shop.file).read().n == 2)
        shop.roll_back()
        looked = (shop.folder / "var" / "watch.json").stat().st_mtime_ns
        until(lambda: (shop.folder / "var" / "watch.json").stat().st_mtime_ns > looked)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    with shop.room():
        looked = (shop.folder / "var" / "watch.json").stat().st_mtime_ns + 3_000_000_000
        until(lambda: (shop.folder / "var" / "watch.json").stat().st_mtime_ns > looked)
        stayed = shop.stage
        shop.edit("shadow", "# the cause is mended\n")
        until(lambda: shop.stage is Stage.SHADOW)

    assert stayed is Stage.LEGACY
    kinds = [(entry.actor, str(entry.kind)) for entry in shop.entries]
    assert kinds == [
        ("gitops", "init"),
        ("gitops", "apply"),
        ("ann", "rollback"),
        ("gitops", "apply"),
    ]


def test_a_file_that_is_kept_back_is_told_once_and_shown(shop: Shop) -> None:
    with shop.room() as (_, url):
        until(lambda: shop.stage is Stage.LEGACY)
        shop.edit("shadow")
        until(lambda: shop.stage is Stage.SHADOW)
        shop.edit("canary 10%")
        until(lambda: shop.standing is Standing.REFUSED)
        until(lambda: "is kept back and asked again" in got(url, "/"))
        page = got(url, "/metrics")
        shop.edit("{")
        until(lambda: shop.standing is Standing.BROKEN)

    assert shop.stage is Stage.SHADOW
    assert "banyan_watch_waiting_seconds" in page
    assert (shop.folder / "room.log").read_text().count("is kept back") == 1


def test_two_rooms_that_watch_a_file_apply_it_once(shop: Shop) -> None:
    with shop.room(), shop.room():
        until(lambda: shop.stage is Stage.LEGACY)
        for note, stage in enumerate((Stage.SHADOW, Stage.LEGACY, Stage.SHADOW)):
            shop.edit(str(stage), f"# {note}\n")
            until(partial(lambda wanted: shop.stage is wanted, stage))

    assert len(shop.entries) == 4


def test_the_ledger_names_the_commit_that_the_file_is_from(shop: Shop) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
        subprocess.run(
            ["git", *who, *words], cwd=shop.folder, check=True, capture_output=True, timeout=30
        )

    git("init", "-q", "-b", "main")
    git("add", "routing.yaml")
    git("commit", "-q", "-m", "Catalog begins <@here>")
    content = shop.file.read_bytes()
    told = commit_of(shop.file, content)
    link = shop.folder / "elsewhere.yaml"
    link.symlink_to(shop.file)

    assert told.startswith("commit ")
    assert told.endswith(": Catalog begins <@here>")
    assert commit_of(link, content) == told
    assert commit_of(shop.file, content + b"# not committed\n") == ""
    assert commit_of(shop.folder / "none.yaml", b"") == ""


def got(url: str, path: str) -> str:
    with urllib.request.urlopen(url + path, timeout=20) as answer:
        body: bytes = answer.read()
    return body.decode()
