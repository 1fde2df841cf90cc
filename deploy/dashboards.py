#!/usr/bin/env python3
"""Writes Grafana's dashboards: python deploy/dashboards.py [FOLDER].

The files in `grafana/dashboards/` are its output, byte by byte; a test holds them to that.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILES = Path(__file__).parent / "grafana" / "dashboards"
DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
SIDES = ("legacy", "core")
WIDTH, HEIGHT = 24, 7
RATIO, SECONDS, RATE, COUNT, BYTES = "percentunit", "s", "reqps", "short", "bytes"
_DURATION = "banyan_request_duration_seconds_bucket"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel.

    Attributes:
        queries: what each line is called (Grafana's `{{label}}`) and its PromQL.
        unit: Grafana's name of it.
        wide: of the 24 columns.
        says: what the figure means, behind the panel's mark.
        kind: timeseries, stat or table.
    """

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = COUNT
    wide: int = 8
    says: str = ""
    kind: str = "timeseries"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard: rows by title, and whether it is of one domain."""

    uid: str
    title: str
    rows: Sequence[tuple[str, Sequence[Panel]]]
    of_domain: bool = False


def portfolio() -> Dashboard:
    """All domains, for who has ten seconds."""
    burn = "banyan:error_ratio:rate1h / on (domain) group_left () banyan:slo:error_budget_ratio"
    mismatches = (
        'sum by (domain) (rate(banyan_compare_total{result="mismatch"}[1h]))'
        " / (sum by (domain) "
        '(rate(banyan_compare_total{result=~"match|accepted|mismatch"}[1h])) > 0)'
    )
    both = "{{domain}}, {{side}}"
    return Dashboard(
        "banyan-portfolio",
        "Banyan: portfolio",
        (
            (
                "Where domains stand",
                (
                    Panel("Stage", [("", "max by (domain, stage) (banyan_stage) == 1")],
                          kind="table"),
                    Panel("Share of shoppers for the core, in canary",
                          [("{{domain}}", "max by (domain) (banyan_core_share_ratio)")], RATIO,
                          says="Belongs to the stage canary; 0 elsewhere."),
                    Panel("Alerts that fire", [("", 'ALERTS{alertstate="firing"}')], kind="table"),
                ),
            ),
            (
                "What shoppers get",
                (
                    Panel("Store uptime, one day", [("{{side}}", "banyan:store_uptime_ratio:1d")],
                          RATIO, kind="stat",
                          says="Share of requests that the store answered without an error."),
                    Panel("Errors, one hour", [(both, "banyan:error_ratio:rate1h")], RATIO),
                    Panel("Pace of the error budget, one hour", [(both, burn)],
                          says="1 uses a month's budget in a month; 14.4 in two days."),
                    Panel("Checkouts that succeed, one hour",
                          [("{{side}}, at the proxy", "banyan:checkout_success_ratio:1h"),
                           ("core, by its books", "banyan:core_checkout_success_ratio:1h")], RATIO),
                    Panel("Time to place an order, one hour",
                          [(f"{{{{side}}}} p{q}", f"banyan:order_seconds:p{q}_1h")
                           for q in (50, 95, 99)], SECONDS),
                    Panel("Mismatches, one hour", [("{{domain}}", mismatches)], RATIO,
                          says="Of what was compared."),
                ),
            ),
            (
                "Stock and those outside",
                (
                    Panel("Inventory accuracy", [("", "banyan:inventory_accuracy_ratio")], RATIO,
                          kind="stat"),
                    Panel("Deliveries that arrive, one hour",
                          [("{{integration}} {{stream}}",
                            "banyan:integration_reliability_ratio:1h")], RATIO, 16),
                ),
            ),
            (
                "Delivery, 30 days",
                (
                    Panel("Changes a week", [("", "banyan_delivery_applies_per_week")], wide=6,
                          kind="stat"),
                    Panel("Time in stage before a step",
                          [("", "banyan_delivery_lead_seconds")], SECONDS, 6, kind="stat",
                          says="Median. It stands for lead time, which a ledger cannot know."),
                    Panel("Steps taken back", [("", "banyan_delivery_change_failure_ratio")],
                          RATIO, 6, kind="stat"),
                    Panel("Time to restore", [("", "banyan_delivery_restore_seconds")], SECONDS, 6,
                          kind="stat", says="Median from a step to its taking back."),
                ),
            ),
        ),
    )  # fmt: skip


def domain() -> Dashboard:
    """One domain, legacy on the left and the core on the right."""
    pairs = [panel for of_sides in zip(*map(_side, SIDES), strict=True) for panel in of_sides]
    here = 'domain="$domain"'

    def rate(metric: str, *by: str) -> str:
        return f"sum by ({', '.join(by)}) (rate({metric}{{{here}}}[5m]))"

    return Dashboard(
        "banyan-domain",
        "Banyan: a domain",
        (
            ("Both sides", pairs),
            (
                "The core against legacy",
                (
                    Panel("More errors than legacy",
                          [("difference", f"banyan:error_ratio_difference:rate5m{{{here}}}"),
                           ("what chance explains",
                            f"banyan:error_ratio_chance:rate5m{{{here}}}")], RATIO,
                          says="The alert wants the difference 0.5 points above chance."),
                    Panel("Comparisons by result",
                          [("{{result}}", rate("banyan_compare_total", "result"))],
                          RATE),
                    Panel("Answers of legacy in the core's place",
                          [("{{reason}}", rate("banyan_fallback_total", "reason"))],
                          RATE),
                ),
            ),
            (
                "On the way",
                (
                    Panel("Mirrored exchanges by outcome",
                          [("{{outcome}} {{reason}}",
                            rate("banyan_shadow_total", "outcome", "reason"))],
                          RATE),
                    Panel("Writes that wait in a hold",
                          [("", f"sum(banyan_hold_waiting{{{here}}})")]),
                    Panel("Shoppers who left", [("", rate("banyan_client_gone_total", "domain"))],
                          RATE),
                ),
            ),
        ),
        of_domain=True,
    )  # fmt: skip


def _side(side: str) -> Sequence[Panel]:
    here = f'domain="$domain", side="{side}"'

    def within(quantile: float) -> str:
        return f"histogram_quantile({quantile}, sum by (le) (rate({_DURATION}{{{here}}}[5m])))"

    return (
        Panel(f"{side}: answers",
              [("{{status_class}}",
                f"sum by (status_class) (rate(banyan_requests_total{{{here}}}[5m]))")], RATE, 12),
        Panel(f"{side}: errors",
              [(window, f"banyan:error_ratio:rate{window}{{{here}}}")
               for window in ("5m", "1h", "6h")], RATIO, 12),
        Panel(f"{side}: answer time",
              [(f"p{round(q * 100)}", within(q)) for q in (0.5, 0.95, 0.99)], SECONDS, 12),
        Panel(f"{side}: uptime, one day",
              [("requests", f"banyan:uptime_requests_ratio:1d{{{here}}}"),
               ("minutes", f"banyan:uptime_minutes_ratio:1d{{{here}}}")], RATIO, 12, kind="stat"),
    )  # fmt: skip


def platform() -> Dashboard:
    """The house itself."""
    draw = "histogram_quantile(0.95, sum by (le) (rate(banyan_room_draw_seconds_bucket[5m])))"
    return Dashboard(
        "banyan-platform",
        "Banyan: platform",
        (
            (
                "Proxy",
                (
                    Panel("Up", [("{{job}}", "up")], kind="stat"),
                    Panel("Workers",
                          [("up", "sum(banyan_workers)"),
                           ("died, 10 min", "sum(increase(banyan_worker_restarts_total[10m]))")]),
                    Panel("Connections",
                          [("shoppers", "sum(banyan_client_connections)"),
                           ("{{side}} {{state}}",
                            "sum by (side, state) (banyan_upstream_connections)")]),
                    Panel("In flight", [("{{side}}", "sum by (side) (banyan_in_flight)")]),
                    Panel("Failures of stores",
                          [("{{side}} {{kind}}",
                            "sum by (side, kind) (rate(banyan_upstream_errors_total[5m]))")], RATE),
                    Panel("Breakers that are not closed",
                          [("{{side}}",
                            'sum by (side) (banyan_upstream_breaker{state=~"open|half_open"})')]),
                    Panel("Kills in force", [("{{scope}}", "max by (scope) (banyan_kill_switch)")]),
                    Panel("Tables in force",
                          [("{{revision}}", "sum by (revision) (banyan_config_revision_info)")]),
                    Panel("Table refused", [("", "max(banyan_config_load_failed)")], kind="stat"),
                ),
            ),
            (
                "Captures and comparer",
                (
                    Panel("Captures on disk",
                          [("all", "sum(banyan_spool_bytes)"),
                           ("unread", "sum(banyan_spool_unread_bytes)")], BYTES),
                    Panel("Age of the oldest capture",
                          [("waiting", "max(banyan_spool_oldest_frame_age_seconds)"),
                           ("when compared", "max(banyan_compare_lag_seconds)")], SECONDS),
                    Panel("Exchanges that were not compared",
                          [("{{reason}}", "sum by (reason) (rate(banyan_shadow_loss_total[5m]))")],
                          RATE),
                    Panel("Captures over the bus",
                          [("{{result}}", "sum by (result) (rate(banyan_ship_frames_total[5m]))")],
                          RATE),
                    Panel("The bus takes captures", [("", "min(banyan_ship_bus_up)")], kind="stat"),
                ),
            ),
            (
                "Streams between both stores",
                (
                    Panel("Lag", [("{{stream}}", "max by (stream) (banyan_sync_lag_seconds)")],
                          SECONDS),
                    Panel("Since the last heartbeat",
                          [("{{stream}}", "max by (stream) (banyan_sync_heartbeat_age_seconds)")],
                          SECONDS),
                    Panel("Waiting and parked",
                          [("{{stream}} {{domain}} waiting",
                            "sum by (stream, domain) (banyan_sync_dirty)"),
                           ("{{stream}} {{domain}} parked",
                            "sum by (stream, domain) (banyan_sync_parked)")]),
                    Panel("Writes of who does not own the domain",
                          [("{{stream}} {{domain}}",
                            "sum by (stream, domain) (banyan_sync_rogue_writes)")]),
                ),
            ),
            (
                "Core and control room",
                (
                    Panel("Answers of the core's modules",
                          [("{{module}} {{kind}}",
                            "sum by (module, kind) (rate(banyan_core_module_answers_total[5m]))")],
                          RATE),
                    Panel("What waits in the core",
                          [("{{line}}", "max by (line) (banyan_core_waiting_seconds)")], SECONDS),
                    Panel("Books that are wrong",
                          [("{{check}}", "max by (check) (banyan_core_books_wrong)")],
                          says="All of them must be 0."),
                    Panel("Calls of others",
                          [("{{adapter}} {{outcome}}",
                            "sum by (adapter, outcome) (rate(banyan_core_calls_total[5m]))")],
                          RATE),
                    Panel("Since somebody steered", [("", "max(banyan_course_age_seconds)")],
                          SECONDS),
                    Panel("Time to draw a page, p95", [("", draw)], SECONDS),
                ),
            ),
        ),
    )  # fmt: skip


DASHBOARDS = (portfolio, domain, platform)


def as_grafana(board: Dashboard) -> dict[str, Any]:
    """A dashboard in Grafana's own form."""
    return {
        "uid": board.uid,
        "title": board.title,
        "tags": ["banyan"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_domain_chooser()] if board.of_domain else []},
        "links": [
            {"type": "dashboards", "title": "Banyan", "tags": ["banyan"], "asDropdown": True}
        ],
        "panels": [{"id": number, **panel} for number, panel in enumerate(_placed(board), start=1)],
    }


def _domain_chooser() -> dict[str, Any]:
    query = "label_values(banyan_stage, domain)"
    return {
        "name": "domain",
        "label": "Domain",
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": "domains"},
        "definition": query,
        "refresh": 1,
        "sort": 1,
    }


def _placed(board: Dashboard) -> Iterator[dict[str, Any]]:
    """Rows from top to bottom, panels from left to right."""
    top = 0
    for title, panels in board.rows:
        yield {"type": "row", "title": title, "collapsed": False, "panels": [],
               "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": top}}  # fmt: skip
        top, left = top + 1, 0
        for panel in panels:
            if left + panel.wide > WIDTH:
                top, left = top + HEIGHT, 0
            place = {"h": HEIGHT, "w": panel.wide, "x": left, "y": top}
            yield {"gridPos": place, **_panel(panel)}
            left += panel.wide
        top += HEIGHT


def _panel(panel: Panel) -> dict[str, Any]:
    is_table = panel.kind == "table"
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": DATASOURCE,
        # A figure that is not there is a gap, never a line drawn through it.
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "noValue": "not enough data yet",
                         "custom": {} if panel.kind != "timeseries" else {"spanNulls": False}},
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": DATASOURCE, "expr": query,
             "legendFormat": name or "__auto", "instant": is_table,
             "format": "table" if is_table else "time_series"}
            for number, (name, query) in enumerate(panel.queries)
        ],
    }  # fmt: skip


def write(folder: Path) -> None:
    """Write all dashboards there."""
    for build in DASHBOARDS:
        text = json.dumps(as_grafana(build()), indent=1, ensure_ascii=False)
        (folder / f"{build.__name__}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FILES)
