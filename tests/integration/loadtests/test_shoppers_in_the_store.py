"""Shoppers go through the real store, as a process of their own, until told to stop."""

from __future__ import annotations

import itertools
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from loadtests.ports import free_port
from tests.integration.loadtests.relay import Relay, relaying
from tests.support.processes import spawn_process, wait_for_http

pytestmark = pytest.mark.integration

STORE = (sys.executable, "-m", "legacy_adapters.oscar.demo_store.run")
SHOPPERS = (sys.executable, "-m", "loadtests.run")


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A seeded store on a free port: its process and its port."""
    subprocess.run([*STORE, "prepare", "--dir", str(folder)], check=True, capture_output=True)
    port = free_port()
    command = [*STORE, "serve", "--dir", str(folder), "--listen", f"127.0.0.1:{port}"]
    with spawn_process(command, log=folder / "serve.log") as process:
        wait_for_http(f"http://127.0.0.1:{port}/api/")
        yield process, port


@pytest.fixture(scope="module")
def store_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One store for all tests that leave it alive."""
    with serving(tmp_path_factory.mktemp("legacy")) as (_, port):
        yield port


@pytest.fixture
def relay(store_port: int) -> Iterator[Relay]:
    """The store behind a relay that signs its answers."""
    with relaying(store_port) as running:
        yield running


def shoppers(port: int, folder: Path, *more: str) -> list[str]:
    """The command for a small, quick crowd."""
    files = ["--json-summary", str(folder / "s.json"), "--events", str(folder / "e.jsonl")]
    crowd = ["--users", "6", "--shoppers-per-user", "3", "--spawn-rate", "50", "--think", "0.02"]
    return [*SHOPPERS, "--host", f"http://127.0.0.1:{port}", *crowd, *files, *more]


def summary(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "s.json").read_text())
    return content


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    """What was told of one kind; a quick machine's shoppers get as far as an order in between."""
    told = map(json.loads, (folder / "e.jsonl").read_text().splitlines())
    return [event for event in told if event["kind"] == kind]


def now_s() -> float:
    return time.time()  # noqa: TID251 - events of another process carry wall-clock times


def wait_until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def wait_for_requests(folder: Path, count: int) -> None:
    wait_until(lambda: (folder / "s.json").exists() and summary(folder)["requests"] >= count)


def test_shoppers_walk_every_way_through_the_store_without_a_failure(
    store_port: int, tmp_path: Path
) -> None:
    command = shoppers(store_port, tmp_path, "--duration", "8", "--seed", "11")

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    told = summary(tmp_path)
    assert (done.returncode, told["failure_reasons"], done.stderr) == (0, {}, "")
    assert told["final"] is True
    assert told["requests"] > 100
    assert told["orders"] > 0
    assert len(told["steps"]) == 14
    assert told["shoppers"] == 18
    assert "failed" in done.stdout


def test_the_rate_is_a_ceiling(store_port: int, tmp_path: Path) -> None:
    command = shoppers(store_port, tmp_path, "--duration", "4", "--rate", "20", "--quiet")

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert 40 < summary(tmp_path)["requests"] <= 4.5 * 20
    assert done.stdout == ""


def test_until_sigterm_the_summary_can_be_watched_and_then_is_final(
    store_port: int, tmp_path: Path
) -> None:
    with spawn_process(shoppers(store_port, tmp_path), log=tmp_path / "log") as process:
        wait_for_requests(tmp_path, 30)
        watched = summary(tmp_path)

        process.send_signal(signal.SIGTERM)
        status = process.wait(15)

    told = summary(tmp_path)
    assert (status, watched["final"], told["final"]) == (0, False, True)
    assert told["requests"] >= watched["requests"]
    assert told["failures"] == 0


def test_nobody_changes_side_while_the_table_stays(relay: Relay, tmp_path: Path) -> None:
    command = shoppers(relay.port, tmp_path, "--duration", "4")

    subprocess.run(command, capture_output=True, timeout=60, check=True)

    told = summary(tmp_path)
    assert (told["side_changes"], events(tmp_path, "side_change")) == (0, [])
    assert told["side_observations_repeated"] > 50
    assert told["sides"]["catalog"].keys() == {"legacy"}


def test_every_change_of_side_is_dated_around_the_moment_it_happened(
    relay: Relay, tmp_path: Path
) -> None:
    with spawn_process(shoppers(relay.port, tmp_path), log=tmp_path / "log") as process:
        wait_for_requests(tmp_path, 100)
        before = now_s()
        relay.side = "core"
        after = now_s()
        wait_until(lambda: summary(tmp_path)["side_changes"] > 10)
        process.send_signal(signal.SIGTERM)
        process.wait(15)

    changes = events(tmp_path, "side_change")
    assert len(changes) == summary(tmp_path)["side_changes"] > 10
    assert {(change["from"], change["to"]) for change in changes} == {("legacy", "core")}
    assert all(change["previous_sent_at"] <= after for change in changes)
    assert all(change["at"] >= before for change in changes)
    assert len({(change["shopper"], change["step"]) for change in changes}) == len(changes)


def test_an_outage_is_counted_told_and_ends_with_an_error_status(
    relay: Relay, tmp_path: Path
) -> None:
    with spawn_process(shoppers(relay.port, tmp_path), log=tmp_path / "log") as process:
        wait_for_requests(tmp_path, 30)
        relay.outage = True
        wait_until(lambda: summary(tmp_path)["failures"] > 5)
        process.send_signal(signal.SIGTERM)
        status = process.wait(15)

    told = summary(tmp_path)
    failures = events(tmp_path, "failure")
    assert status == 1
    assert len(failures) == told["failures"] == sum(told["failure_reasons"].values())
    assert {event["reason"] for event in failures} == {"status 503"}


def test_a_store_that_dies_is_a_failure_and_not_a_crash(tmp_path: Path) -> None:
    with serving(tmp_path) as (store, port):
        with spawn_process(shoppers(port, tmp_path), log=tmp_path / "log") as process:
            wait_for_requests(tmp_path, 30)
            store.kill()
            wait_until(lambda: summary(tmp_path)["failures"] > 0)
            process.send_signal(signal.SIGTERM)
            status = process.wait(15)

        told = summary(tmp_path)
        assert status == 1
        assert "shopper_crash" not in told["steps"]
        # A store may die between two requests, or in the middle of an answer.
        expected = re.compile(r"\w+: no (whole )?answer: ")
        odd = [reason for reason in told["failure_reasons"] if not expected.match(reason)]
        assert odd == []


def _break_off(listener: socket.socket) -> None:
    """Answer each request with a head that promises a body, and hang up after a part of it."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n"
    parts = itertools.cycle([b"", b'{"url": '])
    with suppress(OSError):  # the listener was closed: the test is over
        while True:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(head)
                time.sleep(0.02)  # the head arrives alone, so that the client starts to read
                connection.sendall(next(parts))


def test_an_answer_that_breaks_off_is_no_whole_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        answering = threading.Thread(target=_break_off, args=(listener,), daemon=True)
        answering.start()
        with spawn_process(shoppers(port, tmp_path), log=tmp_path / "log") as process:
            wait_until(lambda: (tmp_path / "s.json").exists() and summary(tmp_path)["failures"] > 9)
            process.send_signal(signal.SIGTERM)
            status = process.wait(15)

    assert status == 1
    reasons = summary(tmp_path)["failure_reasons"]
    assert [reason for reason in reasons if "no whole answer: " not in reason] == []


def test_a_shop_that_nobody_opened_is_one_clear_line(tmp_path: Path) -> None:
    port = free_port()

    refused = subprocess.run(
        shoppers(port, tmp_path), capture_output=True, text=True, timeout=30, check=False
    )

    assert refused.returncode == 2
    assert refused.stderr.startswith(f"shoppers: nobody answers at http://127.0.0.1:{port}")
    assert refused.stderr.count("\n") == 1


def test_the_locustfile_runs_under_locusts_own_command(store_port: int, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "locust", "-f", "loadtests/shoppers.py", "--headless"),
        *("--host", f"http://127.0.0.1:{store_port}", "-u", "4", "-r", "4", "-t", "3s"),
        *("--think", "0.02", "--only-summary", "--exit-code-on-error", "1"),
    ]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0
    assert "product_detail" in done.stderr
