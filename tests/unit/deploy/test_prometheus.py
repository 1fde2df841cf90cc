"""The metrics and labels of the rules exist, and each alert has its tests and its runbook."""

from __future__ import annotations

import re
from typing import Any, get_args

import yaml

from new_core.api.observe import CallOutcome, CheckoutOutcome
from new_core.api.webhook_workers import ADAPTER
from proxy.core.breaker import BreakerState
from proxy.core.health import HealthState
from proxy.storage import DROPPED, MIRRORED
from proxy.storage.tables import load_routing
from shadow_compare.core.verdict import Outcome
from tests.unit.deploy.compose_file import DEPLOY, ROOT
from tests.unit.deploy.metric_names import PROMETHEUS, SUFFIX, all_rules, declared


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in all_rules() if "alert" in rule]


def cases_of_rules() -> list[dict[str, Any]]:
    return [
        test
        for path in sorted(PROMETHEUS.glob("*_test.yml"))
        for test in yaml.safe_load(path.read_text())["tests"]
    ]


def selectors() -> list[tuple[str, dict[str, str]]]:
    """Every metric of ours in the rules, with its label matchers."""
    found = []
    for rule in all_rules():
        for name, inside in re.findall(r"\b(banyan_\w+)(?:\{([^}]*)\})?", rule["expr"]):
            matchers = dict(re.findall(r'(\w+)(?:=~?|!=)"([^"]*)"', inside))
            found.append((name, matchers))
    return found


def test_every_metric_of_the_rules_is_declared_by_the_code_with_its_labels() -> None:
    assert len(selectors()) >= 6
    for name, matchers in selectors():
        known = [declared()[one] for one in (name, SUFFIX.sub("", name)) if one in declared()]
        assert known, name
        assert matchers.keys() <= set().union(*known), (name, matchers)


def test_the_values_that_rules_wait_for_are_ones_that_the_code_writes() -> None:
    waited = {
        (label, value)
        for _, matchers in selectors()
        for label, values in matchers.items()
        for value in values.split("|")
    }

    outcomes = {("outcome", MIRRORED), ("outcome", DROPPED)}
    outcomes |= {("outcome", one) for one in (*get_args(CheckoutOutcome), *get_args(CallOutcome))}
    results = {("result", outcome.value) for outcome in Outcome} | {("result", "stored")}
    states = {("state", state.value) for kind in (BreakerState, HealthState) for state in kind}
    statuses = {("status_class", f"{n}xx") for n in range(1, 6)}
    known = outcomes | results | states | statuses | {("result", "failed")}
    assert waited <= known | {("adapter", ADAPTER)} | {("route", route) for route in routes()}


def routes() -> set[str]:
    """Names of the routes of the deployed table."""
    table = load_routing(DEPLOY / "routing" / "routing.yaml")
    return {route.name for domain in table.domains for route in domain.routes}


def test_every_recorded_figure_that_a_rule_reads_is_recorded_before_it() -> None:
    recorded: set[str] = set()
    for rule in all_rules():
        recorded |= {rule["record"]} if "record" in rule else set()

    read = {name for rule in all_rules() for name in recorded_names(rule["expr"])}

    assert len(recorded) > 30
    assert read <= recorded


def recorded_names(expr: str) -> set[str]:
    return set(re.findall(r"\bbanyan:[\w:]+", expr))


def test_the_windows_of_errors_differ_in_their_length_alone() -> None:
    """Seven copies of an expression: a change of one that forgets the others is found."""
    shapes: dict[tuple[str, bool], set[str]] = {}
    for rule in all_rules():
        found = re.fullmatch(
            r"(banyan:(?:answers|errors|error_ratio)):rate(\w+)", rule.get("record", "")
        )
        if found is not None:
            is_long = found[2] in {"2h", "6h", "1d", "3d"}
            shape = re.sub(rf"(?<=[\[e]){found[2]}\b", "W", rule["expr"])
            shapes.setdefault((found[1], is_long), set()).add(shape)

    assert len(shapes) == 6
    assert {key: len(found) for key, found in shapes.items()} == dict.fromkeys(shapes, 1)


def test_every_alert_says_what_is_lost_and_what_to_do() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "action", "runbook_url"}


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    page = (ROOT / "docs" / "reference" / "runbooks.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))

    assert sections.keys() == {rule["alert"] for rule in alerts()}
    for rule in alerts():
        name = rule["alert"]
        assert rule["annotations"]["runbook_url"] == (f"docs/reference/runbooks.md#{name.lower()}")
        told = re.findall(r"^- \*\*([^*]+)\*\*: \S", sections[name], re.MULTILINE)
        assert told == ["Means", "Shoppers notice", "Look at", "Do", "Undo"], name


def test_every_alert_has_a_test_that_sees_it_fire_and_one_that_sees_it_silent() -> None:
    cases = [case for test in cases_of_rules() for case in test.get("alert_rule_test", ())]
    seen = {(case["alertname"], bool(case["exp_alerts"])) for case in cases}

    for rule in alerts():
        assert {(rule["alert"], True), (rule["alert"], False)} <= seen


def test_every_alert_stands_in_the_reference_with_its_severity() -> None:
    page = (ROOT / "docs" / "reference" / "deploy.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(Banyan\w+)` \|.*\| (\w+) \|$", page, re.MULTILINE))

    assert told == {rule["alert"]: rule["labels"]["severity"] for rule in alerts()}


def test_the_scraped_jobs_that_alerts_speak_of_exist() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    jobs = {job["job_name"] for job in config["scrape_configs"]}

    wanted = {job for rule in all_rules() for job in re.findall(r'job="([^"]+)"', rule["expr"])}

    assert wanted == {"banyan-proxy"}
    assert wanted <= jobs
