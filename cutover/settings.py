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

#: What steering saw last, in the folder of all state.
COURSE_FILE = "course.json"
#: Where a shop of django-oscar places its orders.
ORDER_ROUTE = "POST /api/checkout/"
#: Who is told what becomes of domains, and how far that has come.
HOOKS_FILE, NOTICES_FILE = "hooks.json", "notices.json"
#: What became of the files that rooms watch.
WATCH_FILE = "watch.json"


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
        order_routes: names of the routes that place orders (BANYAN_ORDER_ROUTES).
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
    order_routes: frozenset[str] = frozenset({ORDER_ROUTE})

    @property
    def applied(self) -> Path:
        """The table in force."""
        return self.var / "applied.yaml"

    @property
    def core_database(self) -> str:
        """URL of the core's database, as the core finds it itself."""
        told = self.environment.get("BANYAN_CORE_DATABASE", "")
        return told or f"sqlite+aiosqlite:///{self.var / 'core.sqlite3'}"

    @property
    def room(self) -> str:
        """URL of the control room that steps go through; "" for this machine's own files."""
        return self.environment.get("BANYAN_ROOM", "").rstrip("/")

    @property
    def token(self) -> str:
        """What shows that room who asks; "" for none."""
        return self.environment.get("BANYAN_TOKEN", "")

    @property
    def people(self) -> Path:
        """Who may use the control room."""
        return self.var / "people.json"

    @property
    def room_url(self) -> str:
        """Where people open the control room, for links to it; "" where nobody said."""
        return self.environment.get("BANYAN_ROOM_URL", "")

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
        order_routes=_names(source.get("BANYAN_ORDER_ROUTES") or ORDER_ROUTE),
        environment={k: v for k, v in source.items() if k.startswith("BANYAN_")},
    )


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


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
