"""The data half's bench runs: its cheap parts, on little data, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.soak]


@pytest.mark.timeout(300)
def test_the_small_form_of_the_cheap_parts_prints_every_figure() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.bench_data", "--only", "projection,rows,reconcile",
         "--small", "--json"],
        check=False, capture_output=True, text=True, timeout=280,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert {name: len(one["goals"]) for name, one in seen.items()} == {
        "reconcile": 0, "projection": 1, "rows": 1,
    }  # fmt: skip
    assert min(seen["projection"]["figures"]["per_cpu_s"].values()) > 0
    assert seen["rows"]["figures"]["rows"] == 20_000
    assert "--data PATH" in seen["reconcile"]["told"][0]
