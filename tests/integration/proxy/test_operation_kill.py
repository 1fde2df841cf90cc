"""The kill switch: three roads, each worker, and with whatever else of ours dead."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.proxy.harness import (
    Client,
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


@pytest.fixture
def moved(folder: Path, store: Origin) -> Iterator[Proxy]:
    """Two workers whose one domain has moved to the core."""
    with proxy(folder, routing(store.url, store.url, "core"), workers=2) as running:
        yield running


def lever(running: Proxy, method: str, path: str, body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.door}{path}", data, headers, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as got:
            return got.status, json.load(got)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def side_of(running: Proxy) -> str | None:
    with Client(running) as client:
        return client.ask(get()).value("x-served-by")


def sides(running: Proxy, count: int = 12) -> set[str | None]:
    """Over so many connections that each worker has some."""
    return {side_of(running) for _ in range(count)}


def all_killed(running: Proxy, *scopes: str) -> bool:
    killed = running.door_json("/readyz")["killed"]
    return len(killed) == 2 and all(tuple(found) == scopes for found in killed.values())


def test_the_side_door_kills_and_releases_in_every_worker(moved: Proxy) -> None:
    status, told = lever(moved, "POST", "/kill", {"scope": "all"})
    during = sides(moved)
    ready = moved.door_json("/readyz")
    explained = moved.door_json("/explain?target=/api/products/1/")
    gauge = moved.metric("banyan_kill_switch", scope="all")
    kept = (moved.config.parent / "kill").read_text()
    gone, released = lever(moved, "DELETE", "/kill")
    after = sides(moved)

    assert (status, gone) == (200, 200)
    assert told["scopes"] == ["all"]
    assert told["kept"]
    assert len(told["workers"]) == 2
    assert during == {"legacy"}
    assert ready["kill"] == ["all"]
    assert ready["ready"]
    assert explained["side"] == "legacy"
    assert gauge == 2
    assert kept == "all\n"
    assert released["scopes"] == []
    assert after == {"core"}


def test_one_domain_is_killed_by_name_and_a_wrong_name_is_refused(moved: Proxy) -> None:
    wrong = lever(moved, "POST", "/kill", {"scope": "domain:cataloge"})
    nonsense = lever(moved, "POST", "/kill", {"scope": "moon"})
    before = sides(moved)
    lever(moved, "POST", "/kill", {"scope": "domain:catalog"})
    during = sides(moved)
    lever(moved, "POST", "/kill", {"scope": "shadow"})
    _, left = lever(moved, "DELETE", "/kill", {"scope": "domain:catalog"})
    after = sides(moved)

    assert wrong[0] == 404
    assert "catalog" in wrong[1]["detail"]
    assert nonsense[0] == 400
    assert before == {"core"}
    assert during == {"legacy"}
    assert left["scopes"] == ["shadow"]
    assert after == {"core"}


def test_a_web_page_cannot_pull_a_lever(moved: Proxy) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{moved.door}/kill", b'{"scope": "all"}', {"Content-Type": "text/plain"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    with refused.value as error:
        code = error.code

    assert code == 415
    assert sides(moved, 2) == {"core"}


@pytest.mark.parametrize("content", ["", "all\n", "what is this?", "domain:catalog", "x" * 70_000])
def test_a_file_kills_even_empty_or_garbled(content: str, moved: Proxy) -> None:
    file = moved.config.parent / "kill"

    file.write_text(content)
    killed = eventually(lambda: sides(moved, 4) == {"legacy"}, 2)
    scopes = moved.door_json("/readyz")["kill"]
    problem = moved.door_json("/readyz")["kill_problem"]
    file.unlink()
    released = eventually(lambda: sides(moved, 4) == {"core"}, 2)

    assert killed
    assert scopes == (["domain:catalog"] if content.startswith("domain") else ["all"])
    assert (problem is not None) == (content[:1] in ("w", "x"))
    assert released


def test_a_file_that_cannot_be_read_kills_everything(moved: Proxy) -> None:
    file = moved.config.parent / "kill"

    file.mkdir()  # root reads every file, so a folder in its place
    killed = eventually(lambda: all_killed(moved, "all"), 2)
    problem = moved.door_json("/readyz")["kill_problem"]
    file.rmdir()
    released = eventually(lambda: all_killed(moved), 2)

    assert killed
    assert "cannot be read" in problem
    assert released


@pytest.mark.parametrize("whom", ["worker", "supervisor"])
def test_a_signal_kills_every_worker(whom: str, moved: Proxy) -> None:
    pid = moved.process.pid if whom == "supervisor" else moved.worker_pids()[0]

    os.kill(pid, signal.SIGUSR1)
    killed = eventually(lambda: all_killed(moved, "all"), 2)

    assert killed
    assert sides(moved) == {"legacy"}
    assert (moved.config.parent / "kill").read_text() == "all\n"


@pytest.mark.parametrize("road", ["file", "signal"])
def test_a_kill_works_with_the_supervisor_killed(road: str, folder: Path, store: Origin) -> None:
    """The workers are finishing what they have; what they still decide is killed too."""
    with proxy(folder, routing(store.url, store.url, "core")) as running:
        (worker,) = running.worker_pids()
        with Client(running) as client:
            before = client.ask(get()).value("x-served-by")
            running.process.kill()
            running.process.wait(5)
            if road == "file":
                (folder / "kill").touch()
                killed = eventually(lambda: "killed from now on: all" in running.log.read_text(), 1)
            else:
                os.kill(worker, signal.SIGUSR1)
                killed = eventually(lambda: "killed from now on: all" in running.log.read_text(), 1)
            after = client.ask(get()).value("x-served-by")

    assert killed
    assert (before, after) == ("core", "legacy")


def test_a_kill_outlives_workers_and_the_proxy(folder: Path, store: Origin) -> None:
    text = routing(store.url, store.url, "core")
    with proxy(folder, text, workers=2) as running:
        lever(running, "POST", "/kill", {"scope": "all"})
        pids = running.worker_pids()
        os.kill(pids[0], signal.SIGKILL)
        assert eventually(lambda: len(set(running.worker_pids()) - set(pids)) == 1)
        restarted = sides(running)
        running.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: running.metric("banyan_worker_replacements_total") == 2, 30)
        replaced = sides(running)
    with proxy(folder, text) as again:
        fresh = sides(again, 2)

    assert restarted == replaced == fresh == {"legacy"}


def test_a_kill_that_cannot_be_written_is_kept_by_the_supervisor(
    folder: Path, store: Origin
) -> None:
    (folder / "taken").mkdir(parents=True)
    nowhere = folder / "taken" / "file"
    nowhere.write_text("")
    env = {"BANYAN_PROXY_KILL_FILE": str(nowhere / "kill")}
    with proxy(folder, routing(store.url, store.url, "core"), workers=2, env=env) as running:
        os.kill(running.worker_pids()[0], signal.SIGUSR1)
        killed = eventually(lambda: all_killed(running, "all"), 2)
        _, state = lever(running, "GET", "/kill")
        pids = running.worker_pids()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not set(running.worker_pids()) & set(pids))
        assert eventually(lambda: len(running.worker_pids()) == 2)
        restarted = sides(running)
        lever(running, "DELETE", "/kill")
        released = sides(running)

    assert killed
    assert state["scopes"] == ["all"]
    assert not state["kept"]
    assert restarted == {"legacy"}
    assert released == {"core"}


def test_a_new_table_does_not_lift_a_kill(moved: Proxy, store: Origin) -> None:
    lever(moved, "POST", "/kill", {"scope": "all"})
    before = moved.door_json("/readyz")["revision"]
    moved.config.write_text(routing(store.url, store.url, "core") + "# another revision\n")
    assert eventually(lambda: moved.door_json("/readyz")["revision"] not in (before, None))

    assert sides(moved) == {"legacy"}


def test_a_hung_worker_is_named_and_the_others_are_killed(moved: Proxy) -> None:
    hung, other = moved.worker_pids()
    os.kill(hung, signal.SIGSTOP)
    try:
        status, told = lever(moved, "POST", "/kill", {"scope": "all"})
    finally:
        os.kill(hung, signal.SIGCONT)
    caught_up = eventually(lambda: all_killed(moved, "all"), 2)

    assert status == 504
    assert told["silent"] == [hung]
    assert list(told["workers"]) == [str(other)]
    assert caught_up
