"""A proxy goes away and comes back, and somebody hears of both: by the real Prometheus, the real
Alertmanager and the deployed rules. Only addresses and the pace of looking are the test's own."""

from __future__ import annotations

import asyncio
import json
import shutil
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from loadtests.ports import free_port
from tests.support.processes import spawn_process, wait_for_http
from tests.support.receiver import Receiver, receiving
from tests.support.system_tools import TOOLS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

DEPLOY = Path(__file__).parents[3] / "deploy"
METRIC = "# TYPE banyan_workers gauge\nbanyan_workers 2.0\n"
WAIT_S = 60.0


@pytest.fixture(autouse=True)
def programs() -> None:
    """Without the programs nothing can be shown: skipped, with the line that says how to."""
    for tool in TOOLS:
        if tool.command.startswith("prometheus") and shutil.which(tool.command) is None:
            pytest.skip(tool.advice)


@asynccontextmanager
async def side_door(port: int) -> AsyncIterator[None]:
    """What answers a scrape, as long as the block runs."""

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(text=METRIC)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


def alertmanager_config(folder: Path, pager: Receiver, tickets: Receiver) -> Path:
    """The deployed one, with the receivers' addresses."""
    config = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text())
    for receiver, at in zip(config["receivers"], (pager, tickets), strict=True):
        receiver["webhook_configs"][0]["url"] = at.url
    written = folder / "alertmanager.yml"
    written.write_text(yaml.safe_dump(config))
    return written


def prometheus_config(folder: Path, door: int, alertmanager: int) -> Path:
    """The deployed one, looking each second at one target."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "evaluation_interval": "1s",
    }
    config["rule_files"] = [str(DEPLOY / "prometheus" / file) for file in config["rule_files"]]
    (manager,) = config["alerting"]["alertmanagers"]
    manager["static_configs"] = [{"targets": [f"127.0.0.1:{alertmanager}"]}]
    proxy = next(job for job in config["scrape_configs"] if job["job_name"] == "banyan-proxy")
    proxy["static_configs"] = [{"targets": [f"127.0.0.1:{door}"]}]
    config["scrape_configs"] = [proxy]
    written = folder / "prometheus.yml"
    written.write_text(yaml.safe_dump(config))
    return written


def rules_of(port: int) -> list[str]:
    """How each rule that Prometheus has loaded fares: ok, unknown before its first turn, or err."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/rules", timeout=10) as answer:
        groups = json.load(answer)["data"]["groups"]
    return [rule["health"] for group in groups for rule in group["rules"]]


def deployed_rules() -> int:
    """How many there are in the files that it was told to read."""
    folder = DEPLOY / "prometheus"
    files = yaml.safe_load((folder / "prometheus.yml").read_text())["rule_files"]
    read = [yaml.safe_load((folder / file).read_text()) for file in files]
    return sum(len(group["rules"]) for one in read for group in one["groups"])


async def until(what: str, holds: Callable[[], bool]) -> None:
    """Wait for it, at most a minute."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not holds():
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"{what}: not within {WAIT_S:g} s")


def told(receiver: Receiver, status: str) -> list[dict[str, Any]]:
    """Alerts that were sent there as firing, or as resolved."""
    found = (one for message in receiver.got for one in message["alerts"])
    return [one for one in found if one["status"] == status]


async def test_a_proxy_that_goes_away_is_told_to_the_pager_and_its_return_too(
    tmp_path: Path,
) -> None:
    door, prometheus, alertmanager = free_port(), free_port(), free_port()
    async with AsyncExitStack() as stack:
        pager = await stack.enter_async_context(receiving())
        tickets = await stack.enter_async_context(receiving())
        stack.enter_context(
            spawn_process(
                [
                    "prometheus-alertmanager",
                    f"--config.file={alertmanager_config(tmp_path, pager, tickets)}",
                    f"--storage.path={tmp_path / 'alertmanager'}",
                    f"--web.listen-address=127.0.0.1:{alertmanager}",
                    "--cluster.listen-address=",
                ],
                log=tmp_path / "alertmanager.log",
            )
        )
        stack.enter_context(
            spawn_process(
                [
                    "prometheus",
                    f"--config.file={prometheus_config(tmp_path, door, alertmanager)}",
                    f"--storage.tsdb.path={tmp_path / 'prometheus'}",
                    f"--web.listen-address=127.0.0.1:{prometheus}",
                ],
                log=tmp_path / "prometheus.log",
            )
        )
        for port in (alertmanager, prometheus):
            await asyncio.to_thread(wait_for_http, f"http://127.0.0.1:{port}/-/ready", 60)

        await until("the alert at the pager", lambda: bool(told(pager, "firing")))
        (alert, *_) = told(pager, "firing")
        loaded = await asyncio.to_thread(rules_of, prometheus)
        async with side_door(door):
            await until("its end at the pager", lambda: bool(told(pager, "resolved")))

    assert alert["labels"]["alertname"] == "BanyanProxyDown"
    assert alert["labels"]["severity"] == "page"
    assert alert["labels"]["instance"] == f"127.0.0.1:{door}"
    assert alert["annotations"]["runbook_url"].endswith("runbooks.md#banyanproxydown")
    (ended, *_) = told(pager, "resolved")
    assert ended["fingerprint"] == alert["fingerprint"]
    assert tickets.got == []
    assert len(loaded) == deployed_rules()
    assert "err" not in loaded
