"""Canaries: made-up personal data goes through the whole platform and is found in no sink."""

from __future__ import annotations

import base64
import gzip
import http.server
import importlib.util
import json
import re
import sys
import threading
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from typing_extensions import override

from loadtests.ports import free_port
from proxy.storage import SpoolReader
from tests.integration.proxy.harness import Client, Proxy, eventually, get, proxy
from tests.support.commands import run_banyan
from tests.support.processes import spawn_process, wait_for_http

pytestmark = pytest.mark.integration

PEOPLE = {
    "card": "4556737586899855",
    "iban": "GB82WEST12345698765432",
    "email": "canary.person@canary.example",
    "phone": "+442079460958",
    "first name": "Canarietta",
    "name": "Canarius Featherstone",
    "street": "Birdcage Walk",
    "session": "canarysession0a1b2c3d4e5f",
    "bearer": "canarybearer9f8e7d6c5b4a",
    "password": "canary-Pa55word",
}
WRITTEN = ("json", "gzip", "form", "parts", "xml")
CARD, IBAN, EMAIL, PHONE, FIRST, NAME, STREET, SESSION, BEARER, PASSWORD = PEOPLE.values()
PERSON = {
    "customer": {"name": NAME, "email": EMAIL, "id": 7},
    "first_name": FIRST,
    "address": {"street": STREET},
    "password": PASSWORD,
    "notes": f"card {CARD}, account {IBAN}, call {PHONE} or {EMAIL}; Bearer {BEARER}",
}


def answers(store: str) -> dict[str, tuple[str, bytes, dict[str, str]]]:
    """What a store answers, by the last part of the path; the two never agree."""
    person = json.dumps({**PERSON, "store": store}).encode()
    page = (
        f'<h1>{store}</h1><input name="email" value="{EMAIL}"><p>{CARD} {IBAN} {PHONE}</p>'
        f'<textarea name="address">{STREET}</textarea><script>s={{"firstName":"{FIRST}"}}</script>'
        f'<a href="/pay?token={BEARER}&amp;email={quote(EMAIL)}">{EMAIL}</a>'
    )
    xml = f"<o><s>{store}</s><Customer><name>{NAME}</name><street>{STREET}</street></Customer></o>"
    form = f"store={store}&email={quote(EMAIL)}&password={PASSWORD}&card={CARD}&name={FIRST}"
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("first_name", FIRST), ("x", f"{store} {EMAIL}"), ("pin", PASSWORD))
    )
    fields = {"Location": f"/next/{EMAIL}?token={BEARER}", "Set-Cookie": f"sid={SESSION}; Path=/"}
    return {
        "json": ("application/json", person, fields),
        "gzip": ("application/json", gzip.compress(person), {"Content-Encoding": "gzip"}),
        "html": ("text/html", page.encode(), {"Link": f'</n?email={EMAIL}>; rel="next"'}),
        "xml": ("application/xml", xml.encode(), {}),
        "form": ("application/x-www-form-urlencoded", form.encode(), {}),
        "parts": ("multipart/form-data; boundary=b", f"{parts}--b--\r\n".encode(), {}),
    }


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        known = answers(self.server.name)  # type: ignore[attr-defined]
        kind, body, fields = known[next((k for k in known if f"/{k}-" in self.path), "json")]
        self.send_response(200)
        for name, value in {**fields, "Content-Type": kind}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """The OTLP receiver: what is sent is kept as it came, unpacked."""
        data = self.rfile.read(int(self.headers["Content-Length"]))
        is_packed = self.headers.get("Content-Encoding") == "gzip"
        self.server.kept.append(gzip.decompress(data) if is_packed else data)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    @override
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(name: str) -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.name, server.kept = name, []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def table(legacy: int, core: int) -> str:
    domains = "".join(
        f"""
  {stage}:
    owner: people
    stage: {stage}
    {"core_share: 50%" if stage == "canary" else f"# {stage}"}
    routes: [{{path: "/{stage}/{{rest...}}", methods: [GET]}}]
    shadow: {{sample: 100%, noise: 100%}}
    compare: {{headers: [location, link]}}
"""
        for stage in ("shadow", "canary", "core")
    )
    domains += """
  orders:
    owner: people
    stage: shadow
    routes: [{path: "/orders/{id}/"}, {path: "/orders/{id}/lines/", methods: [POST]}]
    shadow: {writes: verify, verify: [{read: "/orders/{id}/", after: 100ms}]}
"""
    return (
        f'apiVersion: banyan/v1\nstores:\n  legacy: {{url: "http://127.0.0.1:{legacy}"}}\n'
        f'  core: {{url: "http://127.0.0.1:{core}"}}\n'
        f'shopper: ["cookie:sessionid"]\ndomains:{domains}'
    )


def requests() -> Iterator[bytes]:
    """The same kinds by each route; the canaries in some of the path, query and fields."""
    secret = (
        f"Cookie: sessionid={SESSION}; n={FIRST}",
        f"Authorization: Bearer {BEARER}",
        f"Referer: https://shop.example/{EMAIL}/?token={BEARER}&email={quote(EMAIL, safe='')}",
    )
    for stage in ("shadow", "canary", "core"):
        for kind in answers(""):
            yield get(f"/{stage}/{kind}-1/", *secret, f"X-Note: {CARD} {IBAN}")
        for part in (CARD, EMAIL, quote(EMAIL, safe=""), quote(PHONE, safe=""), IBAN):
            yield get(f"/{stage}/{part}/", *secret, f"X-Request-ID: {CARD}")
        yield get(f"/{stage}/json-1/?email={EMAIL}&password={PASSWORD}&street={quote(STREET)}")
    for number, kind in enumerate(WRITTEN):
        media, body, fields = answers("")[kind]
        # One whose query was hidden cannot be followed by its reads; the others are.
        query = f"?email={EMAIL}" if number == 0 else ""
        head = (
            f"POST /orders/{number}/lines/{query} HTTP/1.1",
            *("Host: shop", *secret, f"Content-Type: {media}", f"Content-Length: {len(body)}"),
            *(f"{name}: {value}" for name, value in fields.items() if name == "Content-Encoding"),
        )
        yield "\r\n".join(head).encode() + b"\r\n\r\n" + body


def spelled(value: str) -> set[bytes]:
    """A value as it may stand in a sink."""
    found = {value, quote(value, safe=""), json.dumps(value)[1:-1], value.replace("@", "\\u0040")}
    found |= {value.replace("@", "&#64;").replace("+", "&#43;"), value.replace(" ", "+")}
    data = {one.encode() for one in found} | {value.encode("utf-16-le")}
    # Base64 of a text within another begins at one of three places.
    return data | {base64.b64encode(b"x" * shift + value.encode())[4:-4] for shift in range(3)}


_CODED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")


def texts(data: bytes, depth: int = 2) -> Iterator[bytes]:
    yield data
    view = memoryview(data)
    for found in _CODED.finditer(data) if depth else ():
        try:
            plain = zlib.decompressobj(47).decompress(view[found.start() :], 8_000_000)
        except zlib.error:
            continue
        yield from texts(plain, depth - 1)


def leaks(sinks: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Which value is found in which sink."""
    return [
        (what, sink)
        for sink, data in sinks.items()
        for what, value in PEOPLE.items()
        if any(one in text for text in texts(data) for one in spelled(value))
    ]


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return bytes(answer.read())


def files(folder: Path, pattern: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob(pattern)
        if path.is_file()
    }


def pages(url: str) -> dict[str, bytes]:
    """What the control room shows, from its first page on, and its JSON."""
    seen: dict[str, bytes] = {}
    waiting = ["/", "/openapi.json"]
    while waiting and len(seen) < 25:
        path = waiting.pop()
        if path in seen:
            continue
        try:
            seen[path] = fetched(url + path)
        except urllib.error.HTTPError as exc:
            seen[path] = exc.read()
        links = re.findall(
            r'(?:href|src|hx-get)="(/[^"#]*)"', seen[path].decode("utf-8", "replace")
        )
        waiting += [link for link in links if "stream" not in link]
        waiting += [f"/api{link}" for link in links if link.startswith("/mismatches/")]
    return seen


def commands(database: str, config: Path) -> dict[str, bytes]:
    """What people read and export of each group."""
    places = ("--config", config, "--database", database)

    def said(*words: str) -> bytes:
        ended = run_banyan("mismatches", *words, *places)
        assert ended.code == 0, ended
        return (ended.out + ended.err).encode()

    listed = run_banyan("mismatches", "--json", "--database", database)
    names = sorted(set(re.findall(r'"(v[0-9]+:[0-9a-f]{16})"', listed.out)))
    assert names, listed
    found = {"mismatches": listed.out.encode()}
    for name in names:
        found[f"har {name}"] = said("har", name)
        assert json.loads(found[f"har {name}"])["log"]["entries"]
    for words in (("show", names[0]), ("show", names[0], "--json")):
        found[" ".join(words)] = said(*words)
    assert "/orders/" in listed.out
    return found


def test_no_canary_is_in_any_sink_of_the_platform(tmp_path: Path) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/evidence.sqlite3"
    metrics, room = free_port(), free_port()
    loud = {"BANYAN_LOG_LEVEL": "DEBUG", "BANYAN_VAR": str(tmp_path / "var")}
    with ExitStack() as stack:
        legacy, core, traces = (stack.enter_context(serving(n)) for n in ("old", "new", "otel"))
        env = {**loud, "BANYAN_PROXY_ACCESS_LOG": str(tmp_path / "access.log")}
        if importlib.util.find_spec("opentelemetry"):
            env["BANYAN_PROXY_OTEL"] = "1"
            env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{traces.server_port}"
        text = table(legacy.server_port, core.server_port)
        shop: Proxy = stack.enter_context(proxy(tmp_path, text, env=env))
        asked = list(requests())
        with Client(shop) as client:
            for request in asked:
                assert client.ask(request).status == 200
        assert eventually(
            lambda: shop.metric("banyan_shadow_total", outcome="spooled") == len(asked)
        )
        # The spool before a reader lets go of it.
        sinks = files(tmp_path, "spool/**/*")
        with SpoolReader(shop.spool) as reader:
            frames = [frame for _, frame in reader.read(1_000)]
        assert len(frames) == len(asked)
        written = [frame.request_body for frame in frames if frame.method == "POST"]
        assert [b"[hmac:" in b"".join(texts(body)) for body in written] == [True] * len(WRITTEN)
        places = ("--config", str(shop.config), "--database", database)
        words = ("-m", "cutover", "compare", *places, "--spool", str(shop.spool))
        stack.enter_context(
            spawn_process(
                [sys.executable, *words, "--listen", f"127.0.0.1:{metrics}"],
                log=tmp_path / "comparer.log", env=loud,
            )
        )  # fmt: skip
        command = [
            sys.executable,
            "-m",
            "cutover",
            "room",
            "--listen",
            f"127.0.0.1:{room}",
            *places,
        ]
        stack.enter_context(
            spawn_process(
                [*command, "--side-door", f"http://127.0.0.1:{shop.door}"],
                log=tmp_path / "room.log", env=loud,
            )
        )  # fmt: skip
        wait_for_http(f"http://127.0.0.1:{metrics}/healthz")

        def ended() -> bool:
            said = fetched(f"http://127.0.0.1:{metrics}/metrics").decode()
            ends = re.findall(r"\nbanyan_(?:compare|shadow_loss)_total\{.*\} (\d+)", said)
            return sum(map(int, ends)) >= len(asked)

        assert eventually(ended, 30)
        # Before anything is folded into the database, its log is there too.
        sinks |= files(tmp_path, "evidence.sqlite3*")
        wait_for_http(f"http://127.0.0.1:{room}/")
        sinks |= pages(f"http://127.0.0.1:{room}")
        sinks |= commands(database, shop.config)
        sinks["comparer's metrics"] = fetched(f"http://127.0.0.1:{metrics}/metrics")
        for path in ("metrics", "readyz"):
            sinks[f"side door, {path}"] = fetched(f"http://127.0.0.1:{shop.door}/{path}")
        if "BANYAN_PROXY_OTEL" in env:
            assert eventually(lambda: bool(traces.kept), 20)
    sinks |= files(tmp_path, "*.log") | files(tmp_path, "evidence.sqlite3*")
    sinks["spans"] = b"".join(traces.kept)

    assert leaks(sinks) == []
    stored = b"".join(data for name, data in sinks.items() if "sqlite3" in name)
    assert stored.count(b"[hmac:") > 50
    assert b"/shadow/json-1/" in sinks["access.log"]
    assert any(name.startswith("/mismatches/") for name in sinks)
    # The search finds what is there, in each spelling: it could have failed.
    for what, value in PEOPLE.items():
        for one in spelled(value):
            planted = b"..." + gzip.compress(b"<" + one + b">")
            assert (what, "planted") in leaks({"planted": planted})
