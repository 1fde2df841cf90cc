"""The compose file's own commands, run as processes: the house comes up on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from loadtests.ports import free_port
from tests.support.processes import spawn_process, wait_for_http
from tests.unit.deploy.compose_file import DEPLOY, services

pytestmark = pytest.mark.integration

PORTS = {"proxy": (8080, 8090), "comparer": (8084,), "core": (8082,), "room": (8081,)}
LEGACY_PORT = 8083
BIN = Path(sys.executable).parent


@dataclass(slots=True)
class Host:
    """This machine in the place of the containers: paths and ports of its own."""

    folder: Path
    postgres_port: int
    ports: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = [*(port for ports in PORTS.values() for port in ports), LEGACY_PORT]
        self.ports = {port: free_port() for port in numbers}
        for name in ("state", "legacy", "etc"):
            (self.folder / name).mkdir()
        table = (DEPLOY / "routing" / "routing.yaml").read_text()
        (self.folder / "etc" / "routing.yaml").write_text(self.local(table))

    def local(self, text: str) -> str:
        """The text with this machine's paths, addresses and ports."""
        for inside, name in (
            ("/var/lib/banyan", "state"),
            ("/var/lib/legacy", "legacy"),
            ("/etc/banyan", "etc"),
        ):
            text = text.replace(inside, str(self.folder / name))
        for port, mine in self.ports.items():
            for host in ("0.0.0.0", "127.0.0.1", "proxy", "core", "legacy"):
                text = text.replace(f"{host}:{port}", f"127.0.0.1:{mine}")
        return text.replace(
            "banyan:Secret1@postgres:5432", f"banyan@127.0.0.1:{self.postgres_port}"
        )

    def command(self, name: str) -> list[str]:
        """A service's command as a process of this machine."""
        service = services()[name]
        entrypoint = service.get("entrypoint", ["banyan"])
        words = [*entrypoint, *service["command"]]
        return [self.local(word) for word in words]

    def environment(self, name: str) -> dict[str, str]:
        """A service's variables, with the image's own."""
        wanted = {"BANYAN_VAR": "/var/lib/banyan", **services()[name].get("environment", {})}
        return {key: self.local(value) for key, value in wanted.items()}

    def probe(self, name: str) -> str:
        """The URL of a service's health check."""
        return self.local(services()[name]["healthcheck"]["test"][2])


@pytest.fixture
def host(tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Databases made as the image makes them, the demo's store, and the first table."""
    monkeypatch.setenv("PATH", str(BIN), prepend=":")
    asyncio.run(_databases(postgres_port))
    here = Host(tmp_path, postgres_port)
    yield here
    asyncio.run(_drop_databases(postgres_port))


async def _databases(port: int) -> None:
    """What the PostgreSQL image does with POSTGRES_USER, POSTGRES_DB and the mounted script."""
    admin = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres")
    await admin.execute("CREATE ROLE banyan LOGIN")
    await admin.execute("CREATE DATABASE evidence OWNER banyan")
    await admin.execute((DEPLOY / "postgres" / "core.sql").read_text())
    await admin.close()


async def _drop_databases(port: int) -> None:
    admin = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres")
    for name in ("evidence", "core"):
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.execute("DROP ROLE banyan")
    await admin.close()


def _run(host: Host, name: str) -> str:
    done = subprocess.run(
        ["env", *(f"{k}={v}" for k, v in host.environment(name).items()), *host.command(name)],
        cwd=host.folder / "etc",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _serve_legacy(host: Host, stack: ExitStack) -> None:
    run = [sys.executable, "-m", "legacy_adapters.oscar.demo_store.run"]
    folder = ["--dir", str(host.folder / "legacy")]
    subprocess.run([*run, "prepare", *folder], check=True, capture_output=True)
    address = f"127.0.0.1:{host.ports[LEGACY_PORT]}"
    stack.enter_context(
        spawn_process([*run, "serve", *folder, "--listen", address], log=host.folder / "legacy.log")
    )
    wait_for_http(f"http://{address}/api/")


def _get(url: str) -> tuple[Any, str | None]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read()), answer.headers["X-Served-By"]


@pytest.mark.soak
def test_the_house_comes_up_as_composed_and_serves_a_backfilled_shop(host: Host) -> None:
    with ExitStack() as stack:
        _serve_legacy(host, stack)
        _run(host, "init")
        for name in PORTS:
            log = host.folder / f"{name}.log"
            environment = host.environment(name)
            stack.enter_context(spawn_process(host.command(name), log=log, env=environment))
        for name in PORTS:
            wait_for_http(host.probe(name))
        _run(host, "backfill")

        listed, side = _get(f"http://127.0.0.1:{host.ports[8080]}/api/products/")
        on_core, _ = _get(f"http://127.0.0.1:{host.ports[8082]}/facade/oscar/api/products/")
        told = _run(host, "banyan")

    assert (len(listed), side) == (211, "legacy")
    assert [row["id"] for row in on_core] == [row["id"] for row in listed]
    assert "catalog" in told
    assert not list((host.folder / "state").glob("*.sqlite3"))


def test_a_second_start_leaves_the_table_in_force_alone(host: Host) -> None:
    _run(host, "init")
    applied = host.folder / "state" / "applied.yaml"
    before = applied.read_bytes()
    desired = host.folder / "etc" / "routing.yaml"
    desired.write_text(desired.read_text().replace("sample: 100%", "sample: 50%"))

    _run(host, "init")

    assert applied.read_bytes() == before
