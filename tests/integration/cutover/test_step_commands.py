"""The commands as an engineer runs them: output, exit codes, and what a crash leaves behind."""

from __future__ import annotations

import io
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from cutover.cli import main
from cutover.core.revision import chain_problems
from cutover.service.in_force import look
from cutover.storage.ledger import RevisionFiles
from loadtests.ports import free_port
from proxy.errors import RoutingFileError
from proxy.storage.tables import load_routing
from tests.fakes.cutover import books_in

pytestmark = pytest.mark.integration

FILE = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["header:Session-Id"]
domains:
  catalog:
    owner: shop
    stage: STAGE
    routes: [{path: "/c/{id}"}]
    gates: {parity: {min: 99%, samples: 300}}
"""


def table(stage: str, share: str = "10%") -> str:
    asked = f"canary\n    core_share: {share}" if stage == "canary" else stage
    return FILE.replace("STAGE", asked)


@dataclass(frozen=True, slots=True)
class Ended:
    """A finished command."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(slots=True)
class Shop:
    """A folder with a routing file and a var, and the command line in it."""

    folder: Path
    side_door: int
    env: dict[str, str] = field(default_factory=dict)

    @property
    def var(self) -> Path:
        return self.folder / "var"

    def write(self, text: str) -> None:
        (self.folder / "routing.yaml").write_text(text)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,  # noqa: TID251 - handed on whole
            "BANYAN_VAR": "var",
            "BANYAN_SIDE_DOOR_PORT": str(self.side_door),
            "BANYAN_ACTOR": "night shift",
            "PYTHONPATH": str(Path(__file__).parents[3]),
            **self.env,
        }

    def run(self, *args: str, ends_with: int = 0) -> Ended:
        """Run a command in this process: what a new one costs is measured elsewhere."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setattr(sys, "stdin", io.StringIO())
            for name, value in self.environment().items():
                patch.setenv(name, value)
            with redirect_stdout(out), redirect_stderr(err):
                try:
                    main(args)
                except SystemExit as exc:
                    code = int(exc.code or 0)
        ended = Ended(code, out.getvalue(), err.getvalue())
        assert code == ends_with, ended
        return ended

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Run a command in a process of its own, as a shell does."""
        return subprocess.Popen(
            [sys.executable, "-m", "cutover", *args],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def json(self, *args: str, ends_with: int = 0) -> Any:
        return json.loads(self.run(*args, "--json", ends_with=ends_with).stdout)

    def apply(self, text: str) -> None:
        self.write(text)
        self.run("apply", "--yes")

    def force(self, text: str) -> None:
        """What is in force, without asking a gate how it came about."""
        self.var.mkdir(exist_ok=True)
        (self.var / "applied.yaml").write_text(text)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, free_port())


@dataclass(slots=True)
class Proxy:
    """A side door whose one worker follows the applied file after a while."""

    applied: Path
    delay_s: float
    seen: str | None = None
    since_s: float = 0.0

    def answer(self) -> dict[str, object]:
        problem = None
        try:
            now = load_routing(self.applied).revision
            if now != self.seen and not self.since_s:
                self.since_s = time.monotonic()
            if now != self.seen and time.monotonic() - self.since_s >= self.delay_s:
                self.seen, self.since_s = now, 0.0
        except RoutingFileError as exc:
            problem = str(exc)
        return {
            "ready": True,
            "workers": 1,
            "revision": self.seen,
            "revisions": {"4711": self.seen},
            "problem": problem,
        }


@pytest.fixture
def proxy(shop: Shop) -> Iterator[Proxy]:
    state = Proxy(shop.var / "applied.yaml", delay_s=0.1)

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(state.answer()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", shop.side_door), Door) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def test_a_migration_by_hand_from_the_first_apply_to_a_rollback(shop: Shop, proxy: Proxy) -> None:
    shop.write(table("legacy"))
    assert shop.run("routes", "check").stdout.startswith("routing.yaml: good. 1 domains (1 in leg")
    assert "Revision 1 is in force. The proxy took it" in (
        shop.run("apply", "--yes", "--reason", "begin").stdout
    )
    assert "Nothing to change" in shop.run("plan", "--detailed-exitcode").stdout

    shop.write(table("shadow"))
    assert "> catalog  legacy -> shadow" in (
        shop.run("plan", "--detailed-exitcode", ends_with=2).stdout
    )
    assert shop.json("apply", "--yes")["proxy"]["ack"] == "taken"

    shop.write(table("canary"))
    refused = shop.json("apply", "--yes", ends_with=3)
    assert refused["is_applied"] is False
    assert "needs 300 more samples" in refused["plan"]["changes"][0]["refusals"][0]

    back = shop.json("rollback", "catalog", "--reason", "enough")
    assert (back["before"]["stage"], back["after"]["stage"]) == ("shadow", "legacy")
    assert back["proxy"]["ack"] == "taken"
    told = shop.json("revisions")
    assert [(r["kind"], r["actor"]) for r in told["revisions"]] == [
        ("rollback", "night shift"),
        ("apply", "night shift"),
        ("init", "night shift"),
    ]
    assert told["problems"] == []
    status = shop.json("status")
    assert status["proxy"]["has_taken"] is True
    assert status["domains"][0]["has_drift"] is True


def test_a_rollback_is_taken_by_the_proxy_and_loads_next_to_nothing(
    shop: Shop, proxy: Proxy
) -> None:
    shop.force(table("canary"))
    shop.run("status")

    rollback = ("rollback", "catalog", "--reason", "now")
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cutover", *rollback],
        cwd=shop.folder,
        env=shop.environment(),
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    )
    out, loaded = ended.stdout, ended.stderr

    assert "The proxy took it" in out
    assert "| cutover" in loaded
    # What starts slowly would be most of the second that a rollback has.
    for heavy in ("typer", "rich", "pydantic", "sqlalchemy", "aiohttp", "fastapi"):
        assert not re.search(rf"\| +{heavy}$", loaded, re.MULTILINE), heavy


@pytest.mark.parametrize("ruin", ["evidence", "ledger", "no proxy"])
def test_a_rollback_needs_neither_evidence_nor_ledger_nor_proxy(shop: Shop, ruin: str) -> None:
    shop.force(table("core"))
    if ruin == "evidence":
        (shop.var / "evidence.sqlite3").write_bytes(b"ruins" * 1000)
    if ruin == "ledger":
        (shop.var / "revisions").write_text("a file where the folder should be")

    done = shop.run("rollback", "catalog", "--reason", "now")

    assert "catalog core -> shadow" in done.stdout
    assert "the proxy takes it when it starts" in done.stdout
    assert load_routing(shop.var / "applied.yaml").domain("catalog").stage == "shadow"
    assert ("not in the ledger" in done.stderr) == (ruin == "ledger")


def test_a_proxy_that_does_not_take_the_table_is_told_and_the_code_says_so(
    shop: Shop, proxy: Proxy
) -> None:
    proxy.delay_s = 3_600
    shop.force(table("core"))

    done = shop.run("rollback", "catalog", "--reason", "now", ends_with=4)

    assert "worker 4711 follows none" in done.stdout


def test_what_is_not_there_gets_one_line(shop: Shop) -> None:
    for args in (
        ("plan",),
        ("apply", "--yes"),
        ("rollback", "catalog", "--reason", "x"),
        ("revisions", "7"),
        ("routes", "explain", "routing.yaml", "GET", "/"),
    ):
        done = shop.run(*args, ends_with=1)
        assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "Nothing is in force yet" in shop.run("status").stdout


def test_a_certificate_that_would_be_another_file_in_force_stops_plan_and_apply(
    shop: Shop,
) -> None:
    url = 'core: {url: "http://b"}'
    shop.write(table("legacy").replace(url, 'core: {url: "https://b", tls: {ca: ca.pem}}'))

    told = [shop.run(*words, ends_with=1).stderr for words in (("plan",), ("apply", "--yes"))]

    wanted = 'routing.yaml: stores.core.tls.ca: "ca.pem" is relative, and in force it would be'
    assert all(wanted in one and f"write {shop.folder}/ca.pem" in one for one in told)
    assert not (shop.var / "applied.yaml").exists()


def test_apply_does_not_ask_where_nobody_can_answer(shop: Shop) -> None:
    shop.write(table("legacy"))

    done = shop.run("apply", ends_with=1)

    assert "--yes" in done.stderr
    assert not shop.var.exists()


def test_corrupt_evidence_holds_a_step_back_and_leaves_the_rest_alone(shop: Shop) -> None:
    shop.apply(table("legacy"))
    shop.apply(table("shadow"))
    (shop.var / "evidence.sqlite3").write_bytes(b"ruins" * 1000)

    shop.write(table("canary"))
    refused = shop.run("apply", "--yes", ends_with=3)

    assert "the evidence cannot be read" in refused.stdout
    assert "shadow" in shop.run("status").stdout


def test_explain_and_check_answer_programs_too(shop: Shop) -> None:
    shop.write(table("canary"))

    told = shop.json("routes", "explain", "routing.yaml", "GET", "/c/7?x=1", "-H", "Session-Id: x")

    assert list(told) == [
        *("domain", "route", "stage", "side", "shadow", "bucket", "reason", "revision")
    ]
    assert (told["domain"], told["route"], told["stage"]) == ("catalog", "GET /c/{id}", "canary")
    assert told["side"] == ("core" if told["bucket"] < 1_000 else "legacy")
    shop.write(table("canary").replace("10%", "ten"))
    problems = shop.json("routes", "check", ends_with=1)["problems"]
    assert [(p["line"], p["key"]) for p in problems] == [(8, "domains.catalog.core_share")]
    assert shop.run("routes", "check", ends_with=1).stderr.startswith(
        "routing.yaml:8: domains.catalog.core_share: "
    )


def test_a_revision_gives_its_file_back(shop: Shop) -> None:
    shop.apply(table("legacy"))
    shop.apply(table("shadow"))

    assert shop.run("revisions", "1").stdout == table("legacy")
    (shop.var / "revisions" / "000001.json").write_text("{}")
    assert "revision 000001 is damaged" in shop.run("revisions", ends_with=1).stderr


def test_of_many_applies_at_once_each_is_in_force_or_refused(shop: Shop) -> None:
    shop.apply(table("legacy"))
    files = []
    for n in range(6):
        files.append(shop.folder / f"wish{n}.yaml")
        files[-1].write_text(table("shadow") + f"# wish {n}\n")

    processes = [shop.start("apply", "--yes", "-c", str(file)) for file in files]
    ended = []
    for process in processes:
        out, _ = process.communicate(timeout=60)
        ended.append((process.returncode, out))

    assert {code for code, _ in ended} <= {0, 1}
    assert all("meanwhile" in text or "at work" in text for code, text in ended if code)
    won = [text for code, text in ended if not code and "is in force." in text]
    links = RevisionFiles(shop.var / "revisions").links()
    assert len(links) == 1 + len(won) >= 2
    assert chain_problems(links) == ()
    assert look(*_books(shop)).notes == ()


def test_kill_9_at_any_moment_leaves_a_good_table_and_a_good_chain(shop: Shop) -> None:
    shop.apply(table("legacy"))
    moment = random.Random(20270301)
    for n in range(12):
        shop.write(table("shadow" if n % 2 == 0 else "legacy") + f"# {n}\n")
        with shop.start("apply", "--yes") as process:
            time.sleep(moment.uniform(0.15, 0.6))
            process.send_signal(signal.SIGKILL)

        load_routing(shop.var / "applied.yaml")
        assert chain_problems(RevisionFiles(shop.var / "revisions").links()) == ()

    # One of the two changes something, whatever is in force: an apply without a change tidies
    # nothing up.
    for word in ("shadow", "legacy"):
        shop.write(table(word) + "# the end\n")
        shop.run("apply", "--yes")
    back = shop.json("revisions")
    assert back["problems"] == []
    assert list(shop.var.glob(".*.draft")) == []


CRASHES = """
import os, signal, sys
from cutover.storage import applied, ledger

def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

at = sys.argv.pop(1)
if at == "before the revision":
    ledger.RevisionFiles.append = die
elif at == "before the swap":
    applied.AppliedDraft.put_in_force = die
elif at == "after the swap":
    applied.sync_folder = die
from cutover.cli import main
main()
"""


@pytest.mark.parametrize(
    ("at", "in_force", "revisions", "note"),
    [
        ("before the revision", "legacy", 1, ""),
        ("before the swap", "legacy", 2, "revision 2 never came into force"),
        ("after the swap", "shadow", 2, ""),
    ],
)
def test_a_crash_at_each_step_of_an_apply_can_be_told_and_gone_on_from(
    shop: Shop, at: str, in_force: str, revisions: int, note: str
) -> None:
    shop.apply(table("legacy"))
    shop.write(table("shadow"))

    crashed = subprocess.run(
        [sys.executable, "-c", CRASHES, at, "apply", "--yes"],
        cwd=shop.folder,
        env=shop.environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert crashed.returncode == -signal.SIGKILL
    assert load_routing(shop.var / "applied.yaml").domain("catalog").stage == in_force
    assert len(RevisionFiles(shop.var / "revisions").links()) == revisions
    assert (
        (note in shop.run("status").stdout) if note else "note:" not in (shop.run("status").stdout)
    )
    shop.run("apply", "--yes")
    assert load_routing(shop.var / "applied.yaml").domain("catalog").stage == "shadow"
    assert shop.json("revisions")["problems"] == []
    assert list(shop.var.glob("**/.*.draft")) == []


def test_a_disk_that_takes_no_more_changes_nothing_and_says_so(shop: Shop) -> None:
    shop.apply(table("legacy"))
    shop.write(table("shadow"))

    def no_more_bytes() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = subprocess.run(
        [sys.executable, "-m", "cutover", "apply", "--yes"],
        cwd=shop.folder,
        env={**shop.environment(), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=no_more_bytes,
    )

    assert done.returncode == 1
    assert "banyan: var/applied.yaml cannot be written: file too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert load_routing(shop.var / "applied.yaml").domain("catalog").stage == "legacy"
    assert len(RevisionFiles(shop.var / "revisions").links()) == 1


def _books(shop: Shop) -> tuple[Any, Any]:
    books = books_in(shop.var)
    return books.applied, books.ledger


@pytest.mark.parametrize("command", [(), ("routes",), ("plan",), ("apply",), ("rollback",)])
def test_every_command_explains_itself(shop: Shop, command: tuple[str, ...]) -> None:
    told = shop.run(*command, "--help").stdout

    assert "Usage: banyan" in told
    assert ("Example: banyan" in told) == (command not in ((), ("routes",)))
