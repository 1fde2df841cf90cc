"""A relay in front of the store that signs answers with a side, as the proxy does."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import override

DROPPED = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(slots=True)
class Relay:
    """A running relay; `side` and `outage` may be changed while it runs."""

    port: int
    side: str = "legacy"
    outage: bool = False


@contextmanager
def relaying(store_port: int) -> Iterator[Relay]:
    """Relay to the store until left."""
    relay = Relay(0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(store_port, lambda: relay))
    server.daemon_threads = False
    relay.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(store_port: int, relay: Callable[[], Relay]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def relay_request(self) -> None:
            now = relay()
            side = now.side
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if now.outage:
                self.reply(503, [("X-Served-By", side)], b"")
                return
            store = http.client.HTTPConnection("127.0.0.1", store_port, timeout=10)
            try:
                store.putrequest(self.command, self.path, skip_host=True)
                for name, value in self.headers.items():
                    store.putheader(name, value)
                store.endheaders(body)
                answer = store.getresponse()
                content = answer.read()
            finally:
                store.close()
            headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in DROPPED]
            self.reply(answer.status, [*headers, ("X-Served-By", side)], content)

        def reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = relay_request  # noqa: N815 - http.server's names

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
