"""Dashboards are what their script writes, and every query in them asks for something real."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.system_tools import TOOLS
from tests.unit.deploy.compose_file import DEPLOY, services
from tests.unit.deploy.metric_names import declared, is_declared, recorded_figures

GRAFANA = DEPLOY / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
#: Prometheus's own.
NOT_OURS = {"up", "ALERTS"}
#: Words of PromQL that stand where a metric could.
WORDS = {"by", "on", "sum", "max", "min", "rate", "increase", "histogram_quantile", "group_left"}


def panels(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def queries() -> list[str]:
    return [
        target["expr"] for path in FILES for panel in panels(path) for target in panel["targets"]
    ]


def names(query: str) -> set[str]:
    """The metrics of a query: words outside of braces and of the brackets after by and on."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|group_left) \([^)]*\)", " ", query)
    return set(re.findall(r"(?<![\w.:])[a-zA-Z_:][\w:]*", bare)) - WORDS


def test_the_dashboards_are_what_their_script_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(DEPLOY / "dashboards.py"), str(tmp_path)], check=True)

    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in FILES}

    assert written.keys() == {"portfolio.json", "domain.json", "platform.json"}
    assert kept == written, "run: python deploy/dashboards.py"


def test_every_metric_of_a_panel_is_one_that_somebody_tells() -> None:
    asked = {name for query in queries() for name in names(query)}

    missing = {
        name
        for name in asked
        if name not in NOT_OURS and name not in recorded_figures() and not is_declared(name)
    }

    assert len(asked) > 40
    assert missing == set()


def test_every_label_that_a_query_picks_by_is_one_of_its_metric() -> None:
    for query in queries():
        for name, inside in re.findall(r"\b(banyan_\w+)\{([^}]*)\}", query):
            for label in re.findall(r"(\w+)=~?\"", inside):
                base = re.sub(r"_(total|bucket)$", "", name)
                assert label in declared().get(name, set()) | declared().get(base, set()), query


def test_every_query_is_one_that_prometheus_takes(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip(next(tool.advice for tool in TOOLS if tool.command == "promtool"))
    rules = [
        {"record": f"panel:query{number}", "expr": query.replace("$domain", "catalog")}
        for number, query in enumerate(queries())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_stand_beside_each_other_and_ask_the_provisioned_source(path: Path) -> None:
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
    (uid,) = {one["uid"] for one in source["datasources"]}
    places: set[tuple[int, int]] = set()
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & places, panel["title"]
        places |= cells
        assert {target["datasource"]["uid"] for target in panel.get("targets", ())} <= {uid}


def test_the_domains_dashboard_has_legacy_on_the_left_and_the_core_on_the_right() -> None:
    sides = [
        (panel["title"].partition(":")[0], panel["gridPos"]["x"])
        for panel in panels(GRAFANA / "dashboards" / "domain.json")
        if panel["title"].startswith(("legacy:", "core:"))
    ]

    assert sides == [("legacy", 0), ("core", 12)] * 4


def test_grafana_finds_its_files_where_the_container_has_them() -> None:
    mounts = dict(
        volume.removesuffix(":ro").split(":") for volume in services()["grafana"]["volumes"]
    )
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards/banyan.yml").read_text())
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())

    (folder,) = (one["options"]["path"] for one in provider["providers"])
    assert mounts["./grafana/dashboards"] == folder
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"
    assert source["datasources"][0]["url"] == "http://prometheus:9090"


def test_nobody_can_log_in_to_grafana_and_change_what_it_shows() -> None:
    told = services()["grafana"]["environment"]

    assert told["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert told["GF_AUTH_BASIC_ENABLED"] == "false"
    assert told["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
