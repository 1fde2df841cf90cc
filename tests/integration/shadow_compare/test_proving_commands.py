"""The proof of the rules as people run it: real stores, a real comparer, real commands."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from proxy.storage.tables import load_routing
from tests.integration.proxy.certificates import Authority
from tests.support.commands import run_banyan
from tests.support.stores import SmallStore, Worker, banyan, routing, small_store, trusting

pytestmark = pytest.mark.integration

RULES = """[
  {path: "$.at", accept: timestamp, owner: o, reason: r, expires: 2100-01-01},
  {path: "$.price", accept: any, owner: o, reason: r, expires: 2100-01-01},
]"""


@dataclass
class Stage:
    """Two stores whose answers have a time and a token that move by themselves."""

    home: Path
    legacy: SmallStore
    core: SmallStore
    worker: Worker
    table: Path

    @property
    def database(self) -> str:
        return f"sqlite+aiosqlite:///{self.home}/evidence.sqlite3"

    async def compare(self) -> None:
        places = ("--config", self.table, "--spool", self.home / "spool")
        command = banyan("compare", *places, "--database", self.database, "--once")
        process = await asyncio.create_subprocess_exec(*command)
        assert await process.wait() == 0

    async def run(self, *words: str | Path) -> tuple[int, str, str]:
        places = ("--config", self.table, "--database", self.database)
        ended = await asyncio.to_thread(run_banyan, *words, *places)
        return ended.code, ended.out, ended.err

    async def run_json(self, *words: str | Path) -> tuple[int, Any]:
        code, out, err = await self.run(*words, "--json")
        return code, json.loads(out or f'"{err}"')


def now_s() -> float:
    return time.time()  # noqa: TID251 - captured now


def answered(item: int, n: int) -> dict[str, object]:
    return {
        "id": item,
        "title": "Bücher",
        "price": "12.50",
        "at": f"2026-11-01T10:00:{n % 2:02d}Z",
        "token": f"t{n}",
    }


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    asked: Counter[int] = Counter()

    async def restless(request: web.Request) -> web.Response:
        item = int(request.query["id"])
        asked[item] += 1
        return web.json_response(answered(item, asked[item]))

    tls = Authority(tmp_path).issue("store").server()
    async with small_store(restless, tls) as legacy, small_store(restless) as core:
        # The certificate is named from the table's folder, which is not where commands run.
        table = routing(tmp_path / "routing.yaml", legacy.url, core.url, rules=RULES)
        trusting(table, legacy.url, "ca.pem")
        worker = Worker(tmp_path / "spool", "20261122T000000-1-aaaaaa")
        headers = (("Content-Type", "application/json; charset=utf-8"),)
        for item in range(12):
            worker.mirror(
                at_s=now_s(),
                target=f"/products/?id={item}",
                body=json.dumps(answered(item, 100 + item)).encode(),
                headers=headers,
            )
        yield Stage(tmp_path, legacy, core, worker, table)
        worker.close()


async def test_rules_are_proven_checked_and_calibrated_on_recorded_traffic(stage: Stage) -> None:
    code, _, err = await stage.run("rules", "prove", "catalog")
    assert (code, "no evidence" in err) == (1, True)
    await stage.compare()

    code, proof = await stage.run_json("rules", "prove", "catalog")
    _, coverage = await stage.run_json("rules", "coverage", "catalog")
    _, idle = await stage.run_json("rules", "unused", "catalog", "--days", "0")

    assert code == 1
    [listing, _] = proof["catalog"]
    missed = {kind["kind"]: kind["missed"] for kind in listing["kinds"] if kind["missed"]}
    assert missed["price_cent_more"][0]["culprits"] == ["any $.price"]
    assert "id_changed" not in missed
    fields = {field["pattern"]: field for field in coverage["catalog"][0]["fields"]}
    assert (fields["$.price"]["compared"], fields["$.price"]["unseen"] > 0) == (0, True)
    assert fields["$.title"]["compared"] == 12
    assert [one["rule"]["path"] for one in idle["catalog"] if one["use"] is None] == []

    code, found = await stage.run_json(
        "calibrate",
        "catalog",
        "--requests",
        "10",
        "--spacing",
        "0",
        "--spool",
        stage.home / "spool",
    )
    proposals = {one["path"]: one for one in found["proposals"]}
    assert code == 0
    assert [survey["asked"] for survey in found["surveys"]] == [10, 10]
    assert (proposals["$.at"]["accept"], proposals["$.at"]["within"]) == ("timestamp", "2")
    assert (proposals["$.token"]["accept"], proposals["$.token"]["is_last_resort"]) == ("any", True)
    assert set(proposals) == {"$.at", "$.token"}

    code, checked = await stage.run_json("rules", "check", "catalog")
    standings = {one["rule"]["path"]: one["standing"] for one in checked["catalog"]}
    assert (code, standings) == (1, {"$.at": "justified", "$.price": "refused"})


async def test_proposed_rules_are_written_with_their_owner_and_load(stage: Stage) -> None:
    await stage.compare()
    desired = routing(stage.home / "desired.yaml", stage.legacy.url, stage.core.url)
    places = ("--spool", stage.home / "spool", "--spacing", "0")

    ownerless = await stage.run("calibrate", "catalog", "--write", desired, *places)
    written = await stage.run(
        "calibrate", "catalog", "--write", desired, "--owner", "merchandising", *places
    )

    assert (ownerless[0], "--owner" in ownerless[2]) == (1, True)
    assert written[0] == 0, written
    assert "owner:    # who answers for it" in written[1]
    [rule] = load_routing(desired).domain("catalog").compare.rules
    assert (rule.path, rule.accept.value, rule.owner) == ("$.at", "timestamp", "merchandising")
    assert rule.routes == ("/products/",)
    assert rule.terms.within == 2


async def test_stores_that_are_down_are_no_calibration(stage: Stage) -> None:
    await stage.compare()
    gone = routing(stage.home / "routing.yaml", "http://127.0.0.1:1", "http://127.0.0.1:1")

    code, out, err = await stage.run(
        "calibrate", "catalog", "--spool", stage.home / "spool", "--spacing", "0"
    )

    assert gone.exists()
    assert code == 1
    assert "shadow_unreachable" in out
    assert "no request was answered twice" in err
