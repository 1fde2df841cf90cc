"""Running it: start, reload, restart, drain, and what the side door tells."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.proxy.harness import (
    OK,
    Client,
    Connection,
    Origin,
    Proxy,
    eventually,
    get,
    origin,
    proxy,
    routing,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def store() -> Iterator[Origin]:
    with origin() as running:
        yield running


def run_once(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "proxy", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **env},  # noqa: TID251 - the child needs ours
    )


def side_of(running: Proxy) -> str | None:
    with Client(running) as client:
        return client.ask(get()).value("x-served-by")


def test_a_changed_file_is_in_force_in_every_worker(folder: Path, store: Origin) -> None:
    with proxy(folder, routing(store.url, store.url), workers=2) as running:
        before, first = side_of(running), running.door_json("/readyz")
        fresh = folder / "fresh.yaml"
        fresh.write_text(routing(store.url, store.url, "core"))
        fresh.replace(running.config)
        in_force = eventually(
            lambda: first["revision"] not in running.door_json("/readyz")["revisions"].values()
        )
        after, second = side_of(running), running.door_json("/readyz")

    assert (before, after) == ("legacy", "core")
    assert in_force
    assert len(second["revisions"]) == 2
    assert second["revision"] != first["revision"]
    assert second["ready"]


def test_a_broken_file_changes_nothing_and_is_reported(folder: Path, store: Origin) -> None:
    good = routing(store.url, store.url, "core")
    with proxy(folder, good) as running:
        running.config.write_text(good.replace("stage: core", "stage: moon"))
        reported = eventually(lambda: running.door_json("/readyz")["problem"] is not None)
        during, broken = side_of(running), running.door_json("/readyz")
        failed = running.metric("banyan_config_load_failed")
        os.kill(running.worker_pids()[0], signal.SIGKILL)
        assert eventually(lambda: bool(running.worker_pids()))
        assert eventually(lambda: running.door_json("/readyz")["ready"])
        restarted = side_of(running)
        running.config.write_text(good)
        mended = eventually(lambda: running.door_json("/readyz")["problem"] is None)

    assert reported
    assert "stage" in broken["problem"]
    assert broken["ready"]
    assert failed == 1
    assert (during, restarted) == ("core", "core")
    assert mended


def test_a_request_in_flight_keeps_its_table(folder: Path, store: Origin) -> None:
    go_on = threading.Event()

    def script(connection: Connection) -> None:
        connection.read_request()
        go_on.wait(10)
        connection.send(OK)

    store.reset(script)
    with (
        origin() as other,
        proxy(folder, routing(store.url, other.url)) as running,
        Client(running) as client,
    ):
        client.send(get())
        assert eventually(lambda: store.connections == 1)
        before = running.door_json("/readyz")["revision"]
        running.config.write_text(routing(other.url, other.url, "core"))
        assert eventually(lambda: running.door_json("/readyz")["revision"] not in (before, None))
        go_on.set()
        answer = client.read()
        again = client.ask(get())

    assert (answer.status, answer.value("x-served-by")) == (200, "legacy")
    assert again.value("x-served-by") == "core"


def test_sigterm_lets_exchanges_in_flight_end_and_exits_0(folder: Path, store: Origin) -> None:
    go_on = threading.Event()

    def script(connection: Connection) -> None:
        connection.read_request()
        go_on.wait(10)
        connection.send(OK)

    store.reset(script)
    with proxy(folder, routing(store.url, store.url)) as running:
        with Client(running) as client, Client(running) as idle:
            client.send(get())
            assert eventually(lambda: store.connections == 1)
            running.process.send_signal(signal.SIGTERM)
            idle_closed = idle.is_closed(5)
            refused = eventually(lambda: not accepts(running.port))
            go_on.set()
            answer = client.read()
            closed = client.is_closed(5)
        code = running.process.wait(10)

    assert idle_closed
    assert refused
    assert (answer.status, answer.value("connection")) == (200, "close")
    assert closed
    assert code == 0
    assert "Traceback" not in running.log.read_text()


def test_an_exchange_that_does_not_end_is_cut_when_the_drain_is_over(
    folder: Path, store: Origin
) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.read_until(b"never")

    store.reset(script)
    env = {"BANYAN_PROXY_DRAIN_TIMEOUT_S": "0.5"}
    with (
        proxy(folder, routing(store.url, store.url), env=env) as running,
        Client(running) as client,
    ):
        client.send(get())
        assert eventually(lambda: store.connections == 1)
        running.process.send_signal(signal.SIGINT)
        code = running.process.wait(10)
        gone = client.is_closed(5)

    assert code == 0
    assert gone


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_dead_worker_is_replaced_and_no_waiting_client_is_refused(
    folder: Path, store: Origin
) -> None:
    with proxy(folder, routing(store.url, store.url)) as running:
        before = running.worker_pids()
        os.kill(before[0], signal.SIGKILL)
        with Client(running) as client:
            answer = client.ask(get())
        after = running.worker_pids()
        restarts = running.metric("banyan_worker_restarts_total")

    assert answer.status == 200
    assert len(after) == 1
    assert before != after
    assert restarts == 1


def test_workers_do_not_outlive_their_supervisor(folder: Path, store: Origin) -> None:
    with proxy(folder, routing(store.url, store.url), workers=2) as running:
        pids = running.worker_pids()
        running.process.kill()
        running.process.wait(5)
        ended = eventually(lambda: not any(is_running(pid) for pid in pids))

    assert len(pids) == 2
    assert ended
    assert not accepts(running.port)


def test_a_port_in_use_is_one_clear_line(tmp_path: Path, store: Origin) -> None:
    config = tmp_path / "routing.yaml"
    config.write_text(routing(store.url, store.url))
    arguments = ["--config", str(config), "--spool", str(tmp_path / "spool")]
    taken = f"127.0.0.1:{store.port}"

    on_data = run_once(*arguments, "--listen", taken, "--side-door", "127.0.0.1:0")
    on_door = run_once(*arguments, "--listen", "127.0.0.1:0", "--side-door", taken)

    for ended in (on_data, on_door):
        assert ended.returncode == 1
        assert ended.stderr == f"banyan proxy: {taken} is in use by another process\n"


def test_two_proxies_do_not_share_a_port(folder: Path, tmp_path: Path, store: Origin) -> None:
    with proxy(folder, routing(store.url, store.url)) as running:
        second = run_once(
            "--config", str(running.config), "--spool", str(tmp_path / "spool"),
            "--listen", f"127.0.0.1:{running.port}", "--side-door", "127.0.0.1:0",
        )  # fmt: skip

    assert second.returncode == 1
    assert "in use" in second.stderr


BAD_STARTS = {
    "no file": (["--config", "nowhere.yaml"], {}, "nowhere.yaml"),
    "bad stage": ([], {}, "routing.yaml:"),
    "bad address": (["--listen", "here"], {}, '"here" is no address'),
    "same port": (["--listen", "127.0.0.1:7", "--side-door", "127.0.0.1:7"], {}, "its own"),
    "bad setting": ([], {"BANYAN_PROXY_MAX_IN_FLIGHT": "0"}, "BANYAN_PROXY_MAX_IN_FLIGHT"),
    "bad network": ([], {"BANYAN_PROXY_TRUSTED_PEERS": "home"}, '"home" is no address'),
    "bad spool": (["--spool", "/proc/nowhere"], {}, "/proc/nowhere cannot be used"),
}


@pytest.mark.parametrize("name", BAD_STARTS)
def test_what_cannot_start_says_why_and_exits_1(name: str, tmp_path: Path, store: Origin) -> None:
    arguments, env, expected = BAD_STARTS[name]
    config = tmp_path / "routing.yaml"
    stage = "moon" if name == "bad stage" else "legacy"
    config.write_text(routing(store.url, store.url).replace("stage: legacy", f"stage: {stage}"))
    defaults = ["--config", str(config), "--spool", str(tmp_path / "spool")]
    defaults += ["--listen", "127.0.0.1:0", "--side-door", "127.0.0.1:0"]

    ended = run_once(*defaults, *arguments, **env)

    assert ended.returncode == 1
    assert ended.stderr.startswith("banyan proxy: ")
    assert expected in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_store_whose_certificate_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    config = tmp_path / "routing.yaml"
    text = routing("https://shop.example", "http://127.0.0.1:1")
    url = 'url: "https://shop.example"'
    config.write_text(text.replace(url, f"{url}, tls: {{ca: gone.pem}}"))

    ended = run_once("--config", str(config), "--spool", str(tmp_path / "spool"))

    assert ended.returncode == 1
    assert "stores.legacy.tls.ca" in ended.stderr
    assert "gone.pem" in ended.stderr


def test_the_side_door_tells_health_stages_and_decisions(shop: Proxy) -> None:
    health = shop.door_json("/healthz")
    stages = shop.door_json("/stages")
    plain = shop.door_json("/explain?target=/api/products/7/")
    pilot = shop.door_json(
        "/explain?method=GET&target=/api/products/7/&header=x-banyan-pilot:internal"
    )
    unmatched = shop.door_json("/explain?target=/x")

    assert health == {"status": "ok"}
    assert stages["revision"] == shop.door_json("/readyz")["revision"]
    (domain,) = stages["domains"]
    assert (domain["name"], domain["stage"], domain["core_share_bp"]) == (
        "catalog",
        "canary",
        5_000,
    )
    assert (plain["domain"], plain["side"], plain["stage"]) == ("catalog", "legacy", "canary")
    assert (pilot["side"], pilot["shadow"]) == ("core", "legacy")
    assert (unmatched["domain"], unmatched["side"]) == (None, "legacy")
    assert all(answer["reason"] for answer in (plain, pilot, unmatched))


def test_explain_says_what_the_data_plane_does(shop: Proxy, legacy: Origin, core: Origin) -> None:
    for n in range(20):
        question = {
            "method": "get",
            "target": "/api/products/7/?a=1",
            "headers": {"Cookie": f"a=b; sessionid=s{n}"},
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{shop.door}/explain", json.dumps(question).encode()
        )
        with urllib.request.urlopen(request, timeout=5) as got:
            told = json.load(got)
        with Client(shop) as client:
            done = client.ask(get("/api/products/7/?a=1", f"Cookie: a=b; sessionid=s{n}"))

        assert told["side"] == done.value("x-served-by")
        assert told["bucket"] is not None


@pytest.mark.parametrize(
    "question",
    ["/explain", "/explain?target=x", "/explain?target=/&header=nocolon", "/nowhere"],
)
def test_side_door_errors_are_problems(question: str, shop: Proxy) -> None:
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(f"http://127.0.0.1:{shop.door}{question}", timeout=5)
    with failed.value as error:
        body = json.load(error)
        kind = error.headers["Content-Type"]

    assert body["status"] == error.code
    assert kind.startswith("application/problem+json")


def test_the_data_port_has_no_side_door(shop: Proxy, legacy: Origin) -> None:
    with Client(shop) as client:
        answers = [client.ask(get(path)) for path in ("/metrics", "/readyz", "/explain")]

    assert all(answer.value("x-served-by") == "legacy" for answer in answers)


def test_every_metric_and_setting_is_documented(shop: Proxy) -> None:
    text = "".join(page.read_text() for page in Path("docs/reference").glob("*.md"))
    with urllib.request.urlopen(f"http://127.0.0.1:{shop.door}/metrics", timeout=5) as got:
        names = re.findall(r"^# TYPE (\S+)", got.read().decode(), re.MULTILINE)
    settings = re.findall(
        r"^    (\w+): .*Field\(", Path("proxy/settings.py").read_text(), re.MULTILINE
    )
    variables = [f"BANYAN_PROXY_{name.upper()}" for name in settings]
    everywhere = ("VAR", "REDACTION_KEY", "SEALING_KEY", "LOG_LEVEL")
    shared = {f"BANYAN_PROXY_{name}" for name in everywhere}

    assert len(names) > 15
    assert len(variables) > 20
    missing = [name for name in names if f"`{name}`" not in text]
    missing += [name for name in variables if name not in shared and f"`{name}`" not in text]
    assert missing == []


def test_two_workers_count_as_one(folder: Path, store: Origin) -> None:
    with proxy(folder, routing(store.url, store.url), workers=2) as running:
        for _ in range(40):
            with Client(running) as client:
                client.ask(get())
        total = running.metric("banyan_requests_total", domain="catalog", method="GET")
        observed = running.metric("banyan_request_duration_seconds_count", domain="catalog")
        per_worker = [
            account for account in running.spool.iterdir() if (account / "account").exists()
        ]

    assert total == 40
    assert observed == 40
    assert len(per_worker) == 2
