"""The access log and spans of a running proxy, sent to a real receiver."""

from __future__ import annotations

import gzip
import http.server
import importlib.util
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typing_extensions import override

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
needs_otel = pytest.mark.skipif(
    importlib.util.find_spec("opentelemetry.sdk") is None
    if importlib.util.find_spec("opentelemetry")
    else True,
    reason="the extra otel is not installed",
)
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def store() -> Iterator[Origin]:
    with origin() as running:
        yield running


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_each_exchange_is_one_line_without_query_and_full_address(
    folder: Path, store: Origin
) -> None:
    log = folder / "access.log"
    env = {"BANYAN_PROXY_ACCESS_LOG": str(log)}
    with proxy(folder, routing(store.url, store.url), workers=2, env=env) as running:
        for n in range(20):
            with Client(running) as client:
                client.ask(get(f"/api/products/{n}/?email=jane@example.org"))
        assert eventually(lambda: len(lines(log)) == 20)
        found = lines(log)

    assert {line["path"] for line in found} == {f"/api/products/{n}/" for n in range(20)}
    assert "jane" not in log.read_text()
    assert {line["client"] for line in found} == {"127.0.0.0"}
    assert {(line["status"], line["domain"], line["side"]) for line in found} == {
        (200, "catalog", "legacy")
    }


def test_a_log_that_was_moved_away_is_made_anew(folder: Path, store: Origin) -> None:
    log, old = folder / "access.log", folder / "access.log.1"
    with (
        proxy(
            folder, routing(store.url, store.url), env={"BANYAN_PROXY_ACCESS_LOG": str(log)}
        ) as running,
        Client(running) as client,
    ):
        client.ask(get())
        assert eventually(lambda: len(lines(log)) == 1)
        log.rename(old)
        client.ask(get())
        moved = eventually(lambda: len(lines(log)) == 1)

    assert moved
    assert len(lines(old)) == 1


def test_a_full_disk_loses_lines_and_counts_them_and_no_request(
    folder: Path, store: Origin
) -> None:
    env = {"BANYAN_PROXY_ACCESS_LOG": "/dev/full"}
    with proxy(folder, routing(store.url, store.url), env=env) as running:
        with Client(running) as client:
            answers = [client.ask(get()).status for _ in range(5)]
        counted = eventually(
            lambda: running.metric("banyan_unobserved_total", where="access_log") == 5
        )

    assert answers == [200] * 5
    assert counted


class Collector(http.server.ThreadingHTTPServer):
    """An OTLP/HTTP receiver: keeps what was sent, by the protocol's own messages."""

    daemon_threads = True
    spans: ClassVar[list[Any]] = []
    resources: ClassVar[list[dict[str, str]]] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415
            ExportTraceServiceRequest,
        )

        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        message = ExportTraceServiceRequest.FromString(data)
        for resource in message.resource_spans:
            Collector.resources.append(
                {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            )
            for scope in resource.scope_spans:
                Collector.spans.extend(scope.spans)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    @override
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    Collector.spans.clear()
    Collector.resources.clear()
    server = Collector(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def tracing(port: int, **more: str) -> dict[str, str]:
    return {
        "BANYAN_PROXY_OTEL": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        **more,
    }


def attributes(span: Any) -> dict[str, Any]:
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes
    }


@needs_otel
def test_an_exchange_is_a_span_between_its_parent_and_the_store(
    folder: Path, store: Origin, collector: Collector
) -> None:
    env = tracing(collector.server_port, OTEL_SERVICE_NAME="shop-edge")
    with (
        proxy(folder, routing(store.url, store.url), env=env) as running,
        Client(running) as client,
    ):
        client.ask(get("/api/products/7/?q=secret", f"traceparent: {PARENT}", "tracestate: a=1"))
        assert eventually(lambda: len(collector.spans) >= 2)
        server, call = sorted(collector.spans, key=lambda span: span.kind)
        (sent,) = store.seen[0].values("traceparent")
        state = store.seen[0].values("tracestate")

    assert server.trace_id.hex() == call.trace_id.hex() == TRACE
    assert server.parent_span_id.hex() == SPAN
    assert call.parent_span_id == server.span_id
    assert sent == f"00-{TRACE}-{call.span_id.hex()}-01"
    assert state == ["a=1"]
    found = attributes(server)
    assert (found["domain"], found["side"], found["stage"]) == ("catalog", "legacy", "legacy")
    assert found["http.response.status_code"] == 200
    assert found["url.path"] == "/api/products/7/"
    assert collector.resources[0]["service.name"] == "shop-edge"


@needs_otel
@pytest.mark.parametrize("parent", [f"00-{TRACE}-{SPAN}-00", "nonsense"])
def test_the_parent_decides_what_is_recorded(
    parent: str, folder: Path, store: Origin, collector: Collector
) -> None:
    env = tracing(collector.server_port)
    with (
        proxy(folder, routing(store.url, store.url), env=env) as running,
        Client(running) as client,
    ):
        client.ask(get("/api/products/7/", f"traceparent: {parent}", "tracestate: a=1"))
        (sent,) = store.seen[0].values("traceparent")
        state = store.seen[0].values("tracestate")
        client.ask(get())
        assert eventually(lambda: len(collector.spans) >= 2)

    if parent == "nonsense":
        assert sent != parent
        assert state == []
    else:
        assert sent == parent
        assert state == ["a=1"]
        assert TRACE not in {span.trace_id.hex() for span in collector.spans}


@needs_otel
def test_a_dead_collector_costs_no_request(folder: Path, store: Origin) -> None:
    with (
        proxy(folder, routing(store.url, store.url), env=tracing(1)) as running,
        Client(running) as client,
    ):
        statuses = {client.ask(get()).status for _ in range(50)}

    assert statuses == {200}


@pytest.mark.parametrize("value", [PARENT, "nonsense", "", "00-1-2-3", PARENT.upper()])
def test_without_tracing_a_trace_passes_untouched(value: str, shop: Proxy, legacy: Origin) -> None:
    with Client(shop) as client:
        client.ask(
            get("/api/products/1/", f"TraceParent: {value}", "tracestate: a=1", "tracestate: b")
        )

    seen = legacy.seen[-1]
    assert seen.values("traceparent") == [value]
    assert seen.values("tracestate") == ["a=1", "b"]
    assert b"TraceParent: " + value.encode() in seen.head
