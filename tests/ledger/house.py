"""A real oscar, the core, proxy and sync as processes, each of which may be killed."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from loadtests.ports import free_port
from tests.ledger.databases import port_of, run, through
from tests.ledger.processes import Coordinator, Proc
from tests.support.mariadb import MariaDb, mariadb_server
from tests.support.postgres import embedded_postgres
from tests.support.processes import wait_for_http
from tests.support.tcp_relay import TcpRelay, tcp_relay

ROUTES = Path(__file__).parents[2] / "cutover/demo/routing.yaml"
_SETTLE_S = 90.0
FLIP = ("--yes", "--without-rehearsal", "the ledger test")
OURS = (sys.executable, "-m", "cutover")


@dataclass
class House:
    """Everything that runs.

    Attributes:
        legacy: URL of oscar's database, as SQLAlchemy names it without a driver.
        core: URL of the core's database.
        env: of processes that reach both databases directly.
        desk_env: of commands; where a database is a server, it is behind a relay.
        maria: the server under oscar, where it is one.
        relays: "sync legacy", "sync core", "desk legacy", "desk core": between who and which
            database, where that is a server.
        compared: sides that a pass was run for while they owned.
        budget: of the next flips, how long writes may wait.
        slower: asks shoppers to rest longer until the next flip is over.
    """

    folder: Path
    legacy: str
    core: str
    env: dict[str, str]
    desk_env: dict[str, str]
    maria: MariaDb | None = None
    procs: dict[str, Proc] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    relays: dict[str, TcpRelay] = field(default_factory=dict)
    compared: set[str] = field(default_factory=set)
    budget: str = "3s"
    slower: Callable[[], None] = lambda: None

    def url(self, name: str) -> str:
        """Base URL of a process."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def banyan(self, *args: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*OURS, *args], env=self.desk_env, check=False, capture_output=True, text=True,
            timeout=timeout_s,
        )  # fmt: skip

    def must(self, *args: str, timeout_s: float = 120) -> str:
        """Run a command that has to succeed; its output."""
        done = self.banyan(*args, timeout_s=timeout_s)
        if done.returncode:
            message = f"banyan {' '.join(args)} ended with {done.returncode}: {done.stderr}"
            raise RuntimeError(f"{message} {done.stdout[-1_000:]}")
        return done.stdout

    def begin(self, side: str) -> Coordinator:
        """Begin a flip."""
        command = (*OURS, "flip", "orders", "--to", side, "--json", "--budget", self.budget, *FLIP)
        return Coordinator.begin(command, self.desk_env, self.folder / "flips.log")

    def revive(self) -> None:
        """Start again what has died, as whoever supervises it would."""
        for proc in self.procs.values():
            if proc.starts and not proc.is_alive:
                proc.start()

    def serve(self) -> None:
        """Start again what has died, and wait until all that answers does."""
        self.revive()
        for proc in self.procs.values():
            if proc.ready:
                wait_for_http(proc.ready, 60)

    def settle(self, *, quiet: bool = False) -> None:
        """Wait until everything that was written before now is on both sides.

        Args:
            quiet: nobody writes, so that nothing may be left that waits.

        Raises:
            TimeoutError: it is not, after a while.
        """
        began_s = time.monotonic()
        status: Any = None
        while time.monotonic() < began_s + _SETTLE_S:
            self.revive()
            done = self.banyan("sync", "status", "--json")
            if done.returncode == 0:
                status = json.loads(done.stdout)
                if _is_through(status, time.monotonic() - began_s, quiet=quiet):
                    return
            time.sleep(0.3)
        raise TimeoutError(f"the streams are not through after {_SETTLE_S:.0f} s: {status}")

    def owner(self) -> str:
        """Who owns orders, as the control row says."""
        rows = run(self.core, "SELECT owner FROM mig_domain WHERE domain = 'orders'")
        return str(rows[0][0]) if rows else "legacy"

    def phase(self) -> str:
        """Of the domain orders: owned, or where a flip of it stands."""
        rows = run(self.core, "SELECT phase FROM mig_domain WHERE domain = 'orders'")
        return str(rows[0][0]) if rows else "owned"

    def gates(self) -> dict[str, str]:
        """Whom each database lets write orders."""
        asked = "SELECT owner FROM mig_fence WHERE domain = 'orders'"
        return {
            side: str(run(url, asked)[0][0])
            for side, url in (("legacy", self.legacy), ("core", self.core))
        }

    def parked(self) -> int:
        """Aggregates of orders that cannot be taken across."""
        asked = "SELECT COUNT(*) FROM mig_parked WHERE domain = 'orders'"
        return int(run(self.core, asked)[0][0])

    def problems(self) -> str:
        """What both streams say stands in their way."""
        found = run(self.core, "SELECT problem FROM mig_checkpoint ORDER BY stream")
        return "; ".join(str(row[0]) for row in found if row[0])

    def stop(self) -> None:
        """End all that was started here, those who write first."""
        for name in ("proxy", "store", "sync", "core"):
            if name in self.procs:
                self.procs[name].stop()


def _is_through(status: Any, waited_s: float, *, quiet: bool) -> bool:
    """Whether heartbeats of both streams that were sent since then have come across."""
    return all(
        not one["problem"]
        and not (quiet and any(part["dirty"] for part in one["domains"]))
        and one["heartbeat_age_s"] is not None
        and one["heartbeat_age_s"] < waited_s
        for one in status
    )


@contextmanager
def house(folder: Path, legacy: str, core: str) -> Iterator[House]:
    """Everything up, filled, in step, and owned by the legacy.

    Args:
        folder: for all files.
        legacy: "sqlite", "postgresql" or "mariadb".
        core: "sqlite" or "postgresql".
    """
    with ExitStack() as stack:
        port = stack.enter_context(embedded_postgres()) if "postgresql" in {legacy, core} else 0
        for name in ("oscar", "core") if port else ():
            admin = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            asyncio.run(_execute(admin, f"CREATE DATABASE {name}"))
        maria = stack.enter_context(mariadb_server()) if legacy == "mariadb" else None
        if maria is not None:
            maria.run("CREATE DATABASE oscar CHARACTER SET utf8mb4")
        urls = {
            "sqlite": f"sqlite:///{folder}/store/oscar.sqlite3",
            "postgresql": f"postgresql://postgres@127.0.0.1:{port}/oscar",
            "mariadb": f"mysql://root@127.0.0.1:{maria.port}/oscar" if maria else "",
        }
        cores = {
            "sqlite": f"sqlite:///{folder}/core.sqlite3",
            "postgresql": f"postgresql://postgres@127.0.0.1:{port}/core",
        }
        sides = {"legacy": urls[legacy], "core": cores[core]}
        relays = {
            f"{who} {side}": stack.enter_context(tcp_relay(port_of(url)))
            for who in ("sync", "desk")
            for side, url in sides.items()
            if port_of(url)
        }
        made = _make(folder, sides, relays, maria)
        stack.callback(made.stop)
        _open(made)
        yield made


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _make(
    folder: Path, sides: dict[str, str], relays: dict[str, TcpRelay], maria: MariaDb | None
) -> House:
    names = ("proxy", "side_door", "core", "store", "room")
    ports = {name: free_port() for name in names}
    secret = secrets.token_urlsafe(32)
    env = {
        **os.environ,
        "BANYAN_VAR": str(folder / "var"),
        "BANYAN_LEGACY_DATABASE": sides["legacy"],
        "BANYAN_CORE_DATABASE": sides["core"],
        "BANYAN_OSCAR_SECRET_KEY": secret,
        "BANYAN_SIDE_DOOR": f"http://127.0.0.1:{ports['side_door']}",
        "BANYAN_CORE_PORT": str(ports["core"]),
        "BANYAN_ACTOR": "ledger",
        "LEGACY_SECRET": secret,
        "PYTHONUNBUFFERED": "1",
    }
    if not sides["legacy"].startswith("sqlite"):
        env["LEGACY_DB"] = sides["legacy"]

    def behind(who: str) -> dict[str, str]:
        reached = {
            side: through(url, relays[f"{who} {side}"].port) if f"{who} {side}" in relays else url
            for side, url in sides.items()
        }
        more = {f"BANYAN_{side.upper()}_DATABASE": url for side, url in reached.items()}
        return {**env, **more}

    made = House(
        folder, sides["legacy"], sides["core"], env, behind("desk"), maria, ports=ports,
        relays=relays,
    )  # fmt: skip
    store = (sys.executable, "-m", "legacy_adapters.oscar.demo_store.run")
    folder_args = ("--dir", str(folder / "store"))
    text = ROUTES.read_text(encoding="utf-8")
    for default, name in (("8083", "store"), ("8082", "core")):
        text = text.replace(f"127.0.0.1:{default}", f"127.0.0.1:{ports[name]}")
    (folder / "routing.yaml").write_text(text, encoding="utf-8")

    def proc(name: str, *command: str, ready: str = "") -> None:
        reach = behind("sync") if name == "sync" else env
        made.procs[name] = Proc(name, command, reach, folder / f"{name}.log", ready)

    proc("store", *store, "serve", *folder_args, "--listen", f"127.0.0.1:{ports['store']}",
         ready=f"{made.url('store')}/api/")  # fmt: skip
    proc("core", *OURS, "core", "--listen", f"127.0.0.1:{ports['core']}",
         ready=f"{made.url('core')}/readyz")  # fmt: skip
    proc("sync", *OURS, "sync", "run")
    proc("proxy", *OURS, "proxy", "--config", str(folder / "var/applied.yaml"),
         "--listen", f"127.0.0.1:{ports['proxy']}", "--spool", str(folder / "var/spool"),
         "--side-door", f"127.0.0.1:{ports['side_door']}", "--workers", "2",
         ready=f"{made.url('side_door')}/readyz")  # fmt: skip
    return made


def _open(made: House) -> None:
    store = (sys.executable, "-m", "legacy_adapters.oscar.demo_store.run", "prepare")
    cache = Path("var/cache/demo-store").resolve()
    subprocess.run(
        [*store, "--dir", str(made.folder / "store"), "--cache", str(cache)],
        check=True, env=made.env, stdout=subprocess.DEVNULL, timeout=180,
    )  # fmt: skip
    run(made.legacy, "UPDATE partner_stockrecord SET num_in_stock = 1000000")
    made.procs["core"].start()
    made.must("backfill", "--from", made.legacy)
    made.must("sync", "install")
    made.procs["sync"].start()
    made.must("sync", "backfill")
    made.settle(quiet=True)
    made.must("reconcile", "--full")
    made.compared.add("legacy")
    made.procs["store"].start()
    rules = ("--config", str(made.folder / "routing.yaml"))
    made.must("apply", *rules, "--yes", "--reason", "the ledger begins")
    made.procs["proxy"].start()
