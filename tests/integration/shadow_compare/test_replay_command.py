"""`banyan replay` against two small stores."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from pathlib import Path

import pytest
from aiohttp import web

from proxy.storage.tables import load_routing
from shadow_compare.core.batch import Batch
from shadow_compare.core.epoch import epoch_of
from shadow_compare.core.verdict import Outcome
from shadow_compare.service.rulebook import day_of
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.schema import migrate
from shadow_compare.storage.writer import SqlEvidenceWriter
from tests.integration.proxy.certificates import Authority
from tests.support.comparing import DETAIL, NOW_S, finding, judged
from tests.support.stores import routing, small_store, trusting

pytestmark = pytest.mark.integration


async def test_a_group_is_asked_again_of_both_sides_and_the_exit_code_tells(
    tmp_path: Path,
) -> None:
    async def legacy(_request: web.Request) -> web.Response:
        return web.json_response({"price": "1.00"})

    async def core(request: web.Request) -> web.Response:
        return web.json_response({"price": "1.00" if request.query["q"] == "1" else "1.01"})

    url = f"sqlite+aiosqlite:///{tmp_path}/evidence.sqlite3"
    tls = Authority(tmp_path).issue("store").server()
    async with small_store(legacy, tls) as old, small_store(core) as new:
        # Named from the table's folder, which is not where the command runs.
        table = routing(tmp_path / "applied.yaml", old.url, new.url)
        trusting(table, old.url, "ca.pem")
        await _store(url, table)

        async def replay(*words: str) -> tuple[int, str]:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cutover", "replay", *words,
                "--config", str(table), "--database", url,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode is not None
            return process.returncode, out.decode()

        mended = await replay("v1:00000000000000aa")
        code, told = await replay("--from", "2020-01-01", "--to", "2100-01-01", "--json")

    found = json.loads(told)
    assert mended[0] == 0
    assert "of 1 stored requests: 1 equal" in mended[1]
    assert (code, found["exit_code"], found["asked"]) == (3, 3, 2)
    assert {one["target"]: one["end"] for one in found["requests"]} == {
        "/products/7/?q=1": "equal",
        "/products/7/?q=2": "other",
    }
    assert all("x-banyan-shadow" in headers for _, _, headers in old.asked + new.asked)


async def _store(url: str, file: Path) -> None:
    table = load_routing(file)
    epoch = epoch_of(table.domain("catalog"), table.stores, day_of(NOW_S), NOW_S)
    second = finding("v1:00000000000000bb", "r-2")
    second = dataclasses.replace(
        second, example=dataclasses.replace(second.example, target="/products/7/?q=2")
    )
    frames = [
        judged(seq, Outcome.MISMATCH, route=DETAIL, epoch_key=epoch.key, found=found)
        for seq, found in ((1, finding()), (2, second))
    ]
    engine = writer_engine(parse(url))
    await migrate(engine)
    await SqlEvidenceWriter(engine).commit(Batch(NOW_S, tuple(frames), (epoch,)))
    await engine.dispose()
