"""A whole house for the bench of flips: a real oscar, the core, sync and proxy, as processes."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtests.bench_data_servers import query
from loadtests.bench_data_stores import STORE, Say, Stores, stores
from loadtests.bench_processes import wait_for
from loadtests.ports import free_port

_ROUTES = Path(__file__).parents[1] / "cutover/demo/routing.yaml"
_PLENTY = 1_000_000
_READY_S = 60.0


@dataclass(frozen=True, slots=True)
class House:
    """Everything up, filled and in step.

    Attributes:
        proxy: base URL of the shoppers' door.
    """

    stores: Stores
    proxy: str

    def owner(self) -> str:
        """Who owns orders."""
        rows = query(self.stores.core, "SELECT owner FROM mig_domain WHERE domain = 'orders'")
        return str(rows[0][0]) if rows else "legacy"


@contextmanager
def house(folder: Path, legacy: str, say: Say, environment: Mapping[str, str]) -> Iterator[House]:
    """A house over a legacy ("postgresql" or "mariadb") and a core on PostgreSQL.

    Raises:
        BenchError: something does not come up.
    """
    with stores(folder, legacy, say, environment) as made:
        names = ("proxy", "side_door", "core", "store")
        ports = {name: free_port() for name in names}
        secret = secrets.token_urlsafe(32)
        made.env |= {
            "BANYAN_OSCAR_SECRET_KEY": secret, "LEGACY_SECRET": secret,
            "BANYAN_SIDE_DOOR": f"http://127.0.0.1:{ports['side_door']}",
            "BANYAN_CORE_PORT": str(ports["core"]),
        }  # fmt: skip
        _fill(made)
        _serve(made, ports)
        say(f"{legacy}: store, core, sync and proxy are up, both sides equal")
        yield House(made, f"http://127.0.0.1:{ports['proxy']}")


def _fill(made: Stores) -> None:
    query(made.legacy, f"UPDATE partner_stockrecord SET num_in_stock = {_PLENTY}")  # noqa: S608
    made.banyan("backfill", "--from", made.legacy)
    made.begin_sync()
    made.settle()
    made.banyan("sync", "backfill")
    made.settle()
    made.banyan("reconcile", "--full")


def _serve(made: Stores, ports: Mapping[str, int]) -> None:
    def start(name: str, ready: str, *command: str) -> None:
        made.processes.start(sys.executable, "-m", *command, env=made.env, log=f"{name}.log")
        wait_for(f"http://127.0.0.1:{ready}", _READY_S)

    def at(name: str) -> str:
        return f"127.0.0.1:{ports[name]}"

    start("core", f"{ports['core']}/readyz", "cutover", "core", "--listen", at("core"))
    start(
        "store", f"{ports['store']}/api/", STORE, "serve", "--dir", str(made.folder / "store"),
        "--listen", at("store"),
    )  # fmt: skip
    text = _ROUTES.read_text(encoding="utf-8")
    for default, name in (("8083", "store"), ("8082", "core")):
        text = text.replace(f"127.0.0.1:{default}", at(name))
    rules = made.processes.write("routing.yaml", text)
    made.banyan("apply", "--config", rules, "--yes", "--reason", "the bench begins")
    start(
        "proxy", f"{ports['side_door']}/readyz", "cutover", "proxy",
        "--config", str(made.folder / "var/applied.yaml"), "--listen", at("proxy"),
        "--spool", str(made.folder / "var/spool"), "--side-door", at("side_door"),
        "--workers", "1",
    )  # fmt: skip
