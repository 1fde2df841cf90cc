"""The report as JSON: what it says, and the raw figures behind the words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cutover.api.datatwins import page_twin
from cutover.api.reportview import Report
from cutover.api.words import plain
from cutover.core.delivery import Delivered, Delivery


def report_twin(view: Report) -> dict[str, Any]:
    """`GET /api/report` and `banyan report --json`; durations in seconds, shares in ppm."""
    now_s = view.now_s
    body = page_twin(view, now_s)
    for told, row in zip(body["rows"], view.rows, strict=True):
        told["rollback"] = [plain(words, now_s) for words in row.rollback]
    return body | {
        "headline": plain(view.headline, now_s),
        "attention": [plain(words, now_s) for words in view.attention],
        "delivery": None if view.delivery is None else _delivery(view.delivery),
    }


def _delivery(found: Delivery) -> dict[str, Any]:
    return {
        "covered_s": found.covered_s,
        "rollbacks": found.rollbacks,
        "applies_per_week": found.applies_per_week,
        "total": _delivered(found.total),
        "domains": {name: _delivered(one) for name, one in found.domains},
    }


def _delivered(one: Delivered) -> dict[str, Any]:
    return asdict(one) | {"failure_ppm": one.failure_ppm}
