"""Tools that come from the distribution, not from a package registry of Python.

`python tests/support/system_tools.py` installs what is missing when it may (root on a
Debian-like system), and otherwise says in one line each which tests will not run and how
to get them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tool:
    """A command, the Debian package that holds it, and the tests that need it."""

    command: str
    package: str
    needed_by: str

    @property
    def advice(self) -> str:
        """One line: what does not run, and the way out."""
        return (
            f"{self.command} is not installed, so {self.needed_by} cannot run; "
            f"install it with: apt-get install {self.package}"
        )


TOOLS = (
    Tool("chromium", "chromium", "the browser tests (tests/e2e)"),
    Tool("nats-server", "nats-server", "the bus (tests/contract, tests/integration)"),
    # The packages with the binaries alone: they bring no service that would be started.
    Tool("mariadbd", "mariadb-server-core", "change capture from MariaDB (tests/integration)"),
    Tool("mariadb-install-db", "mariadb-server-core", "change capture from MariaDB"),
    Tool("my_print_defaults", "mariadb-client-core", "change capture from MariaDB"),
    Tool("promtool", "prometheus", "the checks of the Prometheus rules (tests/unit/deploy)"),
    Tool("prometheus", "prometheus", "the delivery of alerts (tests/integration/deploy)"),
    Tool(
        "prometheus-alertmanager",
        "prometheus-alertmanager",
        "the delivery of alerts (tests/integration/deploy)",
    ),
    Tool("amtool", "prometheus-alertmanager", "the checks of Alertmanager's configuration"),
)
BENCH_TOOLS = (
    Tool("wrk", "wrk", "make bench"),
    Tool("nginx", "nginx-light", "make bench"),
)
CONFORMANCE_TOOLS = (
    Tool("nginx", "nginx-light", "make conformance"),
    Tool("haproxy", "haproxy", "make conformance"),
    Tool("curl", "curl", "the real clients (tests/conformance)"),
    Tool("node", "nodejs", "the real clients (tests/conformance)"),
    Tool("wrk", "wrk", "the real clients (tests/conformance)"),
)


def find(command: str) -> str | None:
    """Where a command is; /usr/sbin holds servers and is not on everybody's PATH."""
    return shutil.which(command) or shutil.which(command, path="/usr/sbin:/usr/local/sbin")


def missing(tools: tuple[Tool, ...]) -> list[Tool]:
    """Those of `tools` whose command is not there."""
    return [tool for tool in tools if find(tool.command) is None]


def install(tools: list[Tool]) -> None:
    """Install with apt-get, quietly; a failure is told by the tool still being absent."""
    packages = sorted({tool.package for tool in tools})
    print(f"Installing {', '.join(packages)} from the distribution …", flush=True)
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        subprocess.run(
            command,
            check=False,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )


def main() -> int:
    """Install or explain; in CI a tool that stays missing is a failure."""
    wanted = set(sys.argv[1:])
    tools = TOOLS + (BENCH_TOOLS if "--bench" in wanted else ())
    tools += CONFORMANCE_TOOLS if "--conformance" in wanted else ()
    absent = missing(tools)
    if absent and os.geteuid() == 0 and shutil.which("apt-get"):
        install(absent)
        absent = missing(tools)
    for tool in absent:
        print(tool.advice, file=sys.stderr)
    return 1 if absent and os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
