"""The processes of the house as services to run, on one machine and embedded defaults."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cutover.edge.children import Service

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the house listens on loopback."""

    proxy: int = 8080
    side_door: int = 8090
    room: int = 8081
    core: int = 8082
    legacy: int = 8083

    def url(self, name: str) -> str:
        """Base URL of one of the services, without a trailing slash."""
        return f"http://{LOOPBACK}:{getattr(self, name)}"


@dataclass(frozen=True, slots=True)
class House:
    """Paths and ports from which every service's command line follows.

    Attributes:
        var: state directory (applied table, spool, databases, logs).
        evidence_url: where the comparer writes and the others read.
        env: settings that all processes share.
    """

    var: Path
    ports: Ports
    evidence_url: str
    env: Mapping[str, str]
    workers: int = 1

    @property
    def applied(self) -> Path:
        """The routing table in force."""
        return self.var / "applied.yaml"

    @property
    def spool(self) -> Path:
        """Where captures wait for the comparer."""
        return self.var / "spool"

    def core(self) -> Service:
        """The commerce core and its facades."""
        port = self.ports.core
        return self._service(
            "core", ("core", "--listen", f"{LOOPBACK}:{port}"), (port,), self.url("core", "readyz")
        )

    def proxy(self) -> Service:
        """The proxy with its side door."""
        ports = self.ports
        args = (
            "proxy",
            *("--config", str(self.applied), "--spool", str(self.spool)),
            *("--listen", f"{LOOPBACK}:{ports.proxy}"),
            *("--side-door", f"{LOOPBACK}:{ports.side_door}"),
            *("--workers", str(self.workers)),
        )
        ready = self.url("side_door", "readyz")
        return self._service("proxy", args, (ports.proxy, ports.side_door), ready)

    def comparer(self) -> Service:
        """The comparer; it has no port."""
        args = ("compare", "--config", str(self.applied), "--spool", str(self.spool))
        return replace(self._service("comparer", args, (), None), nice=5)

    def shipper(self) -> Service:
        """Moves captures from the spool to the bus; it has no port."""
        args = ("ship", "--spool", str(self.spool))
        return replace(self._service("shipper", args, (), None), nice=5)

    def sync(self) -> Service:
        """Keeps both stores' databases in step; it has no port.

        Never behind others: in a flip shoppers wait until it has everything across.
        """
        return self._service("sync", ("sync", "run"), (), None)

    def room(self) -> Service:
        """The control room."""
        port = self.ports.room
        args = (
            *("room", "--listen", f"{LOOPBACK}:{port}", "--config", str(self.applied)),
            *("--side-door", self.ports.url("side_door")),
        )
        return self._service("control room", args, (port,), self.url("room", "healthz"))

    def all(self) -> tuple[Service, ...]:
        """Everything of `banyan up`, in the order in which it starts."""
        shipper = (self.shipper(),) if self.env.get("BANYAN_BUS") else ()
        sync = (self.sync(),) if self.env.get("BANYAN_LEGACY_DATABASE") else ()
        return (self.core(), *sync, self.proxy(), *shipper, self.comparer(), self.room())

    def url(self, name: str, path: str) -> str:
        """URL of a path of one of the services."""
        return f"{self.ports.url(name)}/{path}"

    def _service(
        self, name: str, args: tuple[str, ...], ports: tuple[int, ...], ready_url: str | None
    ) -> Service:
        return Service(
            name,
            (sys.executable, "-m", "cutover", *args),
            tuple((LOOPBACK, port) for port in ports),
            ready_url,
            self.env,
        )
