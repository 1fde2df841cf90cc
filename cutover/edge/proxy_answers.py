"""What the proxy has answered, by routing domain and side, out of its metrics."""

from __future__ import annotations

import asyncio
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from cutover.service.retirement_sampling import Answered


async def answered(door: str) -> Answered | None:
    """None where the side door gives no metrics that can be read."""
    try:
        return await asyncio.to_thread(_read, door)
    except (OSError, ValueError):
        return None


def _read(door: str) -> Answered:
    with urllib.request.urlopen(f"{door}/metrics", timeout=2) as got:  # noqa: S310 - ours
        text = got.read().decode()
    found: dict[tuple[str, str], int] = {}
    unmatched = 0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "banyan_unmatched_total":
                unmatched += int(sample.value)
            elif sample.name == "banyan_requests_total":
                place = sample.labels.get("domain", ""), sample.labels.get("side", "")
                found[place] = found.get(place, 0) + int(sample.value)
    return found, unmatched
