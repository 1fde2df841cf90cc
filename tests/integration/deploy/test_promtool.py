"""Prometheus' own tool takes the configuration, and the alerts fire when they should."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.support.system_tools import TOOLS
from tests.unit.deploy.metric_names import PROMETHEUS

pytestmark = pytest.mark.integration


@pytest.fixture
def promtool() -> str:
    """Path of promtool; without it the tests are skipped with a line that says how to run them."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip(next(tool.advice for tool in TOOLS if tool.command == "promtool"))
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml", "health.yml", "slo.yml"),
        ("test", "rules", "alerts_test.yml"),
        ("test", "rules", "health_test.yml"),
        ("test", "rules", "slo_test.yml"),
        ("test", "rules", "slo_long_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_is_content(promtool: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
