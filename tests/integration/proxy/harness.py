"""A real proxy between raw sockets: a store that does what a test says, a client that
sends what a test writes.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.support.processes import spawn_process, wait_for_http

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Seen:
    """A request as a store read it."""

    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def fields(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(n, v.strip()) for n, _, v in (line.partition(":") for line in lines if line)]

    def values(self, name: str) -> list[str]:
        return [value for n, value in self.fields if n.lower() == name.lower()]


class Connection:
    """One connection that a store accepted."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""

    def read_until(self, mark: bytes) -> bytes:
        """Up to and with `mark`; raises ConnectionError at the end of the stream."""
        while mark not in self.buffer:
            self._more()
        at = self.buffer.index(mark) + len(mark)
        out, self.buffer = self.buffer[:at], self.buffer[at:]
        return out

    def read_exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        out, self.buffer = self.buffer[:size], self.buffer[size:]
        return out

    def read_request(self) -> Seen:
        head = self.read_until(b"\r\n\r\n")
        seen = Seen(head, b"")
        if length := seen.values("content-length"):
            seen.body = self.read_exactly(int(length[0]))
        elif seen.values("transfer-encoding"):
            while size := int(self.read_until(b"\r\n"), 16):
                seen.body += self.read_exactly(size + 2)[:-2]
            self.read_until(b"\r\n")
        return seen

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def is_ended(self, timeout_s: float = 5) -> bool:
        """Whether the other end closes within the time."""
        self.sock.settimeout(timeout_s)
        try:
            while self.sock.recv(65_536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def _more(self) -> None:
        data = self.sock.recv(1 << 20)
        if not data:
            raise ConnectionError
        self.buffer += data


Script = Callable[[Connection], None]


class Origin:
    """A store that runs a script for each connection, and remembers what it read."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.listener.getsockname()[1]
        self.seen: list[Seen] = []
        self.connections = 0
        self.ended = threading.Event()
        self.script: Script = self.answering(OK)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._guard = threading.Lock()  # a test resets while a connection is being accepted
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self, script: Script | None = None) -> None:
        """Another script from now on; connections that run the old one end."""
        self._end_connections()
        time.sleep(0.02)  # for the proxy to see them end
        self.seen.clear()
        self.connections = 0
        self.ended.clear()
        self.script = script or self.answering(OK)

    def answering(self, *answers: bytes) -> Script:
        """Answer each request with the next of these, the last one for ever."""

        def script(connection: Connection) -> None:
            for n in range(1_000_000):
                self.seen.append(connection.read_request())
                connection.send(answers[min(n, len(answers) - 1)])

        return script

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._accepting.join()
        self._end_connections()

    def _end_connections(self) -> None:
        with self._guard:
            open_, self._open = self._open, []
            threads, self._threads = self._threads, []
        for sock in open_:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,))
            with self._guard:
                self.connections += 1
                self._open.append(sock)
                thread.start()
                self._threads.append(thread)

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            try:
                self.script(Connection(sock))
            except OSError:
                pass
            finally:
                self.ended.set()


@contextlib.contextmanager
def origin() -> Iterator[Origin]:
    server = Origin()
    try:
        yield server
    finally:
        server.close()


@dataclass
class Proxy:
    """A proxy process and where it listens."""

    process: subprocess.Popen[bytes]
    port: int
    door: int
    spool: Path
    config: Path
    log: Path
    extra: dict[str, Any] = field(default_factory=dict)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def door_json(self, path: str) -> Any:
        """GET on the side door, whatever the status."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.door}{path}", timeout=10) as got:
                return json.load(got)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def metrics(self) -> dict[str, float]:
        """Samples by name with labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.door}/metrics", timeout=10) as got:
            lines = got.read().decode().splitlines()
        rows = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def metric(self, name: str, **labels: str) -> float:
        """Sum over all samples of a metric that carry these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            value
            for sample, value in self.metrics().items()
            if sample.split("{")[0] == name and all(label in sample for label in wanted)
        )

    def worker_pids(self) -> list[int]:
        return sorted(int(pid) for pid in self.door_json("/readyz")["revisions"])


ROUTING = """\
apiVersion: banyan/v1
stores:
  legacy: {{url: "{legacy}"}}
  core: {{url: "{core}"}}
shopper: ["header:Session-Id", "cookie:sessionid"]
domains:
  catalog:
    owner: merchandising
    stage: {stage}
    {share}
    pilots: [{{header: {{X-Banyan-Pilot: internal}}}}]
    routes:
      - {{path: "/api/products/", methods: [GET]}}
      - {{path: "/api/products/{{id}}/", methods: [GET]}}
"""


def routing(legacy: str, core: str, stage: str = "legacy", share: str = "") -> str:
    """A small routing file. `share`, such as "50%", belongs to stage canary."""
    line = f"core_share: {share}" if share else f"# {stage}"
    return ROUTING.format(legacy=legacy, core=core, stage=stage, share=line)


@contextlib.contextmanager
def proxy(
    folder: Path, text: str, *, workers: int = 1, env: Mapping[str, str] | None = None
) -> Iterator[Proxy]:
    """Run a proxy on free ports until the test is done with it."""
    folder.mkdir(parents=True, exist_ok=True)
    config, log, spool = folder / "routing.yaml", folder / "proxy.log", folder / "spool"
    config.write_text(text)
    log.write_text("")
    command = [sys.executable, "-m", "proxy", "--config", str(config), "--spool", str(spool)]
    command += ["--listen", "127.0.0.1:0", "--side-door", "127.0.0.1:0", "--workers", str(workers)]
    # A kill file of whoever runs the tests must not decide them.
    env = {"BANYAN_PROXY_KILL_FILE": str(folder / "kill"), **(env or {})}
    with spawn_process(command, log=log, env=env) as process:
        port, door = _ports(process, log)
        wait_for_http(f"http://127.0.0.1:{door}/readyz", 30)
        yield Proxy(process, port, door, spool, config, log)


def _ports(process: subprocess.Popen[bytes], log: Path) -> tuple[int, int]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = re.search(
            r"Listening on https?://\S+:(\d+), side door http://\S+:(\d+)", log.read_text()
        )
        if found:
            return int(found[1]), int(found[2])
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise TimeoutError(log.read_text())


@dataclass
class Answer:
    """An answer as a client read it."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def fields(self) -> list[tuple[str, str]]:
        return Seen(self.head, b"").fields

    def value(self, name: str) -> str | None:
        values = Seen(self.head, b"").values(name)
        return values[0] if values else None


class Client:
    """Sends bytes, reads answers. `with Client(proxy) as client: ...`"""

    def __init__(self, to: Proxy) -> None:
        self.sock = to.connect()
        self._connection = Connection(self.sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self, *, is_head: bool = False) -> Answer:
        """One final answer; interim ones are read over."""
        while True:
            head = self._connection.read_until(b"\r\n\r\n")
            answer = Answer(head, b"")
            if answer.status >= 200:
                break
        length = answer.value("content-length")
        if is_head or answer.status in (204, 304):
            return answer
        if length is not None:
            answer.body = self._connection.read_exactly(int(length))
        elif answer.value("transfer-encoding"):
            while size := int(self._connection.read_until(b"\r\n"), 16):
                answer.body += self._connection.read_exactly(size + 2)[:-2]
            self._connection.read_until(b"\r\n")
        else:
            answer.body = self.rest()
        return answer

    def read_head(self) -> bytes:
        return self._connection.read_until(b"\r\n\r\n")

    def rest(self) -> bytes:
        """Everything until the connection ends. Raises ConnectionResetError on a reset."""
        out = self._connection.buffer
        self._connection.buffer = b""
        while data := self.sock.recv(65_536):
            out += data
        return out

    def ask(self, data: bytes) -> Answer:
        self.send(data)
        return self.read(is_head=data.startswith(b"HEAD"))

    def is_closed(self, timeout_s: float = 5) -> bool:
        return self._connection.is_ended(timeout_s)


def get(path: str = "/api/products/1/", *fields: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: shop.example", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def eventually(check: Callable[[], bool], timeout_s: float = 10) -> bool:
    """Whether `check` comes true in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.02)
    return check()
