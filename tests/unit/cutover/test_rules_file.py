"""Editing the desired state keeps what people wrote around it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cutover.storage.rules_file import RulesFileError, add_rule_to, edited, set_stage_in
from proxy.errors import RoutingFileError

TEXT = """\
# Read this first.
apiVersion: banyan/v1
stores:
  legacy: {url: "http://127.0.0.1:8083"}
  core: {url: "http://127.0.0.1:8082"}
shopper: ["cookie:sessionid"]
domains:
  catalog:
    owner: merchandising   # asks before noon
    stage: shadow
    routes:
      - {path: "/api/products/", methods: [GET]}
"""

RULE: dict[str, object] = {
    "path": "$.date_updated",
    "accept": "timestamp",
    "owner": "merchandising",
    "reason": "each store stamps its own writes",
    "expires": date(2027, 6, 30),
}


def set_stage(path: Path, domain: str, stage: str, share: str | None) -> None:
    edited(path, lambda document: set_stage_in(document, domain, stage, share))


def add_rule(path: Path, domain: str, rule: dict[str, object]) -> None:
    edited(path, lambda document: add_rule_to(document, domain, rule))


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "routing.yaml"
    path.write_text(TEXT)
    return path


def test_a_stage_is_changed_and_every_other_byte_stays(rules: Path) -> None:
    set_stage(rules, "catalog", "core", None)

    assert rules.read_text() == TEXT.replace("stage: shadow", "stage: core")


def test_a_canary_gets_its_share_behind_its_stage(rules: Path) -> None:
    set_stage(rules, "catalog", "canary", "10%")

    assert "    stage: canary\n    core_share: 10%\n    routes:" in rules.read_text()


def test_a_share_leaves_with_the_canary(rules: Path) -> None:
    set_stage(rules, "catalog", "canary", "10%")

    set_stage(rules, "catalog", "core", None)

    assert rules.read_text() == TEXT.replace("stage: shadow", "stage: core")


def test_a_rule_is_added_where_there_was_no_list(rules: Path) -> None:
    add_rule(rules, "catalog", RULE)

    text = rules.read_text()
    assert "path: $.date_updated" in text
    assert "reason: each store stamps its own writes" in text
    assert text.startswith("# Read this first.\n")


def test_a_second_rule_for_the_same_path_is_refused_and_nothing_changes(rules: Path) -> None:
    add_rule(rules, "catalog", RULE)
    before = rules.read_bytes()

    with pytest.raises(RulesFileError, match="already has a rule"):
        add_rule(rules, "catalog", RULE)

    assert rules.read_bytes() == before


@pytest.mark.parametrize("text", ["", "domains: [", "- 1\n", "domains:\n  other: {}\n"])
def test_a_file_without_the_domain_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "routing.yaml"
    path.write_text(text)

    with pytest.raises(RulesFileError, match=r"routing\.yaml"):
        set_stage(path, "catalog", "core", None)

    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_an_edit_that_would_not_load_is_refused_and_nothing_changes(rules: Path) -> None:
    with pytest.raises(RoutingFileError, match=r"routing\.yaml:\d+: .*stage"):
        set_stage(rules, "catalog", "canery", None)

    assert rules.read_text() == TEXT
    assert list(rules.parent.iterdir()) == [rules]
