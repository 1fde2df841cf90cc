"""One table for all workers, those that run and those to come, whatever is on disk."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration.proxy.certificates import Authority, Files, tls_origin
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def store() -> Iterator[Origin]:
    with origin() as running:
        yield running


def replace(running: Proxy, text: str) -> None:
    draft = running.config.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(running.config)


def has_problem(running: Proxy) -> bool:
    return running.door_json("/readyz")["problem"] is not None


def revisions(running: Proxy) -> list[str]:
    return list(running.door_json("/readyz")["revisions"].values())


def has_moved(running: Proxy, revision: str) -> bool:
    return bool(running.door_json("/stages")["revision"] != revision)


def die_and_come_again(running: Proxy, count: int) -> None:
    """Kill a worker; return when its successor serves."""
    before = running.worker_pids()
    os.kill(before[0], signal.SIGKILL)

    def has_come() -> bool:
        # One look: in two, the dead one counts in the first and is missing in the second.
        now = running.worker_pids()
        return len(now) == count and before[0] not in now

    assert eventually(has_come, 30)


def served_by(running: Proxy) -> str | None:
    with Client(running) as client:
        return client.ask(get()).value("x-served-by")


def test_a_worker_that_was_not_looking_gets_the_table_that_a_broken_file_followed(
    folder: Path, store: Origin
) -> None:
    with proxy(folder, routing(store.url, store.url), workers=2) as running:
        sleeper = running.worker_pids()[0]
        os.kill(sleeper, signal.SIGSTOP)
        replace(running, routing(store.url, store.url, "core"))
        first = running.door_json("/stages")["revision"]
        assert eventually(lambda: running.door_json("/stages")["revision"] != first)
        replace(running, "stores: [")
        assert eventually(lambda: has_problem(running))
        wanted = running.door_json("/stages")["revision"]
        os.kill(sleeper, signal.SIGCONT)
        agreed = eventually(lambda: revisions(running) == [wanted] * 2)
        die_and_come_again(running, 2)
        later = revisions(running)

    assert agreed
    assert later == [wanted] * 2


def test_tables_are_taken_in_their_order_and_none_is_left_out(folder: Path, store: Origin) -> None:
    with proxy(folder, routing(store.url, store.url), workers=2) as running:
        sleeper = running.worker_pids()[0]
        os.kill(sleeper, signal.SIGSTOP)
        for stage in ("core", "shadow", "retired", "legacy") * 3:
            before = running.door_json("/stages")["revision"]
            replace(running, routing(store.url, store.url, stage))
            assert eventually(partial(has_moved, running, before))
        replace(running, routing(store.url, store.url, "core"))
        os.kill(sleeper, signal.SIGCONT)
        settled = eventually(
            lambda: (
                running.door_json("/stages")["domains"][0]["stage"] == "core"
                and set(revisions(running)) == {running.door_json("/stages")["revision"]}
            )
        )
        loaded = running.metric("banyan_config_reloads_total", result="loaded")

    assert settled
    assert loaded == 2 * 13


def test_a_table_whose_certificate_is_not_there_waits_outside_until_it_is(
    folder: Path, store: Origin, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with (
        tls_origin(authority.issue("store").server()) as core,
        proxy(folder, routing(store.url, store.url), workers=2) as running,
    ):
        good = running.door_json("/stages")["revision"]
        url = f'core: {{url: "{core.url}"'
        text = routing(store.url, core.url, "core").replace(url, f"{url}, tls: {{ca: late.pem}}")
        replace(running, text)
        assert eventually(lambda: has_problem(running))
        told = running.door_json("/readyz")["problem"]
        die_and_come_again(running, 2)
        during = (revisions(running), running.door_json("/stages")["revision"], served_by(running))
        failed = running.metric("banyan_config_reloads_total", result="failed")
        (folder / "late.pem").write_bytes(authority.certificate.read_bytes())
        came = eventually(lambda: not has_problem(running) and good not in revisions(running))
        after = served_by(running)

    assert "stores.core.tls.ca" in told
    assert "late.pem" in told
    assert "the table cannot be used; the last good one stays" in running.log.read_text()
    assert during == ([good] * 2, good, "legacy")
    assert failed == 1
    assert came
    assert after == "core"


def test_a_table_that_was_refused_does_not_come_back_behind_a_broken_file(
    folder: Path, store: Origin, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with proxy(folder, routing(store.url, store.url)) as running:
        good = running.door_json("/stages")["revision"]
        text = routing(store.url, "https://127.0.0.1:1", "core")
        replace(running, text.replace(':1"', ':1", tls: {ca: late.pem}'))
        assert eventually(lambda: has_problem(running))
        replace(running, "stores: [")
        assert eventually(lambda: "YAML" in running.door_json("/readyz")["problem"])
        (folder / "late.pem").write_bytes(authority.certificate.read_bytes())
        replace(running, routing(store.url, store.url, "shadow"))
        assert eventually(lambda: not has_problem(running) and good not in revisions(running))
        stage = running.door_json("/stages")["domains"][0]["stage"]
        loaded = running.metric("banyan_config_reloads_total", result="loaded")

    assert stage == "shadow"
    assert loaded == 1


def break_file(path: Path, running: Proxy, said: str) -> None:
    path.write_text("-----BEGIN CERTIFICATE-----\nhalf of")
    assert eventually(lambda: said in running.log.read_text())


def test_a_worker_starts_while_the_listeners_certificate_is_broken(
    folder: Path, store: Origin, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    files: Files = authority.issue("shop")
    env = {
        "BANYAN_PROXY_TLS_CERTIFICATE": str(files.certificate),
        "BANYAN_PROXY_TLS_KEY": str(files.key),
    }

    def answer(running: Proxy, context: ssl.SSLContext) -> tuple[bytes, bytes | None]:
        raw = socket.create_connection(("127.0.0.1", running.port), timeout=10)
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as sock:
            sock.sendall(get())
            return Connection(sock).read_until(b"ok")[:12], sock.getpeercert(binary_form=True)

    with proxy(folder, routing(store.url, store.url), env=env) as running:
        # A certificate that came in the meantime is what has to be kept.
        first = answer(running, authority.client())
        authority.issue("shop")
        assert eventually(lambda: answer(running, authority.client()) != first)
        second = answer(running, authority.client())
        assert eventually(lambda: running.log.read_text().count("new certificate") == 2)
        break_file(files.certificate, running, "the listener keeps its last good certificate")
        die_and_come_again(running, 1)
        third = answer(running, authority.client())
        again = authority.issue("shop")
        mended = eventually(lambda: answer(running, authority.client()) != third)

    assert again.certificate == files.certificate
    assert first[0] == third[0] == b"HTTP/1.1 200"
    assert third == second
    assert mended


def test_a_worker_starts_while_a_stores_certificate_is_broken(folder: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    folder.mkdir()
    ca = folder / "ca.pem"
    ca.write_bytes(authority.certificate.read_bytes())
    with tls_origin(authority.issue("store").server()) as store:
        url = f'url: "{store.url}"'
        text = routing(store.url, store.url).replace(url, f"{url}, tls: {{ca: ca.pem}}")
        with proxy(folder, text) as running:
            break_file(ca, running, "the last good files stay in use")
            die_and_come_again(running, 1)
            with Client(running) as client:
                status = client.ask(get()).status

    assert status == 200


def test_connections_of_a_dead_worker_are_served_while_it_has_no_successor(
    folder: Path, store: Origin
) -> None:
    with proxy(folder, routing(store.url, store.url), workers=2) as running:
        key = running.spool / "redaction.key"
        moved = key.rename(folder / "moved")
        key.mkdir()  # nobody can start
        os.kill(running.worker_pids()[0], signal.SIGKILL)
        statuses = []
        for _ in range(60):
            with Client(running) as client:
                statuses.append(client.ask(get()).status)
        alone = eventually(lambda: len(running.worker_pids()) == 1)
        key.rmdir()
        moved.rename(key)
        assert eventually(lambda: len(running.worker_pids()) == 2)
        os.kill(running.worker_pids()[0], signal.SIGKILL)
        for _ in range(60):
            with Client(running) as client:
                statuses.append(client.ask(get()).status)

    assert alone
    assert statuses == [200] * 120


def test_who_minds_a_socket_empties_it_when_the_proxy_stops(folder: Path, store: Origin) -> None:
    with proxy(folder, routing(store.url, store.url), workers=2) as running:
        key = running.spool / "redaction.key"
        key.rename(folder / "moved")
        key.mkdir()
        dead, alive = running.worker_pids()
        os.kill(dead, signal.SIGKILL)
        assert eventually(lambda: running.worker_pids() == [alive])
        with Client(running) as client:
            client.ask(get())
        os.kill(alive, signal.SIGSTOP)
        clients = [Client(running) for _ in range(20)]
        for client in clients:
            client.send(get())
        running.process.terminate()
        os.kill(alive, signal.SIGCONT)
        statuses = [client.read().status for client in clients]
        for client in clients:
            client.sock.close()
        code = running.process.wait(20)

    assert statuses == [200] * 20
    assert code == 0
