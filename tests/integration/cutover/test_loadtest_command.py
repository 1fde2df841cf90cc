"""Load tests as an engineer runs them: real proxy, real Locust, and what a crash leaves behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from cutover.core.gate import Verdict
from cutover.core.load_gate import judge_load
from cutover.storage.loadtests import LoadFiles
from loadtests.ports import free_port
from proxy.storage.tables import parse_routing
from tests.integration.proxy.harness import proxy
from tests.support.processes import spawn_process
from tests.support.stores import SmallStore, small_store

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

FILE = """\
apiVersion: banyan/v1
stores: {{legacy: {{url: "{legacy}"}}, core: {{url: "{core}"}}}}
shopper: ["header:Session-Id"]
domains:
  catalog:
    owner: shop
    stage: canary
    core_share: {share}
    pilots: [{{header: {{X-Pilot: "yes"}}}}]
    routes:
      - {{path: "/products/", methods: [GET]}}
      - {{path: "/products/{{id}}/", methods: [GET]}}
    shadow: {{sample: 100%}}
    gates: {{loadtest: {{profile: 1x, p99: 10x, requests: 60}}}}
"""


@dataclass
class Pace:
    """How long a store takes."""

    seconds: float

    async def answer(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.seconds)
        return web.json_response({"path": request.path})


@asynccontextmanager
async def two_stores(legacy: Pace, core: Pace) -> AsyncIterator[tuple[SmallStore, SmallStore]]:
    async with small_store(legacy.answer) as one, small_store(core.answer) as other:
        yield one, other


@dataclass(frozen=True)
class Banyan:
    """Runs commands over one folder of state."""

    var: Path
    door: str

    @property
    def env(self) -> dict[str, str]:
        return {"BANYAN_VAR": str(self.var), "BANYAN_SIDE_DOOR": self.door}

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "cutover", *map(str, arguments)]

    async def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run,
            self.command(*arguments),
            env={**os.environ, **self.env},  # noqa: TID251 - handed on whole
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    async def json(self, *arguments: object) -> Any:
        ended = await self.run(*arguments, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


async def until(holds: Callable[[], bool], log: Path, timeout_s: float = 45) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() >= deadline:
            raise TimeoutError(await asyncio.to_thread(log.read_text))
        await asyncio.sleep(0.05)


def pressing(work: Path) -> bool:
    """Whether the load generator has had an answer."""
    try:
        told = json.loads((work / "result-0.json").read_bytes())
    except (OSError, ValueError):
        return False
    return bool(told["requests"])


def processes_of(folder: Path) -> list[int]:
    """Those that were started with a file in a folder."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in line.read_bytes():
                found.append(int(line.parent.name))
        except OSError:  # it has ended
            continue
    return found


def shop(url: str, count: int) -> None:
    for number in range(count):
        target = "/products/" if number % 3 else f"/products/{number}/"
        with urllib.request.urlopen(f"{url}{target}", timeout=10) as answer:
            assert answer.status == 200


async def test_a_step_is_judged_by_a_load_that_went_through_the_proxy(tmp_path: Path) -> None:
    legacy_pace, core_pace = Pace(0.1), Pace(3.0)
    async with two_stores(legacy_pace, core_pace) as (legacy, core):
        text = FILE.format(legacy=legacy.url, core=core.url, share="0%")
        with proxy(tmp_path, text) as running:
            banyan = Banyan(tmp_path, f"http://127.0.0.1:{running.door}")
            url = f"http://127.0.0.1:{running.port}"
            config = tmp_path / "routing.yaml"
            assert (await banyan.run("apply", "-c", config, "--init", "--yes")).returncode == 0
            await asyncio.to_thread(shop, url, 9)
            await until(
                lambda: running.metric("banyan_shadow_total", outcome="spooled") >= 9, running.log
            )
            out = tmp_path / "catalog.json"
            recorded = await banyan.run("traffic", "record", "catalog", "--out", out)
            assert "9 requests of 2 routes" in recorded.stdout, recorded.stderr

            load = ("loadtest", "catalog", "--from", out, "--rate", 40, "--duration", "2s")
            wish = (*load, "--proxy", url, "--yes")
            slow = await banyan.json(*wish)
            config.write_text(text.replace("core_share: 0%", "core_share: 5%"))
            held = await banyan.run("plan", "-c", config)
            core_pace.seconds = 0.1
            quick = await banyan.json(*wish)
            free = await banyan.run("plan", "-c", config)

            mirrored = running.metric("banyan_shadow_total", outcome="spooled")

    assert [side["way"] for side in slow["sides"]] == [
        "through the proxy, without a shopper's key",
        "through the proxy, as a pilot",
    ]
    served = [side["served"] for side in slow["sides"]]
    assert [list(sides) for sides in served] == [["legacy"], ["core"]]
    assert {name for side in quick["sides"] for name in side["routes"]} == {
        "GET /products/",
        "GET /products/{id}/",
    }
    assert mirrored == 9, "what a load test asks is mirrored"
    # On a machine that has too much to do a run is in doubt, and says nothing of the core.
    # A core this slow is not asked as often as it should be, or answers later than it may.
    words = ("fails: the core took", "fails: p99 of the core", "is inconclusive")
    assert any(f"loadtest gate {word}" in held.stdout for word in words), held.stdout
    assert "run: banyan loadtest catalog --profile 1x" in held.stdout
    table = parse_routing(config.read_bytes(), "f")
    gate = table.domain("catalog").load_gate
    assert gate is not None
    kept = replace(LoadFiles(tmp_path / "loadtests").of("catalog"), stores=table.stores)
    answer = judge_load(gate, "catalog", kept, datetime.now(UTC))  # noqa: TID251 - as the command
    assert kept.runs[0].id == quick["id"]
    assert ("refused" not in free.stdout) == (answer.verdict is Verdict.PASS), free.stdout
    assert (tmp_path / "loadtests" / f"{quick['id']}.html").read_text().count("<polyline") == 4


async def test_a_store_behind_tls_is_asked_as_far_as_it_is_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    config = tmp_path / "routing.yaml"
    banyan = Banyan(tmp_path / "var", f"http://127.0.0.1:{free_port()}")
    load = ("loadtest", "catalog", "-c", config, "--side", "core", "--rate", 20)
    wish = (*load, "--duration", "1s", "--proxy", "", "--workers", 2)
    async with small_store(Pace(0.0).answer, context) as core:
        text = FILE.format(legacy="http://127.0.0.1:9", core=f"{core.url}/shop", share="0%")
        config.write_text(text)
        strange = await banyan.json(*wish)
        asked_before = len(core.asked)
        trusting = text.replace(f'"{core.url}/shop"', f'"{core.url}/shop", tls: {{ca: "{ca}"}}')
        config.write_text(trusting)
        trusted = await banyan.json(*wish)

    assert asked_before == 0
    assert "not one request was answered" in strange["sides"][0]["doubts"][0]
    assert set(strange["sides"][0]["total"]["errors"]) == {"SSLCertVerificationError"}
    assert trusted["sides"][0]["total"]["errors"] == {}
    assert {path for _, path, _ in core.asked} == {"/shop/products/"}


async def test_two_at_once_a_kill_and_an_interrupt_leave_no_evidence(tmp_path: Path) -> None:
    async with two_stores(Pace(0.0), Pace(0.0)) as (legacy, core):
        config = tmp_path / "routing.yaml"
        config.write_text(FILE.format(legacy=legacy.url, core=core.url, share="0%"))
        banyan = Banyan(tmp_path / "var", f"http://127.0.0.1:{free_port()}")
        load = ("loadtest", "catalog", "-c", config, "--side", "core", "--rate", 20)
        wish = (*load, "--duration", "10m", "--proxy", "")
        work = tmp_path / "var" / "loadtests" / ".work-catalog"
        log = tmp_path / "log"

        with spawn_process(banyan.command(*wish), log=log, env=banyan.env) as killed:
            await until(lambda: pressing(work), log)
            second = await banyan.run(*wish)
            killed.kill()
            killed.wait()
            await until(lambda: not processes_of(work), log)
        after_kill = await banyan.json("loadtest", "--list")

        (work / "result-0.json").unlink()  # of the one that was killed
        with spawn_process(banyan.command(*wish), log=log, env=banyan.env) as interrupted:
            await until(lambda: pressing(work), log)
            interrupted.send_signal(signal.SIGINT)
            code = await asyncio.to_thread(interrupted.wait, 45)
            await until(lambda: not processes_of(work), log)
        after_interrupt = await banyan.json("loadtest", "--list")

    assert second.returncode == 1
    assert second.stderr.startswith("banyan: a load test of catalog is running")
    assert after_kill == []
    assert code == 4, log.read_text()
    assert [run["state"] for run in after_interrupt] == ["aborted"]
    assert not work.exists()


@dataclass
class Door:
    """A side door by which ever more shoppers meet errors."""

    answers: int = 1_000

    async def answer(self, _: web.Request) -> web.Response:
        self.answers += 100
        errors = self.answers - 1_100
        counted = 'banyan_requests_total{domain="cart",side="core",status_class='
        text = f'{counted}"2xx"}} {self.answers - errors}\n{counted}"5xx"}} {errors}\n'
        return web.Response(text=text)


async def test_a_load_ends_by_itself_when_shoppers_meet_errors_or_it_loses_a_process(
    tmp_path: Path,
) -> None:
    config, log = tmp_path / "routing.yaml", tmp_path / "log"
    async with small_store(Pace(0.0).answer) as core, small_store(Door().answer) as door:
        config.write_text(FILE.format(legacy="http://127.0.0.1:9", core=core.url, share="0%"))
        load = ("loadtest", "catalog", "-c", config, "--side", "core", "--rate", 20)
        wish = (*load, "--duration", "10m", "--proxy", "")

        hurt = await Banyan(tmp_path / "hurt", door.url).run(*wish)
        blind = Banyan(tmp_path / "blind", f"http://127.0.0.1:{free_port()}")
        work = blind.var / "loadtests" / ".work-catalog"
        with spawn_process(blind.command(*wish), log=log, env=blind.env) as running:
            await until(lambda: pressing(work), log)
            (press,) = processes_of(work)
            os.kill(press, signal.SIGKILL)
            code = await asyncio.to_thread(running.wait, 45)

    assert hurt.returncode == 4, hurt.stderr
    assert "ABORTED, no evidence: shoppers met errors" in hurt.stdout
    assert code == 4, log.read_text()
    assert "the load generator ended before its time" in log.read_text()
