"""Clients that people use, through the proxy, to a real server."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import requests
from playwright.sync_api import sync_playwright
from websockets.sync.client import connect

from tests.conformance.real_store import MIB, RealStore, real_store
from tests.integration.proxy.harness import Proxy, proxy, routing

pytestmark = pytest.mark.integration
HERE = Path(__file__).parent
GROWTH_BYTES = 50 * MIB


@pytest.fixture(scope="module")
def store() -> Iterator[RealStore]:
    with real_store() as running:
        yield running


@pytest.fixture(scope="module")
def shop(store: RealStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    url = f"http://127.0.0.1:{store.port}"
    with proxy(tmp_path_factory.mktemp("clients"), routing(url, url)) as running:
        yield running
        assert "Traceback" not in running.log.read_text()


@pytest.fixture
def base(shop: Proxy) -> str:
    return f"http://127.0.0.1:{shop.port}"


def need(command: str) -> str:
    found = shutil.which(command)
    if found is None:
        pytest.skip(f"{command} is not installed")
    return found


def curl(*arguments: str) -> str:
    command = [need("curl"), "-sS", "--max-time", "30", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_curl_gets_an_answer_in_both_versions(base: str) -> None:
    for version in ("--http1.1", "--http1.0"):
        said = json.loads(curl(version, f"{base}/echo?a=1", "-H", "X-A: b"))

        assert (said["method"], said["path"]) == ("GET", "/echo?a=1")
        assert ["X-A", "b"] in said["fields"]


def test_curl_uploads_with_expect_and_in_chunks(base: str, tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(b"x" * 3 * MIB)

    expecting = curl("-T", str(file), "-H", "Expect: 100-continue", f"{base}/sink")
    in_chunks = ("-H", "Transfer-Encoding: chunked", "--data-binary", f"@{file}")
    chunked = curl(*in_chunks, f"{base}/sink")

    assert (expecting, chunked) == (str(3 * MIB), str(3 * MIB))


def test_curl_gets_a_range_a_head_and_a_kept_connection(base: str) -> None:
    part = curl("-r", "2-4", "-w", " %{http_code}", f"{base}/file")
    head = curl("-I", f"{base}/file")
    kept = curl(f"{base}/file", f"{base}/file", "-w", " %{num_connects} ")

    assert part == "234 206"
    assert "Content-Length: 10" in head
    assert kept.split() == ["0123456789", "1", "0123456789", "0"]


def test_requests_keeps_a_session_and_streams(base: str) -> None:
    with requests.Session() as session:
        echoes = [
            session.post(f"{base}/echo", data=b"x" * n).json()["size"] for n in (0, 1, 70_000)
        ]
        streamed = session.post(f"{base}/sink", data=(b"y" * 100 for _ in range(100)))
        with session.get(f"{base}/big/2?chunked=1", stream=True) as got:
            size = sum(len(piece) for piece in got.iter_content(65_536))

    assert echoes == [0, 1, 70_000]
    assert streamed.text == "10000"
    assert size == 2 * MIB


async def test_aiohttp_asks_many_things_at_once(base: str) -> None:
    async with aiohttp.ClientSession(base) as session:
        for number in range(30):
            async with session.put("/echo", params={"n": str(number)}, data=b"z" * number) as got:
                said = await got.json()
            assert (said["size"], said["path"]) == (number, f"/echo?n={number}")


def test_http_client_reads_answer_after_answer(base: str) -> None:
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=10)
    try:
        for method in ("GET", "HEAD", "DELETE", "OPTIONS", "POST"):
            connection.request(method, "/echo", body=b"hi" if method == "POST" else None)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200
            assert (body == b"") is (method == "HEAD")
    finally:
        connection.close()


def test_node_fetches_and_streams(base: str) -> None:
    command = [need("node"), str(HERE / "node_client.mjs"), base]

    said = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)

    assert said == {
        "echo": ["POST", "/echo?a=%20b", 6],
        "parallel": 20,
        "streamed": "50000",
        "head": [200, 0, True],
        "file": [200, 10, True],
        "big": [200, 3 * MIB, True],
    }


def test_a_browser_loads_uploads_and_hears_events(base: str) -> None:
    chromium = need("chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page()
        page.goto(base)
        page.wait_for_function("!document.title.startsWith('shop')", timeout=30_000)
        title = page.title()
        browser.close()

    assert title == "done 70000 206234 1 2"


def test_events_come_while_they_are_news(base: str) -> None:
    heard = []
    with requests.get(f"{base}/events", stream=True, timeout=10) as got:
        for line in got.iter_lines(chunk_size=1):
            if line:
                heard.append(line)
                requests.post(f"{base}/seen", timeout=10)

    assert heard == [b"data: 1", b"data: 2"]


def test_a_websocket_echoes_through_the_proxy(base: str) -> None:
    with connect(f"{base.replace('http', 'ws')}/ws", max_size=16 * MIB) as socket:
        for message in ("hello", b"\0\xff" * 10, "x" * 200_000, b"y" * 3 * MIB):
            socket.send(message)
            assert socket.recv(timeout=10) == message


def test_wrk_sees_no_error(base: str) -> None:
    command = [need("wrk"), "-t1", "-c16", "-d2", f"{base}/file"]

    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert re.search(r"[1-9]\d* requests in", said), said
    assert "Socket errors" not in said
    assert "Non-2xx" not in said


def worker_bytes(shop: Proxy) -> int:
    """Resident memory of all workers at their highest."""
    status = [Path(f"/proc/{pid}/status").read_text() for pid in shop.worker_pids()]
    return sum(int(re.findall(r"VmHWM:\s+(\d+) kB", text)[0]) * 1024 for text in status)


def _down_and_up(shop: Proxy, base: str, mib: int) -> tuple[list[str], int]:
    before = worker_bytes(shop)
    sizes = [
        curl("-o", "/dev/null", "-w", "%{size_download}", f"{base}/big/{mib}"),
        curl("-o", "/dev/null", "-w", "%{size_download}", f"{base}/big/{mib}?chunked=1"),
    ]
    zeros = subprocess.Popen(["head", "-c", str(mib * MIB), "/dev/zero"], stdout=subprocess.PIPE)
    command = [need("curl"), "-sS", "-T", "-", f"{base}/sink"]
    with zeros:
        sent = subprocess.run(command, stdin=zeros.stdout, capture_output=True, check=True)
    sizes.append(sent.stdout.decode())
    return sizes, worker_bytes(shop) - before


def test_a_gigabyte_passes_both_ways_at_constant_memory(shop: Proxy, base: str) -> None:
    sizes, growth = _down_and_up(shop, base, 1_024)

    assert sizes == [str(1_024 * MIB)] * 3
    assert growth < GROWTH_BYTES


def test_a_slow_reader_does_not_fill_the_proxy(shop: Proxy, base: str) -> None:
    before = worker_bytes(shop)

    with requests.get(f"{base}/big/200", stream=True, timeout=10) as got:
        first = next(got.iter_content(10))
        with shop.connect() as other:  # the loop goes round: what could be read was read
            other.sendall(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
            assert other.recv(65_536).startswith(b"HTTP/1.1 200")

    assert first == b"banyan!\nba"
    assert worker_bytes(shop) - before < GROWTH_BYTES
