"""Holding a domain's writes: bounded, confirmed by each worker, released to either side."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
# Whether the path of a request asks `context.holds`; the levers work without.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def store() -> Iterator[Origin]:
    with origin() as running:
        yield running


def writable(legacy: str, core: str, stage: str = "legacy") -> str:
    return routing(legacy, core, stage).replace("methods: [GET]", "methods: [GET, POST]")


def lever(running: Proxy, path: str, **body: object) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.door}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as got:
            return got.status, json.load(got)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def post(body: str = "x=1") -> bytes:
    return (
        get("/api/products/1/", f"Content-Length: {len(body)}").replace(b"GET", b"POST", 1)
        + body.encode()
    )


def waiting(running: Proxy) -> int:
    return sum(hold["waiting"] for hold in running.door_json("/holds")["holds"])


def test_a_hold_is_confirmed_by_every_worker_and_ends_by_itself(
    folder: Path, store: Origin
) -> None:
    with proxy(folder, writable(store.url, store.url), workers=2) as running:
        status, told = lever(running, "/hold", domain="catalog", **{"for": "500ms"})
        during = running.door_json("/holds")["holds"]
        over = eventually(lambda: running.door_json("/holds")["holds"] == [], 5)
        ended = eventually(
            lambda: running.metric("banyan_holds_ended_total", end="expired") == 2, 5
        )
        late, problem = lever(running, "/release", domain="catalog")

    assert status == 200
    assert set(told["workers"].values()) == {0}
    assert len(told["workers"]) == 2
    assert [hold["domain"] for hold in during] == ["catalog"]
    assert over
    assert ended
    assert late == 409
    assert "not held" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"domain": "nowhere", "for": "1s"}, 404),
        ({"domain": "catalog", "for": "1000s"}, 400),
        ({"domain": "catalog", "for": "0"}, 400),
        ({"domain": "catalog", "for": "soon"}, 400),
        ({"domain": "catalog"}, 400),
        ({"for": "1s"}, 400),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused(
    body: dict[str, str], status: int, shop: Proxy
) -> None:
    assert lever(shop, "/hold", **body)[0] == status
    assert shop.door_json("/holds")["holds"] == []


def test_a_worker_that_does_not_confirm_undoes_the_hold(folder: Path, store: Origin) -> None:
    with proxy(folder, writable(store.url, store.url), workers=2) as running:
        hung = running.worker_pids()[0]
        os.kill(hung, signal.SIGSTOP)
        try:
            status, problem = lever(running, "/hold", domain="catalog", **{"for": "20s"})
        finally:
            os.kill(hung, signal.SIGCONT)
        free = eventually(lambda: running.metric("banyan_holds_ended_total", end="released") == 2)

    assert status == 503
    assert str(hung) in problem["detail"]
    assert free


def test_a_worker_that_starts_during_a_hold_holds_as_well(folder: Path, store: Origin) -> None:
    with proxy(folder, writable(store.url, store.url)) as running:
        (pid,) = running.worker_pids()
        lever(running, "/hold", domain="catalog", **{"for": "20s"})
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: running.worker_pids() not in ([], [pid]))
        (hold,) = running.door_json("/holds")["holds"]
        status, _ = lever(running, "/release", domain="catalog")
        released = running.metric("banyan_holds_ended_total", end="released")

    assert list(hold["workers"]) != [str(pid)]
    assert len(hold["workers"]) == 1
    assert status == 200
    assert released == 1


def test_no_upgrade_while_a_domain_is_held(folder: Path, store: Origin) -> None:
    with proxy(folder, writable(store.url, store.url)) as running:
        before = running.worker_pids()
        lever(running, "/hold", domain="catalog", **{"for": "20s"})
        running.process.send_signal(signal.SIGUSR2)
        said = eventually(lambda: "catalog is held" in running.log.read_text())
        status, _ = lever(running, "/release", domain="catalog")
        after = running.worker_pids()

    assert said
    assert status == 200
    assert after == before


def test_held_writes_go_to_the_side_that_the_new_table_says(folder: Path, store: Origin) -> None:
    with origin() as core, proxy(folder, writable(store.url, core.url), workers=2) as running:
        lever(running, "/hold", domain="catalog", **{"for": "20s"})
        clients = [Client(running) for _ in range(6)]
        for n, client in enumerate(clients):
            client.send(post(f"n={n}"))
        assert eventually(lambda: waiting(running) == 6)
        with Client(running) as reader:
            read = reader.ask(get()).value("x-served-by")
        before = running.door_json("/readyz")["revision"]
        running.config.write_text(writable(store.url, core.url, "core"))
        assert eventually(lambda: running.door_json("/readyz")["revision"] not in (before, None))
        lever(running, "/release", domain="catalog")
        answers = [client.read() for client in clients]
        bodies = {seen.body for seen in core.seen}
        for client in clients:
            client.sock.close()

    assert read == "legacy"
    assert [answer.value("x-served-by") for answer in answers] == ["core"] * 6
    assert bodies == {f"n={n}".encode() for n in range(6)}
    assert not [seen for seen in store.seen if seen.line.startswith("POST")]


def test_writes_in_flight_are_told_until_they_have_ended(folder: Path, store: Origin) -> None:
    go_on = threading.Event()

    def script(connection: Connection) -> None:
        connection.read_request()
        go_on.wait(10)
        connection.send(OK)

    store.reset(script)
    with proxy(folder, writable(store.url, store.url)) as running, Client(running) as client:
        client.send(post())
        assert eventually(lambda: store.connections == 1)
        _, told = lever(running, "/hold", domain="catalog", **{"for": "20s"})
        go_on.set()
        client.read()
        drained = eventually(
            lambda: running.door_json("/holds")["holds"][0]["in_flight_writes"] == 0
        )

    assert told["in_flight_writes"] == 1
    assert drained


def test_more_than_the_bound_get_503_at_once(folder: Path, store: Origin) -> None:
    env = {"BANYAN_PROXY_MAX_HELD_REQUESTS": "1"}
    with proxy(folder, writable(store.url, store.url), env=env) as running:
        lever(running, "/hold", domain="catalog", **{"for": "20s"})
        with Client(running) as first, Client(running) as second:
            first.send(post())
            assert eventually(lambda: waiting(running) == 1)
            refused = second.ask(post())
            lever(running, "/release", domain="catalog")
            answered = first.read()

    assert refused.status == 503
    assert refused.value("retry-after")
    assert answered.status == 200


def test_a_shopper_who_leaves_a_hold_makes_room_and_is_not_forwarded(
    folder: Path, store: Origin
) -> None:
    with proxy(folder, writable(store.url, store.url)) as running:
        lever(running, "/hold", domain="catalog", **{"for": "20s"})
        with Client(running) as client:
            client.send(post())
            assert eventually(lambda: waiting(running) == 1)
        left = eventually(lambda: waiting(running) == 0)
        lever(running, "/release", domain="catalog")

    assert left
    assert store.seen == []


def test_a_dead_supervisor_releases_nothing_early(folder: Path, store: Origin) -> None:
    with proxy(folder, writable(store.url, store.url)) as running, Client(running) as client:
        began = time.monotonic()
        lever(running, "/hold", domain="catalog", **{"for": "2s"})
        client.send(post())
        assert eventually(lambda: waiting(running) == 1)
        running.process.kill()
        answer = client.read()
        elapsed_s = time.monotonic() - began

    assert answer.status == 200
    assert elapsed_s >= 1.9


def test_several_domains_are_held_and_released_at_once(folder: Path, store: Origin) -> None:
    with proxy(folder, writable(store.url, store.url), workers=2) as running:
        status, told = lever(running, "/hold", domains=["catalog"], **{"for": "5s"})
        released, over = lever(running, "/release", domains=["catalog"])
        again, late = lever(running, "/release", domains=["catalog"])

    assert (status, [hold["domain"] for hold in told["holds"]]) == (200, ["catalog"])
    assert (released, over) == (200, {"released": True, "over": [], "silent": []})
    assert (again, late["over"]) == (200, ["catalog"])


def test_when_one_of_several_cannot_be_held_none_is(folder: Path, store: Origin) -> None:
    with proxy(folder, writable(store.url, store.url)) as running:
        status, _ = lever(running, "/hold", domains=["catalog", "stock-car"], **{"for": "5s"})
        held = running.door_json("/holds")["holds"]

    assert (status, held) == (404, [])


def test_a_list_of_domains_must_be_one(folder: Path, store: Origin) -> None:
    with proxy(folder, writable(store.url, store.url)) as running:
        status, _ = lever(running, "/hold", domains="catalog", **{"for": "5s"})

    assert status == 400


def test_a_reload_answers_when_every_worker_goes_by_the_new_table(
    folder: Path, store: Origin
) -> None:
    with proxy(folder, writable(store.url, store.url), workers=2) as running:
        before = lever(running, "/reload")[1]["revision"]
        moved = writable(store.url, store.url, "core")
        (folder / "routing.yaml").write_text(moved)
        status, told = lever(running, "/reload")
        revisions = set(running.door_json("/readyz")["revisions"].values())

    assert (status, told["problem"], told["silent"]) == (200, None, [])
    assert told["revision"] != before
    assert revisions == {told["revision"]}


def test_a_reload_of_a_table_that_does_not_load_says_so_and_changes_nothing(
    folder: Path, store: Origin
) -> None:
    with proxy(folder, writable(store.url, store.url)) as running:
        before = lever(running, "/reload")[1]["revision"]
        (folder / "routing.yaml").write_text("no: table")
        _, told = lever(running, "/reload")

    assert told["revision"] == before
    assert told["problem"]


def test_a_read_of_a_route_that_writes_waits_too(folder: Path, store: Origin) -> None:
    basket = '    routes:\n      - {path: "/api/basket/", methods: [GET], writes: true}'
    text = writable(store.url, store.url).replace("    routes:", basket, 1)

    with proxy(folder, text) as running, Client(running) as client, Client(running) as other:
        lever(running, "/hold", domain="catalog", **{"for": "20s"})
        client.send(get("/api/basket/"))
        held = eventually(lambda: waiting(running) == 1)
        read = other.ask(get()).value("x-served-by")
        lever(running, "/release", domain="catalog")
        answer = client.read().value("x-served-by")

    assert held
    assert (read, answer) == ("legacy", "legacy")
