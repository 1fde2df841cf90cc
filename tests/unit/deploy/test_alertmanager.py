"""Alertmanager takes its configuration, and what the rules say is what it routes by."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.system_tools import TOOLS
from tests.unit.deploy.compose_file import DEPLOY, ROOT

CONFIG = DEPLOY / "alertmanager" / "alertmanager.yml"


@pytest.fixture
def amtool() -> str:
    """Path of amtool; without it the tests are skipped with a line that says how to run them."""
    found = shutil.which("amtool")
    if found is None:
        pytest.skip(next(tool.advice for tool in TOOLS if tool.command == "amtool"))
    return found


def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return loaded


def asked(amtool: str, *arguments: str) -> str:
    done = subprocess.run([amtool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_amtool_is_content(amtool: str) -> None:
    asked(amtool, "check-config", str(CONFIG))


@pytest.mark.parametrize(("severity", "receiver"), [("page", "pager"), ("ticket", "tickets")])
def test_pages_go_to_the_pager_and_nothing_else_does(
    amtool: str, severity: str, receiver: str
) -> None:
    told = asked(
        amtool, "config", "routes", "test", f"--config.file={CONFIG}", f"severity={severity}"
    )

    assert told.strip() == receiver


def test_the_documented_receiver_for_slack_is_one_that_alertmanager_takes(
    amtool: str, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "reference" / "health.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(receivers:.*?)^```", page, re.DOTALL | re.MULTILINE)
    (slack,) = yaml.safe_load(block)["receivers"]
    others = [one for one in config()["receivers"] if one["name"] != slack["name"]]
    changed = tmp_path / "alertmanager.yml"
    changed.write_text(yaml.safe_dump(config() | {"receivers": [slack, *others]}))

    asked(amtool, "check-config", str(changed))

    assert len(others) == 1


def test_nobodys_address_is_in_the_repository() -> None:
    for receiver in config()["receivers"]:
        for hook in receiver["webhook_configs"]:
            assert ".invalid/" in hook["url"]
            assert hook["send_resolved"] is True


def test_what_is_inhibited_are_alerts_of_ours() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "slo.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in rules for rule in group["rules"] if "alert" in rule}

    for rule in config()["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            (pattern,) = re.findall(r'alertname=~?"([^"]+)"', matcher)
            assert any(re.fullmatch(pattern, alert) for alert in alerts), matcher
