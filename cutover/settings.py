"""What this package reads from its environment.

Read by hand: loading pydantic costs 0.2 s, and a rollback has a second.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cutover.errors import SettingsError


@dataclass(frozen=True, slots=True)
class CutoverSettings:
    """Settings of the command line and the control room.

    Attributes:
        var: folder of all state (BANYAN_VAR).
        evidence_database: async SQLAlchemy URL (BANYAN_EVIDENCE_DATABASE).
        side_door: URL of the proxy's side door (BANYAN_SIDE_DOOR, else by its port).
        actor: who the ledger names (BANYAN_ACTOR, else the login name).
        proxy_port, side_door_port, room_port, core_port, legacy_port: where `banyan up`
            and the demo listen (BANYAN_PROXY_PORT …).
        environment: all BANYAN_* variables, for child processes.
    """

    var: Path
    evidence_database: str
    side_door: str
    actor: str
    proxy_port: int
    side_door_port: int
    room_port: int
    core_port: int
    legacy_port: int
    environment: Mapping[str, str]

    @property
    def applied(self) -> Path:
        """The table in force."""
        return self.var / "applied.yaml"

    @property
    def revisions(self) -> Path:
        """Folder of the ledger."""
        return self.var / "revisions"


def load_settings(environment: Mapping[str, str] | None = None) -> CutoverSettings:
    """Read the settings, from the process's environment unless another is given.

    Raises:
        SettingsError: a port is no port.
    """
    source = os.environ if environment is None else environment
    var = Path(source.get("BANYAN_VAR") or "var")
    side_door_port = _port(source, "BANYAN_SIDE_DOOR_PORT", 8090)
    return CutoverSettings(
        var=var,
        evidence_database=source.get("BANYAN_EVIDENCE_DATABASE")
        or f"sqlite+aiosqlite:///{var / 'evidence.sqlite3'}",
        side_door=_url(source.get("BANYAN_SIDE_DOOR") or f"127.0.0.1:{side_door_port}"),
        actor=source.get("BANYAN_ACTOR") or source.get("SUDO_USER") or _login_name(),
        proxy_port=_port(source, "BANYAN_PROXY_PORT", 8080),
        side_door_port=side_door_port,
        room_port=_port(source, "BANYAN_ROOM_PORT", 8081),
        core_port=_port(source, "BANYAN_CORE_PORT", 8082),
        legacy_port=_port(source, "BANYAN_LEGACY_PORT", 8083),
        environment={k: v for k, v in source.items() if k.startswith("BANYAN_")},
    )


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid-{os.getuid()}"


def _port(source: Mapping[str, str], name: str, default: int) -> int:
    text = source.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65_536):
        raise SettingsError(f"{name}={text} is no port; write a number from 1 to 65535")
    return int(text)


def _url(text: str) -> str:
    return (text if "://" in text else f"http://{text}").rstrip("/")
