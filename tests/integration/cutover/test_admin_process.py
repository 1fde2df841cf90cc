"""A real room and the command line against it: from afar everything is as it is at home."""

from __future__ import annotations

import http.server
import json
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from cutover.core.revision import chain_problems
from cutover.edge.room_client import RoomClient
from cutover.edge.room_reading import RoomReading
from cutover.errors import RoomAway, RoomRefused
from cutover.storage.ledger import RevisionFiles
from loadtests.ports import free_port
from tests.support.commands import Ended, run_banyan
from tests.support.ledger_shop import table
from tests.support.processes import spawn_process, wait_for_http

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

BANYAN = (sys.executable, "-m", "cutover")


@dataclass(slots=True)
class Shop:
    """A folder, a room over it, and the command line somewhere else."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def var(self) -> Path:
        return self.folder / "var"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def in_force(self) -> str:
        return (self.var / "applied.yaml").read_text()

    @property
    def revisions(self) -> int:
        return len(list((self.var / "revisions").glob("*.json")))

    def room(self) -> Any:
        """The room, while the block lasts."""
        command = [*BANYAN, "room", "--listen", f"127.0.0.1:{self.port}", "--no-steer"]
        environment = {"BANYAN_VAR": str(self.var), "BANYAN_SIDE_DOOR": "127.0.0.1:9"}
        return spawn_process(command, log=self.folder / "log", env=environment)

    def wait(self) -> None:
        wait_for_http(f"{self.url}/healthz", 60)

    def write(self, **stages: str) -> None:
        (self.folder / "routing.yaml").write_text(table(**stages))

    def home(self, *words: object, ends_with: int = 0) -> Ended:
        """A command on the room's machine."""
        return self._run(words, {"BANYAN_VAR": str(self.var)}, ends_with)

    def far(self, *words: object, ends_with: int = 0, **more: str) -> Ended:
        """A command elsewhere, which has no files of the room's."""
        named = {"BANYAN_VAR": str(self.folder / "elsewhere"), "BANYAN_ROOM": self.url}
        return self._run(words, {**named, **more}, ends_with)

    def _run(self, words: tuple[object, ...], more: Mapping[str, str], ends_with: int) -> Ended:
        """In this process: what a new one costs is measured elsewhere."""
        named = {"BANYAN_ACTOR": "night shift", "BANYAN_SIDE_DOOR": "127.0.0.1:9", **more}
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name in ("BANYAN_ROOM", "BANYAN_TOKEN"):
                patch.delenv(name, raising=False)
            for name, value in named.items():
                patch.setenv(name, value)
            ended = run_banyan(*words)
        assert ended.code == ends_with, ended
        return ended


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def served(shop: Shop) -> Iterator[Shop]:
    """A shop with a room, and a domain in legacy in force."""
    shop.write(catalog="legacy")
    shop.home("apply", "--yes", "--reason", "first")
    with shop.room():
        shop.wait()
        yield shop


def test_a_migration_is_led_from_afar(served: Shop) -> None:
    served.write(catalog="shadow")
    asked = served.far("plan", "--detailed-exitcode", "--out", "monday.plan", ends_with=2)
    done = served.far("apply", "monday.plan", "--yes", "--reason", "go")
    again = served.far("apply", "--yes")
    back = served.far("rollback", "catalog", "--reason", "slow")
    yes = served.far("approve", "catalog", "--to", "shadow", "--reason", "again")
    undone = served.far("undo", 3, "--yes", "--reason", "it was not slow")

    assert "catalog  legacy -> shadow" in asked.out
    assert "Put it in force with: banyan apply monday.plan" in asked.out
    assert "Revision 2 is in force. No proxy answers" in done.out
    assert "Nothing to change" in again.out
    assert "Revision 3: catalog shadow -> legacy. No proxy answers" in back.out
    assert yes.out == "Revision 4: catalog: night shift approves of legacy -> shadow\n"
    assert "Revision 5 is in force." in undone.out
    assert served.in_force == table(catalog="shadow")
    assert not (served.folder / "elsewhere").exists()


def test_what_is_read_from_afar_is_what_is_read_at_home(served: Shop) -> None:
    served.write(catalog="shadow")
    served.home("apply", "--yes", "--reason", "go")
    served.write(catalog="canary 10%", search="legacy")

    for words in (
        ("plan",),
        ("plan", "--json"),
        ("ledger", "list"),
        ("ledger", "list", "--json", "--limit", "1"),
        ("ledger", "list", "--domain", "nobody"),
        ("ledger", "show", "2"),
        ("ledger", "show", "2", "--json"),
        ("ledger", "diff", "1", "2"),
        ("ledger", "diff", "1", "--text", "--json"),
        ("ledger", "verify", "--json"),
    ):
        assert served.far(*words) == served.home(*words), words


def test_what_is_refused_from_afar_ends_with_the_code_of_home(served: Shop) -> None:
    served.write(catalog="core")
    far = served.far("apply", "--yes", ends_with=3)
    home = served.home("apply", "--yes", ends_with=3)
    (served.folder / "routing.yaml").write_text("nonsense: 1\n")
    odd = served.far("plan", ends_with=1)
    unknown = served.far("rollback", "catalogue", "--reason", "x", ends_with=1)
    missing = served.far("ledger", "show", 9, ends_with=1)

    assert far == home
    assert odd.err == served.home("plan", ends_with=1).err
    assert "did you mean catalog?" in unknown.err
    assert missing.err == "banyan: there is no revision 9; the newest is 1\n"


def test_a_room_that_is_down_is_named_and_a_rollback_says_how_to_do_it_there(shop: Shop) -> None:
    shop.write(catalog="legacy")

    plan = shop.far("plan", ends_with=1)
    back = shop.far("rollback", "catalog", "--reason", "slow", ends_with=1)

    assert plan.err == f"banyan: {shop.url} does not answer (connection refused)\n"
    assert "env -u BANYAN_ROOM banyan rollback catalog --reason" in back.err


def test_a_token_is_never_sent_where_anybody_could_read_it(shop: Shop) -> None:
    told = shop.far(
        "ledger", "list", ends_with=1, BANYAN_ROOM="http://room.example", BANYAN_TOKEN="t"
    )

    assert "write https://" in told.err


class _Stranger(http.server.BaseHTTPRequestHandler):
    """Something that is no room: it answers 401, a page, or other JSON."""

    def do_GET(self) -> None:
        is_asked_in = self.headers.get("authorization") == "Bearer good"
        self.send_response(200 if is_asked_in else 401)
        self.end_headers()
        self.wfile.write(b"<html>" if self.path.endswith("/domains") else b'{"ok": true}')

    @override
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def stranger() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Stranger)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("token", "told"),
    [("", "set BANYAN_TOKEN"), ("bad", "BANYAN_TOKEN does not hold"), ("good", "no control room")],
)
def test_what_is_wrong_with_an_answer_is_said(
    stranger: http.server.ThreadingHTTPServer, token: str, told: str
) -> None:
    client = RoomClient(f"http://127.0.0.1:{stranger.server_port}", token)

    with pytest.raises(RoomRefused, match=told):
        client.get("/domains")


def test_json_of_something_else_is_no_answer(stranger: http.server.ThreadingHTTPServer) -> None:
    reading = RoomReading(RoomClient(f"http://127.0.0.1:{stranger.server_port}", "good"))

    with pytest.raises(RoomRefused, match="is it the same version"):
        reading.one(1)


def test_an_address_that_does_not_speak_tls_is_said(
    stranger: http.server.ThreadingHTTPServer,
) -> None:
    client = RoomClient(f"https://127.0.0.1:{stranger.server_port}")

    with pytest.raises(RoomAway, match="does not answer"):
        client.get("/domains")


def test_a_certificate_of_nobody_is_said_with_the_way_out(tmp_path: Path) -> None:
    made = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=localhost",
        "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert"),
    ]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Stranger)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with pytest.raises(RoomAway, match="SSL_CERT_FILE"):
            RoomClient(f"https://localhost:{server.server_port}").get("/domains")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def applications(shop: Shop) -> list[Path]:
    return list((shop.var / "answers").glob("*.json"))


@pytest.mark.parametrize("pause_s", [0.0, 0.02])
def test_a_room_killed_during_an_apply_is_asked_again_and_applies_once(
    shop: Shop, pause_s: float
) -> None:
    shop.write(catalog="legacy")
    shop.home("apply", "--yes")
    answers: list[Any] = []
    with shop.room() as process:
        shop.wait()
        client = RoomClient(shop.url, patience_s=100)
        plan = client.post("/plans", {"routing_yaml": table(catalog="shadow")}).value
        known = len(applications(shop))

        def apply() -> None:
            place = f"/plans/{plan['id']}/applications"
            answers.append(client.post(place, {"reason": "go"}, if_match=plan["etag"]).value)

        asking = threading.Thread(target=apply)
        asking.start()
        # 1. The key is on disk, so the act is at work. 2. kill -9. 3. The same key again.
        deadline = time.monotonic() + 60
        while len(applications(shop)) == known:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(pause_s)  # not to wait for anything: two moments of the act to die in
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    with shop.room():
        asking.join(110)
        assert not asking.is_alive()
        shop.wait()

        assert answers[0]["is_applied"]
        assert shop.in_force == table(catalog="shadow")
        links = RevisionFiles(shop.var / "revisions").links()
        applied = [json.loads(content) for _, content in links[1:]]
        assert not chain_problems(links)
        assert len({one["reason"] for one in applied}) == 1
        assert answers[0]["revision"]["n"] == len(links)
