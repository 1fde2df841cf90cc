"""What the story plays on: processes, files, and the figures it may read."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp

from cutover.demo.commands import Banyan
from cutover.demo.promises import SideChange
from cutover.edge.children import Children, Service, check_ports, end_with_parent
from cutover.edge.services import LOOPBACK, House
from cutover.errors import CutoverError
from proxy.routing.model import Domain, ParityGate
from proxy.storage.tables import load_routing
from shadow_compare.app import open_evidence
from shadow_compare.core.evidence import Accounting, DomainEvidence, MismatchGroup

_TEMPLATE = Path(__file__).with_name("routing.yaml")
_USERS, _REQUESTS_PER_S = 40, 50
_GENTLE_USERS, _GENTLE_REQUESTS_PER_S = 10, 10


class StageError(CutoverError):
    """The story cannot go on."""


@dataclass(frozen=True, slots=True)
class Shopping:
    """What the shoppers lived through."""

    requests: int
    failures: int
    shoppers: int
    reasons: dict[str, int]
    side_changes: tuple[SideChange, ...]


class Stage:
    """Use as an async context manager; leaving it stops every process. Owned by one task.

    Args:
        house: paths, ports and settings of our own processes.
        cache: where the prepared store is kept for the next demo.
        columns: width of what commands print.
    """

    def __init__(self, house: House, cache: Path, columns: int = 110) -> None:
        self.house = house
        self.banyan = Banyan({**os.environ, **house.env, "COLUMNS": str(columns)})  # noqa: TID251 - handed on whole
        self.restarts = 0
        self._cache = cache
        self._children = Children(house.var / "logs", self._on_restart)
        self._store = house.var / "legacy"

    async def __aenter__(self) -> Self:
        check_ports((*self.house.all(), self._store_service()))
        shutil.rmtree(self.house.var, ignore_errors=True)
        self.house.var.mkdir(parents=True)
        text = _TEMPLATE.read_text(encoding="utf-8")
        for default, ours in (("8083", self.house.ports.legacy), ("8082", self.house.ports.core)):
            text = text.replace(f"127.0.0.1:{default}", f"127.0.0.1:{ours}")
        self.rules.write_text(text, encoding="utf-8")
        await self._children.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._children.__aexit__(*exc)

    @property
    def rules(self) -> Path:
        """The desired state that the story edits."""
        return self.house.var / "routing.yaml"

    @property
    def store_database(self) -> str:
        """URL of the legacy store's own database."""
        return f"sqlite:///{self._store / 'oscar.sqlite3'}"

    def url(self, name: str) -> str:
        """Base URL of a process."""
        return self.house.ports.url(name)

    # --- processes ------------------------------------------------------------------------

    async def prepare_store(self, tell: Callable[[str], None]) -> None:
        """Make the store's database, seeded; its own progress lines go to `tell`.

        Raises:
            StageError: the store's one-line reason.
        """
        process = await asyncio.create_subprocess_exec(
            *self._store_argv("prepare"),
            *("--cache", str(self._cache)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        if process.stdout is None or process.stderr is None:  # PIPE was asked for
            raise StageError("the store's output cannot be read")
        try:
            async for line in process.stdout:
                tell(line.decode(errors="replace").strip())
            reason = (await process.stderr.read()).decode(errors="replace").strip()
            code = await process.wait()
        finally:
            if process.returncode is None:  # told to stop while it prepares
                process.kill()
                await process.wait()
        if code != 0:
            raise StageError(reason or "the store could not be prepared")

    async def start_store(self) -> None:
        """Open the legacy store."""
        await self._children.start(self._store_service())

    async def start_core(self) -> None:
        """Start the new core on an empty database."""
        await self._children.start(self.house.core())

    async def start_front(self) -> None:
        """Start proxy, comparer and control room."""
        for service in (self.house.proxy(), self.house.comparer(), self.house.room()):
            await self._children.start(service)

    async def start_shoppers(self) -> None:
        """Let shoppers in, as many as two cores can serve beside everything else."""
        await self._children.start(self._shoppers(_USERS, _REQUESTS_PER_S, record=True))

    async def stop_shoppers(self) -> Shopping:
        """Send the shoppers home and read what they wrote down."""
        await self._children.stop("shoppers")
        summary = json.loads(self._recorded("summary.json").read_text(encoding="utf-8"))
        lines = self._recorded("sides.jsonl").read_text(encoding="utf-8").splitlines()
        return read_shopping(summary, [json.loads(line) for line in lines])

    async def keep_serving(self) -> None:
        """A few shoppers stay, so that the pages live."""
        await self._children.start(
            self._shoppers(_GENTLE_USERS, _GENTLE_REQUESTS_PER_S, record=False)
        )

    def pid(self, name: str) -> int:
        """Process id of a running service."""
        return self._children.pid(name)

    # --- figures --------------------------------------------------------------------------

    async def get_json(self, name: str, path: str) -> Any:
        """GET a path of a process."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as client,
            client.get(self.url(name) + path) as answer,
        ):
            return await answer.json()

    async def evidence(self, domain: str) -> DomainEvidence:
        """What is known of a domain in force."""
        async with open_evidence(self.house.evidence_url) as reader:
            return await reader.domain(self._domain(domain))

    async def groups(self, domain: str) -> Sequence[MismatchGroup]:
        """What differs now, most frequent first."""
        async with open_evidence(self.house.evidence_url) as reader:
            return await reader.groups(domain, current_only=True)

    async def books(self) -> Accounting:
        """The mirrored exchanges of all domains together."""
        table = load_routing(self.house.applied)
        async with open_evidence(self.house.evidence_url) as reader:
            books = [(await reader.domain(d)).accounting for d in table.domains]
        losses: dict[str, int] = {}
        for book in books:
            for reason, count in book.losses.items():
                losses[reason] = losses.get(reason, 0) + count
        return Accounting(
            mirrored=sum(b.mirrored for b in books),
            compared=sum(b.compared for b in books),
            pending=sum(b.pending for b in books),
            losses=losses,
        )

    async def pulse(self) -> str:
        """One line of how things stand."""
        books = await self.books()
        return f"{books.mirrored:,} mirrored, {books.compared:,} compared, {books.lost:,} lost"

    def gate(self, domain: str) -> ParityGate:
        """The parity gate in force.

        Raises:
            StageError: the domain has none.
        """
        gate = self._domain(domain).parity_gate
        if gate is None:
            message = f"domain {domain} has no parity gate"
            raise StageError(message)
        return gate

    # --- details --------------------------------------------------------------------------

    def _domain(self, name: str) -> Domain:
        return load_routing(self.house.applied).domain(name)

    def _store_argv(self, verb: str) -> tuple[str, ...]:
        module = "legacy_adapters.oscar.demo_store.run"
        return (sys.executable, "-m", module, verb, "--dir", str(self._store))

    def _store_service(self) -> Service:
        port = self.house.ports.legacy
        return Service(
            "legacy store",
            (*self._store_argv("serve"), "--listen", f"{LOOPBACK}:{port}"),
            ((LOOPBACK, port),),
            f"{self.url('legacy')}/api/",
            ready_timeout_s=60,
            nice=5,
        )

    def _shoppers(self, users: int, requests_per_s: int, *, record: bool) -> Service:
        command = [sys.executable, "-m", "loadtests.run", "--host", self.url("proxy")]
        command += ["--users", str(users), "--rate", str(requests_per_s)]
        if record:
            command += ["--json-summary", str(self._recorded("summary.json"))]
            command += ["--events", str(self._recorded("sides.jsonl"))]
        return Service("shoppers", tuple(command), nice=5)

    def _recorded(self, name: str) -> Path:
        return self.house.var / f"shoppers-{name}"

    def _on_restart(self, _name: str, _code: int) -> None:
        self.restarts += 1


def read_shopping(summary: dict[str, Any], events: Sequence[dict[str, Any]]) -> Shopping:
    """Turn the shoppers' own files into values.

    Raises:
        StageError: the shoppers were cut off before their last word.
    """
    if not summary["final"]:
        message = "the shoppers' summary is not their last one"
        raise StageError(message)
    return Shopping(
        requests=summary["requests"],
        failures=summary["failures"],
        shoppers=summary["shoppers"],
        reasons=dict(summary["failure_reasons"]),
        side_changes=tuple(
            SideChange(
                shopper=event["shopper"],
                domain=event["domain"],
                old=event["from"],
                new=event["to"],
                last_old_at_s=event["previous_sent_at"],
                first_new_at_s=event["at"],
            )
            for event in events
            if event["kind"] == "side_change"
        ),
    )
