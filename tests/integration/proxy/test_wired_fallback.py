"""Legacy steps in for the core: for each reason, for reads alone, and never too late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from loadtests.ports import free_port
from tests.integration.proxy.harness import (
    OK,
    Answer,
    Client,
    Connection,
    Origin,
    Proxy,
    Script,
    eventually,
    get,
    origin,
    proxy,
)

pytestmark = pytest.mark.integration
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
TABLE = """
apiVersion: banyan/v1
stores:
  legacy: {{url: "{legacy}"}}
  core: {{url: "{core}", {more}}}
shopper: ["header:Session-Id"]
domains:
  catalog:
    owner: a
    stage: core
    fallback: legacy
    routes: [{{path: "/x/", methods: [GET, POST, PUT]}}]
  alone:
    owner: a
    stage: core
    routes: [{{path: "/alone/", methods: [GET]}}]
"""
QUICK = "timeouts: {connect: 2s, first_byte: 300ms}"
POST = get("/x/", "Content-Length: 1").replace(b"GET", b"POST", 1) + b"x"


@dataclass
class Shop:
    proxy: Proxy
    legacy: Origin
    core: Origin

    def ask(self, data: bytes = get("/x/")) -> Answer:
        with Client(self.proxy) as client:
            return client.ask(data)

    def fallbacks(self, reason: str) -> float:
        return self.proxy.metric("banyan_fallback_total", domain="catalog", reason=reason)


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with origin() as legacy, origin() as core:
        text = TABLE.format(legacy=legacy.url, core=core.url, more=QUICK)
        with proxy(tmp_path_factory.mktemp("fallback"), text) as running:
            yield Shop(running, legacy, core)


@pytest.fixture
def shop(_running: Shop) -> Shop:
    _running.legacy.reset()
    _running.core.reset()
    return _running


def hang(connection: Connection) -> None:
    connection.read_request()
    connection.is_ended(20)


def hang_up(connection: Connection) -> None:
    connection.read_request()


def half_a_head(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-")


@pytest.mark.parametrize(
    ("script", "reason"),
    [(hang, "timeout"), (hang_up, "broken"), (half_a_head, "broken")],
)
def test_a_read_that_the_core_leaves_unanswered_is_legacys(
    shop: Shop, script: Script, reason: str
) -> None:
    shop.core.reset(script)
    before = shop.fallbacks(reason)
    answer = shop.ask(get("/x/?q=1", "X-Mark: kept"))

    assert (answer.status, answer.value("x-served-by")) == (200, "legacy")
    assert shop.legacy.seen[0].line == "GET /x/?q=1 HTTP/1.1"
    assert shop.legacy.seen[0].values("x-mark") == ["kept"]
    assert shop.fallbacks(reason) == before + 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_status_that_says_the_core_is_down_is_legacys_too(shop: Shop, status: int) -> None:
    shop.core.reset(shop.core.answering(BUSY.replace(b"503", b"%d" % status)))
    before = shop.fallbacks("status")
    with Client(shop.proxy) as client:
        answers = [client.ask(get("/x/")), client.ask(get("/x/"))]

    assert [answer.value("x-served-by") for answer in answers] == ["legacy", "legacy"]
    assert [answer.body for answer in answers] == [b"ok", b"ok"]
    assert shop.fallbacks("status") == before + 2


def test_an_error_of_the_cores_own_stays_the_cores(shop: Shop) -> None:
    shop.core.reset(shop.core.answering(BUSY.replace(b"503", b"500")))
    answer = shop.ask()

    assert (answer.status, answer.value("x-served-by"), answer.body) == (500, "core", b"busy")
    assert shop.legacy.seen == []


def test_both_stores_failing_is_legacys_failure(shop: Shop) -> None:
    shop.core.reset(hang_up)
    shop.legacy.reset(shop.legacy.answering(BUSY))
    answer = shop.ask()

    assert (answer.status, answer.value("x-served-by"), answer.body) == (503, "legacy", b"busy")


@pytest.mark.parametrize("script", [hang, hang_up])
@pytest.mark.parametrize(
    "data",
    [POST, POST.replace(b"POST", b"PUT", 1), POST.replace(b"POST", b"GET", 1)],
    ids=["POST", "PUT", "GET with a body"],
)
def test_what_may_have_been_done_is_not_done_again(shop: Shop, data: bytes, script: Script) -> None:
    shop.core.reset(script)
    answer = shop.ask(data)

    assert answer.status in (502, 504)
    assert shop.legacy.seen == []


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"GET"])
def test_what_legacy_may_not_answer_hears_what_the_core_says(shop: Shop, method: bytes) -> None:
    shop.core.reset(shop.core.answering(BUSY))
    answer = shop.ask(POST.replace(b"POST", method, 1))

    assert (answer.status, answer.value("x-served-by"), answer.body) == (503, "core", b"busy")
    assert shop.legacy.seen == []


def test_a_domain_that_did_not_ask_for_it_has_no_fallback(shop: Shop) -> None:
    shop.core.reset(hang_up)

    assert shop.ask(get("/alone/")).status == 502
    assert shop.legacy.seen == []


def test_an_answer_that_has_begun_is_cut_off_and_not_mixed(shop: Shop) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    shop.core.reset(script)
    with Client(shop.proxy) as client:
        client.send(get("/x/"))
        head = client.read_head()
        with pytest.raises(ConnectionResetError):
            client.rest()

    assert head.startswith(b"HTTP/1.1 200 ")
    assert shop.legacy.seen == []


def test_interim_answers_of_the_core_do_not_keep_legacy_away(shop: Shop) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + BUSY)

    shop.core.reset(script)
    answer = shop.ask()

    assert (answer.status, answer.value("x-served-by")) == (200, "legacy")


def test_a_core_that_is_not_there_is_legacys(tmp_path: Path) -> None:
    with origin() as legacy:
        text = TABLE.format(legacy=legacy.url, core=f"http://127.0.0.1:{free_port()}", more=QUICK)
        with proxy(tmp_path / "down", text) as running:
            shop = Shop(running, legacy, legacy)
            answer, write = shop.ask(), shop.ask(POST)
            counted = shop.fallbacks("connect")

        assert (answer.status, answer.value("x-served-by")) == (200, "legacy")
        assert write.status == 502
        assert counted == 1
        assert [seen.line.split()[0] for seen in legacy.seen] == ["GET"]


def test_a_core_that_is_left_alone_is_legacys(tmp_path: Path) -> None:
    more = "breaker: {failures: 50%, min_requests: 4, window: 10s, open: 30s}"
    with origin() as legacy, origin() as core:
        core.reset(core.answering(BUSY))
        text = TABLE.format(legacy=legacy.url, core=core.url, more=more)
        with proxy(tmp_path / "broken", text) as running:
            shop = Shop(running, legacy, core)
            sides = {shop.ask().value("x-served-by") for _ in range(12)}
            asked = len(core.seen)
            write = shop.ask(POST)
            counted = shop.fallbacks("breaker_open")

        assert sides == {"legacy"}
        assert asked == 4
        assert (write.status, write.value("retry-after") is not None) == (503, True)
        assert counted == 8
        assert len(core.seen) == 4


def test_a_core_that_is_full_is_legacys(tmp_path: Path) -> None:
    with origin() as legacy, origin() as core:
        core.reset(hang)
        text = TABLE.format(legacy=legacy.url, core=core.url, more="max_in_flight: 1")
        with proxy(tmp_path / "busy", text) as running, Client(running) as first:
            shop = Shop(running, legacy, core)
            first.send(get("/x/"))
            assert eventually(lambda: core.connections == 1)
            answer = shop.ask()
            counted = shop.fallbacks("busy")

        assert answer.value("x-served-by") == "legacy"
        assert counted == 1


def test_the_cores_total_time_is_not_legacys(tmp_path: Path) -> None:
    def slowly(connection: Connection) -> None:
        connection.read_request()
        connection.sock.settimeout(1.2)
        assert not connection.is_ended(1.2)
        connection.send(OK)

    with origin() as legacy, origin() as core:
        core.reset(hang)
        legacy.reset(slowly)
        text = TABLE.format(legacy=legacy.url, core=core.url, more="timeouts: {total: 300ms}")
        with proxy(tmp_path / "total", text) as running:
            answer = Shop(running, legacy, core).ask()

        assert (answer.status, answer.value("x-served-by")) == (200, "legacy")
