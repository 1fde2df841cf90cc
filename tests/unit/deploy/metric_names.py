"""Which metrics there are: those that the code declares, and those that rules record."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.unit.deploy.compose_file import DEPLOY, ROOT

PROMETHEUS = DEPLOY / "prometheus"
PACKAGES = ("proxy", "shadow_compare", "new_core", "legacy_adapters", "cutover")
SUFFIX = re.compile(r"_(total|bucket|sum|count)$")


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


def is_declared(name: str) -> bool:
    """Whether the code tells it, be it as a part of a counter or a histogram."""
    return name in declared() or SUFFIX.sub("", name) in declared()


def _strings(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def all_rules() -> list[dict[str, Any]]:
    """Of every file that Prometheus is told to read."""
    files = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["rule_files"]
    read = [yaml.safe_load((PROMETHEUS / file).read_text()) for file in files]
    return [rule for one in read for group in one["groups"] for rule in group["rules"]]


def recorded_figures() -> set[str]:
    """What the rules record."""
    return {rule["record"] for rule in all_rules() if "record" in rule}
