"""Results of load tests that nobody ran."""

from __future__ import annotations

from typing import Any

from cutover.core.load_run import Figures, LoadRun, SideRun, State

LEGACY_URL, CORE_URL = "http://a", "http://b"
ENDED_S = 1_803_900_000.0
ROUTE = "GET /c"


def figures(
    p99: float = 100.0, requests: int = 2_000, failed: int = 0, refused: int = 0
) -> Figures:
    times = {"p50": p99 / 4, "p90": p99 / 2, "p95": p99 / 1.5, "p99": p99, "max": p99 * 2}
    return Figures(requests, refused, {"503": failed} if failed else {}, times)


def a_side(side: str, total: Figures | None = None, **more: Any) -> SideRun:
    of = total or figures()
    told: dict[str, Any] = {
        "asked": of.requests, "duration_s": 100.0, "late": 0, "cpu": 0.1, "lag_ms": 1.0,
        "routes": {ROUTE: of}, "seconds": [[20, 0, 5.0, 9.0], [20, 1, 6.0, 11.0]],
    }  # fmt: skip
    return SideRun(side=side, way="straight at the store", total=of, **{**told, **more})


def a_run(core: SideRun | None = None, legacy: SideRun | None = None, **more: Any) -> LoadRun:
    told: dict[str, Any] = {
        "id": "20270228T120000-catalog-3x-ab12",
        "domain": "catalog",
        "profile": "3x",
        "state": State.DONE,
        "at_s": ENDED_S - 240,
        "ended_s": ENDED_S,
        "base_per_s": 7.0,
        "by_hand": False,
        "traffic": "0" * 64,
        "revision": "0123456789ab",
        "stores": {"legacy": LEGACY_URL, "core": CORE_URL},
        "releases": {"legacy": "", "core": ""},
        "by": "ops",
        "sides": [legacy or a_side("legacy"), core or a_side("core")],
    }
    return LoadRun(**{**told, **more})
