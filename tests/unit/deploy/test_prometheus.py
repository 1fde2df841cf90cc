"""Prometheus takes its configuration, the alerts fire when they should, and their metrics exist."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.core.breaker import BreakerState
from proxy.core.health import HealthState
from proxy.storage import DROPPED, MIRRORED
from shadow_compare.core.verdict import Outcome
from tests.support.system_tools import TOOLS
from tests.unit.deploy.compose_file import DEPLOY, ROOT

PROMETHEUS = DEPLOY / "prometheus"
PACKAGES = ("proxy", "shadow_compare", "new_core", "legacy_adapters", "cutover")
SUFFIX = re.compile(r"_(total|bucket|sum|count)$")


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
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_is_content(promtool: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def selectors() -> list[tuple[str, dict[str, str]]]:
    """Every metric of ours in the rules, with its label matchers."""
    found = []
    for rule in rules():
        for name, inside in re.findall(r"\b(banyan_\w+)(?:\{([^}]*)\})?", rule["expr"]):
            matchers = dict(re.findall(r'(\w+)=~?"([^"]*)"', inside))
            found.append((name, matchers))
    return found


@cache
def declared() -> dict[str, set[str]]:
    """Metric names in the code, each with all strings of the file that names it."""
    names: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            texts = _strings(path)
            for text in texts:
                if re.fullmatch(r"banyan_[a-z_]+", text):
                    names.setdefault(text, set()).update(texts)
    return names


def _strings(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_metric_of_the_rules_is_declared_by_the_code_with_its_labels() -> None:
    assert len(selectors()) >= 6
    for name, matchers in selectors():
        base = name if name in declared() else SUFFIX.sub("", name)
        assert base in declared(), name
        assert matchers.keys() <= declared()[base], (name, matchers)


def test_the_values_that_rules_wait_for_are_ones_that_the_code_writes() -> None:
    waited = {
        (label, value)
        for _, matchers in selectors()
        for label, values in matchers.items()
        for value in values.split("|")
    }

    outcomes = {("outcome", MIRRORED), ("outcome", DROPPED)}
    results = {("result", outcome.value) for outcome in Outcome}
    states = {("state", state.value) for kind in (BreakerState, HealthState) for state in kind}
    assert waited <= outcomes | results | states | {("result", "failed")}


def test_every_alert_says_what_is_lost_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "action"}


def test_every_alert_has_a_test_that_sees_it_fire_and_one_that_sees_it_silent() -> None:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    seen = [(c["alertname"], bool(c["exp_alerts"])) for t in tests for c in t["alert_rule_test"]]

    for rule in rules():
        assert {(rule["alert"], True), (rule["alert"], False)} <= set(seen)


def test_every_alert_stands_in_the_reference_with_its_severity() -> None:
    page = (ROOT / "docs" / "reference" / "deploy.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(Banyan\w+)` \|.*\| (\w+) \|$", page, re.MULTILINE))

    assert told == {rule["alert"]: rule["labels"]["severity"] for rule in rules()}


def test_the_scraped_jobs_that_alerts_speak_of_exist() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    jobs = {job["job_name"] for job in config["scrape_configs"]}

    wanted = {job for rule in rules() for job in re.findall(r'job="([^"]+)"', rule["expr"])}

    assert wanted == {"banyan-proxy"}
    assert wanted <= jobs
