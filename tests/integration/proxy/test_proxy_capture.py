"""Captures: whole, redacted, bounded, accounted for, and of no concern to the shopper."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.core.frame import Frame
from proxy.storage import SpoolReader
from tests.integration.proxy.harness import (
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

SMALL = {"BANYAN_PROXY_CAPTURE_BODY_BYTES": "20000"}
ROUTE = "GET /api/products/{id}/"


@pytest.fixture(scope="module")
def _shadowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Origin]]:
    with origin() as store:
        text = routing(store.url, store.url, "shadow")
        with proxy(tmp_path_factory.mktemp("shadowing"), text, env=SMALL) as running:
            yield running, store


@pytest.fixture
def store(_shadowing: tuple[Proxy, Origin]) -> Origin:
    _shadowing[1].reset()
    return _shadowing[1]


@pytest.fixture
def shadowing(_shadowing: tuple[Proxy, Origin], store: Origin) -> Proxy:
    """A proxy with catalog in shadow, and an empty spool."""
    assert eventually(lambda: pending(_shadowing[0]) == 0)
    frames(_shadowing[0].spool)
    return _shadowing[0]


positions: dict[Path, dict[str, object]] = {}


def frames(spool: Path) -> list[Frame]:
    """All frames that are new since the last call for this spool."""
    at = positions.setdefault(spool, {})
    with SpoolReader(spool, at) as reader:  # type: ignore[arg-type]
        found = []
        while batch := reader.read():
            for position, frame in batch:
                at[frame.run] = position
                found.append(frame)
    return found


def pending(running: Proxy) -> float:
    outcome = "banyan_shadow_total"
    return (
        running.metric(outcome, outcome="mirrored")
        - running.metric(outcome, outcome="spooled")
        - running.metric(outcome, outcome="dropped")
    )


def wait_for_frames(running: Proxy, count: int) -> list[Frame]:
    found: list[Frame] = []

    def arrived() -> bool:
        found.extend(frames(running.spool))
        return len(found) >= count

    assert eventually(arrived)
    return found


def dropped(running: Proxy, reason: str) -> float:
    return running.metric("banyan_shadow_total", outcome="dropped", reason=reason)


def json_answer(value: object, *fields: str) -> bytes:
    body = json.dumps(value).encode()
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", *fields]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}"])
    return head.encode() + b"\r\n\r\n" + body


def test_a_frame_holds_the_exchange_and_the_decision(shadowing: Proxy, store: Origin) -> None:
    store.reset(store.answering(json_answer({"id": 7, "title": "A book"}, "ETag: x")))
    request = get("/api/products/7/?page=2", "Accept: a/b", "Session-Id: s1", "X-Request-ID: r-1")

    with Client(shadowing) as client:
        answer = client.ask(request)
    (frame,) = wait_for_frames(shadowing, 1)

    assert (frame.domain, frame.route, frame.stage) == ("catalog", ROUTE, "shadow")
    assert (frame.side, frame.shadow, frame.noise) == ("legacy", "core", False)
    assert (frame.method, frame.target, frame.request_id) == (
        "GET", "/api/products/7/?page=2", "r-1")  # fmt: skip
    assert (frame.status, frame.body) == (200, answer.body)
    assert frame.headers == (
        ("Content-Type", "application/json"), ("ETag", "x"), ("Content-Length", "28"))  # fmt: skip
    assert frame.request_headers[:2] == (("Host", "shop.example"), ("Accept", "a/b"))
    assert dict(frame.request_headers)["Session-Id"].startswith("[hmac:")
    assert frame.shopper is not None
    assert len(frame.shopper) == 16
    assert frame.revision == shadowing.door_json("/readyz")["revision"]
    assert 0 < frame.elapsed_us < 5_000_000
    now_s = time.time()  # noqa: TID251 - frames carry wall-clock times
    assert abs(frame.at_us / 1e6 - now_s) < 60


def test_nothing_personal_reaches_the_disk(shadowing: Proxy, store: Origin) -> None:
    secrets = ["one.shopper@example.org", "4111111111111111", "tok-s3cr3t", "ck-s3cr3t", "Lovelace"]
    answer = json_answer(
        {"email": secrets[0], "note": f"paid with {secrets[1]}", "address": {"x": secrets[4]}},
        f"Set-Cookie: sid={secrets[3]}",
        f"Location: /next?token={secrets[2]}",
    )
    store.reset(store.answering(answer))
    request = get(
        f"/api/products/7/?email={secrets[0]}&token={secrets[2]}",
        f"Authorization: Bearer {secrets[2]}",
        f"Cookie: sessionid={secrets[3]}",
        f"Session-Id: {secrets[2]}",
        f"Referer: http://shop/?q={secrets[0].replace('@', '%40')}",
        f"X-Note: {secrets[1]}",
    )

    with Client(shadowing) as client:
        live = client.ask(request)
    (frame,) = wait_for_frames(shadowing, 1)

    assert all(secret.encode() in live.head + live.body for secret in secrets)
    disk = b"".join(p.read_bytes() for p in shadowing.spool.rglob("*") if p.is_file())
    assert len(disk) > 1_000
    for secret in secrets:
        assert secret.encode() not in disk
    assert b"one.shopper" not in disk
    assert frame.body.count(b"[hmac:") == 3


def test_compressed_answers_are_redacted_in_their_coding(shadowing: Proxy, store: Origin) -> None:
    body = gzip.compress(b'{"email": "ann@example.org", "id": 7}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    brotli = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc"
    store.reset(store.answering(head + body, brotli))
    before = dropped(shadowing, "opaque_encoding")

    with Client(shadowing) as client:
        live = client.ask(get())
        client.ask(get())
    (frame,) = wait_for_frames(shadowing, 1)

    assert live.body == body
    assert json.loads(gzip.decompress(frame.body))["id"] == 7
    assert b"ann@" not in gzip.decompress(frame.body)
    assert eventually(lambda: dropped(shadowing, "opaque_encoding") == before + 1)


def test_unsafe_methods_unmatched_and_shadow_requests_are_not_mirrored(
    shadowing: Proxy, store: Origin
) -> None:
    before = shadowing.metric("banyan_shadow_total", outcome="mirrored")

    with Client(shadowing) as client:
        client.ask(b"POST /api/products/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        client.ask(get("/elsewhere/"))
        client.ask(get("/api/products/7/", "X-Banyan-Shadow: abc"))
        client.ask(get().replace(b"GET", b"HEAD", 1))
        client.ask(get("/api/products/8/"))
    found = wait_for_frames(shadowing, 2)

    assert [frame.method for frame in found] == ["HEAD", "GET"]
    assert shadowing.metric("banyan_shadow_total", outcome="mirrored") == before + 2


def test_a_body_past_the_cap_is_passed_on_and_its_frame_dropped(
    shadowing: Proxy, store: Origin
) -> None:
    body = b"x" * 30_000
    store.reset(store.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n" + body))
    before = dropped(shadowing, "body_too_large")

    with Client(shadowing) as client:
        answer = client.ask(get())

    assert answer.body == body
    assert eventually(lambda: dropped(shadowing, "body_too_large") == before + 1)
    assert frames(shadowing.spool) == []


def test_an_exchange_without_a_whole_answer_is_dropped_for_its_reason(
    shadowing: Proxy, store: Origin
) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(half)
        if store.connections == 1:
            connection.read_until(b"never")

    store.reset(script)
    gone, failed = dropped(shadowing, "client_gone"), dropped(shadowing, "upstream_error")

    with Client(shadowing) as client:
        client.send(get())
        client.read_head()
    assert eventually(lambda: dropped(shadowing, "client_gone") == gone + 1)
    with Client(shadowing) as client, contextlib.suppress(ConnectionError):
        client.ask(get())

    assert eventually(lambda: dropped(shadowing, "upstream_error") == failed + 1)
    assert pending(shadowing) == 0
    assert frames(shadowing.spool) == []


def test_a_spool_nobody_reads_fills_up_and_hurts_nobody(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    env = {"BANYAN_PROXY_SPOOL_BYTES": "50000", "BANYAN_PROXY_SEGMENT_BYTES": "10000"}
    with origin() as store:
        text = routing(store.url, store.url, "shadow")
        with proxy(tmp_path_factory.mktemp("full"), text, env=env) as running:
            with Client(running) as client:
                statuses = {client.ask(get()).status for _ in range(300)}
            assert eventually(lambda: pending(running) == 0)
            full = dropped(running, "spool_full")
            spooled = running.metric("banyan_shadow_total", outcome="spooled")
            used = sum(path.stat().st_size for path in running.spool.rglob("*.seg"))

    assert statuses == {200}
    assert full > 0
    assert spooled + full == 300
    assert used <= 50_000


def load(running: Proxy, stop: threading.Event, answered: list[int]) -> None:
    """Ask without a pause, and on after each broken connection."""
    while not stop.is_set():
        with contextlib.suppress(OSError), Client(running) as client:
            while not stop.is_set():
                client.ask(get(f"/api/products/{len(answered) % 90}/"))
                answered.append(1)


def kill_worker(running: Proxy, before: int | None) -> int:
    """Let the worker after `before` work for a while, then kill it. Returns its pid."""
    assert eventually(lambda: running.worker_pids() not in ([], [before]))
    time.sleep(0.7)
    (pid,) = running.worker_pids()
    os.kill(pid, signal.SIGKILL)
    return pid


def test_killed_workers_leave_an_account_that_adds_up(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    stop, answered = threading.Event(), list[int]()
    totals: list[float] = []
    with origin() as store:
        store.reset(store.answering(json_answer({"pad": "x" * 2_000})))
        text = routing(store.url, store.url, "shadow")
        with proxy(tmp_path_factory.mktemp("killed"), text) as running:
            threads = [
                threading.Thread(target=load, args=(running, stop, answered)) for _ in range(4)
            ]
            for thread in threads:
                thread.start()
            try:
                pid = None
                for _ in range(3):
                    pid = kill_worker(running, pid)
                    totals.append(running.metric("banyan_requests_total"))
                time.sleep(0.3)
            finally:
                stop.set()
                for thread in threads:
                    thread.join(20)
            assert eventually(lambda: running.worker_pids() not in ([], [pid]))
            totals.append(running.metric("banyan_requests_total"))
            restarts = running.metric("banyan_worker_restarts_total")
            spool = running.spool

    with SpoolReader(spool) as reader:
        found = [frame for _, frame in iter_frames(reader)]
        accounts = reader.accounts()
    per_run = {run: [f.seq for f in found if f.run == run] for run in accounts}

    assert restarts == 3
    assert totals == sorted(totals)
    assert len(accounts) == 4
    assert not any(account.alive for account in accounts.values())
    for run, account in accounts.items():
        assert per_run[run] == list(range(1, len(per_run[run]) + 1))
        assert account.total("spooled") == len(per_run[run])
        assert 0 <= account.pending <= account.total("mirrored")
    mirrored = sum(account.total("mirrored") for account in accounts.values())
    lost = sum(account.pending for account in accounts.values())
    assert len(answered) <= mirrored <= len(answered) + 4 * 4
    assert len(found) + lost + sum(a.total("dropped") for a in accounts.values()) == mirrored


def iter_frames(reader: SpoolReader) -> Iterator[tuple[object, Frame]]:
    while batch := reader.read():
        yield from batch


def test_a_drained_worker_loses_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    with origin() as store:
        text = routing(store.url, store.url, "shadow")
        with proxy(tmp_path_factory.mktemp("drained"), text) as running, Client(running) as client:
            for _ in range(200):
                client.ask(get())

    with SpoolReader(running.spool) as reader:
        found = list(iter_frames(reader))
        (account,) = reader.accounts().values()

    assert len(found) == 200
    assert account.pending == 0
