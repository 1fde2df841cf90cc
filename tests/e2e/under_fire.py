"""Shoppers who write down every answer, a hand that flips tables, and one that kills."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from proxy.routing import RoutingTable
from proxy.storage.tables import parse_routing
from tests.integration.proxy.harness import Proxy

PATIENCE_S = 30.0  # a connection may wait for the next worker in a dead one's queue
PAUSE_S = 0.02
REQUESTS_PER_CONNECTION = 60
STEPS = (
    ("legacy", None),
    ("shadow", None),
    ("canary", "1%"),
    ("canary", "10%"),
    ("canary", "50%"),
    ("canary", "90%"),
    ("core", None),
    ("canary", "75%"),
    ("canary", "25%"),
    ("retired", None),
    ("canary", "60%"),
    ("shadow", None),
)
BAD_TABLES = (
    "apiVersion: banyan/v1\nstores: [",
    """\
apiVersion: banyan/v1
stores:
  legacy: {url: "http://127.0.0.1:1"}
  core: {url: "https://127.0.0.1:1", tls: {ca: "/certificates/that/are/not/there.pem"}}
domains: {}
""",
    "apiVersion: banyan/v9\n",
    "",
    "apiVersion: banyan/v1\nstores: {}\ndomains: {}\n",
    'apiVersion: banyan/v1\nstores:\n  legacy: {url: "http://x"}\n  legacy: {url: "http://y"}\n',
)


def table_text(number: int, legacy_port: int, core_port: int) -> str:
    """The table of a number. Its stores are asked under `/tNUMBER`, so that an answer
    which repeats its target says by which table it was forwarded.
    """
    stage, share = STEPS[number % len(STEPS)]
    return f"""\
apiVersion: banyan/v1
stores:
  legacy: {{url: "http://127.0.0.1:{legacy_port}/t{number}"}}
  core: {{url: "http://127.0.0.1:{core_port}/t{number}"}}
shopper: ["cookie:sessionid"]
domains:
  catalog:
    owner: merchandising
    stage: {stage}
    {f"core_share: {share}" if share else "# no share"}
    routes:
      - {{path: "/api/products/", methods: [GET]}}
      - {{path: "/api/products/{{id}}/", methods: [GET]}}
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as its shopper saw it.

    Attributes:
        line: which of all connections carried it.
        served_by: the side by the proxy's word.
        says: the side by the store's word.
        table: by which the request was forwarded.
    """

    request_id: str
    session: str
    line: int
    path: str
    served_by: str
    says: str
    table: int
    at_s: float
    took_s: float


@dataclass(frozen=True, slots=True)
class Lost:
    """A request whose connection broke before the answer was whole."""

    request_id: str
    client_port: int
    at_s: float


@dataclass
class Diary:
    """What all shoppers saw together."""

    answers: list[Answered] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    lines: int = 0

    async def has_seen(self, table: int) -> None:
        """Return when some answer came by this table, or a newer one."""
        looked = 0
        async with asyncio.timeout(PATIENCE_S):
            while not any(answer.table >= table for answer in self.answers[looked:]):
                looked = len(self.answers)
                await asyncio.sleep(PAUSE_S)


class Shopper:
    """One session on one connection at a time. A GET that broke is sent again, as HTTP
    allows, on a new connection.
    """

    def __init__(self, session: str, port: int, diary: Diary) -> None:
        self._session = session
        self._port = port
        self._diary = diary
        self._sent = 0
        self._answered = 0

    async def shop(self, stop: asyncio.Event) -> None:
        """Ask until told to stop."""
        while not stop.is_set():
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._diary.lines += 1
            line, client_port = self._diary.lines, writer.get_extra_info("sockname")[1]
            try:
                for _ in range(REQUESTS_PER_CONNECTION):
                    if stop.is_set() or not await self._ask(reader, writer, line, client_port):
                        break
                    await asyncio.sleep(PAUSE_S)
            finally:
                writer.close()

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        line: int,
        client_port: int,
    ) -> bool:
        """One exchange. False when the connection is of no more use."""
        self._sent += 1
        request_id = f"{self._session}-{self._sent}"
        path = f"/api/products/{self._answered % 50}/"
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S):
                fields = f"Host: shop\r\nCookie: sessionid={self._session}"
                head = f"GET {path} HTTP/1.1\r\n{fields}\r\nX-Request-ID: {request_id}\r\n\r\n"
                writer.write(head.encode())
                answer = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(_value(answer, "Content-Length")))
        except TimeoutError:
            self._diary.failures["no answer in time"] += 1
            return False
        except (OSError, asyncio.IncompleteReadError):
            self._diary.lost.append(Lost(request_id, client_port, time.monotonic()))
            return False
        if not answer.startswith(b"HTTP/1.1 200 "):
            self._diary.failures[answer.split(b"\r\n", 1)[0].decode()] += 1
            return "close" not in _value(answer, "Connection")
        self._answered += 1
        said = json.loads(body)
        found = re.fullmatch(r"/t(\d+)(/.*)", said["target"])
        now = time.monotonic()
        self._diary.answers.append(
            Answered(
                request_id=request_id,
                session=self._session,
                line=line,
                path=path,
                served_by=_value(answer, "X-Served-By"),
                says=said["says"],
                table=int(found[1]) if found and found[2] == path else -1,
                at_s=now,
                took_s=now - began,
            )
        )
        return "close" not in _value(answer, "Connection")


def _value(head: bytes, name: str) -> str:
    found = re.search(rf"(?im)^{name}: *(.*?)\r$", head.decode("latin-1"))
    return found[1] if found else ""


@dataclass
class Hand:
    """Flips tables and kills workers.

    Attributes:
        tables: every good table that was ever written, by its number.
        written_at_s: when.
        doomed: for each kill, the clients' ports whose connections the worker held.
    """

    running: Proxy
    legacy_port: int
    core_port: int
    tables: dict[int, RoutingTable] = field(default_factory=dict)
    written_at_s: dict[int, float] = field(default_factory=dict)
    doomed: list[frozenset[int]] = field(default_factory=list)
    bad_tables: int = 0
    hangups: int = 0

    def flip(self, number: int) -> None:
        """Put the table of a number in force, in one atomic step."""
        text = table_text(number, self.legacy_port, self.core_port)
        self.tables[number] = parse_routing(text.encode(), "routing.yaml")
        self.written_at_s[number] = time.monotonic()
        self._replace(text)

    async def break_table(self, number: int) -> None:
        """Put a table there that does not load; return when the proxy has said so."""
        self.bad_tables += 1
        self._replace(BAD_TABLES[number % len(BAD_TABLES)])
        await self._until(lambda: self._ready()["problem"] is not None)

    async def kill_one(self) -> None:
        """Kill the worker that has lived longest, once all are up, with -9."""
        await self.all_up()
        pid = self._pids()[0]
        # Stopped first, so that it takes no connection between our look and its death.
        os.kill(pid, signal.SIGSTOP)
        await self._until(lambda: _state(pid) == "T")
        self.doomed.append(_client_ports(pid, self.running.port))
        os.kill(pid, signal.SIGKILL)
        await self._until(lambda: pid not in self._pids())

    def hang_up(self) -> None:
        """Ask for a rolling restart."""
        self.hangups += 1
        self.running.process.send_signal(signal.SIGHUP)

    async def all_up(self) -> None:
        """Return when both workers serve."""
        await self._until(lambda: len(self._pids()) == 2)

    async def all_have(self, number: int) -> None:
        """Return when both workers have the table of a number in force, and their parent,
        which gives it to workers that start while the file is broken.
        """
        revision = self.tables[number].revision

        def have() -> bool:
            of_workers = list(self._ready()["revisions"].values())
            return [*of_workers, self.running.door_json("/stages")["revision"]] == [revision] * 3

        await self._until(have)

    def _replace(self, text: str) -> None:
        draft = self.running.config.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(self.running.config)

    def _ready(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = self.running.door_json("/readyz")
        return found

    def _pids(self) -> list[int]:
        """Workers that are up, the oldest first."""
        found = [int(pid) for pid in self._ready()["revisions"]]
        return sorted(found, key=_started_at)

    @staticmethod
    async def _until(check: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await asyncio.to_thread(check):
                await asyncio.sleep(0.02)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def _started_at(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except OSError:
        return 0


def _client_ports(pid: int, proxy_port: int) -> frozenset[int]:
    """Remote ports of the connections to the proxy's port that a process holds."""
    held = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        if found := re.fullmatch(r"socket:\[(\d+)\]", str(fd.readlink())):
            held.add(found[1])
    ports = set()
    for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        columns = row.split()
        local, remote, inode = columns[1], columns[2], columns[9]
        if inode in held and int(local.split(":")[1], 16) == proxy_port:
            ports.add(int(remote.split(":")[1], 16))
    return frozenset(ports)


def went_back(answers: Sequence[Answered]) -> int:
    """How often a connection got an answer by an older table than the one before."""
    newest: dict[int, int] = {}
    count = 0
    for answer in answers:
        count += answer.table < newest.get(answer.line, 0)
        newest[answer.line] = max(answer.table, newest.get(answer.line, 0))
    return count


def lag_s(answers: Sequence[Answered], written_at_s: dict[int, float]) -> float:
    """The longest that an older table still answered after a newer one was written.

    A request keeps the table it began with, so only the time at which it was sent counts.
    """
    worst = 0.0
    for answer in answers:
        following = written_at_s.get(answer.table + 1)
        if following is not None:
            worst = max(worst, answer.at_s - answer.took_s - following)
    return worst
