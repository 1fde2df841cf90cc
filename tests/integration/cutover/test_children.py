"""Processes under one roof: restarted when they die, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from cutover.edge.children import ChildFailed, Children, PortTaken, Service, check_ports
from loadtests.ports import free_port

pytestmark = pytest.mark.integration


def web_service(port: int) -> Service:
    return Service(
        "web",
        (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"),
        (("127.0.0.1", port),),
        f"http://127.0.0.1:{port}/",
        ready_timeout_s=20,
    )


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return state != "Z"


async def until_dead(pid: int) -> None:
    async with asyncio.timeout(20):
        while is_alive(pid):
            await asyncio.sleep(0.05)


async def test_a_killed_service_is_restarted_and_reported(tmp_path: Path) -> None:
    restarts: list[tuple[str, int]] = []
    async with Children(tmp_path, lambda name, code: restarts.append((name, code))) as children:
        await children.start(web_service(free_port()))
        first = children.pid("web")

        os.kill(first, signal.SIGKILL)

        async with asyncio.timeout(20):
            while children.pid("web") == first:
                await asyncio.sleep(0.05)
        assert is_alive(children.pid("web"))
    assert restarts == [("web", -signal.SIGKILL)]


async def test_leaving_the_block_stops_every_service(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        await children.start(web_service(free_port()))
        pid = children.pid("web")

    assert not is_alive(pid)


async def test_a_service_that_ends_at_its_start_is_told_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    service = Service(
        "broken",
        (sys.executable, "-c", "import sys; sys.exit('no such database')"),
        ready_url=f"http://127.0.0.1:{free_port()}/",
    )

    async with Children(tmp_path) as children:
        with pytest.raises(ChildFailed, match=r"stopped at its start with code 1(.|\n)*no such"):
            await children.start(service)


def test_a_taken_port_is_named_with_its_service_and_a_way_out() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]

        with pytest.raises(PortTaken, match=rf"Port {port} \(web\) is in use.*BANYAN_PROXY_PORT"):
            check_ports((web_service(port),))


async def test_children_of_a_killed_parent_stop_by_themselves(tmp_path: Path) -> None:
    """1. The parent is killed and stops nobody. 2. The kernel tells the child. 3. It ends."""
    script = f"""
import asyncio, sys
from pathlib import Path
from cutover.edge.children import Children, Service

async def main():
    async with Children(Path({str(tmp_path)!r})) as children:
        sleep = (sys.executable, "-c", "import time; time.sleep(99)")
        await children.start(Service("sleeper", sleep))
        print(children.pid("sleeper"), flush=True)
        await asyncio.sleep(99)

asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())

    parent.kill()
    await parent.wait()

    await until_dead(child)
