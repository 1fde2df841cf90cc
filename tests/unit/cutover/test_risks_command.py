"""`banyan risks` lists the register, and tells programs what holds a domain back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cutover.cli.tree import build

FILE = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
domains:
  cart:
    owner: o
    stage: legacy
    routes: [{path: /cart}]
    RISKS
  catalog: {owner: o, stage: legacy, routes: [{path: /c}]}
"""
SEVERE = "{id: R1, what: '[b]no way[/b] back', likelihood: high, impact: high, owner: shop}"


def run(file: Path, *more: str) -> tuple[int, str]:
    done = CliRunner().invoke(build(), ["risks", "--config", str(file), *more])
    return done.exit_code, done.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "routing.yaml"
    path.write_text(FILE.replace("RISKS", f"risks: [{SEVERE}]"))
    return path


def test_a_severe_risk_is_listed_and_check_ends_with_three(file: Path) -> None:
    code, told = run(file)

    assert code == 0
    assert "holds its domain" in told
    assert "[b]no way" in told
    assert run(file, "--check")[0] == 3
    assert run(file, "--check", "--domain", "catalog")[0] == 0


def test_programs_get_json(file: Path) -> None:
    (risk,) = json.loads(run(file, "--json")[1])

    assert (risk["domain"], risk["id"], risk["score"], risk["holds"]) == ("cart", "R1", 9, True)


def test_a_file_without_risks_says_how_to_write_one_down(tmp_path: Path) -> None:
    path = tmp_path / "routing.yaml"
    path.write_text(FILE.replace("RISKS", ""))

    code, told = run(path)

    assert code == 0
    assert "docs/reference/gates.md" in told
