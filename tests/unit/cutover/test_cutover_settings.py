"""Settings: defaults, and a clear word about a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutover.errors import SettingsError
from cutover.settings import load_settings


def test_without_variables_everything_has_a_default() -> None:
    found = load_settings({})

    assert found.applied == Path("var/applied.yaml")
    assert found.evidence_database == "sqlite+aiosqlite:///var/evidence.sqlite3"
    assert found.side_door == "http://127.0.0.1:8090"
    assert found.actor


def test_variables_move_everything() -> None:
    found = load_settings(
        {
            "BANYAN_VAR": "/srv/banyan",
            "BANYAN_SIDE_DOOR_PORT": "9000",
            "BANYAN_ACTOR": "night shift",
            "HOME": "/root",
        }
    )

    assert found.revisions == Path("/srv/banyan/revisions")
    assert found.side_door == "http://127.0.0.1:9000"
    assert found.actor == "night shift"
    assert "HOME" not in found.environment


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1", "٣"])
def test_a_port_that_is_none_is_told(port: str) -> None:
    with pytest.raises(SettingsError, match="BANYAN_CORE_PORT"):
        load_settings({"BANYAN_CORE_PORT": port})
