"""What the story plays on: processes, files, and the figures it may read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import aiohttp

from cutover.core.plan import OBSERVED
from cutover.core.revision import from_json
from cutover.demo.bookkeeping import Told
from cutover.demo.commands import Banyan
from cutover.demo.early_release import early_release
from cutover.demo.promises import SideChange, Step
from cutover.edge.children import Children, Service, check_ports, end_with_parent
from cutover.edge.services import LOOPBACK, House
from cutover.errors import CutoverError
from cutover.service.steering import ACTOR
from cutover.settings import COURSE_FILE
from cutover.storage.ledger import RevisionFiles
from legacy_adapters.ports.flips import FlipRecord
from legacy_adapters.storage.flips import SqlFlips, make_flip_engine
from proxy.routing.model import Domain, ParityGate, Side
from proxy.storage.tables import load_routing
from shadow_compare.app import open_evidence
from shadow_compare.core.evidence import Accounting, DomainEvidence, MismatchGroup

_LEGACY_ORDERS = "SELECT number, total_incl_tax FROM order_order"
_CORE_ORDERS = "SELECT number, total_minor / 100.0 FROM sales_order"
_TEMPLATE = Path(__file__).with_name("routing.yaml")
_BUYERS = "10%"
_FACADE = "/facade/oscar"
EARLY, MENDED = "1.0.0", "1.0.1"
# The entry is dated before its table is swapped in; workers follow a swap within a second.
_IN_FORCE_WITHIN_S = 2.0
_USERS, _REQUESTS_PER_S = 40, 40
_GENTLE_USERS, _GENTLE_REQUESTS_PER_S = 10, 10


class StageError(CutoverError):
    """The story cannot go on."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its shopper was told, and whether the core took it."""

    told: Told
    is_from_core: bool


@dataclass(frozen=True, slots=True)
class Shopping:
    """What the shoppers lived through."""

    requests: int
    failures: int
    shoppers: int
    reasons: dict[str, int]
    side_changes: tuple[SideChange, ...]
    orders: tuple[Order, ...]


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
        self._early = contextlib.AsyncExitStack()

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
        await self._early.aclose()

    @property
    def rules(self) -> Path:
        """The desired state that the story edits."""
        return self.house.var / "routing.yaml"

    @property
    def revisions(self) -> Path:
        """The ledger."""
        return self.house.var / "revisions"

    @property
    def store_database(self) -> str:
        """URL of the legacy store's own database."""
        return self.house.env["BANYAN_LEGACY_DATABASE"]

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
            env={**os.environ, **self._store_env},  # noqa: TID251 - handed on whole
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

    async def deploy_early_release(self) -> None:
        """Serve a release of the core with a fault, and name it in the file."""
        url = await self._early.enter_async_context(early_release(self.url("core")))
        self._name_core(self.url("core"), url, EARLY)

    async def deploy_mended_release(self) -> None:
        """Take the faulty one away, and name the core itself in the file."""
        early = load_routing(self.rules).stores[Side.CORE].url
        self._name_core(early.removesuffix(_FACADE), self.url("core"), MENDED)

    async def retire_early_release(self) -> None:
        """Nobody asks it any more."""
        await self._early.aclose()

    def _name_core(self, before: str, after: str, release: str) -> None:
        text = self.rules.read_text(encoding="utf-8").replace(before + _FACADE, after + _FACADE)
        for other in (EARLY, MENDED):
            text = text.replace(f'release: "{other}"', f'release: "{release}"')
        self.rules.write_text(text, encoding="utf-8")

    async def start_front(self) -> None:
        """Start proxy, comparer and control room."""
        for service in (self.house.proxy(), self.house.comparer(), self.house.room()):
            await self._children.start(service)

    async def start_sync(self) -> None:
        """Start what keeps both databases in step."""
        await self._children.start(self.house.sync())

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

    def in_force(self, domain: str) -> Domain:
        """A domain as the proxies follow it."""
        return self._domain(domain)

    def course(self, domain: str) -> str:
        """Why the control room moves a domain, or does not, as it last said."""
        try:
            told = json.loads((self.house.var / COURSE_FILE).read_bytes())
            return str(told["domains"][domain]["because"])
        except (OSError, ValueError, KeyError):
            return "nothing was said yet"

    def taken_by_itself(self) -> tuple[Step, ...]:
        """What the control room moved without a person's word, as the ledger has it."""
        told = (from_json(content).entry for _, content in RevisionFiles(self.revisions).links())
        return tuple(
            Step(name, change, entry.at.timestamp(), entry.at.timestamp() + _IN_FORCE_WITHIN_S)
            for entry in told
            if entry.actor == ACTOR
            for name, _, change in (line.partition(": ") for line in entry.changes)
            if " -> " in change and not change.startswith(OBSERVED)
        )

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

    def orders(self, side: str) -> tuple[Told, ...]:
        """Every order that the database of a side has, read with its own SQL."""
        file, asked = {
            "legacy": (self._store / "oscar.sqlite3", _LEGACY_ORDERS),
            "core": (self.house.var / "core.sqlite3", _CORE_ORDERS),
        }[side]
        with contextlib.closing(
            sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=20)
        ) as database:
            return tuple(
                Told(str(number), _minor(total)) for number, total in database.execute(asked)
            )

    async def last_flip(self, domain: str) -> FlipRecord | None:
        """The latest flip of a domain, as the books have it."""
        engine = make_flip_engine(self.house.env["BANYAN_CORE_DATABASE"])
        try:
            found = await SqlFlips(engine, _now).flips(domain, limit=1)
        finally:
            await engine.dispose()
        return found[0] if found else None

    # --- details --------------------------------------------------------------------------

    def _domain(self, name: str) -> Domain:
        return load_routing(self.house.applied).domain(name)

    def _store_argv(self, verb: str) -> tuple[str, ...]:
        module = "legacy_adapters.oscar.demo_store.run"
        return (sys.executable, "-m", module, verb, "--dir", str(self._store))

    @property
    def _store_env(self) -> dict[str, str]:
        """The store signs its sessions with the secret that the sync is told."""
        return {"LEGACY_SECRET": self.house.env["BANYAN_OSCAR_SECRET_KEY"]}

    def _store_service(self) -> Service:
        port = self.house.ports.legacy
        return Service(
            "legacy store",
            (*self._store_argv("serve"), "--listen", f"{LOOPBACK}:{port}"),
            ((LOOPBACK, port),),
            f"{self.url('legacy')}/api/",
            self._store_env,
            ready_timeout_s=60,
            nice=5,
        )

    def _shoppers(self, users: int, requests_per_s: int, *, record: bool) -> Service:
        command = [sys.executable, "-m", "loadtests.run", "--host", self.url("proxy")]
        command += ["--users", str(users), "--rate", str(requests_per_s), "--buyers", _BUYERS]
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
        orders=tuple(
            Order(Told(event["number"], _minor(event["total"])), event["side"] == "core")
            for event in events
            if event["kind"] == "order"
        ),
    )


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - only shown


def _minor(total: object) -> int:
    return int((Decimal(str(total)) * 100).to_integral_value())
